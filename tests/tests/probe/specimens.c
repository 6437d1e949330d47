// Programs for the tests of `probe`, each a kind of damage that a signal does in the middle of a function.
// `specimens KIND broken|fixed`. Each calls its window some hundred times and ends with exit status 0; none
// sends itself the signal that is put there from outside.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define WINDOW __attribute__((noinline, noclone))

static int broken;
static long rounds = 400;
static volatile sig_atomic_t handled;

static void install(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
	sigaction(signal, &action, NULL);
}

static void count(int signal)
{
	(void)signal;
	handled++;
}

// A counter behind a mutex, which the handler reads behind the same mutex.
static pthread_mutex_t ledger_lock = PTHREAD_MUTEX_INITIALIZER;
static volatile long ledger, seen;

WINDOW void book(long amount)
{
	pthread_mutex_lock(&ledger_lock);
	ledger += amount;
	pthread_mutex_unlock(&ledger_lock);
}

static void read_ledger(int signal)
{
	(void)signal;
	if (broken)
		pthread_mutex_lock(&ledger_lock);
	seen = ledger;
	if (broken)
		pthread_mutex_unlock(&ledger_lock);
}

static int mutex(void)
{
	install(SIGUSR1, read_ledger, SA_RESTART);
	for (long n = 0; n < rounds; n++)
		book(n);
	return 0;
}

// A spin lock of one's own: the handler turns for ever.
static atomic_int gate;

static void enter(void)
{
	while (atomic_exchange(&gate, 1))
		;
}

WINDOW void pass_gate(void)
{
	enter();
	ledger++;
	atomic_store(&gate, 0);
}

static void turn(int signal)
{
	(void)signal;
	if (broken) {
		enter();
		atomic_store(&gate, 0);
	} else if (!atomic_exchange(&gate, 1)) {
		atomic_store(&gate, 0);
	}
}

static int spin(void)
{
	install(SIGUSR1, turn, SA_RESTART);
	for (long n = 0; n < rounds; n++)
		pass_gate();
	return 0;
}

// A table that is exchanged: for some instructions there is none.
static int *volatile table;

WINDOW void exchange_table(void)
{
	int *old = table;
	if (broken)
		table = NULL;
	int *next = calloc(4, sizeof *next);
	table = next;
	free(old);
}

static void look_up(int signal)
{
	(void)signal;
	seen = table[1];
}

static int null_table(void)
{
	table = calloc(4, sizeof *table);
	install(SIGUSR1, look_up, SA_RESTART);
	for (long n = 0; n < rounds; n++)
		exchange_table();
	return 0;
}

// Two counters that belong together; the handler ends the program if they do not.
static volatile long debit, credit;

WINDOW void transfer(void)
{
	sigset_t all, old;
	sigfillset(&all);
	if (!broken)
		sigprocmask(SIG_BLOCK, &all, &old);
	debit++;
	credit++;
	if (!broken)
		sigprocmask(SIG_SETMASK, &old, NULL);
}

static void audit(int signal)
{
	(void)signal;
	if (debit != credit)
		_exit(9);
}

static int pair(void)
{
	install(SIGUSR1, audit, SA_RESTART);
	for (long n = 0; n < rounds; n++)
		transfer();
	return 0;
}

// A request to stop that comes between the question and the wait.
static volatile sig_atomic_t quit;
static int line[2];

static void *deliver(void *unused)
{
	for (;;) {
		usleep(100000);
		if (write(line[1], "x", 1) != 1)
			return unused;
	}
}

WINDOW void next_line(void)
{
	char byte;
	if (!quit && read(line[0], &byte, 1) < 0 && errno != EINTR)
		_exit(7);
}

static struct timespec asked;

static void ask(int signal)
{
	(void)signal;
	clock_gettime(CLOCK_MONOTONIC, &asked);
	quit = 1;
	if (!broken && write(line[1], "x", 1) != 1)
		_exit(7);
}

