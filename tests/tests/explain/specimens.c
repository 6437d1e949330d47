/* Processes that hang, each in its own way, and some that only look like it: `specimens KIND`.
 *
 * Each prints "ready" once it is about to wait. Those that hang do so for good; the test kills them. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void ready(void) {
    if (write(1, "ready\n", 6) != 6) _exit(3);
}

static void on(int number, void (*handler)(int)) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    /* With SA_SIGINFO, the frame says who has sent the signal. */
    if (number == SIGUSR1) action.sa_flags = SA_SIGINFO;
    sigaction(number, &action, NULL);
}

static pthread_t start(void *(*body)(void *)) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, NULL)) _exit(4);
    return thread;
}

static void in_thread(void *(*body)(void *)) { pthread_join(start(body), NULL); }

/* Locks. */
static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t shared_lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t semaphore;
static volatile int meeting;

static void meet(void) {
    __sync_fetch_and_add(&meeting, 1);
    while (meeting < 2) sched_yield();
}

static void take_first(int number) { (void)number; pthread_mutex_lock(&first); pthread_mutex_unlock(&first); }
static void *hold_first(void *nothing) {
    pthread_mutex_lock(&first);
    ready();
    raise(SIGUSR1);
    pthread_mutex_unlock(&first);
    return nothing;
}
static void handler_mutex(void) { on(SIGUSR1, take_first); in_thread(hold_first); }

static void relock_of_kind(int kind, int protocol) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, kind);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    pthread_mutex_init(&first, &attributes);
    pthread_mutex_lock(&first);
    ready();
    pthread_mutex_lock(&first);
}
static void relock(void) { relock_of_kind(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE); }

static void *take_first_of_kind(void *nothing) { pthread_mutex_lock(&first); pthread_mutex_lock(&second); return nothing; }
static void cross_of_kind(int kind, int protocol, int robust) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, kind);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    pthread_mutexattr_setrobust(&attributes, robust);
    pthread_mutex_init(&first, &attributes);
    pthread_mutex_init(&second, &attributes);
    pthread_mutex_lock(&second);
    start(take_first_of_kind);
    struct timespec pause = {0, 50000000};
    nanosleep(&pause, NULL);
    ready();
    pthread_mutex_lock(&first);
}
static void cross(void) { cross_of_kind(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED); }
static void cross_recursive(void) { cross_of_kind(PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED); }
static void cross_errorcheck(void) { cross_of_kind(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED); }
static void cross_robust(void) { cross_of_kind(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST); }
static void cross_pi(void) {
    /* The kernel finds a circle of PI locks itself; one PI lock and a join do not make one for it. */
    cross_of_kind(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED);
}

static void *lock_and_leave(void *nothing) { pthread_mutex_lock(&first); return nothing; }
static void owner_ended(void) { in_thread(lock_and_leave); ready(); pthread_mutex_lock(&first); }

static void *wait_condition(void *nothing) {
    pthread_mutex_lock(&first);
    ready();
    for (;;) pthread_cond_wait(&condition, &first);
    return nothing;
}
static void lost_condvar(void) { in_thread(wait_condition); }

static void take_write(int number) { (void)number; pthread_rwlock_wrlock(&shared_lock); }
static void handler_rwlock_reader(void) {
    on(SIGUSR1, take_write); pthread_rwlock_rdlock(&shared_lock); ready(); raise(SIGUSR1);
}
static void *write_second(void *nothing) { pthread_mutex_lock(&first); meet(); pthread_rwlock_rdlock(&shared_lock); return nothing; }
static void cross_rwlock(void) {
    pthread_rwlock_wrlock(&shared_lock); start(write_second); meet(); ready(); pthread_mutex_lock(&first);
}

