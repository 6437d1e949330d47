//! The engines on Linux.
//!
//! | file | holds |
//! |---|---|
//! | `child` | the process in which the window runs: its start, its end, its threads |
//! | `arch` | registers and breakpoints |
//! | `tracee` | one ptrace stop after another |
//! | `pump` | the one loop that waits for a child, and the phases of an execution |
//! | `ptrace` | the engines that trace, with copies or without |
//! | `trap_flag` | the engine that does not |
//! | `probe` | whether they work here |

mod arch;
mod child;
mod probe;
mod ptrace;
mod pump;
mod tracee;
mod trap_flag;

pub(super) use probe::try_out;

use nix::errno::Errno;
use nix::sched::{CloneFlags, CpuSet, sched_getaffinity, sched_setaffinity, unshare};
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use super::{Engine, Kind, OnlyThread, Trouble};
use crate::{PANICKED, Subject, leave};

pub(super) fn open(kind: Kind, subject: &dyn Subject, only: OnlyThread) -> Result<Box<dyn Engine + '_>, Trouble> {
    Ok(match kind {
        Kind::Undo | Kind::Breakpoint | Kind::SingleStep => Box::new(ptrace::Ptrace::new(kind, subject, only)?),
        Kind::TrapFlag => Box::new(trap_flag::TrapFlag::new(subject, only)?),
    })
}

/// Maps a failed call of nix on [`Trouble::System`].
fn refused(call: &'static str) -> impl FnOnce(Errno) -> Trouble {
    move |errno| Trouble::System { call, error: errno.into() }
}

/// How many threads this process has beside the calling one.
pub(super) fn threads_besides() -> std::io::Result<usize> {
    match std::fs::read_dir("/proc/self/task") {
        Ok(threads) => Ok(threads.count().saturating_sub(1)),
        // No /proc, or that of another PID namespace.
        Err(_) => Ok(unshared().map(|()| 0)?),
    }
}

/// Fails with `EINVAL` in a process with several threads, and changes nothing in any other (unshare(2)).
pub(super) fn unshared() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_THREAD)
}

/// Gives this process time slices, if it has none: it shares its processor with its children, and a child
/// that spins in a real-time class (sched(7)) would never let it run. Left as it is where the kernel refuses.
fn give_up_real_time() {
    // By number: musl has these calls as stubs that fail.
    // SAFETY: takes a number.
    let policy = unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
    if matches!(i32::try_from(policy), Ok(libc::SCHED_FIFO | libc::SCHED_RR)) {
        // `struct sched_param` of the kernel: the priority, which is 0 for the ordinary class.
        let priority: libc::c_int = 0;
        // SAFETY: reads the integer, a live local.
        unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_OTHER, &raw const priority) };
    }
}

pub(super) fn settle_down(number: usize) -> std::io::Result<()> {
    // SAFETY: takes a number, of nanoseconds, and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong) };
    give_up_real_time();
    let own = Pid::from_raw(0);
    let allowed = sched_getaffinity(own)?;
    let usable: Vec<usize> = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu) == Ok(true)).collect();
    let mut only = CpuSet::new();
    only.set(usable[number % usable.len().max(1)])?;
    Ok(sched_setaffinity(own, &only)?)
}

/// The signals by which somebody else ends a process; the work sends itself none of them.
const OUTSIDE: [Signal; 5] = [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT];

pub(super) fn apart(_only: OnlyThread, work: impl FnOnce()) -> std::io::Result<bool> {
    // SAFETY: this process has one thread (`_only`), so that the child may do whatever it likes.
    match unsafe { fork() }? {
        ForkResult::Child => {
            // SAFETY: takes a number.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_ok();
            leave(if done { 0 } else { PANICKED })
        }
        ForkResult::Parent { child } => loop {
            match waitpid(child, None) {
                // Who gave the order is to see that the end came from outside.
                Ok(WaitStatus::Signaled(_, signal, _)) if OUTSIDE.contains(&signal) => {
                    raise(signal)?;
                    return Ok(false);
                }
                Ok(status) => return Ok(status == WaitStatus::Exited(child, 0)),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        },
    }
}
