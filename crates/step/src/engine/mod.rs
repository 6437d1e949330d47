//! How a boundary is reached and a signal delivered there.
//!
//! | engine | reaches a boundary by | where | holds other threads |
//! |---|---|---|---|
//! | `undo` | single steps of one child, whose copies take the signal, which is then undone in them; `breakpoint` for the rest | Linux, x86_64, with seccomp | has none |
//! | `breakpoint` | a hardware breakpoint at the nearest instruction that is met once, single steps from there | Linux, x86_64 | yes |
//! | `single-step` | single steps (`PTRACE_SINGLESTEP`) | Linux | yes |
//! | `trap-flag` | the processor's trap flag, set by a signal handler | Linux, x86_64, without ptrace | no |
//!
//! An engine keeps one child as long as it is well, and starts another when it is not. Whatever the child
//! does, each call comes back.
//!
//! Sources: ptrace(2), Intel SDM vol. 3B chapter 18 (debug registers, RFLAGS.TF and RF).

use serde::{Deserialize, Serialize};

use crate::{Boundary, Subject};
use sigproof_report::Finding;
use sigproof_report::Outcome;
use sigproof_report::words;

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;
mod only;

#[cfg(not(target_os = "linux"))]
use elsewhere as target;
#[cfg(target_os = "linux")]
use linux as target;
pub use only::OnlyThread;

words! {
    /// The means.
    Kind, "engine" {
        /// Copies of one stopped child, in each of which the signal is undone, and breakpoints where a copy
        /// cannot judge.
        Undo = "undo",
        /// ptrace, a hardware breakpoint at the boundary, and one child for many executions.
        Breakpoint = "breakpoint",
        /// ptrace, instruction by instruction.
        SingleStep = "single-step",
        /// The processor's trap flag, set by a signal handler of the process itself: where ptrace is refused.
        TrapFlag = "trap-flag",
    }
}

/// The result of trying one engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Which.
    pub engine: Kind,
    /// Why it does not work here, and what would help; `None` if it works.
    pub lacks: Option<String>,
    /// Why hangs are decided by patience here, and what would help; `None` if a child can be looked at.
    #[serde(default)]
    pub patience: Option<String>,
}

#[cfg(target_os = "linux")]
impl From<crate::traced::Failed> for Trouble {
    fn from(failed: crate::traced::Failed) -> Self {
        match failed {
            crate::traced::Failed::Refused { call, errno } => Self::System { call, error: errno.into() },
            gone @ crate::traced::Failed::Gone => Self::Astray(gone.to_string()),
        }
    }
}

/// Why a sweep cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// The engine cannot do what the window needs: no fault of the window.
    #[error("engine {engine} cannot {what}")]
    Incapable {
        /// Which.
        engine: Kind,
        /// What.
        what: &'static str,
    },
    /// The kernel refused something.
    #[error("{call}: {error}")]
    System {
        /// What was asked.
        call: &'static str,
        /// What it said.
        error: std::io::Error,
    },
    /// The machine refused something to the child itself: what, and the remedy.
    #[error("{0}")]
    Refused(String),
    /// The child does not do what it does every time.
    #[error("{0}")]
    Astray(String),
    /// The bystander's handler goes on while the target is held: it spins for what the target owns. Each
    /// further boundary would take as long.
    #[error("{0}")]
    Restless(String),
    /// An execution neither came to an end nor stood still. Not worth another try: each would take as long.
    #[error("an execution came neither to an end nor to a standstill in {0:?}")]
    Endless(std::time::Duration),
    /// A boundary was asked for that there is not.
    #[error("the window has {boundaries} boundaries, numbered from 0; there is no number {asked}")]
    NoSuchBoundary {
        /// Which.
        asked: usize,
        /// How many there are.
        boundaries: usize,
    },
    /// A token names what is not on the path any more.
    #[error("the window's path does not go through {symbol} any more: sweep it again")]
    NotOnThePath {
        /// The function.
        symbol: String,
    },
    /// The path is longer than anybody would want to wait for.
    #[error("the window has more than {0} boundaries")]
    TooLong(usize),
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The outcome.
    pub outcome: Outcome,
    /// What was seen, for a bad one.
    pub detail: String,
    /// What was found out, if it was asked for and there was anything to find out.
    pub finding: Option<Finding>,
    /// Whether it is a hang that patience alone has decided: nothing could be looked at, and it took its
    /// time.
    pub presumed: bool,
}

