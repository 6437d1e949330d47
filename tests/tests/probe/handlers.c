// Programs whose handlers are read in the machine code, each compiled on its own: `-DKIND=n`, and `-DBROKEN`
// for the form in which something is to be found. None is run but by the tests that say so.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#define APART __attribute__((noinline, noclone))
#define FLAG 1
#define LOG 2
#define TABLE 3
#define STATIC_ACTION 4
#define FREED 5
#define HEAP 6
#define JUMP 7
#define FORTIFIED 8
#define COMPUTED 9
#define CASES 10
#define LOST 11
#define LIBRARY 12
#define LEAVES 13
#define NONE 14
#define WRAPPED 15
#define BLOCKED 16
#define KEEPS_ERRNO 17
#define MARK 18

static volatile sig_atomic_t flag;

#if KIND == FLAG || KIND == KEEPS_ERRNO
// A flag and a byte: all that a handler needs. errno is saved in one form.
static int out = 2;

static void on_signal(int signal)
{
#if KIND == KEEPS_ERRNO
	int saved = errno;
#endif
	flag = signal;
	while (write(out, "!", 1) < 0 && errno == EINTR)
		;
#if KIND == KEEPS_ERRNO
	errno = saved;
#endif
}

int main(void)
{
	signal(SIGUSR1, on_signal);
	return raise(SIGUSR1);
}

#elif KIND == LOG
// CVE-2024-6387: the handler of a time limit logs, by a logger of the program's own with a pluggable sink.
typedef void (*sink)(int, const char *);

static void to_syslog(int level, const char *text)
{
	syslog(level, "%s", text);
}

static sink current;

APART void set_sink(sink to)
{
	current = to;
}

APART void note(int level, const char *format, ...)
{
	char text[256];
	va_list rest;
	va_start(rest, format);
	if (current) {
		size_t used = 0;
		for (const char *c = format; *c && used < sizeof text - 1; c++)
			text[used++] = *c;
		text[used] = 0;
		current(level, text);
	} else {
		vsyslog(level, format, rest);
	}
	va_end(rest);
}

static void out_of_time(int signal)
{
	(void)signal;
#ifdef BROKEN
	note(LOG_INFO, "Timeout before authentication for %s", "nobody");
#endif
	_exit(1);
}

int main(void)
{
	set_sink(to_syslog);
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_handler = out_of_time;
	sigemptyset(&action.sa_mask);
	sigaction(SIGALRM, &action, NULL);
	struct itimerval soon = { .it_value = { .tv_usec = 1000 } };
	setitimer(ITIMER_REAL, &soon, NULL);
	for (;;)
		pause();
}

#elif KIND == TABLE
// Handlers in a table, of which one allocates.
static void good(int signal) { flag = signal; }
static void bad(int signal)
{
#ifdef BROKEN
	char *text = malloc((size_t)signal);
	if (text)
		write(2, text, 1);
	free(text);
#else
	flag = signal;
#endif
}

static const struct { int signal; void (*handler)(int); } table[] = {
	{ SIGHUP, good }, { SIGINT, good }, { SIGTERM, bad }, { SIGUSR1, good },
};

int main(void)
{
	for (unsigned n = 0; n < sizeof table / sizeof *table; n++)
		signal(table[n].signal, table[n].handler);
	pause();
}

#elif KIND == STATIC_ACTION
// The action is data, and its handler one of two.
static void first(int signal, siginfo_t *info, void *context)
{
	(void)info, (void)context;
#ifdef BROKEN
	fputs("a signal\n", stderr);
#else
	flag = signal;
#endif
}

static void second(int signal) { flag = signal; }

static struct sigaction action = { .sa_sigaction = first, .sa_flags = SA_SIGINFO };

int main(int argc, char **argv)
{
	(void)argv;
	sigaction(SIGUSR1, &action, NULL);
	struct sigaction other = { .sa_handler = argc > 1 ? second : SIG_IGN };
	sigaction(SIGUSR2, &other, NULL);
	pause();
}

#elif KIND == FREED
// What the handler uses is freed while it may run; the other form sets the action back before that.
struct job { int state; };
struct job *job;

static void on_signal(int signal)
{
	if (job)
		job->state = signal;
}

APART void finish(void)
{
#ifndef BROKEN
	signal(SIGINT, SIG_DFL);
#endif
	if (job) {
		free(job);
		job = NULL;
	}
}

int main(void)
{
	job = malloc(sizeof *job);
	if (!job)
		_exit(1);
	job->state = 1;
	signal(SIGINT, on_signal);
	finish();
	return 0;
}

#elif KIND == BLOCKED
// The same, and the signal is blocked meanwhile; or only another one is.
struct job { int state; };
struct job *job;

static void on_signal(int signal)
{
	if (job)
		job->state = signal;
}

APART static void block(int how, sigset_t *set)
{
	sigprocmask(how, set, NULL);
}

int main(void)
{
	job = malloc(sizeof *job);
	signal(SIGTERM, on_signal);
	sigset_t set;
	sigemptyset(&set);
#ifdef BROKEN
	sigaddset(&set, SIGINT);
#else
	sigaddset(&set, SIGTERM);
#endif
	sigprocmask(SIG_BLOCK, &set, NULL);
	free(job);
	job = NULL;
	block(SIG_UNBLOCK, &set);
	pause();
}

