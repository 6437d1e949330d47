/*
 * sigproof.h: the C ABI of sigproof, version 1.
 *
 * A shared library exports one or both of `sigproof_note` and `sigproof_windows`. sigproof then tests the
 * library:
 *
 *     cc -shared -fPIC -g -I FOLDER_OF_THIS_FILE -o libmine.so mine.c
 *     sigproof validate ./libmine.so                 the note and every window
 *     sigproof stress --note ./libmine.so            every case of sigproof that takes a note, over this one
 *
 * sigproof loads the library in child processes only. What the library does there (crash, hang, exit, write
 * over its bounds) is a result, and never ends the command.
 *
 * RETURN VALUES
 *     Each function that returns an int returns 0, or an errno value (1..4095). Any other value is reported
 *     as a broken contract. No function may leave by longjmp or by a C++ exception.
 *
 * STATE OF THE PROCESS
 *     When a function returns, the signal mask of its thread, the dispositions of all signals, and the
 *     descriptors that sigproof has opened are as they were at the call. No function forks. Between `make` or `init` and
 *     `destroy`, a library may hold descriptors of its own.
 *
 * SIGNALS
 *     SIGPROF, SIGUSR1 and SIGUSR2 belong to sigproof. A handler runs on an alternate signal stack.
 *
 * VERSIONS
 *     The first member of each struct is the number of its version. sigproof refuses a number that it does
 *     not know. A later version of this file keeps the structs of this one.
 */
#ifndef SIGPROOF_H
#define SIGPROOF_H

#include <stddef.h>
#include <stdint.h>

#define SIGPROOF_ABI 1

/* The attribute that exports a function whatever the compiler's default visibility is. */
#if defined(__GNUC__)
#define SIGPROOF_EXPORT __attribute__((visibility("default")))
#else
#define SIGPROOF_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------- notes -- */

/* `flags` of a note. An unknown bit is refused. */

/* `wakeup` may be called from a signal handler, whatever the handler has interrupted: any instruction of
 * `sleep`, `sleep_timeout`, `wakeup` and `clear`, of this instance and of another. `wakeup` then also keeps
 * `errno`. Without this flag sigproof calls `wakeup` from a handler all the same, and compares: a note that
 * says that it is unsafe and is not seen to fail is told so. */
#define SIGPROOF_WAKEUP_IN_HANDLER 1u

/* `sleep_timeout` is there. */
#define SIGPROOF_TIMED_SLEEP 2u

/* A process can have one instance at a time. sigproof then makes the next one after `destroy` of the last,
 * and without `destroy` it makes one in each process. */
#define SIGPROOF_ONE_INSTANCE 4u

/*
 * A wake-up primitive: a one-shot event.
 *
 * Between two calls of `clear` there is at most one sleeper. A wake-up before the sleep makes the sleep
 * return at once. A sleep never returns without a wake-up: what wakes the primitive below for nothing (EINTR,
 * a spurious wake-up) does not surface.
 *
 *     init ── { wakeup, sleep in any order, in any threads ── clear } again and again ── destroy
 */
struct sigproof_note_v1 {
  /* SIGPROOF_ABI. */
  uint32_t abi;

  /* SIGPROOF_WAKEUP_IN_HANDLER, SIGPROOF_TIMED_SLEEP, SIGPROOF_ONE_INSTANCE. */
  uint32_t flags;

  /* Of letters, digits and '-', at most 64 of them. */
  const char *name;

  /* The size of one instance, 1 to 16777216 bytes, and its alignment, a power of two of at most 65536.
   * sigproof allocates the instance, zeroed, and never moves it. A page that cannot be accessed lies right
   * behind it and right before it; what alignment leaves in between is filled and compared. */
  size_t size, align;

  /* Makes a cleared note of zeroed memory. An error of the machine (ENOMEM, EMFILE, ENOSYS, EPERM) is taken
   * for the machine's: nothing is then said of the note. */
  int (*init)(void *note);

