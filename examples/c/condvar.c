// A note over a mutex and a condition variable: no handler may wake it (POSIX.1-2017, 2.4.3).
//
//   cc -shared -fPIC -g -O2 -pthread -I ../../crates/osnote/include -o libcondvar.so condvar.c
//   sigproof validate ./libcondvar.so        claims to be safe; self-deadlocks at ..
//   cc .. -DMASKED                           safe as claimed: no handler runs while the mutex is held. Nor while the
//                                            thread sleeps: another thread has to wake it
//   cc .. -DHONEST                           unsafe as claimed; self-deadlocks at ..
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "sigproof.h"

struct note {
  pthread_mutex_t mutex;
  pthread_cond_t woken_now;
  int woken;
};

// Blocks all signals of this thread; lets them in as they were.
static sigset_t block(void) {
  sigset_t before;
  sigemptyset(&before);
#ifdef MASKED
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
  return before;
}

static void let_in(const sigset_t *before) {
#ifdef MASKED
  pthread_sigmask(SIG_SETMASK, before, NULL);
#else
  (void)before;
#endif
}

static int init(void *note) {
  struct note *it = note;
  pthread_condattr_t attributes;
  int error = pthread_mutex_init(&it->mutex, NULL);
  if (!error) error = pthread_condattr_init(&attributes);
#ifdef __linux__
  if (!error) error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
  if (!error) error = pthread_cond_init(&it->woken_now, &attributes);
  return error;
}

static void destroy(void *note) {
  struct note *it = note;
  pthread_cond_destroy(&it->woken_now);
  pthread_mutex_destroy(&it->mutex);
}

static int clear(void *note) {
  struct note *it = note;
  sigset_t before = block();
  pthread_mutex_lock(&it->mutex);
  it->woken = 0;
  pthread_mutex_unlock(&it->mutex);
  let_in(&before);
  return 0;
}

static int sleep_note(void *note) {
  struct note *it = note;
  sigset_t before = block();
  pthread_mutex_lock(&it->mutex);
  while (!it->woken) pthread_cond_wait(&it->woken_now, &it->mutex);
  pthread_mutex_unlock(&it->mutex);
  let_in(&before);
  return 0;
}

static int wakeup(void *note) {
  struct note *it = note;
  sigset_t before = block();
  pthread_mutex_lock(&it->mutex);
  int again = it->woken;
  it->woken = 1;
  pthread_cond_signal(&it->woken_now);
  pthread_mutex_unlock(&it->mutex);
  let_in(&before);
  return again ? EALREADY : 0;
}

static const struct sigproof_note_v1 NOTE = {
    .abi = SIGPROOF_ABI,
#ifdef HONEST
    .flags = 0,
#else
    .flags = SIGPROOF_WAKEUP_IN_HANDLER,
#endif
    .name = "c-condvar",
    .size = sizeof(struct note),
    .align = _Alignof(struct note),
    .init = init,
    .destroy = destroy,
    .clear = clear,
    .sleep = sleep_note,
    .wakeup = wakeup,
};

const struct sigproof_note_v1 *sigproof_note(void) { return &NOTE; }