#elif KIND == HEAP
static void on_signal(int signal)
{
#ifdef BROKEN
	char *text = malloc(10);
	if (!text)
		exit(1);
	text[0] = (char)signal;
	write(2, text, 1);
	free(text);
#else
	flag = signal;
#endif
}

int main(void)
{
	sigset(SIGINT, on_signal);
	pause();
}

#elif KIND == JUMP
static sigjmp_buf back;

static void on_signal(int signal)
{
#ifdef BROKEN
	siglongjmp(back, signal);
#else
	flag = signal;
#endif
}

int main(void)
{
	signal(SIGALRM, on_signal);
	if (sigsetjmp(back, 1) == 0)
		pause();
	return 0;
}

#elif KIND == FORTIFIED
static void on_signal(int signal)
{
	char text[64], copy[64];
#ifdef BROKEN
	snprintf(text, sizeof text, "signal %d\n", signal);
	printf("%s", text);
#else
	memcpy(text, "signal\n", 8);
	read(0, text, (size_t)signal & 63);
#endif
	strncpy(copy, text, (size_t)signal & 63);
	write(2, copy, strnlen(copy, sizeof copy));
}

int main(void)
{
	signal(SIGUSR1, on_signal);
	pause();
}

#elif KIND == COMPUTED
// What is called is known only when the program runs.
struct calls { void (*call)(int); };
extern struct calls *calls_of(const char *);
static struct calls *calls;

static void on_signal(int signal)
{
#ifdef BROKEN
	calls->call(signal);
#else
	flag = signal;
#endif
}

static void safe(int signal) { flag = signal; }

struct calls *calls_of(const char *name)
{
	struct calls *all = calloc(4, sizeof *all);
	all[name[0] & 3].call = safe;
	return &all[name[0] & 3];
}

int main(int argc, char **argv)
{
	calls = calls_of(argv[argc - 1]);
	signal(SIGUSR1, on_signal);
	pause();
}

#elif KIND == CASES
// One case of many, behind a table of jumps.
APART static void last(int signal)
{
#ifdef BROKEN
	flag = (int)strtol(getenv("SIGNAL") ? getenv("SIGNAL") : "0", NULL, 10) + signal;
#else
	flag = signal;
#endif
}

static volatile long sum;

static void on_signal(int signal)
{
	switch (signal) {
	case 1: sum += 11; break;
	case 2: sum ^= 3; break;
	case 3: sum -= 5; break;
	case 4: sum *= 7; break;
	case 5: sum /= 3; break;
	case 6: write(2, "6", 1); break;
	case 7: sum = ~sum; break;
	case 8: sum <<= 2; break;
	case 9: sum >>= 1; break;
	case 10: last(signal); break;
	default: _exit(3);
	}
}

int main(void)
{
	for (int n = 1; n < 16; n++)
		signal(n, on_signal);
	pause();
}

#elif KIND == LOST
// A counter that the handler counts up, and the program down.
static volatile int waiting;

static void on_signal(int signal)
{
	(void)signal;
	waiting++;
}

APART void take(void)
{
#ifdef BROKEN
	waiting--;
#else
	sigset_t all, old;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	waiting--;
	sigprocmask(SIG_SETMASK, &old, NULL);
#endif
}

int main(void)
{
	signal(SIGUSR1, on_signal);
	for (;;) {
		pause();
		while (waiting > 0)
			take();
	}
}

#elif KIND == LIBRARY
// A library of the program's own does it.
extern void report(int);

static void on_signal(int signal)
{
	report(signal);
}

int main(void)
{
	signal(SIGUSR1, on_signal);
	pause();
}

#elif KIND == LEAVES
static void on_signal(int signal)
{
#ifdef BROKEN
	exit(signal);
#else
	_exit(signal);
#endif
}

int main(void)
{
	signal(SIGTERM, on_signal);
	pause();
}

#elif KIND == WRAPPED
// The program's own ways to install a handler, one behind the other.
typedef void handler(int);

APART handler *set_handler(int number, handler *to)
{
	struct sigaction action, old;
	sigemptyset(&action.sa_mask);
	action.sa_flags = number == SIGALRM ? 0 : SA_RESTART;
	action.sa_handler = to;
	return sigaction(number, &action, &old) ? SIG_ERR : old.sa_handler;
}

APART void on_end(handler *to)
{
	set_handler(SIGTERM, to);
	set_handler(SIGINT, to);
}

static void ends(int signal)
{
#ifdef BROKEN
	perror("signal");
#endif
	flag = signal;
}

static void alarms(int signal) { flag = signal; }

int main(void)
{
	handler *old = set_handler(SIGALRM, alarms);
	on_end(ends);
	pause();
	set_handler(SIGALRM, old);
	return 0;
}

#elif KIND == MARK
// A handler is kept in a variable. The address of a function that is no handler says there that none is kept.
typedef void handler(int);

APART void prepare(int number)
{
	void *volatile room = malloc((size_t)number);
	free(room);
}

static handler *kept = prepare;

static void on_signal(int signal) { flag = signal; }

APART void put_back(void)
{
	if (kept != prepare)
		signal(SIGUSR1, kept);
	kept = prepare;
}

int main(void)
{
	prepare(100);
	handler *old = signal(SIGUSR1, on_signal);
	if (old != SIG_DFL)
		kept = old;
	put_back();
#ifdef BROKEN
	signal(SIGUSR2, prepare);
#endif
	return 0;
}

#elif KIND == NONE
int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	return 0;
}
#endif