static void lost_barrier(void) { pthread_barrier_init(&barrier, NULL, 2); ready(); pthread_barrier_wait(&barrier); }
static void raise_once(void) { raise(SIGUSR1); }
static void on_signal_once(int number) { (void)number; ready(); pthread_once(&once, raise_once); }
static void handler_once(void) { on(SIGUSR1, on_signal_once); pthread_once(&once, raise_once); }
static void *wait_semaphore(void *nothing) { ready(); sem_wait(&semaphore); return nothing; }
static void lost_semaphore(void) { sem_init(&semaphore, 0, 0); in_thread(wait_semaphore); }
static pthread_t main_thread;
static void *join_main(void *nothing) { pthread_join(main_thread, NULL); return nothing; }
static void cross_join(void) { main_thread = pthread_self(); pthread_t other = start(join_main); ready(); pthread_join(other, NULL); }

/* Locks of the C library. */
static void on_signal_malloc(int number) { (void)number; void *volatile it = malloc(3000); free(it); }
static void alarm_often(void) {
    struct itimerval often = {{0, 97}, {0, 97}};
    setitimer(ITIMER_REAL, &often, NULL);
}
static void handler_malloc(void) {
    on(SIGALRM, on_signal_malloc); start(wait_semaphore); /* Another thread: then the arena has a lock. */
    alarm_often();
    for (unsigned n = 0;; n++) { void *volatile a = malloc(5000 + n % 777 * 16), *volatile b = malloc(2000); free(a); free(b); }
}
static void *print(void *nothing) { fprintf(stderr, "."); return nothing; }
static void lost_stdio(void) { flockfile(stderr); ready(); in_thread(print); }
static void on_signal_time(int number) { (void)number; time_t now = 0; struct tm parts; localtime_r(&now, &parts); }
static void handler_time_zone(void) {
    on(SIGALRM, on_signal_time); ready(); alarm_often();
    for (;;) { time_t now = 0; struct tm parts; localtime_r(&now, &parts); }
}
static int iterate(struct dl_phdr_info *info, size_t size, void *data) { (void)info; (void)size; (void)data; pthread_mutex_lock(&first); return 0; }
static void *iterate_objects(void *nothing) { meet(); dl_iterate_phdr(iterate, NULL); return nothing; }
static void lost_loader(void) {
    pthread_mutex_lock(&first); start(iterate_objects); meet();
    struct timespec pause = {0, 50000000}; nanosleep(&pause, NULL);
    ready(); dlopen("libm.so.6", RTLD_NOW | RTLD_NODELETE); dl_iterate_phdr(iterate, NULL);
}
static void on_signal_environment(int number) { (void)number; setenv("A", "b", 1); }
static void handler_environment(void) {
    on(SIGALRM, on_signal_environment); ready(); alarm_often();
    for (;;) { setenv("B", "c", 1); unsetenv("B"); }
}
static void on_signal_random(int number) { (void)number; for (int n = 0; n < 9; n++) random(); }
static void handler_random(void) { on(SIGALRM, on_signal_random); ready(); alarm_often(); for (;;) random(); }

/* Descriptors. */
static int ends[2];
static void on_signal_write(int number) { (void)number; char bytes[4096] = {0}; for (;;) if (write(ends[1], bytes, sizeof bytes) < 0) _exit(6); }
static void handler_pipe(void) { if (pipe(ends)) _exit(7); on(SIGUSR1, on_signal_write); ready(); raise(SIGUSR1); }
static void lost_pipe(void) { char byte; if (pipe(ends)) _exit(7); ready(); if (read(ends[0], &byte, 1) != 1) _exit(6); }
static void lost_eventfd(void) { uint64_t count; int event = eventfd(0, 0); ready(); if (read(event, &count, 8) != 8) _exit(6); }
static void lost_socketpair(void) {
    char byte; if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) _exit(7); ready(); if (recv(ends[0], &byte, 1, 0) != 1) _exit(6);
}
static void lost_epoll(void) {
    int watch = epoll_create1(0), event = eventfd(0, 0);
    struct epoll_event interest = {.events = EPOLLIN}; epoll_ctl(watch, EPOLL_CTL_ADD, event, &interest);
    ready(); epoll_wait(watch, &interest, 1, -1);
}
static void lost_poll(void) { if (pipe(ends)) _exit(7); struct pollfd one = {ends[0], POLLIN, 0}; ready(); poll(&one, 1, -1); }
static void lost_select(void) { if (pipe(ends)) _exit(7); fd_set set; FD_ZERO(&set); FD_SET(ends[0], &set); ready(); select(ends[0] + 1, &set, NULL, NULL, NULL); }
static char path[64];
static const char *file(void) { snprintf(path, sizeof path, "/tmp/sigproof-explain-%d", getpid()); return path; }
static void file_lock_itself(void) {
    int one = open(file(), O_CREAT | O_RDWR, 0600), other = open(path, O_RDWR); unlink(path);
    flock(one, LOCK_EX); ready(); flock(other, LOCK_EX);
}

