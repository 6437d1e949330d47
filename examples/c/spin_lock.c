// A note behind a spin lock: a handler that interrupts the owner spins for ever.
//
//   cc -shared -fPIC -g -O2 -pthread -I ../../crates/osnote/include -o libspin.so spin_lock.c
//   sigproof validate ./libspin.so           claims to be safe; spins for ever at ..
//   cc .. -DMASKED                           right: signals are blocked while the lock is held
#define _GNU_SOURCE
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

#include "sigproof.h"

struct note {
  atomic_flag locked;
  int woken, waits;
  sem_t sleeper;
};

static void lock(struct note *it, sigset_t *before) {
#ifdef MASKED
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, before);
#else
  (void)before;
#endif
  while (atomic_flag_test_and_set_explicit(&it->locked, memory_order_acquire)) {
  }
}

static void unlock(struct note *it, const sigset_t *before) {
  atomic_flag_clear_explicit(&it->locked, memory_order_release);
#ifdef MASKED
  pthread_sigmask(SIG_SETMASK, before, NULL);
#else
  (void)before;
#endif
}

static int init(void *note) {
  struct note *it = note;
  atomic_flag_clear(&it->locked);
  return sem_init(&it->sleeper, 0, 0) == 0 ? 0 : errno;
}

static int clear(void *note) {
  struct note *it = note;
  sigset_t before;
  lock(it, &before);
  it->woken = 0;
  unlock(it, &before);
  return 0;
}

static int sleep_note(void *note) {
  struct note *it = note;
  sigset_t before;
  lock(it, &before);
  int woken = it->woken;
  it->waits = !woken;
  unlock(it, &before);
  if (woken) return 0;
  // Whoever finds `waits` posts once.
  while (sem_wait(&it->sleeper) != 0) {
  }
  return 0;
}

static int wakeup(void *note) {
  struct note *it = note;
  int error = errno;
  sigset_t before;
  lock(it, &before);
  int again = it->woken, waits = it->waits;
  it->woken = 1;
  it->waits = 0;
  unlock(it, &before);
  if (waits) sem_post(&it->sleeper);
  errno = error;
  return again ? EALREADY : 0;
}

static const struct sigproof_note_v1 NOTE = {
    .abi = SIGPROOF_ABI,
    .flags = SIGPROOF_WAKEUP_IN_HANDLER,
    .name = "c-spin-lock",
    .size = sizeof(struct note),
    .align = _Alignof(struct note),
    .init = init,
    .clear = clear,
    .sleep = sleep_note,
    .wakeup = wakeup,
};

const struct sigproof_note_v1 *sigproof_note(void) { return &NOTE; }
