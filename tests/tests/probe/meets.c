// Programs for the tests of `probe`: what a handler and the program have in common besides locks.
// `meets KIND broken|fixed`. Each but `waits` calls its window some hundred times and ends with exit status 0;
// none sends itself the signal that is put there from outside.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WINDOW __attribute__((noinline, noclone))

static int broken;
static long rounds = 100;
static volatile sig_atomic_t flag;

static void install(void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
	sigaction(SIGUSR1, &action, NULL);
}

static void mask(int how)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (!broken)
		sigprocmask(how, &set, NULL);
}

static void note(int signal)
{
	(void)signal;
	flag = 1;
}

// A structure of two words, of which the handler sees one half.
static volatile struct { long low, high; } pair;

WINDOW void set_pair(long value)
{
	mask(SIG_BLOCK);
	pair.low = value;
	pair.high = value;
	mask(SIG_UNBLOCK);
}

static void compare(int signal)
{
	(void)signal;
	if (pair.low != pair.high)
		abort();
}

static int torn(void)
{
	install(compare);
	for (long n = 0; n < rounds; n++)
		set_pair(n);
	return 0;
}

// A function with a place of its own for its result; the handler uses it, too.
WINDOW void split(void)
{
	char text[] = "a b c";
	int words = 0;
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		words++;
	if (words != 3)
		_exit(8);
}

static void split_too(int signal)
{
	char text[] = "d e";
	(void)signal;
	strtok(text, " ");
}

static int splits(void)
{
	install(broken ? split_too : note);
	for (long n = 0; n < rounds; n++)
		split();
	return 0;
}

// The handler changes errno, between a call and the question about it.
WINDOW void look(void)
{
	if (open("/nonexistent/file", O_RDONLY) < 0 && errno != ENOENT)
		_exit(3);
}

static void close_none(int signal)
{
	(void)signal;
	close(-1);
}

static int asks(void)
{
	install(broken ? close_none : note);
	for (long n = 0; n < rounds; n++)
		look();
	return 0;
}

// A sleep that a handler interrupts, taken for a failure.
WINDOW void rest(void)
{
	struct timespec time = { 0, 2000000 };
	int failed;
	do
		failed = nanosleep(&time, &time);
	while (!broken && failed && errno == EINTR);
	if (failed)
		_exit(5);
}

static int interrupted(void)
{
	install(note);
	for (long n = 0; n < rounds; n++)
		rest();
	return 0;
}

// A question before a wait, in a program that only the signal wakes.
WINDOW void await(void)
{
	sigset_t open;
	sigprocmask(SIG_SETMASK, NULL, &open);
	mask(SIG_BLOCK);
	while (!flag) {
		if (broken)
			pause();
		else
			sigsuspend(&open);
	}
	flag = 0;
	mask(SIG_UNBLOCK);
}

static int waits(void)
{
	install(note);
	for (;;)
		await();
	return 0;
}

// A fork in the handler takes the program's own mutex.
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long total;

static void take(void)
{
	pthread_mutex_lock(&mutex);
}

static void give(void)
{
	pthread_mutex_unlock(&mutex);
}

WINDOW void add(long amount)
{
	take();
	total += amount;
	give();
}

static void run_child(int signal)
{
	int saved = errno;
	(void)signal;
	pid_t child = fork();
	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	errno = saved;
}

static int forks(void)
{
	pthread_atfork(take, give, give);
	install(broken ? run_child : note);
	for (long n = 0; n < rounds; n++)
		add(n);
	return 0;
}

// A function whose parameters a compiler has changed, as its symbol says.
static volatile long changed;
void clone_of(long amount) __asm__("shrink.constprop.0");

WINDOW void clone_of(long amount)
{
	changed += amount;
}

static int clones(void)
{
	install(note);
	for (long n = 0; n < rounds; n++)
		clone_of(n);
	return 0;
}

// A handler that is too long to be followed step by step.
static void work(int signal)
{
	struct timespec start, now;
	(void)signal;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (;;) {
		for (volatile long n = 0; n < 100000; n++)
			;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > start.tv_sec + 60)
			return;
	}
}

static int works(void)
{
	install(work);
	for (long n = 0; n < rounds; n++)
		clone_of(n);
	return 0;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	broken = argc > 2 && !strcmp(argv[2], "broken");
	struct { const char *name; int (*run)(void); } kinds[] = {
		{ "torn", torn }, { "splits", splits }, { "asks", asks }, { "interrupted", interrupted },
		{ "waits", waits }, { "forks", forks }, { "clones", clones }, { "works", works },
	};
	for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++)
		if (!strcmp(kind, kinds[n].name))
			return kinds[n].run();
	return 2;
}