  /* Gives back what `init` took. May be null. No thread is in another function. */
  void (*destroy)(void *note);

  /* Re-arms the note: an earlier wake-up is forgotten, whether a sleep has returned for it or not. No thread
   * sleeps, and no other thread is in `wakeup`. A handler may interrupt it and call `wakeup`: then it is not
   * specified whether that wake-up is forgotten. */
  int (*clear)(void *note);

  /* Sleeps until woken. Not called from a handler. It may block signals: then the handler runs after the sleep,
   * and another thread has to wake the note. */
  int (*sleep)(void *note);

  /* Sleeps until woken (0), or until this time has passed (ETIMEDOUT), and not shorter. The time may be 0.
   * Not called from a handler. A wake-up that comes while the sleep gives up is
   * returned (0), or it stays for the next sleep. Null without SIGPROOF_TIMED_SLEEP. */
  int (*sleep_timeout)(void *note, uint64_t nanoseconds);

  /* Wakes the sleeper, or the next one to sleep. EALREADY: a second wake-up since the last `clear`, if the
   * note can tell; 0, if it cannot. Either way the second one does no harm. */
  int (*wakeup)(void *note);
};

/* The note of this library. The struct lives as long as the library. */
SIGPROOF_EXPORT const struct sigproof_note_v1 *sigproof_note(void);

/* -------------------------------------------------------------------------------------------- windows -- */

/* `flags` of a window. An unknown bit is refused. */

/* `handler` allocates and frees no heap memory, and takes no lock: sigproof single-steps the handler and reports
 * the call of malloc, free, pthread_mutex_lock and their kind. */
#define SIGPROOF_NO_MALLOC 1u

/* When `check` returns 0, the text in `why` is a digest of the result. The signal must take effect as if it
 * came before the whole window, or after it: at each instruction, the digest must be that of one of the two
 * orders. */
#define SIGPROOF_DIGEST 2u

/*
 * A window: any piece of code that a signal may interrupt, with the handler of that signal.
 *
 * One execution:
 *
 *     prepare ── window ── check
 *                   │ the signal comes at one instruction: handler
 *                   │ once the window's thread sleeps and no handler runs: helper, in a thread of its own
 *
 * sigproof runs one execution for each instruction of the window, those of libraries that it calls included.
 * In each it checks, beside `check`: the handler ran exactly once and returned, kept errno, and the window
 * left the signal mask, the dispositions of signals and the table of descriptors as they were.
 */
struct sigproof_window_v1 {
  /* SIGPROOF_ABI. */
  uint32_t abi;

  /* SIGPROOF_NO_MALLOC, SIGPROOF_DIGEST. */
  uint32_t flags;

  /* Of letters, digits and '-', at most 64 of them; each window of a library has another one. */
  const char *name;

  /* Makes what the other functions are given. Called once in a process. May return null. */
  void *(*make)(void);

  /* Called before each execution, in the window's thread: makes the state the same each time. May be null. */
  int (*prepare)(void *it);

  /* The piece of code. It takes the same path each time that no signal comes. */
  int (*window)(void *it);

  /* Called in the signal handler: it may call async-signal-safe functions only, and keeps errno. */
  int (*handler)(void *it);

  /* Called in another thread, once the window's thread sleeps: wakes it, if the handler has not. May be null;
   * then a window that sleeps must be woken by the handler. */
  int (*helper)(void *it);

  /* Called after each execution, in the window's thread. 0; or an errno value, with a sentence in `why`, which
   * has room for `length` bytes and its terminating null. */
  int (*check)(void *it, char *why, size_t length);
};

/* The windows of this library: a null-terminated array. It lives as long as the library. */
SIGPROOF_EXPORT const struct sigproof_window_v1 *const *sigproof_windows(void);

#ifdef __cplusplus
}
#endif

#endif
