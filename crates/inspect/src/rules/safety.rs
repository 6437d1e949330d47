//! The functions that a signal handler may call, and functions known to be unsafe there.
//!
//! Source: POSIX.1-2017, System Interfaces 2.4.3 (the table of async-signal-safe functions), with the
//! additions of signal-safety(7) of the Linux manual: `memcpy` and other string functions of Technical
//! Corrigendum 2.

use std::sync::OnceLock;

use super::locks::{self, Lock};
use super::name::Name;
use super::table::{Table, Words, words};

/// The rule, for a report.
pub const RULE: &str = "POSIX.1-2017, System Interfaces 2.4.3; signal-safety(7)";

const SAFE: Table<()> = &[(
    (),
    "\
    _exit abort accept access aio_error aio_return aio_suspend alarm bind cfgetispeed cfgetospeed \
    cfsetispeed cfsetospeed chdir chmod chown clock_gettime close connect creat dup dup2 execl execle execv \
    execve faccessat fchdir fchmod fchmodat fchown fchownat fcntl fdatasync fexecve ffs fork fstat fstatat fsync \
    ftruncate futimens getegid geteuid getgid getgroups getpeername getpgrp getpid getppid getsockname \
    getsockopt getuid htonl htons kill link linkat listen longjmp lseek lstat memccpy memchr memcmp memcpy \
    memmove memset mkdir mkdirat mkfifo mkfifoat mknod mknodat ntohl ntohs open openat pause pipe poll \
    posix_trace_event pselect pthread_kill pthread_self pthread_sigmask raise read readlink readlinkat recv \
    recvfrom recvmsg rename renameat rmdir select sem_post send sendmsg sendto setgid setpgid setsid setsockopt \
    setuid shutdown sigaction sigaddset sigdelset sigemptyset sigfillset sigismember siglongjmp signal sigpause \
    sigpending sigprocmask sigqueue sigset sigsuspend sleep sockatmark socket socketpair stat stpcpy stpncpy \
    strcat strchr strcmp strcpy strcspn strlen strncat strncmp strncpy strnlen strpbrk strrchr strspn strstr \
    strtok_r symlink symlinkat tcdrain tcflow tcflush tcgetattr tcgetpgrp tcsendbreak tcsetattr tcsetpgrp time \
    timer_getoverrun timer_gettime timer_settime times umask uname unlink unlinkat utime utimensat utimes wait \
    waitpid wcpcpy wcpncpy wcscat wcschr wcscmp wcscpy wcscspn wcslen wcsncat wcsncmp wcsncpy wcsnlen wcspbrk \
    wcsrchr wcsspn wcsstr wcstok wmemchr wmemcmp wmemcpy wmemmove wmemset write",
)];

/// Functions without a lock of their own that are on no list.
const UNSAFE: Table<()> = &[(
    (),
    "\
    snprintf sprintf vsnprintf vsprintf sscanf strtok pthread_mutex_lock pthread_mutex_unlock pthread_cond_wait \
    pthread_cond_signal pthread_cond_broadcast pthread_join sem_wait sem_timedwait pthread_once usleep \
    pthread_getspecific pthread_setspecific pthread_rwlock_rdlock pthread_rwlock_wrlock nanosleep",
)];

/// Functions that are on no list, and that in glibc and in musl are a system call and nothing else, or take
/// no lock and keep nothing in static storage. No standard promises that, so a report names them, and does
/// not count them as a fault.
const BARE: Table<()> = &[(
    (),
    "\
    syscall gettid tgkill tkill killpg epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd eventfd_read \
    eventfd_write timerfd_create timerfd_settime timerfd_gettime signalfd ioctl setitimer getitimer prctl mmap \
    munmap mprotect madvise mremap sched_yield wait3 wait4 waitid writev readv pread pwrite preadv pwritev getrusage \
    gettimeofday clock_getres clock_nanosleep sysinfo sched_getcpu getcpu sched_getaffinity ppoll accept4 dup3 \
    pipe2 splice tee vmsplice sendfile futimesat getrlimit setrlimit prlimit getpriority setpriority nice getpgid \
    getsid getresuid getresgid getrandom memfd_create pidfd_open pidfd_send_signal ptrace reboot sync syncfs \
    sigaltstack siginterrupt sigblock sigsetmask sigandset sigorset sigisemptyset sigtimedwait sigwaitinfo sigwait \
    setjmp sigsetjmp flock lockf isatty getpagesize sysconf abs labs llabs div ldiv bcopy bzero explicit_bzero index \
    rindex bcmp memrchr rawmemchr mempcpy memmem strchrnul strcasecmp strncasecmp strcasestr strsep strlcpy strlcat \
    ffsl ffsll ctype_b_loc ctype_tolower_loc ctype_toupper_loc isalnum isalpha isdigit islower isprint ispunct \
    isspace isupper isxdigit tolower toupper strerrorname_np strerrordesc_np sigabbrev_np sigdescr_np \
    current_sigrtmin current_sigrtmax fdelt_chk errno_location pthread_equal pthread_kill_other_np \
    inotify_add_watch fallocate posix_fadvise close_range execvpe fstatfs statfs umount mount setns unshare",
)];