/* Children. */
static void child_hangs(void) { if (fork() == 0) { relock(); _exit(0); } wait(NULL); }
static void child_writes(void) { /* The child fills a pipe that its parent would read after its end. */
    if (pipe(ends)) _exit(7);
    if (fork() == 0) { close(ends[0]); char bytes[4096] = {0}; ready(); for (int n = 0; n < 64; n++) if (write(ends[1], bytes, sizeof bytes) < 0) _exit(6); _exit(0); }
    close(ends[1]); wait(NULL);
}
static void shared_semaphore_lost(void) {
    sem_t *both = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sem_init(both, 1, 0); ready(); sem_wait(both);
}

/* Spinning. */
static volatile int spin;
static void on_signal_spin(int number) { (void)number; while (__sync_lock_test_and_set(&spin, 1)) {} }
static void handler_spin(void) { on(SIGUSR1, on_signal_spin); spin = 1; ready(); raise(SIGUSR1); }

/* Part of a process. */
static void *tick(void *nothing) { for (;;) { struct timespec pause = {0, 10000000}; nanosleep(&pause, NULL); } return nothing; }
static void cross_beside_a_ticker(void) { start(tick); cross(); }
static void handler_beside_a_server(void) { start(tick); handler_mutex(); }
static int threads_wanted;
static void *wait_beside(void *nothing) { pthread_mutex_lock(&second); pthread_mutex_unlock(&second); return nothing; }
static void many(void) {
    pthread_attr_t small; pthread_attr_init(&small); pthread_attr_setstacksize(&small, 65536);
    pthread_mutex_lock(&second);
    for (int n = 1; n < threads_wanted; n++) { pthread_t thread; if (pthread_create(&thread, &small, wait_beside, NULL)) _exit(4); }
    struct timespec pause = {0, 200000000}; nanosleep(&pause, NULL);
    ready(); pthread_mutex_lock(&second);
}

static void sleep_some(void) { struct timespec pause = {0, 700000000}; nanosleep(&pause, NULL); }
static void late(void) { ready(); sleep_some(); relock(); }
static void ending(void) { ready(); sleep_some(); }

