// More programs for the tests of `probe`: several threads, libraries that are loaded late, descriptors, users.
// `more KIND broken|fixed [LIBRARY]`. Each calls its window some hundred times and ends with exit status 0;
// none sends itself the signal that is put there from outside.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WINDOW __attribute__((noinline, noclone))

static int broken;
static long rounds = 400;
static const char *library;
static volatile long ledger, seen;

static void install(int signal, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
	sigaction(signal, &action, NULL);
}

// Starts a thread that takes no signal.
static void start(void *(*run)(void *))
{
	pthread_t thread;
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pthread_create(&thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;

static void read_second(int signal)
{
	(void)signal;
	if (broken)
		pthread_mutex_lock(&second);
	seen = ledger;
	if (broken)
		pthread_mutex_unlock(&second);
}

// The partner takes the locks in the other order, and always while the window has the first one.
static sem_t turn, ready, done;

static void *partner(void *unused)
{
	for (;;) {
		sem_wait(&turn);
		pthread_mutex_lock(&second);
		sem_post(&ready);
		pthread_mutex_lock(&first);
		ledger--;
		pthread_mutex_unlock(&first);
		pthread_mutex_unlock(&second);
		sem_post(&done);
	}
	return unused;
}

static void await(sem_t *semaphore)
{
	while (sem_wait(semaphore))
		;
}

WINDOW void exchange(void)
{
	pthread_mutex_lock(&first);
	sem_post(&turn);
	await(&ready);
	ledger++;
	pthread_mutex_unlock(&first);
}

static int cross(void)
{
	sem_init(&turn, 0, 0);
	sem_init(&ready, 0, 0);
	sem_init(&done, 0, 0);
	start(partner);
	install(SIGUSR1, read_second);
	for (long n = 0; n < rounds; n++) {
		exchange();
		await(&done);
	}
	return 0;
}

// A clerk takes the locks in the other order, but hardly ever: it sleeps nearly all the time. A brisk one sleeps less.
static int nap = 20000;

WINDOW void settle(void)
{
	pthread_mutex_lock(&first);
	ledger--;
	pthread_mutex_unlock(&first);
}

static void *clerk(void *unused)
{
	for (;;) {
		usleep(nap);
		pthread_mutex_lock(&second);
		settle();
		pthread_mutex_unlock(&second);
	}
	return unused;
}

WINDOW void update(void)
{
	pthread_mutex_lock(&first);
	ledger++;
	pthread_mutex_unlock(&first);
}

static int abba(void)
{
	start(clerk);
	install(SIGUSR1, read_second);
	for (long n = 0; n < rounds; n++) {
		update();
		if (n > 100)
			usleep(1000);
	}
	return 0;
}

static int brisk(void)
{
	nap = 1000;
	return abba();
}

// A window that forgets to open the mask again when a signal came meanwhile.
WINDOW void forget(void)
{
	sigset_t one, old, waiting;
	sigemptyset(&one);
	sigaddset(&one, SIGUSR1);
	sigprocmask(SIG_BLOCK, &one, &old);
	ledger++;
	sigpending(&waiting);
	if (broken && sigismember(&waiting, SIGUSR1))
		return;
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void count(int signal)
{
	(void)signal;
	seen++;
}

static int forgets(void)
{
	install(SIGUSR1, count);
	for (long n = 0; n < rounds; n++)
		forget();
	return 0;
}

// A window that goes another, longer way if another thread runs meanwhile.
static volatile long ticks;

static void *ticker(void *unused)
{
	for (;;)
		ticks++;
	return unused;
}

WINDOW void steady(void)
{
	long before = ticks;
	for (int n = 0; n < 30; n++)
		ledger++;
	if (ticks != before)
		for (int n = 0; n < 1000; n++)
			ledger--;
}

static int holds(void)
{
	start(ticker);
	install(SIGUSR1, count);
	for (long n = 0; n < rounds; n++)
		steady();
	return 0;
}

// A handler that opens a descriptor in the middle of the window, and leaves it open.
static volatile sig_atomic_t busy;

WINDOW void work(void)
{
	busy = 1;
	for (int n = 0; n < 5; n++)
		ledger++;
	busy = 0;
}

static void record(int signal)
{
	(void)signal;
	if (!busy)
		return;
	int fd = open("/dev/null", O_WRONLY);
	if (fd >= 0 && !broken)
		close(fd);
}

static int leaks(void)
{
	install(SIGUSR1, record);
	for (long n = 0; n < rounds; n++)
		work();
	return 0;
}

// A handler that waits for a child of the program, which no copy of the program has.
static void reap(int signal)
{
	(void)signal;
	if (busy && broken && waitpid(-1, NULL, WNOHANG) > 0)
		_exit(9);
}

static int reaps(void)
{
	siginfo_t ended;
	if (fork() == 0)
		_exit(0);
	// It has ended, and is not reaped.
	waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT);
	install(SIGUSR1, reap);
	for (long n = 0; n < rounds; n++)
		work();
	return 0;
}

// A long window: turns of loops, and calls.
WINDOW long mix(long x)
{
	for (int n = 0; n < 8; n++)
		x ^= x << 13 ^ (long)((unsigned long)x >> 7);
	return x;
}

WINDOW void calculate(void)
{
	for (int n = 0; n < 12; n++)
		ledger += mix(n);
	update();
	for (int n = 0; n < 30; n++)
		ledger += mix(n);
}

static int calculates(void)
{
	install(SIGUSR1, count);
	for (long n = 0; n < 3000; n++)
		calculate();
	return 0;
}

// It gives up its user, or the right of others to look at it, before it calls its window.
static void read_first(int signal)
{
	(void)signal;
	if (broken)
		pthread_mutex_lock(&first);
	seen = ledger;
	if (broken)
		pthread_mutex_unlock(&first);
}

static int books(void)
{
	install(SIGUSR1, read_first);
	for (long n = 0; n < rounds; n++)
		update();
	return 0;
}

static int user(void)
{
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		return 7;
	return books();
}

static int undumpable(void)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return 7;
	return books();
}

// A library that is loaded when the program has run for a while.
static int late(void)
{
	for (long n = 0; n < rounds; n++)
		update();
	void *handle = dlopen(library, RTLD_NOW);
	if (!handle)
		return 7;
	void (*note)(long) = (void (*)(long))dlsym(handle, "late_note");
	void (*reader)(int) = (void (*)(int))dlsym(handle, broken ? "late_reader" : "late_counter");
	if (!note || !reader)
		return 8;
	install(SIGUSR1, reader);
	for (long n = 0; n < rounds; n++)
		note(n);
	return 0;
}

// Two questions at once; then it waits for something that only another program could bring.
static int events;

WINDOW void next_event(int patience)
{
	struct epoll_event event;
	epoll_wait(events, &event, 1, patience);
}

static int idles(void)
{
	int channel[2];
	struct epoll_event event = { .events = EPOLLIN };
	install(SIGUSR1, count);
	events = epoll_create1(0);
	if (pipe(channel) || epoll_ctl(events, EPOLL_CTL_ADD, channel[0], &event))
		return 7;
	next_event(0);
	next_event(0);
	for (;;)
		next_event(-1);
}

// A window that is called now and then.
static int dawdles(void)
{
	install(SIGUSR1, count);
	for (int n = 0; n < 22; n++) {
		struct timespec pause = { .tv_nsec = 30000000 };
		update();
		while (nanosleep(&pause, &pause))
			;
	}
	return 0;
}

// The handler leaves the loop's turn by a jump.
static sigjmp_buf turn_end;
static volatile sig_atomic_t in_turn;

WINDOW void bump(void)
{
	ledger += ledger & 3 ? 5 : 1;
}

static void leave(int signal)
{
	(void)signal;
	if (in_turn)
		siglongjmp(turn_end, 1);
}

static int jumps(void)
{
	install(SIGUSR1, leave);
	for (;;)
		if (sigsetjmp(turn_end, 1) == 0) {
			in_turn = 1;
			bump();
		}
}

// Another thread ends the program in the middle of a window.
static void *departs_soon(void *unused)
{
	while (!ledger)
		usleep(1000);
	usleep(60000);
	_exit(0);
	return unused;
}

static int departs(void)
{
	install(SIGUSR1, count);
	start(departs_soon);
	for (;;)
		calculate();
}

// A window that never returns by itself.
WINDOW void serve(void)
{
	for (;;)
		pause();
}

static int serves(void)
{
	install(SIGUSR1, count);
	serve();
	return 0;
}

// Numbers from a file or a pipe, each of which it wants once: a copy of the program reads from the same.
static int source;

WINDOW void next_number(int expected)
{
	int number = -1;
	if (read(source, &number, sizeof number) != sizeof number)
		_exit(0);
	if (number != expected)
		_exit(4);
}

static int counts_on(int from, int to)
{
	install(SIGUSR1, count);
	for (int number = 0; number < 10000; number++)
		if (write(to, &number, sizeof number) != sizeof number)
			return 3;
	if (from == to)
		lseek(from, 0, SEEK_SET);
	source = from;
	for (int number = 0;; number++)
		next_number(number);
}

static int reads_file(void)
{
	int file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	return counts_on(file, file);
}

static int reads_pipe(void)
{
	int ends[2];
	return pipe(ends) ? 3 : counts_on(ends[0], ends[1]);
}

// The window is called by a child, and by the program itself where it is broken.
static int has_worker(void)
{
	install(SIGUSR1, count);
	int works = broken;
	if (fork() == 0)
		for (works = 1;; usleep(1000))
			bump();
	for (int turn = 0; turn < 400; turn++, usleep(1000))
		if (works)
			bump();
	return 0;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	broken = argc > 2 && !strcmp(argv[2], "broken");
	library = argc > 3 ? argv[3] : "";
	struct { const char *name; int (*run)(void); } kinds[] = {
		{ "cross", cross }, { "abba", abba }, { "brisk", brisk }, { "forgets", forgets }, { "holds", holds }, { "leaks", leaks },
		{ "reaps", reaps },
		{ "calculates", calculates }, { "user", user }, { "undumpable", undumpable }, { "late", late },
		{ "idles", idles }, { "dawdles", dawdles }, { "jumps", jumps }, { "serves", serves },
		{ "departs", departs }, { "has_worker", has_worker }, { "reads_file", reads_file }, { "reads_pipe", reads_pipe },
	};
	for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++)
		if (!strcmp(kind, kinds[n].name))
			return kinds[n].run();
	return 2;
}
