//! A real signal at every instruction boundary of a piece of code, one after the other.
//!
//! ```text
//!  sweep ──► engine ──► [child process] subject
//!    │         ├──► ptrace: breakpoints, or single steps
//!    │         └──► trap flag: without ptrace; the child steps itself
//!    ├──► map      the strip, folded, with symbols and instructions
//!    └──► token    one boundary, to be replayed
//! ```
//!
//! A [`Subject`] runs a piece of code between two [marks](mark), again and again. Its *path* is the sequence
//! of instruction boundaries from one mark to the other when no signal comes, those of libc and of the vDSO
//! included. A *sweep* runs the subject once for each boundary of the path, delivers a signal there, resumes
//! every thread, and grades the result. Nothing depends on luck or timing.
//!
//! | module | holds |
//! |---|---|
//! | this one | the subject, and the vocabulary: path, boundary, what was seen |
//! | [`engine`] | how a boundary is reached and a signal delivered there |
//! | [`sweep`](mod@sweep) | all boundaries of a path, one after the other, and the verdict |
//! | [`map`] | the code at a boundary, and the folded strip |
//! | [`token`] | the text that names one boundary |
//! | [`slate`] | what the sweeping process and the child tell each other |
//! | [`itself`] | the side of a child that steps itself |
//! | [`follow`] | the place of a breakpoint on the way, the turns that the vDSO makes again |
//! | `traced` | what every tracer of a thread does |
//! | `copy` | copies of a stopped program, in which a signal is undone |
//!
//! Linux only; elsewhere [`engine::probe`] says so.

#![warn(missing_docs)]
#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "there is no engine that would use it"))]

use std::fmt;
use std::io;
use std::process::ExitStatus;

use serde::{Deserialize, Serialize};
use sigproof_inspect::hang::Stuck;
use sigproof_report::{Finding, Outcome, Run};
use sigproof_shim::native::atomic::{AtomicU8, AtomicU64};

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod copy;
pub mod engine;
pub mod follow;
pub mod itself;
pub mod map;
pub mod slate;
pub mod sweep;
mod target;
pub mod token;
#[cfg(target_os = "linux")]
pub mod traced;

pub use engine::{Ended, Kind, OnlyThread, Probe, Trouble};
pub use slate::Slate;
pub use sweep::{By, Observer, Which, sweep};
pub use target::{mark, thread_id};

/// The signal by which the sweeping process tells a thread of its child to go on.
pub const GO_ON: libc::c_int = libc::SIGUSR2;

/// The signal by which the child's target tells the sweeping process that it is there, and, where it steps
/// itself, that an execution is over.
pub const OVER: libc::c_int = libc::SIGUSR1;

/// Which thread the signal hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// The target, which runs the piece of code: at the boundary.
    Target,
    /// A bystander, while the target is held at the boundary.
    Bystander,
}

/// What is swept: how a process of it begins, what the process notes, and what its end means.
///
/// The engines fork the sweeping process, which has one thread, and call [`perform`](Subject::perform) in the
/// child. There, a thread of its own, the target, registers with the [slate](Slate), waits for [`GO_ON`], and
/// runs the piece of code between two [marks](mark) until it is told to stop.
pub trait Subject {
    /// The name of the piece of code in tokens: `CASE/SETUP@WINDOW`.
    fn label(&self) -> String;

    /// A run of it in which nothing was seen yet.
    fn run(&self) -> Run;

    /// Which thread the signal hits.
    fn interrupted(&self) -> Interrupted {
        Interrupted::Target
    }

    /// Whether the handler lets a second signal in, which is then swept over the handler's own instructions.
    fn nests(&self) -> bool {
        false
    }

    /// Whether the other threads are held again once the signal has let them go.
    fn alone(&self) -> bool {
        false
    }