/* Healthy ones. */
static void nothing_on(int number) { (void)number; }
static void healthy_sleep(void) { ready(); sleep(1000); }
static void healthy_pause(void) { ready(); pause(); }
static void healthy_setitimer(void) { on(SIGALRM, nothing_on); struct itimerval one = {{1, 0}, {100, 0}}; setitimer(ITIMER_REAL, &one, NULL); ready(); for (;;) pause(); }
static void healthy_timer_create(void) {
    on(SIGUSR1, nothing_on); timer_t timer; struct sigevent event; memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL; event.sigev_signo = SIGUSR1; timer_create(CLOCK_MONOTONIC, &event, &timer);
    struct itimerspec one = {{1, 0}, {100, 0}}; timer_settime(timer, 0, &one, NULL); ready(); for (;;) pause();
}
static void on_signal_post(int number) { (void)number; sem_post(&semaphore); }
static void healthy_alarm_posts(void) { sem_init(&semaphore, 0, 0); on(SIGALRM, on_signal_post); alarm(1000); ready(); while (sem_wait(&semaphore)) {} }
static void healthy_timer_posts(void) {
    sem_init(&semaphore, 0, 0); on(SIGUSR2, on_signal_post); timer_t timer; struct sigevent event; memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL; event.sigev_signo = SIGUSR2; timer_create(CLOCK_MONOTONIC, &event, &timer);
    struct itimerspec one = {{0, 0}, {1000, 0}}; timer_settime(timer, 0, &one, NULL); ready(); while (sem_wait(&semaphore)) {}
}
static void unclear_term_posts(void) { sem_init(&semaphore, 0, 0); on(SIGTERM, on_signal_post); ready(); while (sem_wait(&semaphore)) {} }
static void *post(union sigval value) { (void)value; return NULL; }
static void healthy_sigev_thread(void) {
    timer_t timer; struct sigevent event; memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD; event.sigev_notify_function = (void (*)(union sigval))post;
    timer_create(CLOCK_MONOTONIC, &event, &timer); struct itimerspec one = {{1, 0}, {100, 0}};
    timer_settime(timer, 0, &one, NULL); sem_init(&semaphore, 0, 0); ready(); while (sem_wait(&semaphore)) {}
}
static void healthy_sigwait(void) { sigset_t set; int number; sigemptyset(&set); sigaddset(&set, SIGTERM); sigprocmask(SIG_BLOCK, &set, NULL); ready(); sigwait(&set, &number); }
static void healthy_signalfd(void) { sigset_t set; sigemptyset(&set); sigaddset(&set, SIGTERM); sigprocmask(SIG_BLOCK, &set, NULL); int fd = signalfd(-1, &set, 0); ready(); struct signalfd_siginfo info; if (read(fd, &info, sizeof info) < 0) _exit(6); }
static void healthy_server(void) { int fd = socket(AF_INET, SOCK_STREAM, 0); struct sockaddr_in any = {.sin_family = AF_INET}; bind(fd, (struct sockaddr *)&any, sizeof any); listen(fd, 5); ready(); accept(fd, NULL, NULL); }
static void healthy_epoll_server(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), watch = epoll_create1(0); struct sockaddr_in any = {.sin_family = AF_INET};
    bind(fd, (struct sockaddr *)&any, sizeof any); listen(fd, 5); struct epoll_event interest = {.events = EPOLLIN};
    epoll_ctl(watch, EPOLL_CTL_ADD, fd, &interest); ready(); epoll_wait(watch, &interest, 1, -1);
}
static void healthy_udp(void) { char byte; int fd = socket(AF_INET, SOCK_DGRAM, 0); struct sockaddr_in any = {.sin_family = AF_INET}; bind(fd, (struct sockaddr *)&any, sizeof any); ready(); recv(fd, &byte, 1, 0); }
static void healthy_stdin(void) { char byte; ready(); if (read(0, &byte, 1) < 0) _exit(6); }
static void healthy_child(void) { if (fork() == 0) { sleep(1000); _exit(0); } ready(); wait(NULL); }
static void healthy_timed_select(void) { struct timeval long_time = {1000, 0}; ready(); select(0, NULL, NULL, NULL, &long_time); }
static void healthy_timed_wait(void) { struct timespec until; clock_gettime(CLOCK_REALTIME, &until); until.tv_sec += 1000; pthread_mutex_lock(&first); ready(); pthread_cond_timedwait(&condition, &first, &until); }
static void healthy_timerfd(void) { int fd = timerfd_create(CLOCK_MONOTONIC, 0); struct itimerspec one = {{0, 0}, {1000, 0}}; timerfd_settime(fd, 0, &one, NULL); uint64_t count; ready(); if (read(fd, &count, 8) < 0) _exit(6); }
static void healthy_inotify(void) { int fd = inotify_init1(0); inotify_add_watch(fd, "/tmp", IN_DELETE_SELF); char event[512]; ready(); if (read(fd, event, sizeof event) < 0) _exit(6); }
static void healthy_semaphore_of_two(void) {
    sem_t *both = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); sem_init(both, 1, 0);
    if (fork() == 0) { sleep(1000); sem_post(both); _exit(0); }
    ready(); sem_wait(both);
}
static void healthy_file_lock(void) {
    int one = open(file(), O_CREAT | O_RDWR, 0600); if (pipe(ends)) _exit(7);
    if (fork() == 0) { int other = open(path, O_RDWR); flock(other, LOCK_EX); if (write(ends[1], "x", 1) != 1) _exit(6); sleep(1000); _exit(0); }
    char byte; if (read(ends[0], &byte, 1) != 1) _exit(6);
    unlink(path); ready(); flock(one, LOCK_EX);
}
static void healthy_pipe_of_two(void) { char byte; if (pipe(ends)) _exit(7); if (fork() == 0) { sleep(1000); _exit(0); } close(ends[1]); ready(); if (read(ends[0], &byte, 1) < 0) _exit(6); }
static void healthy_loop(void) { ready(); for (volatile unsigned long n = 0;; n++) {} }
static void healthy_workers(void) { start(wait_semaphore); start(wait_semaphore); healthy_server(); }
static void healthy_fifo(void) { mkfifo(file(), 0600); ready(); int fd = open(path, O_RDONLY); (void)fd; }

