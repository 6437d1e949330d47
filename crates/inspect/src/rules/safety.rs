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
    _Exit _exit abort accept access aio_error aio_return aio_suspend alarm bind cfgetispeed cfgetospeed \
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