/// The window without a signal.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Its path.
    pub path: Vec<Boundary>,
    /// The result.
    pub ended: Ended,
}

/// A signal to be delivered.
#[derive(Clone, Copy, Debug)]
pub struct Shot<'a> {
    /// The window's path.
    pub path: &'a [Boundary],
    /// Which of its boundaries.
    pub at: usize,
    /// A second signal: the path of the handler that the first one runs, and which of its boundaries.
    pub second: Option<(&'a [Boundary], usize)>,
    /// Whether to diagnose a bad outcome.
    pub explain: bool,
}

/// One way to reach boundaries.
pub trait Engine {
    /// The path of the window, without a signal.
    ///
    /// # Errors
    /// [`Trouble`].
    fn record(&mut self) -> Result<Recorded, Trouble>;

    /// The path of the handler that a signal at this boundary runs.
    ///
    /// # Errors
    /// [`Trouble`]; [`Trouble::Incapable`] for an engine that cannot look into handlers.
    fn record_handler(&mut self, path: &[Boundary], at: usize) -> Result<Vec<Boundary>, Trouble>;

    /// One execution with a signal.
    ///
    /// # Errors
    /// [`Trouble::Astray`] if the boundary was not reached: the next call then starts a fresh child. Else
    /// what cannot be helped by trying again.
    fn inject(&mut self, shot: Shot<'_>) -> Result<Ended, Trouble>;

    /// The boundaries of the path by copies, in their order. `tell` is given the result of each; `None` is
    /// left to [`inject`](Self::inject).
    ///
    /// # Errors
    /// [`Trouble::Incapable`], before anything was told: the window is none for copies. Else what cannot be
    /// helped by trying again.
    fn by_copies(&mut self, _path: &[Boundary], _tell: &mut dyn FnMut(usize, Option<Ended>)) -> Result<(), Trouble> {
        Err(Trouble::Incapable { engine: Kind::Undo, what: "be had by this engine" })
    }

    /// Ends the child, if there is one: the next call starts a fresh one.
    fn renew(&mut self) {}

    /// Why the child that there is cannot be looked at, so that hangs are decided by patience.
    fn unwatchable(&mut self) -> Option<String> {
        None
    }
}

/// Tries every engine, on a subject of a few instructions.
pub fn probe(subject: &dyn Subject, only: OnlyThread) -> Vec<Probe> {
    Kind::ALL.iter().map(|&engine| target::try_out(engine, subject, only)).collect()
}

/// An engine for this subject.
///
/// # Errors
/// [`Trouble::System`]; [`Trouble::Incapable`] where the engine cannot do what the window needs.
pub fn open(kind: Kind, subject: &dyn Subject, only: OnlyThread) -> Result<Box<dyn Engine + '_>, Trouble> {
    target::open(kind, subject, only)
}

/// Does this in a process of its own, a copy of this one: so that what it loads and allocates is gone when it
/// is done, and the forks of the next sweep are as cheap as those of the first. Whether it came to its end.
///
/// # Errors
/// Those of `fork` and `waitpid`.
pub fn apart(only: OnlyThread, work: impl FnOnce()) -> std::io::Result<bool> {
    target::apart(only, work)
}

/// Keeps this process, and the children that it will have, on one processor, the `number`-th that it may use;
/// and lets its waits end on time.
///
/// # Errors
/// Those of `sched_setaffinity`.
pub fn settle_down(number: usize) -> std::io::Result<()> {
    target::settle_down(number)
}