    /// The file name of the object that has the handler's code, if the handler is to be stepped through at
    /// every boundary: its instructions are counted from the first to the last one of that object.
    fn handler_object(&self) -> Option<&str> {
        None
    }

    /// Why the handler may not go through this function, if it may not. The handler is stepped through.
    fn forbids(&self, _function: &str) -> Option<String> {
        None
    }

    /// The most stack that a handler has used in any process of this subject, in bytes.
    fn handler_stack(&self) -> Option<u64> {
        None
    }

    /// The signal.
    fn signal(&self) -> libc::c_int;

    /// What its processes note, as before the first of them began. Only one process at a time has it.
    ///
    /// # Errors
    /// Memory that both sides map cannot be made.
    fn notes(&self) -> io::Result<&'static dyn Notes>;

    /// The life of a child, in a copy of this process. It never returns.
    fn perform(&self, slate: &'static Slate) -> !;

    /// What the end of a child means.
    ///
    /// # Errors
    /// [`Trouble::Refused`]: the machine refused something to the child.
    fn ended(&self, status: ExitStatus) -> Result<Ended, Trouble>;

    /// What a child that is stuck has come to, by its own notes: the outcome, in words.
    fn stuck(&self, stuck: Stuck) -> (Outcome, String);

    /// The same with a look at the stack of every thread but the first, whose number is the process's.
    fn diagnosed(&self, pid: u32, stuck: Stuck) -> (Outcome, Finding);
}

/// What a child notes while it runs, in memory that both sides have mapped.
pub trait Notes: Sync + fmt::Debug {
    /// Signals that were sent. The sender counts each before it sends it.
    fn armed(&self) -> &AtomicU64;

    /// Handlers that have begun.
    fn begun(&self) -> u64;

    /// Whether every signal that was sent has reached its handler.
    fn signals_idle(&self) -> bool;

    /// Whether a handler is on the stack of some thread.
    fn in_handler(&self) -> bool;

    /// A number that changes while the child makes progress.
    fn progress(&self) -> u64;

    /// All that a child notes, byte by byte: to be kept and put back while no child runs.
    fn memory(&self) -> &[AtomicU8];

    /// Puts back what was kept of the [memory](Self::memory), but for what outlives a child.
    ///
    /// # Safety
    /// Each child that has it is stopped.
    unsafe fn put_back(&self, kept: &[u8]) {
        // SAFETY: by the caller's promise nobody uses the memory.
        unsafe { slate::put_back(self.memory(), kept) };
    }
}

/// One instruction boundary on a path.
///
/// An engine counts boundaries from the path's beginning and compares program counter and stack depth at the
/// one where it stops. So two iterations of a loop are told apart by their place on the path. Limit: an
/// execution that makes one iteration more, or one less, than the recording and is inside the loop when its
/// count is reached is not recognised as astray. Its signal comes one iteration early or late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boundary {
    /// The instruction that comes next; for a sleeper, the one after its system call.
    pub pc: u64,
    /// How deep the stack is, in bytes below where it was at the path's first boundary: each child has its
    /// stack elsewhere.
    pub depth: u64,
    /// Not before that instruction, but asleep in the system call before it.
    pub asleep: bool,
}

/// The result of one execution with a signal at one boundary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The outcome; `None` if no try reached the boundary.
    pub outcome: Option<Outcome>,
    /// What was seen, for a bad outcome, or why the boundary was not reached.
    pub detail: String,
    /// How often the execution took another path and was repeated.
    pub retries: u32,
}

/// A path and the result at each of its boundaries, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// The path.
    pub path: Vec<Boundary>,
    /// The index is that of the path.
    pub judged: Vec<Judged>,
}

/// Ends the process at once, whatever its other threads do. For children.
pub fn leave(code: libc::c_int) -> ! {
    // SAFETY: does not return; nothing of this process is needed any more.
    unsafe { libc::_exit(code) }
}

/// How a child leaves that has panicked.
pub const PANICKED: libc::c_int = 101;
