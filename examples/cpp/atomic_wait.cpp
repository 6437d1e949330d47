// A note in C++20 over the futex, and one over std::mutex.
//
//   c++ -shared -fPIC -g -O2 -I ../../crates/osnote/include -o libcpp.so atomic_wait.cpp
//   sigproof validate ./libcpp.so            safe as claimed
//   c++ .. -DWITH_MUTEX                      claims to be safe; self-deadlocks at ..
//
// std::atomic::wait is not used: what it sleeps on is the library's choice, and it may be a mutex.
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <mutex>
#include <new>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sigproof.h"

namespace {

class Note {
 public:
  int clear() noexcept {
    Guard guard{*this};
    woken_.store(0, std::memory_order_relaxed);
    return 0;
  }

  int sleep() noexcept {
    while (woken_.load(std::memory_order_acquire) == 0) {
      syscall(SYS_futex, &woken_, FUTEX_WAIT_PRIVATE, 0, nullptr);
    }
    return 0;
  }

  int wakeup() noexcept {
    const int before = errno;
    std::uint32_t again;
    {
      Guard guard{*this};
      again = woken_.exchange(1, std::memory_order_release);
    }
    if (!again) syscall(SYS_futex, &woken_, FUTEX_WAKE_PRIVATE, INT_MAX);
    errno = before;
    return again ? EALREADY : 0;
  }

 private:
#ifdef WITH_MUTEX
  struct Guard {
    explicit Guard(Note &note) : note_(note) { note_.mutex_.lock(); }
    ~Guard() { note_.mutex_.unlock(); }
    Note &note_;
  };
  std::mutex mutex_;
#else
  struct Guard {
    explicit Guard(Note &) {}
  };
#endif
  std::atomic<std::uint32_t> woken_{0};
};

Note *of(void *note) { return std::launder(static_cast<Note *>(note)); }

const sigproof_note_v1 NOTE = {
    SIGPROOF_ABI,
    SIGPROOF_WAKEUP_IN_HANDLER,
    "cpp-atomic",
    sizeof(Note),
    alignof(Note),
    [](void *note) { return new (note) Note, 0; },
    [](void *note) { of(note)->~Note(); },
    [](void *note) { return of(note)->clear(); },
    [](void *note) { return of(note)->sleep(); },
    nullptr,
    [](void *note) { return of(note)->wakeup(); },
};

}  // namespace

const sigproof_note_v1 *sigproof_note() { return &NOTE; }
