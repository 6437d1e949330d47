//! Stepping: a real signal at every instruction boundary of a window, one after the other.
//!
//! ```text
//!  xtask step ──► [child process] worker ──► sweep ──► engine ──► [its child] stage ──► case
//!                                              │          ├──► ptrace: breakpoints, or single steps
//!                                              │          └──► trap flag: without ptrace
//!                                              ├──► map      the strip, folded, with symbols and instructions
//!                                              └──► token    one boundary, to be replayed
//! ```
//!
//! A *window* is a piece of code between two marks: a note's sleep, a buffer's write. Its *path* is the sequence of instruction
//! boundaries that it takes when no signal comes, those of libc and of the vDSO included. A *sweep* runs the window once for each boundary of the
//! path, delivers a signal there, lets all go on, and judges what comes of it. Cases bring their windows
//! ([`Case::windows`](crate::case::Case::windows)); a [registry](crate::registry) may have others.
//!
//! | module | holds |
//! |---|---|
//! | this one | the vocabulary: window, path, boundary, what was seen |
//! | [`stage`] | the side of the process that is interrupted: marks, helper, bookkeeping |
//! | [`engine`] | how a boundary is reached and a signal delivered there |
//! | [`sweep`] | all boundaries of a window, one after the other, and the verdict |
//! | [`map`] | what lies at a boundary, and the folded strip |
//! | [`token`] | the text that names one boundary |
//! | [`worker`] | the process that sweeps: orders and events |

#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "there is no engine that would use it"))]

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::case::{Failure, Setup};
use sigproof_report::{Expected, Outcome, SetupId};

pub mod engine;
mod follow;
pub mod map;
mod slate;
pub mod stage;
pub mod sweep;
pub mod token;
pub mod worker;

pub use stage::Stage;

/// Which thread the signal hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// The one that is in the window: at the boundary.
    Target,
    /// A bystander, while the one in the window is held at the boundary.
    Bystander,
}

/// What a window's process does: it makes what it tests, then runs the window again and again, as long as the stage says
/// [`another`](Stage::another).
pub type Play = Arc<dyn Fn(&mut Stage) -> Result<(), Failure> + Send + Sync>;

/// A piece of code, and what may interrupt it.
#[derive(Clone)]
pub struct Window {
    /// Its name among the windows of a setup: `sleep`, `write`.
    pub name: &'static str,
    /// What is run.
    pub(crate) play: Play,
    /// Whom the signal hits.
    pub(crate) interrupted: Interrupted,
    /// Whether the handler lets a second signal in, which is then swept over the handler's own instructions.
    pub(crate) nests: bool,
    /// Whether the others are held again once the signal has let them go.
    pub(crate) alone: bool,
    /// What must come of it, where that differs from what the setup says.
    pub(crate) expected: Option<Expected>,
}

impl Window {
    /// A window whose own thread is interrupted, by one signal.
    pub fn new(name: &'static str, play: impl Fn(&mut Stage) -> Result<(), Failure> + Send + Sync + 'static) -> Self {
        Self {
            name,
            play: Arc::new(play),
            interrupted: Interrupted::Target,
            nests: false,
            alone: false,
            expected: None,
        }
    }

    /// The signal hits another thread, while the one in the window is held at the boundary.
    #[must_use]
    pub fn on_bystander(mut self) -> Self {
        self.interrupted = Interrupted::Bystander;
        self
    }

    /// The handler masks nothing: a second signal is swept over its instructions.
    #[must_use]
    pub fn nests(mut self) -> Self {
        self.nests = true;
        self
    }

    /// Once the signal has let the others go, and they rest, they are held again: the target runs alone to the end of the window.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// This must come of it, rather than what the setup says.
    #[must_use]
    pub fn expect(mut self, expected: Expected) -> Self {
        self.expected = Some(expected);
        self
    }
}

/// A window under its name.
#[derive(Clone)]
pub struct Entry {
    /// The case, or the name of a window that belongs to none.
    pub name: &'static str,
    /// Whether only its exact name chooses it: it tests the tool.
    pub hidden: bool,
    /// What this machine lacks for it, whatever the engine: the reason and the remedy.
    pub lacks: Option<String>,
    /// Which way to run it.
    pub setup: Setup,
    /// The window.
    pub window: Window,
}

impl Entry {
    /// What must and what may come of it.
    pub fn expected(&self) -> &Expected {
        self.window.expected.as_ref().unwrap_or(&self.setup.expected)
    }

    /// The identity of its setup.
    pub fn id(&self) -> SetupId {
        self.setup.id(self.name)
    }

    /// Its identity as text: `darwin-sigqueue-note/broken/sema@receive`.
    pub fn label(&self) -> String {
        format!("{}@{}", self.id(), self.window.name)
    }
}

/// One instruction boundary on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boundary {
    /// The instruction that comes next; for a sleeper, the one after its system call.
    pub pc: u64,
    /// How deep the stack is, in bytes below where it was at the path's first boundary: each child has its stack elsewhere.
    pub depth: u64,
    /// Not before that instruction, but asleep in the system call before it.
    pub asleep: bool,
}

/// What came of one execution with a signal at one boundary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The outcome; `None` if the boundary was not reached, however often it was tried.
    pub outcome: Option<Outcome>,
    /// What was seen, for a bad outcome, or why the boundary was not reached.
    pub detail: String,
    /// How often the execution went another way and was tried again.
    pub retries: u32,
}

/// A window's path and what came of each of its boundaries, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// The path.
    pub path: Vec<Boundary>,
    /// The index is that of the path.
    pub judged: Vec<Judged>,
}
