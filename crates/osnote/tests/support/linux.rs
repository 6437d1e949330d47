//! Threads and signals on Linux: `/proc` says who is blocked, a timer aims at one thread.

use std::fs;

/// A thread, as the kernel and as pthreads know it.
#[derive(Clone, Copy)]
pub struct ThreadId {
    tid: libc::pid_t,
    pthread: libc::pthread_t,
}

impl ThreadId {
    pub fn current() -> Self {
        // SAFETY: neither has preconditions.
        unsafe { Self { tid: libc::gettid(), pthread: libc::pthread_self() } }
    }

    /// Whether the kernel shows it as sleeping.
    pub fn is_blocked(self) -> bool {
        let Ok(stat) = fs::read_to_string(format!("/proc/self/task/{}/stat", self.tid)) else { return false };
        // The state follows the name, which is in parentheses and may hold any byte.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
    }

    pub fn kill(self, signo: libc::c_int) {
        // SAFETY: the thread has not been joined: its owner is still waiting for it.
        unsafe { libc::pthread_kill(self.pthread, signo) };
    }
}

/// SIGPROF at one thread, every 100 microseconds, until dropped.
pub struct Storm(libc::timer_t);

impl Storm {
    pub fn start(target: ThreadId) -> Self {
        // SAFETY: zero is a value of every field; `timer` has room for the answer; the times are valid.
        unsafe {
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = libc::SIGPROF;
            event.sigev_notify_thread_id = target.tid;
            let mut timer: libc::timer_t = std::mem::zeroed();
            assert_eq!(libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer), 0);
            let period = libc::timespec { tv_sec: 0, tv_nsec: 100_000 };
            let times = libc::itimerspec { it_interval: period, it_value: period };
            assert_eq!(libc::timer_settime(timer, 0, &raw const times, std::ptr::null_mut()), 0);
            Self(timer)
        }
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        // SAFETY: made by `start`, deleted once.
        unsafe { libc::timer_delete(self.0) };
    }
}

/// Keeps this thread on the n-th of the processors that the process may use, so that two threads that race
/// really run at once. Without that the kernel likes to wake the sleeper on the waker's processor, and they
/// take turns. Best effort; `None` lets it go again.
pub fn pin(nth: impl Into<Option<usize>>) {
    // SAFETY: zero is a value of the set; sizes are those of the sets. The main thread's set is the
    // process's.
    unsafe {
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(libc::getpid(), size_of_val(&allowed), &raw mut allowed) != 0 {
            return;
        }
        let Some(nth) = nth.into() else {
            libc::sched_setaffinity(0, size_of_val(&allowed), &raw const allowed);
            return;
        };
        let allowed: Vec<usize> = (0..1024).filter(|&cpu| libc::CPU_ISSET(cpu, &allowed)).collect();
        let Some(&cpu) = allowed.get(nth % allowed.len().max(1)) else { return };
        let mut own: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut own);
        libc::sched_setaffinity(0, size_of_val(&own), &raw const own);
    }
}
