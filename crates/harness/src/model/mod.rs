//! Models: the same sources under a model checker, with a signal at every point of the thread that the model
//! interrupts.
//!
//! ```text
//!  xtask model ──► [child process: the build for an engine] worker ──► driver ──► plans      for loom: which perturbations, level by level
//!                                                                          │          └► shim's `explore`
//!                                                                          ├──► graphs     for the explorer of graphs: one search, and the state that the time leaves of it
//!                                                                          ├──► orderings  which are used, and what breaks without one
//!                                                                          ├──► verdict    deadlock, livelock, race: which outcome
//!                                                                          ├──► trace      the counterexample, column by column
//!                                                                          ├──► memory     why the memory model allows it
//!                                                                          ├──► strengthen which stronger ordering forbids it
//!                                                                          └──► picture    its graph, for those who draw it
//! ```
//!
//! A model is a body that makes what it tests, starts threads, and marks the code that signals interrupt; and
//! an alphabet of perturbations. Cases bring theirs ([`Case::model`](crate::case::Case::model)); a
//! [registry](crate::registry) may have others. What a model cannot see is said in [`sigproof_shim::model`].
//!
//! Everything here compiles without an engine, too, so that lists and reports are the same everywhere; only
//! exploring needs the other build.

use std::sync::Arc;

use sigproof_shim::model as engine;

use crate::failure::Failure;
use crate::setup::Setup;
use sigproof_report::{Expected, Outcome, Selection, SetupId};

pub mod counterexample;
pub mod driver;
mod graphs;
pub mod litmus;
mod memory;
pub mod orderings;
pub mod picture;
pub mod plans;
pub mod state;
mod strengthen;
pub mod token;
pub mod trace;
pub mod verdict;
pub mod worker;

pub use sigproof_shim::model::{Engine, available, fork_and_exec, ghost, handle, interruptible, spawn};

/// A signal of models: the profiler's.
pub const SIGNAL: i32 = libc::SIGPROF;
/// Another one.
pub const OTHER: i32 = libc::SIGUSR1;

/// A body and what may happen to it.
#[derive(Clone)]
pub struct Model {
    /// What is run.
    pub(crate) body: engine::Body,
    /// How many handlers the body installs.
    pub(crate) handlers: u32,
    /// Whether timed waits of the interrupted thread may time out.
    pub(crate) timeouts: bool,
    /// Whether its waits may end for nothing.
    pub(crate) spurious: bool,
    /// How many weak compare-and-exchanges of each thread may fail though the value is the expected one.
    pub(crate) weak_failures: u32,
    /// What the default run goes to.
    pub(crate) depth: Depth,
    /// The expected outcomes, if they differ from those of the setup.
    pub(crate) expected: Option<Expected>,
}

/// How deep an exploration goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Perturbations in one execution, at most.
    pub deliveries: u32,
    /// Preemptions in one execution, at most; `None`: any number.
    pub preemptions: Option<u8>,
}

impl Depth {
    /// What the default run does: one perturbation, three preemptions.
    pub const DEFAULT: Self = Self { deliveries: 1, preemptions: Some(3) };
}

impl Model {
    /// A model whose body installs one handler.
    pub fn new(body: impl Fn() + Send + Sync + 'static) -> Self {
        let body = move || {
            sigproof_osnote::testing::prime();
            body();
        };
        Self {
            body: Arc::new(body),
            handlers: 1,
            timeouts: false,
            spurious: false,
            weak_failures: 1,
            depth: Depth::DEFAULT,
            expected: None,
        }
    }

    /// So many handlers, numbered in the order in which the body installs them.
    #[must_use]
    pub fn handlers(mut self, handlers: u32) -> Self {
        self.handlers = handlers;
        self
    }

    /// Timed waits may time out.
    #[must_use]
    pub fn timeouts(mut self) -> Self {
        self.timeouts = true;
        self
    }

    /// Waits may end for nothing.
    #[must_use]
    pub fn spurious(mut self) -> Self {
        self.spurious = true;
        self
    }

    /// At most so many weak compare-and-exchanges of each thread fail though the value is the expected one;
    /// one without this. Over execution graphs.
    #[must_use]
    pub fn weak_failures(mut self, most: u32) -> Self {
        self.weak_failures = most;
        self
    }

    /// As deep as this, where the user does not say.
    #[must_use]
    pub fn depth(mut self, deliveries: u32, preemptions: Option<u8>) -> Self {
        self.depth = Depth { deliveries, preemptions };
        self
    }

    /// Replaces the expected outcomes of the setup.
    #[must_use]
    pub fn expect(mut self, expected: Expected) -> Self {
        self.expected = Some(expected);
        self
    }
}

/// A model under its name.
#[derive(Clone)]
pub struct Entry {
    /// The case, or the model of the core.
    pub name: &'static str,
    /// Whether only its exact name chooses it: it tests the tool.
    pub hidden: bool,
    /// Which way to run it.
    pub setup: Setup,
    pub model: Model,
}

impl Entry {
    /// The outcomes that must and may occur.
    pub fn expected(&self) -> &Expected {
        self.model.expected.as_ref().unwrap_or(&self.setup.expected)
    }

    /// What the default run goes to.
    pub fn depth(&self) -> Depth {
        self.model.depth
    }

    pub fn id(&self) -> SetupId {
        self.setup.id(self.name)
    }

    /// Its identity as text: `darwin-profbuf-blocking-read/broken/sema/blocking`.
    pub fn label(&self) -> String {
        self.id().to_string()
    }

    /// Whether it is chosen.
    pub fn is_chosen(&self, selection: &Selection) -> bool {
        selection.takes(&self.id(), self.hidden)
    }
}

/// What a body got; an error ends the execution with its outcome.
#[track_caller]
pub fn must<T, E: Into<Failure>>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => report(error.into()),
    }
}

/// Ends the execution with this outcome, unless it holds.
pub fn ensure(holds: bool, outcome: Outcome, detail: impl FnOnce() -> String) {
    if !holds {
        report(Failure::new(outcome, detail()));
    }
}

fn report(failure: Failure) -> ! {
    engine::fail(failure.outcome.as_str(), failure.detail)
}
