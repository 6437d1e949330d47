// A note over a POSIX semaphore: sem_post is on the list of async-signal-safe functions.
//
//   cc -shared -fPIC -g -O2 -pthread -I ../../crates/osnote/include -o libsem.so sem_post.c
//   sigproof validate ./libsem.so            safe as claimed
//   cc .. -DNO_RESTART                       EINTR surfaces: a signal that wakes nobody ends the sleep
#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include "sigproof.h"

static int init(void *note) { return sem_init(note, 0, 0) == 0 ? 0 : errno; }

static void destroy(void *note) { sem_destroy(note); }

static int clear(void *note) {
  // A second wake-up has left one more.
  while (sem_trywait(note) == 0) {
  }
  return 0;
}

static int sleep_note(void *note) {
#ifdef NO_RESTART
  return sem_wait(note) == 0 ? 0 : errno;
#else
  while (sem_wait(note) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
#endif
}

static int wakeup(void *note) {
  int before = errno;
  int error = sem_post(note) == 0 ? 0 : errno;
  errno = before;
  return error;
}

static const struct sigproof_note_v1 NOTE = {
    .abi = SIGPROOF_ABI,
    .flags = SIGPROOF_WAKEUP_IN_HANDLER,
    .name = "c-sem-post",
    .size = sizeof(sem_t),
    .align = _Alignof(sem_t),
    .init = init,
    .destroy = destroy,
    .clear = clear,
    .sleep = sleep_note,
    .wakeup = wakeup,
};

const struct sigproof_note_v1 *sigproof_note(void) { return &NOTE; }
