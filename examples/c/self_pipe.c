// A note over a pipe to oneself, and its classic mistakes.
//
//   cc -shared -fPIC -g -O2 -I ../../crates/osnote/include -o libpipe.so self_pipe.c
//   cc .. -DBLOCKING     the write end blocks, and each wake-up writes: a handler that finds the pipe full
//                        waits for a reader, which may be the thread that it interrupted
//   cc .. -DFLAG_LATE    the flag is set after the write: the sleeper reads the byte, finds no flag, sleeps on
//   cc .. -DDRAIN_BLIND  drained without a look at the flag: a byte that the drain eats wakes nobody
//
// The flag says that the note is woken; the byte ends the system call of a sleeper. `clear` leaves bytes in
// the pipe, and a sleeper that finds a byte without a flag goes on.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "sigproof.h"

struct note {
  int ends[2];
  _Atomic uint32_t woken;
};

static int init(void *note) {
  struct note *it = note;
  if (pipe2(it->ends, O_CLOEXEC | O_NONBLOCK) != 0) return errno;
#ifdef BLOCKING
  fcntl(it->ends[1], F_SETFL, 0);
#endif
  return 0;
}

static void destroy(void *note) {
  struct note *it = note;
  close(it->ends[0]);
  close(it->ends[1]);
}

static void drain(struct note *it) {
  char bytes[64];
  while (read(it->ends[0], bytes, sizeof bytes) == (ssize_t)sizeof bytes) {
  }
}

static int clear(void *note) {
  struct note *it = note;
#ifdef DRAIN_BLIND
  atomic_store(&it->woken, 0);
#else
  // First the bytes, then the flag: the other way round, a byte of a wake-up that comes between would go, and
  // its flag would stay.
  drain(it);
  atomic_store(&it->woken, 0);
#endif
  return 0;
}

static int sleep_note(void *note) {
  struct note *it = note;
#ifdef DRAIN_BLIND
  // Drains what is left of earlier wake-ups, then sleeps until there is a byte: the flag is not looked at.
  if (atomic_load(&it->woken)) return 0;
  drain(it);
  struct pollfd fd = {.fd = it->ends[0], .events = POLLIN};
  while (poll(&fd, 1, -1) != 1) {
  }
  return 0;
#else
  while (!atomic_load(&it->woken)) {
    struct pollfd fd = {.fd = it->ends[0], .events = POLLIN};
    if (poll(&fd, 1, -1) == 1) drain(it);
  }
  return 0;
#endif
}

static int wakeup(void *note) {
  struct note *it = note;
  int before = errno;
  char byte = 1;
#ifdef FLAG_LATE
  int full = write(it->ends[1], &byte, 1) == -1 && errno != EAGAIN;
  uint32_t again = atomic_exchange(&it->woken, 1);
#elif defined(BLOCKING)
  uint32_t again = atomic_exchange(&it->woken, 1);
  int full = write(it->ends[1], &byte, 1) == -1;
#else
  uint32_t again = atomic_exchange(&it->woken, 1);
  // A full pipe wakes as well as one more byte would.
  int full = !again && write(it->ends[1], &byte, 1) == -1 && errno != EAGAIN;
#endif
  int error = full ? errno : again ? EALREADY : 0;
  errno = before;
  return error;
}

static const struct sigproof_note_v1 NOTE = {
    .abi = SIGPROOF_ABI,
    .flags = SIGPROOF_WAKEUP_IN_HANDLER,
    .name = "c-self-pipe",
    .size = sizeof(struct note),
    .align = _Alignof(struct note),
    .init = init,
    .destroy = destroy,
    .clear = clear,
    .sleep = sleep_note,
    .wakeup = wakeup,
};

const struct sigproof_note_v1 *sigproof_note(void) { return &NOTE; }
