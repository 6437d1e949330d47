// Libraries that do what sigproof.h forbids, one for each macro: the note of examples/c/futex.c with one
// function or one number changed.
#define sigproof_note right_note
#include "futex.c"
#undef sigproof_note

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static struct sigproof_note_v1 table;

__attribute__((constructor)) static void load(void) {
#if defined(LOAD_CRASHES)
  volatile int *volatile nowhere = NULL;
  *nowhere = 1;
#elif defined(LOAD_HANGS)
  for (;;) pause();
#elif defined(LOAD_EXITS)
  _exit(0);
#elif defined(LOAD_FORKS)
  if (fork() == 0)
    for (;;) pause();
#elif defined(LOAD_CLOSES)
  for (int fd = 0; fd < 1024; fd++) close(fd);
#elif defined(LOAD_BLOCKS)
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
#endif
}

static int calls;

// The third call, so that some go well.
static int third(void) { return ++calls % 3 == 0; }

static int bad_init(void *note) {
#if defined(INIT_ENOMEM)
  return ENOMEM;
#elif defined(INIT_EINVAL)
  return EINVAL;
#else
  return init(note);
#endif
}

static jmp_buf left;

static int bad_wakeup(void *note) {
  int code = wakeup(note);
#if defined(CRASHES)
  if (third()) *(volatile int *)8 = 1;
#elif defined(ABORTS)
  if (third()) abort();
#elif defined(HANGS)
  if (third())
    for (;;) pause();
#elif defined(SPINS)
  if (third())
    for (;;) atomic_signal_fence(memory_order_seq_cst);
#elif defined(EXITS)
  if (third()) exit(0);
#elif defined(FORKS)
  if (third()) fork();
#elif defined(JUMPS)
  longjmp(left, 1);
#elif defined(CLOSES)
  for (int fd = 0; fd < 3; fd++) close(fd);
#elif defined(BLOCKS)
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &one, NULL);
#elif defined(HANDLES)
  signal(SIGPROF, SIG_IGN);
#elif defined(BEHIND)
  ((volatile char *)note)[sizeof(struct note)] = 1;
#elif defined(FAR_BEHIND)
  ((volatile char *)note)[sizeof(struct note) + 200] = 1;
#elif defined(BEFORE)
  ((volatile char *)note)[-1] = 1;
#elif defined(GARBAGE)
  return -1;
#elif defined(SPOILS_ERRNO)
  errno = EBADF;
#elif defined(ALREADY)
  return EALREADY;
#elif defined(NEVER)
  atomic_store(&((struct note *)note)->woken, 0);
#endif
  return code;
}

static int bad_sleep(void *note) {
#if defined(SPURIOUS)
  if (third()) return 0;
#elif defined(JUMPS)
  if (setjmp(left)) return 0;
#endif
  return sleep_note(note);
}

static int bad_clear(void *note) {
#if defined(CLEARS_NOT)
  (void)note;
  return 0;
#else
  return clear(note);
#endif
}

static int bad_timeout(void *note, uint64_t time) {
#if defined(EARLY)
  return sleep_timeout(note, time / 2);
#elif defined(LATE)
  return sleep_timeout(note, time == 20000000 ? UINT64_MAX : time);
#elif defined(TIMES_OUT_AS_0)
  return sleep_timeout(note, time) == ETIMEDOUT ? 0 : 0;
#else
  return sleep_timeout(note, time);
#endif
}

#if defined(NEITHER)
const struct sigproof_note_v1 *another_name(void) {
#else
const struct sigproof_note_v1 *sigproof_note(void) {
#endif
#if defined(NULL_TABLE)
  return NULL;
#endif
  table = NOTE;
  table.name = "bad";
  table.init = bad_init;
  table.clear = bad_clear;
  table.sleep = bad_sleep;
  table.sleep_timeout = bad_timeout;
  table.wakeup = bad_wakeup;
#if defined(ABI_2)
  table.abi = 2;
#elif defined(NO_SLEEP)
  table.sleep = NULL;
#elif defined(NO_NAME)
  table.name = NULL;
#elif defined(BAD_NAME)
  table.name = "../bad";
#elif defined(SIZE_0)
  table.size = 0;
#elif defined(SIZE_HUGE)
  table.size = (size_t)4 << 30;
#elif defined(ALIGN_3)
  table.align = 3;
#elif defined(FLAG_64)
  table.flags |= 64;
#elif defined(NO_TIMEOUT)
  table.sleep_timeout = NULL;
#elif defined(MODEST)
  table.flags &= ~SIGPROOF_WAKEUP_IN_HANDLER;
#endif
  return &table;
}
