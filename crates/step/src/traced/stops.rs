//! Stops of traced threads: how one is waited for, brought about, and ended.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::unistd::Pid;
use sigproof_inspect::hang::procfs;

use super::{FROM_KERNEL, Failed, refused, state_change};

/// What `ptrace` is asked for: the type of its first argument differs between C libraries.
#[cfg(not(target_env = "musl"))]
pub type PtraceRequest = libc::c_uint;
/// As above.
#[cfg(target_env = "musl")]
pub type PtraceRequest = libc::c_int;

/// Whether a trap is of the program's own making: `int3` in its code, or a SIGTRAP that somebody sent.
pub fn is_own_trap(tid: i32) -> bool {
    // 0 and less are sent.
    ptrace::getsiginfo(Pid::from_raw(tid)).is_ok_and(|info| info.si_code == FROM_KERNEL || info.si_code <= 0)
}

thread_local! {
    /// Single steps that this thread has had others make.
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Single steps that this thread has had others make so far.
pub fn steps() -> u64 {
    STEPS.get()
}

/// Lets a stopped thread go. One that was killed meanwhile tells so by its end.
///
/// # Errors
/// Those of `ptrace`, but for `ESRCH`.
pub fn resume(how: PtraceRequest, tid: i32, signal: i32) -> Result<(), Failed> {
    if how == libc::PTRACE_SINGLESTEP {
        STEPS.set(STEPS.get() + 1);
    }
    // SAFETY: takes numbers only.
    if unsafe { libc::ptrace(how, tid, 0, libc::c_long::from(signal)) } == 0 || Errno::last() == Errno::ESRCH {
        return Ok(());
    }
    Err(refused("ptrace(PTRACE_CONT)")(Errno::last()))
}

/// Sends a signal to one thread.
/// One that is gone is no error.
///
/// # Errors
/// Those of `tgkill`.
pub fn send(pid: i32, tid: i32, signal: i32) -> Result<(), Failed> {
    // SAFETY: takes numbers only; the ids are those of a process that is not reaped.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, signal) };
    if sent == 0 || Errno::last() == Errno::ESRCH { Ok(()) } else { Err(refused("tgkill")(Errno::last())) }
}

/// How long a stop is waited for before the thread is looked at: its sign may have been another thread's.
const A_WHILE: Duration = Duration::from_millis(1);

/// Stops a thread that runs, or leaves it stopped; whether there is such a thread. What it is about to
/// receive is delivered to it.
///
/// # Errors
/// Those of `tgkill`, `ptrace` and `waitpid`.
pub fn stop(pid: i32, tid: i32) -> Result<bool, Failed> {
    let state = procfs::thread_stat(pid.cast_unsigned(), tid.cast_unsigned());
    match state.map(|stat| stat.state) {
        None | Some('Z' | 'X') => return Ok(false),
        Some('t' | 'T') => return Ok(true),
        Some(_) => {}
    }
    send(pid, tid, libc::SIGSTOP)?;
    loop {
        let Some((_, status)) = wait_for(tid, libc::WNOHANG)? else {
            // The end of a process's first thread is withheld until those of the others were waited for.
            let state = procfs::thread_stat(pid.cast_unsigned(), tid.cast_unsigned()).map(|stat| stat.state);
            if matches!(state, None | Some('Z' | 'X')) {
                return Ok(false);
            }
            await_child_signal(A_WHILE);
            continue;
        };
        if !libc::WIFSTOPPED(status) {
            return Ok(false);
        }
        match (libc::WSTOPSIG(status), status >> 16) {
            (libc::SIGSTOP, _) => return Ok(true),
            (libc::SIGTRAP, _) => resume(libc::PTRACE_CONT, tid, 0)?,
            (signal, _) => resume(libc::PTRACE_CONT, tid, signal)?,
        }
    }
}

/// The next state change of one process or thread, or of any (-1).
///
/// # Errors
/// Those of `waitpid`.
pub fn wait_for(tid: i32, flags: i32) -> Result<Option<(i32, i32)>, Failed> {
    state_change(tid, flags | libc::__WNOTHREAD).map_err(refused("wait4"))
}

fn child_signal() -> libc::sigset_t {
    // SAFETY: the set is initialised before it is used.
    unsafe {
        let mut set = core::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        set
    }
}

/// The threads of this process that trace (`--jobs`).
static TRACERS: Mutex<Vec<i32>> = Mutex::new(Vec::new());

fn tracers() -> MutexGuard<'static, Vec<i32>> {
    TRACERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place among those threads, for as long as the thread lives.
struct Tracer(i32);

impl Drop for Tracer {
    fn drop(&mut self) {
        tracers().retain(|tid| *tid != self.0);
    }
}

thread_local! {
    static TRACER: Tracer = {
        // SAFETY: takes nothing.
        let tid = unsafe { libc::gettid() };
        tracers().push(tid);
        Tracer(tid)
    };
}

/// Blocks SIGCHLD in this thread, so that it can be waited for.
pub fn block_child_signal() {
    TRACER.with(|_| {});
    let set = child_signal();
    // SAFETY: the set is a live local.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, core::ptr::null_mut()) };
}

/// Waits for a sign of any child, at most so long; whether there was one.
///
/// The kernel sends SIGCHLD to the process, and one thread takes it, whose child it may not be. That one
/// tells the others.
pub fn await_child_signal(patience: Duration) -> bool {
    let set = child_signal();
    let time = libc::timespec {
        tv_sec: patience.as_secs().cast_signed(),
        tv_nsec: libc::c_long::from(patience.subsec_nanos()),
    };
    // SAFETY: zeroed is valid for the type.
    let mut info: libc::siginfo_t = unsafe { core::mem::zeroed() };
    // SAFETY: all pointers are to live locals.
    if unsafe { libc::sigtimedwait(&raw const set, &raw mut info, &raw const time) } != libc::SIGCHLD {
        return false;
    }
    // One that another thread has passed on has a code of 0 or less.
    if info.si_code > 0 {
        // SAFETY: take nothing.
        let (pid, own) = unsafe { (libc::getpid(), libc::gettid()) };
        for tid in tracers().iter().filter(|tid| **tid != own) {
            // SAFETY: takes numbers only. It fails for a thread that has ended.
            unsafe { libc::syscall(libc::SYS_tgkill, pid, *tid, libc::SIGCHLD) };
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    /// As the kernel tells of a child, but to this thread for sure.
    fn tell_of_child() {
        // SAFETY: zeroed is valid for the type.
        let mut info: libc::siginfo_t = unsafe { core::mem::zeroed() };
        (info.si_signo, info.si_code) = (libc::SIGCHLD, libc::CLD_STOPPED);
        // SAFETY: the kernel reads `info`, a live local.
        let sent = unsafe {
            let (pid, tid) = (libc::getpid(), libc::gettid());
            libc::syscall(libc::SYS_rt_tgsigqueueinfo, pid, tid, libc::SIGCHLD, &raw const info)
        };
        assert_eq!(sent, 0, "{}", Errno::last());
    }

    #[test]
    fn the_thread_that_takes_the_sign_tells_the_others() {
        let both = Barrier::new(2);
        let waits = |takes: bool| {
            block_child_signal();
            both.wait();
            if takes {
                tell_of_child();
            }
            await_child_signal(Duration::from_secs(10))
        };
        let told = thread::scope(|scope| {
            let waits = &waits;
            let threads = [true, false].map(|takes| scope.spawn(move || waits(takes)));
            threads.map(|thread| thread.join().unwrap())
        });
        assert_eq!(told, [true, true]);
    }
}