static const struct { const char *name; void (*body)(void); } kinds[] = {
#define KIND(function) {#function, function}
    KIND(handler_mutex), KIND(relock), KIND(cross), KIND(cross_recursive), KIND(cross_errorcheck), KIND(cross_robust),
    KIND(cross_pi), KIND(owner_ended), KIND(lost_condvar), KIND(handler_rwlock_reader),
    KIND(cross_rwlock), KIND(lost_barrier), KIND(handler_once), KIND(lost_semaphore), KIND(cross_join),
    KIND(handler_malloc), KIND(lost_stdio), KIND(handler_time_zone), KIND(lost_loader),
    KIND(handler_environment), KIND(handler_random), KIND(handler_pipe), KIND(lost_pipe), KIND(lost_eventfd),
    KIND(lost_socketpair), KIND(lost_epoll), KIND(lost_poll), KIND(lost_select), KIND(file_lock_itself),
    KIND(child_hangs), KIND(child_writes), KIND(shared_semaphore_lost), KIND(handler_spin),
    KIND(cross_beside_a_ticker), KIND(handler_beside_a_server), KIND(many), KIND(late), KIND(ending),
    KIND(healthy_sleep), KIND(healthy_pause),
    KIND(healthy_setitimer), KIND(healthy_timer_create), KIND(healthy_alarm_posts), KIND(healthy_timer_posts),
    KIND(unclear_term_posts), KIND(healthy_sigev_thread), KIND(healthy_sigwait), KIND(healthy_signalfd),
    KIND(healthy_server), KIND(healthy_epoll_server), KIND(healthy_udp), KIND(healthy_stdin), KIND(healthy_child),
    KIND(healthy_timed_select), KIND(healthy_timed_wait), KIND(healthy_timerfd), KIND(healthy_inotify),
    KIND(healthy_semaphore_of_two), KIND(healthy_file_lock), KIND(healthy_pipe_of_two), KIND(healthy_loop),
    KIND(healthy_workers), KIND(healthy_fifo),
};

int main(int count, char **arguments) {
    if (count < 2) {
        for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++) puts(kinds[n].name);
        return 0;
    }
    main_thread = pthread_self();
    threads_wanted = count > 2 ? atoi(arguments[2]) : 200;
    for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++)
        if (!strcmp(kinds[n].name, arguments[1])) kinds[n].body();
    return 2;
}
