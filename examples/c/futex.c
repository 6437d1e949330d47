// A note over a futex: right. Linux.
//
//   cc -shared -fPIC -g -O2 -I ../../crates/osnote/include -o libfutex.so futex.c
//   sigproof validate ./libfutex.so          safe as claimed
//
// One word: 0 cleared, 1 woken. The kernel compares it again before it lets the sleeper sleep, so a wake-up
// that comes between the load and the call is not lost.
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sigproof.h"

struct note {
  _Atomic uint32_t woken;
};

static long futex(_Atomic uint32_t *word, int operation, uint32_t value, const struct timespec *until) {
  return syscall(SYS_futex, word, operation, value, until, NULL, FUTEX_BITSET_MATCH_ANY);
}

static int init(void *note) {
  atomic_init(&((struct note *)note)->woken, 0);
  return 0;
}

static int clear(void *note) {
  atomic_store_explicit(&((struct note *)note)->woken, 0, memory_order_relaxed);
  return 0;
}

static int sleep_until(struct note *note, const struct timespec *until) {
  while (atomic_load_explicit(&note->woken, memory_order_acquire) == 0) {
    // An absolute time, so that a sleep that is interrupted does not begin anew.
    if (futex(&note->woken, FUTEX_WAIT_BITSET_PRIVATE, 0, until) == -1 && errno == ETIMEDOUT) {
      return atomic_load_explicit(&note->woken, memory_order_acquire) ? 0 : ETIMEDOUT;
    }
  }
  return 0;
}

static int sleep_note(void *note) { return sleep_until(note, NULL); }

static int sleep_timeout(void *note, uint64_t nanoseconds) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  uint64_t seconds = nanoseconds / 1000000000u;
  // Longer than a process lives.
  if (seconds > UINT32_MAX) return sleep_until(note, NULL);
  until.tv_sec += (time_t)seconds;
  until.tv_nsec += (long)(nanoseconds % 1000000000u);
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec += 1;
    until.tv_nsec -= 1000000000;
  }
  return sleep_until(note, &until);
}

static int wakeup(void *note) {
  struct note *it = note;
  // Release: what was written before is seen by the sleeper.
  if (atomic_exchange_explicit(&it->woken, 1, memory_order_release)) return EALREADY;
  int before = errno;
  futex(&it->woken, FUTEX_WAKE_PRIVATE, INT_MAX, NULL);
  errno = before;
  return 0;
}

static const struct sigproof_note_v1 NOTE = {
    .abi = SIGPROOF_ABI,
    .flags = SIGPROOF_WAKEUP_IN_HANDLER | SIGPROOF_TIMED_SLEEP,
    .name = "c-futex",
    .size = sizeof(struct note),
    .align = _Alignof(struct note),
    .init = init,
    .clear = clear,
    .sleep = sleep_note,
    .sleep_timeout = sleep_timeout,
    .wakeup = wakeup,
};

const struct sigproof_note_v1 *sigproof_note(void) { return &NOTE; }
