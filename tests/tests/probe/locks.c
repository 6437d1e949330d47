// Programs for the tests of `probe`: locks of the program's own that a handler takes, and `errno`.
// `locks KIND broken|fixed`. Each calls its window some hundred times and ends with exit status 0; none sends
// itself the signal that is put there from outside.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WINDOW __attribute__((noinline, noclone))

static int broken;
static long rounds = 400;
static volatile long ledger, seen;

static void install(void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
	sigaction(SIGUSR1, &action, NULL);
}

static void count(int signal)
{
	(void)signal;
	seen++;
}

// A call of the handler that fails only in the middle of the window, and leaves its error behind.
static volatile int wake = -1;

WINDOW void announce(long amount)
{
	wake = 999;
	ledger += amount;
	wake = -1;
}

static void wake_up(int signal)
{
	(void)signal;
	int saved = errno;
	if (wake >= 0 && write(wake, "", 1) < 0)
		seen++;
	if (!broken)
		errno = saved;
}

static int inside(void)
{
	install(wake_up);
	for (long n = 0; n < rounds; n++)
		announce(n);
	return 0;
}

// The program itself changes `errno`, behind the window; the handler does not.
WINDOW void update(long amount)
{
	ledger += amount;
}

static int changes(void)
{
	install(count);
	for (long n = 0; n < rounds; n++) {
		update(n);
		errno = 0;
	}
	return 0;
}

// A reader that begins anew while a writer is in the middle.
static volatile unsigned sequence;

WINDOW void write_pair(long amount)
{
	sequence++;
	ledger = amount;
	ledger = -amount;
	sequence++;
}

static void read_pair(int signal)
{
	unsigned before, tries = 0;
	(void)signal;
	do {
		before = sequence;
		seen = ledger;
		if (!broken && ++tries > 4)
			return;
	} while (before & 1 || before != sequence);
}

static int sequences(void)
{
	install(read_pair);
	for (long n = 0; n < rounds; n++)
		write_pair(n);
	return 0;
}

// A spin lock of the C library.
static pthread_spinlock_t gate;

WINDOW void pass_gate(long amount)
{
	pthread_spin_lock(&gate);
	ledger += amount;
	pthread_spin_unlock(&gate);
}

static void turn(int signal)
{
	(void)signal;
	pthread_spin_lock(&gate);
	seen = ledger;
	pthread_spin_unlock(&gate);
}

static int spins(void)
{
	pthread_spin_init(&gate, 0);
	install(broken ? turn : count);
	for (long n = 0; n < rounds; n++)
		pass_gate(n);
	return 0;
}

// A mutex.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

WINDOW void book(long amount)
{
	pthread_mutex_lock(&lock);
	ledger += amount;
	pthread_mutex_unlock(&lock);
}

static void read_book(int signal)
{
	(void)signal;
	pthread_mutex_lock(&lock);
	seen = ledger;
	pthread_mutex_unlock(&lock);
}

// The handler has the memory's lock as well; memory is asked for before there is a handler, and then never.
static void *volatile memory;

static void read_and_free(int signal)
{
	read_book(signal);
	memory = calloc(1, 1);
	free(memory);
}

static int early(void)
{
	memory = calloc(1, 1);
	free(memory);
	install(broken ? read_and_free : count);
	for (long n = 0; n < rounds; n++)
		book(n);
	return 0;
}

// Something that is done once.
static pthread_once_t once[400];
static volatile long turn_of;

static void fill(void)
{
	ledger++;
	ledger++;
}

WINDOW void prepare(long n)
{
	turn_of = n;
	pthread_once(&once[n], fill);
}

static void prepare_as_well(int signal)
{
	(void)signal;
	pthread_once(&once[turn_of], fill);
}

static int initialises(void)
{
	install(broken ? prepare_as_well : count);
	for (long n = 0; n < rounds; n++)
		prepare(n);
	return 0;
}

// A counter that both sides raise, by more than one instruction in the broken form.
static volatile unsigned head;
static unsigned taken, handled;

WINDOW void push(void)
{
	if (broken)
		head = head + 1;
	else
		__atomic_fetch_add(&head, 1, __ATOMIC_RELAXED);
}

static void push_as_well(int signal)
{
	(void)signal;
	__atomic_fetch_add(&head, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
}

static int ring(void)
{
	install(push_as_well);
	for (long n = 0; n < rounds; n++) {
		push();
		taken++;
		if (head != taken + __atomic_load_n(&handled, __ATOMIC_RELAXED))
			return 7;
	}
	return 0;
}

// Calls that take two ways in turn.
WINDOW void either(long n)
{
	ledger += n;
	if (n % 2)
		seen = ledger;
	ledger -= n;
}

static int ways(void)
{
	install(count);
	for (long n = 0; n < rounds; n++)
		either(n);
	return 0;
}

// A clock, which the vDSO reads again if the kernel has changed it meanwhile. The handler makes a call that a copy
// cannot undo, so that each boundary takes its time.
WINDOW void ask(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ledger = now.tv_nsec;
}

static void close_none(int signal)
{
	int saved = errno;
	(void)signal;
	close(-1);
	errno = saved;
}

static int clocks(void)
{
	install(close_none);
	for (long n = 0; n < rounds; n++)
		ask();
	return 0;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	broken = argc > 2 && !strcmp(argv[2], "broken");
	struct { const char *name; int (*run)(void); } kinds[] = {
		{ "inside", inside }, { "changes", changes }, { "sequences", sequences }, { "spins", spins },
		{ "early", early }, { "initialises", initialises }, { "ring", ring }, { "ways", ways }, { "clocks", clocks },
	};
	for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++)
		if (!strcmp(kind, kinds[n].name))
			return kinds[n].run();
	return 2;
}
