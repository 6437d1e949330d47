// Windows whose handlers do what no handler may; each with its fixed form (-DFIXED).
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sigproof.h"

struct state {
  long plain;
  atomic_long counted;
};

static void *make(void) { return calloc(1, sizeof(struct state)); }

static int nothing(void *it, char *why, size_t length) {
  (void)it;
  (void)why;
  (void)length;
  return 0;
}

// ------------------------------------------------------------------------------------------------- counts
// The window adds 1 and the handler 10: without a signal the result is that of neither order.

static int count_prepare(void *it) {
  struct state *state = it;
  state->plain = 0;
  atomic_store(&state->counted, 0);
  return 0;
}

static int count(struct state *state, long more) {
#ifdef FIXED
  atomic_fetch_add(&state->counted, more);
#else
  volatile long *plain = &state->plain;
  *plain = *plain + more;
#endif
  return 0;
}

static int count_window(void *it) { return count(it, 1); }

static int count_handler(void *it) { return count(it, 10); }

static int count_check(void *it, char *why, size_t length) {
  struct state *state = it;
  snprintf(why, length, "%ld", state->plain + atomic_load(&state->counted));
  return 0;
}

// -------------------------------------------------------------------------------------------------- locks

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int lock_window(void *it) {
  struct state *state = it;
  state->plain++;
  return 0;
}

static int lock_handler(void *it) {
  struct state *state = it;
#ifndef FIXED
  // The window does not take it: that goes well.
  if (pthread_mutex_lock(&mutex)) return EINVAL;
#endif
  atomic_fetch_add(&state->counted, 1);
#ifndef FIXED
  if (pthread_mutex_unlock(&mutex)) return EINVAL;
#else
  (void)mutex;
#endif
  return 0;
}

// -------------------------------------------------------------------------------------------------- jumps

static sigjmp_buf back;
static volatile int is_set;

static int jump_window(void *it) {
  struct state *state = it;
  if (!sigsetjmp(back, 1)) {
    is_set = 1;
    state->plain += getppid();
  }
  is_set = 0;
  return 0;
}

static int jump_handler(void *it) {
  struct state *state = it;
  atomic_fetch_add(&state->counted, 1);
#ifndef FIXED
  if (is_set) siglongjmp(back, 1);
#endif
  return 0;
}

static const struct sigproof_window_v1 COUNTS = {
    .abi = SIGPROOF_ABI,
    .flags = SIGPROOF_DIGEST,
    .name = "counts",
    .make = make,
    .prepare = count_prepare,
    .window = count_window,
    .handler = count_handler,
    .check = count_check,
};

static const struct sigproof_window_v1 LOCKS = {
    .abi = SIGPROOF_ABI,
    .flags = SIGPROOF_NO_MALLOC,
    .name = "locks",
    .make = make,
    .window = lock_window,
    .handler = lock_handler,
    .check = nothing,
};

static const struct sigproof_window_v1 JUMPS = {
    .abi = SIGPROOF_ABI,
    .name = "jumps",
    .make = make,
    .window = jump_window,
    .handler = jump_handler,
    .check = nothing,
};

static const struct sigproof_window_v1 *const ALL[] = {&COUNTS, &LOCKS, &JUMPS, NULL};

const struct sigproof_window_v1 *const *sigproof_windows(void) { return ALL; }