static int lost(void)
{
	pthread_t thread;
	sigset_t one, old;
	if (pipe(line))
		return 7;
	sigemptyset(&one);
	sigaddset(&one, SIGUSR1);
	sigprocmask(SIG_BLOCK, &one, &old);
	pthread_create(&thread, NULL, deliver, NULL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	// The wait is not begun again.
	install(SIGUSR1, ask, 0);
	for (int n = 0; n < 4 && !quit; n++)
		next_line();
	if (!quit)
		return 0;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	double late = now.tv_sec - asked.tv_sec + (now.tv_nsec - asked.tv_nsec) / 1e9;
	return late > 0.02 ? 5 : 0;
}

// A handler that logs; the program itself asks for the time.
WINDOW void note(const char *what)
{
	syslog(LOG_INFO, "%s", what);
}

static void out_of_time(int signal)
{
	(void)signal;
	if (broken)
		note("out of time");
	else if (write(2, "t", 1) < 0)
		handled++;
}

static int logs(void)
{
	install(SIGALRM, out_of_time, SA_RESTART);
	for (long n = 0; n < rounds; n++) {
		time_t now = n * 1000;
		struct tm tm;
		localtime_r(&now, &tm);
		ledger += tm.tm_hour;
	}
	return 0;
}

// A handler that is heard only in the middle of a sentence.
static volatile sig_atomic_t speaking;

WINDOW void speak(void)
{
	speaking = 1;
	if (write(1, "word\n", 5) != 5)
		_exit(7);
	speaking = 0;
}

static void interrupt(int signal)
{
	(void)signal;
	if (speaking && broken && write(1, "what?\n", 6) != 6)
		_exit(7);
}

static int output(void)
{
	install(SIGUSR1, interrupt, SA_RESTART);
	rounds = 40;
	for (long n = 0; n < rounds; n++)
		speak();
	return 0;
}

// A handler whose call fails.
static void fail(int signal)
{
	int kept = errno;
	(void)signal;
	close(-1);
	if (!broken)
		errno = kept;
}

static int spoils(void)
{
	install(SIGUSR1, fail, SA_RESTART);
	for (long n = 0; n < rounds; n++)
		book(n);
	return 0;
}

// A child that ends before its number is stored; nobody else tells the loop.
static int ended[2];
static volatile pid_t current;

static void reap(int signal)
{
	pid_t pid;
	(void)signal;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		if (pid == current && write(ended[1], "x", 1) != 1)
			_exit(7);
}

WINDOW void launch(void)
{
	sigset_t one, old;
	sigemptyset(&one);
	sigaddset(&one, SIGCHLD);
	if (!broken)
		sigprocmask(SIG_BLOCK, &one, &old);
	pid_t pid = _Fork();
	if (pid == 0)
		_exit(0);
	current = pid;
	if (!broken)
		sigprocmask(SIG_SETMASK, &old, NULL);
}

static int child(void)
{
	char byte;
	if (pipe(ended))
		return 7;
	install(SIGCHLD, reap, SA_RESTART);
	for (int n = 0; n < 30; n++) {
		current = 0;
		launch();
		if (read(ended[0], &byte, 1) != 1)
			return 7;
	}
	return 0;
}

// A handler that books, and another one that reads what is booked.
WINDOW void book_in_handler(int signal)
{
	book(signal);
}

static int nested(void)
{
	install(SIGUSR1, read_ledger, SA_RESTART);
	install(SIGUSR2, book_in_handler, SA_RESTART);
	for (;;)
		usleep(1000);
}

// A handler that ends the program, as it is meant to.
static void leave(int signal)
{
	(void)signal;
	_exit(63);
}

static int ends(void)
{
	install(SIGUSR1, leave, 0);
	for (long n = 0; n < rounds; n++)
		book(n);
	return 0;
}

// A handler that resets its own action: what the kernel does then is in no memory.
static int once(void)
{
	install(SIGUSR1, count, SA_RESETHAND);
	for (long n = 0; n < rounds; n++)
		book(n);
	return 0;
}

// Each pass starts a process and waits for it.
WINDOW void start_one(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int forks(void)
{
	install(SIGUSR1, count, SA_RESTART);
	rounds = 60;
	for (long n = 0; n < rounds; n++)
		start_one();
	return 0;
}

// In a library function with turns of a repeated instruction.
WINDOW void fill(char *at, size_t length)
{
	__asm__ volatile("rep stosb" : "+D"(at), "+c"(length) : "a"(0) : "memory");
}

static int repeats(void)
{
	static char area[60000];
	install(SIGUSR1, count, SA_RESTART);
	for (long n = 0; n < rounds; n++)
		fill(area, sizeof area);
	return 0;
}

// Several threads, of which one calls the window.
static void *worker(void *unused)
{
	pthread_setname_np(pthread_self(), "clerk");
	for (long n = 0; n < rounds; n++)
		book(n);
	return unused;
}

static int threads(void)
{
	pthread_t thread;
	install(SIGUSR1, read_ledger, SA_RESTART);
	pthread_create(&thread, NULL, worker, NULL);
	pthread_join(thread, NULL);
	return 0;
}

// Output without an end.
WINDOW void shout(void)
{
	static char much[1 << 20];
	for (int n = 0; n < 64; n++)
		if (write(1, much, sizeof much) < 0)
			_exit(7);
}

static int loud(void)
{
	install(SIGUSR1, count, SA_RESTART);
	for (long n = 0; n < 100; n++)
		shout();
	return 0;
}

// It leaves its starter: a process of its own, in a session of its own, that goes on.
static int daemon_(void)
{
	install(SIGUSR1, count, SA_RESTART);
	if (fork() == 0) {
		setsid();
		if (fork() == 0)
			for (;;)
				book(1);
		_exit(0);
	}
	for (long n = 0; n < rounds; n++)
		book(n);
	return 0;
}

// It becomes another program before it calls anything.
static int execs(char **arguments)
{
	install(SIGUSR1, count, SA_RESTART);
	arguments[1] = "mutex";
	execv("/proc/self/exe", arguments);
	return 7;
}

// It handles traps of its own making, and is traced by nobody but us.
static volatile sig_atomic_t traps;

static void on_trap(int signal)
{
	(void)signal;
	traps++;
}

WINDOW void trap(void)
{
	__asm__ volatile("int3");
}

static int traps_(void)
{
	install(SIGUSR1, count, SA_RESTART);
	install(SIGTRAP, on_trap, SA_RESTART);
	for (long n = 0; n < rounds; n++)
		trap();
	return traps >= rounds ? 0 : 8;
}

static int traced(void)
{
	install(SIGUSR1, count, SA_RESTART);
	if (ptrace(PTRACE_TRACEME, 0, 0, 0))
		return 0;
	for (long n = 0; n < rounds; n++)
		book(n);
	return 0;
}

// It hangs by itself.
static int stuck(void)
{
	install(SIGUSR1, count, SA_RESTART);
	pthread_mutex_lock(&ledger_lock);
	pthread_mutex_lock(&ledger_lock);
	return 0;
}

// It goes on for ever.
static int endless(void)
{
	install(SIGUSR1, read_ledger, SA_RESTART);
	for (;;)
		book(1);
}

// It asks its terminal.
static int terminal(void)
{
	char byte;
	install(SIGUSR1, count, SA_RESTART);
	int fd = open("/dev/tty", O_RDWR);
	if (fd >= 0)
		return read(fd, &byte, 1) == 1 ? 0 : 7;
	if (read(0, &byte, 1) != 0)
		return 7;
	for (long n = 0; n < rounds; n++)
		book(n);
	return 0;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	broken = argc > 2 && !strcmp(argv[2], "broken");
	struct { const char *name; int (*run)(void); } kinds[] = {
		{ "mutex", mutex }, { "spin", spin }, { "null_table", null_table }, { "pair", pair }, { "lost", lost },
		{ "ends", ends }, { "once", once }, { "forks", forks }, { "repeats", repeats }, { "threads", threads },
		{ "loud", loud }, { "daemon", daemon_ }, { "traps", traps_ }, { "traced", traced }, { "stuck", stuck },
		{ "endless", endless }, { "logs", logs }, { "child", child }, { "nested", nested },
		{ "output", output }, { "spoils", spoils }, { "terminal", terminal },
	};
	for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++)
		if (!strcmp(kind, kinds[n].name))
			return kinds[n].run();
	return !strcmp(kind, "execs") ? execs(argv) : 2;
}