/// Whether the function is on no list, and is nothing but a system call or takes no lock and keeps no state
/// in glibc and in musl.
pub fn is_bare(name: &Name) -> bool {
    static WORDS: OnceLock<Words<()>> = OnceLock::new();
    let key = name.key.as_str();
    WORDS.get_or_init(|| words(BARE)).contains_key(key) || is_sized_atomic(key) || is_clock(&name.path)
}

/// Whether the function is one of libatomic's for a width that the processor has an instruction for: on
/// x86_64 and aarch64 up to 16 bytes. The one without a width (`__atomic_load`) may take a lock.
fn is_sized_atomic(key: &str) -> bool {
    let width = key.strip_prefix("atomic_").and_then(|rest| rest.rsplit_once('_')).map(|(_, width)| width);
    matches!(width, Some("1" | "2" | "4" | "8" | "16"))
}

/// Whether the function reads a clock of C++, by `clock_gettime` and nothing else in libstdc++ and libc++.
fn is_clock(path: &str) -> bool {
    path.starts_with("std::") && path.ends_with("_clock::now")
}

/// Whether the function throws an exception of the C++ library: a compiler puts such a call behind a check
/// that holds in a correct program, such as that a `std::function` is not empty.
pub fn is_check(name: &Name) -> bool {
    name.path.starts_with("std::__throw_")
}

/// Whether the function ends a handler by a jump to code of the interrupted function.
pub fn is_jump(name: &Name) -> bool {
    matches!(name.key.as_str(), "longjmp" | "siglongjmp" | "longjmp_chk")
}

/// Whether POSIX or signal-safety(7) lists the function as async-signal-safe. `fork` is listed, but takes
/// locks in glibc, so POSIX.1-2024 removed it.
pub fn is_safe(name: &Name) -> bool {
    static WORDS: OnceLock<Words<()>> = OnceLock::new();
    WORDS.get_or_init(|| words(SAFE)).contains_key(name.key.as_str())
}

/// Whether the function is known, and no signal handler may call it. Unwinders are on no list either, but
/// those of profilers are made for handlers: they count only where they wait.
pub fn is_unsafe(name: &Name) -> bool {
    static WORDS: OnceLock<Words<()>> = OnceLock::new();
    let listed = WORDS.get_or_init(|| words(UNSAFE)).contains_key(name.key.as_str());
    listed
        || (!is_safe(name)
            && locks::of(name).is_some_and(|(lock, _)| !matches!(lock, Lock::Go | Lock::Interpreter | Lock::Unwinder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safe_and_unsafe_exclude_each_other() {
        for table in [SAFE, UNSAFE] {
            let both = table[0].1.split_whitespace().map(Name::of).find(|name| is_safe(name) && is_unsafe(name));
            assert_eq!(both, None);
        }
    }

    #[test]
    fn what_is_bare_is_neither_safe_nor_known_to_be_unsafe() {
        let both = BARE[0].1.split_whitespace().map(Name::of).find(|name| is_safe(name) || is_unsafe(name));
        assert_eq!(both, None);
        assert!(is_bare(&Name::of("__fdelt_chk")) && !is_bare(&Name::of("strtol")));
    }

    #[test]
    fn each_word_is_spelled_as_a_name_is_looked_up() {
        for table in [SAFE, UNSAFE, BARE] {
            let other: Vec<&str> = table[0].1.split_whitespace().filter(|word| Name::of(word).key != **word).collect();
            assert_eq!(other, Vec::<&str>::new());
        }
        assert!(is_bare(&Name::of("__libc_current_sigrtmin")));
    }

    #[test]
    fn libraries_of_cpp() {
        for bare in ["__atomic_load_16", "__atomic_fetch_add_8", "_ZNSt6chrono3_V212steady_clock3nowEv"] {
            assert!(is_bare(&Name::of(bare)), "{bare}");
        }
        assert!(!is_bare(&Name::of("__atomic_load")) && !is_bare(&Name::of("atomic_log_16k")));
        assert!(is_check(&Name::of("_ZSt25__throw_bad_function_callv")) && !is_check(&Name::of("__cxa_throw")));
    }

    #[test]
    fn the_lists_hold_what_handlers_call_most() {
        for safe in ["write", "_exit", "sem_post", "__kill", "memcpy"] {
            assert!(is_safe(&Name::of(safe)), "{safe}");
        }
        for bad in
            ["malloc", "printf", "syslog", "localtime_r", "exit", "operator new(unsigned long)", "pthread_mutex_lock"]
        {
            assert!(is_unsafe(&Name::of(bad)), "{bad}");
        }
    }
}
