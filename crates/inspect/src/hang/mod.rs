//! Is the child stuck? Decided from what the kernel says about its threads, not from a clock.
//!
//! [`Watch::look`] is called over and over by the supervisor (every 0.3 to 1 ms). What it may say:
//!
//! | look | meaning | evidence |
//! |---|---|---|
//! | [`Look::Running`] | no verdict; look again | anything that the rules below do not cover |
//! | [`Look::Stuck`]`(`[`Stuck::AllAsleep`]`)` | no thread inside can ever run again | every thread in an untimed wait, twice, not scheduled in between, no process outside that could wake one |
//! | [`Look::Stuck`]`(`[`Stuck::Spinning`]`)` | CPU burns, nothing moves | some threads burnt [`SPIN_CPU`] (or the caller's limit) each without progress while all others slept as above |
//! | [`Look::Unwatchable`] | this system hides what is needed | use a deadline instead |
//! | [`Look::Gone`] | the child has exited | reap it |
//!
//! A verdict that is missed costs the caller its deadline; a verdict that is false condemns working code. So
//! every doubt is resolved as `Running`.
//!
//! # Invariants
//! 1. `AllAsleep` is only given if there is one instant, between two surveys, at which every thread slept and
//!    nothing was on its way: no thread was scheduled from the first survey to the last, by its own run-time
//!    account.
//! 2. A wait counts only if nothing but the child itself can end it: no time-out, no
//!    descriptor or shared memory that another process has or can open by a name, no deliverable signal, no
//!    live child of the child, and (the caller's word) no armed timer.
//! 3. `Spinning` condemns no thread that has not burnt [`SPIN_CPU`] itself: a runnable thread that waits for
//!    a CPU is no spinner.
//!
//! # Limits
//! Linux only; elsewhere each look is `Unwatchable`. Processes whose descriptors the caller may not list are
//! taken not to hold the child's pipes. An untimed `poll` that was stopped and continued is resumed by the
//! kernel in a way that looks timed: no verdict. A descriptor in flight inside a Unix socket, kernel-side
//! completions (`io_uring`, AIO) that signal an eventfd, and a spin that sleeps in between are not
//! recognised; the last two can only be met by code that does so on purpose.

mod calibrated;
mod deadline;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

pub use calibrated::{calibrated, processor_time};
pub use deadline::{Deadline, Stillness};
#[cfg(not(target_os = "linux"))]
pub use elsewhere::Watch;
#[cfg(target_os = "linux")]
pub use linux::Watch;
#[cfg(target_os = "linux")]
pub use linux::procfs;
#[cfg(target_os = "linux")]
pub(crate) use linux::sleep;

/// What is said where [`proc_is_ours`] is false.
pub const FOREIGN_PROC: &str = "/proc is not of this PID namespace";

/// Whether `/proc` shows the processes of our own PID namespace. A container that sees the `/proc` of its
/// host finds other processes under the numbers of its own.
pub fn proc_is_ours() -> bool {
    #[cfg(target_os = "linux")]
    let ours = procfs::is_ours();
    #[cfg(not(target_os = "linux"))]
    let ours = true;
    ours
}

/// Whether a process is stopped, by a signal or by whoever traces it, as far as the system shows it.
pub fn is_stopped(pid: u32) -> bool {
    #[cfg(target_os = "linux")]
    let stopped =
        procfs::is_ours() && procfs::thread_stat(pid, pid).is_some_and(|stat| matches!(stat.state, 'T' | 't'));
    #[cfg(not(target_os = "linux"))]
    let stopped = {
        let _ = pid;
        false
    };
    stopped
}

/// The threads of a process for which this signal is pending, and which block it: while they sleep it reaches
/// no handler. Empty where the system does not show it.
pub fn held_back(pid: u32, signal: i32) -> Vec<u32> {
    #[cfg(target_os = "linux")]
    let held = procfs::held_back(pid, signal);
    #[cfg(not(target_os = "linux"))]
    let held = {
        let _ = (pid, signal);
        Vec::new()
    };
    held
}

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// CPU time that a thread must burn without progress, while all others sleep, before it counts as spinning.
///
/// Run-time accounts of a running thread are brought up to date by the scheduler's tick, 10 ms at worst (100
/// Hz): two ticks are the least that tells "it ran all the time" from "it was charged one tick". Contract
/// with the caller: a child that makes progress changes its progress word at least once in this much CPU
/// time, except where it touches fresh memory or waits for anything (page faults and sleeps count as
/// progress).
pub const SPIN_CPU: Duration = Duration::from_millis(20);

/// [`SPIN_CPU`] while a signal source of the child is still armed: a signal may end the spin, and has had
/// this long to come.
pub const SPIN_CPU_ARMED: Duration = SPIN_CPU.saturating_mul(ARMED);

/// How much longer a spin is looked at while a signal source is armed.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
const ARMED: u32 = 10;

/// What one look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// No verdict. The child runs, or might.
    Running,
    /// The child will never make progress again.
    Stuck(Stuck),
    /// The kernel refuses or lacks what the verdict needs, for the reason given: fall back to a deadline.
    Unwatchable(String),
    /// The child has exited (a zombie counts: it is the caller's to reap).
    Gone,
}

/// How the child is stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stuck {
    /// Every thread sleeps in a wait that only the child itself could end.
    AllAsleep,
    /// At least one thread burns CPU without progress, all others sleep as in [`Stuck::AllAsleep`].
    Spinning {
        /// The thread that burnt most.
        tid: u32,
    },
}
