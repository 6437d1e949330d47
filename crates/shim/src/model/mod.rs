//! The door to the model checker, with a signal handler as a first-class thing.
//!
//! [`explore`] runs a body under every interleaving of its threads and every result that the memory model
//! allows its loads, for *one* [`Plan`].
//! A plan says which signals are delivered at which points of the target thread, which timed waits give up,
//! and which waits wake for nothing.
//! The caller enumerates plans, from the [chances](Exploration::chances) that were seen and from what was
//! [carried out](Exploration::carried_out).
//!
//! [`search`] runs a body in every execution in which an [`Environment`] does what it may: where a plan says
//! what happens, there the environment chooses. Only the [`Engine::Graph`] has it.
//!
//! Loom's search leaves out orders of operations that do not depend on each other. It takes some for
//! independent that are not: `simulated` puts a gate before them (its `loomed::readers` says which).
//!
//! # Signal points
//!
//! The target thread passes a signal point before every operation of the shim: atomic operations, both ends
//! of an access to a cell, every call of the simulated kernel, the dropping of a guard; and, once enqueued
//! and with all locks of the call released, while it sleeps in the kernel. At a point that the plan names the
//! handler runs in place, on the stack of the thread, its own signal (and what else it masks) blocked. What a
//! handler does is made of operations too: another signal may interrupt it there.
//!
//! # Simulated kernel
//!
//! Futex, pthread mutex and condition variable, pipe, event counter, semaphore, signal mask, `errno`, the
//! clock: what they do is done at once, without signal points inside; so are a read-write lock and a fork, of
//! which descriptors are all that the child has.
//!
//! Mutex and semaphore synchronise memory, as POSIX.1-2017 (4.12) says. It does not say so of pipes and event
//! counters; here a write is ordered before the read that gets it, as the lock of the pipe orders them in
//! every kernel we know, and self-pipes rely on it. A futex orders nothing; over loom, beyond what waking a
//! thread that is asleep brings with it: `unpark` orders the waker before the woken.
//!
//! # Limits: what the model cannot see
//!
//! - Reorderings by the compiler between a thread and its own handler, and so a missing `compiler_fence`: a
//!   handler that runs on its thread is a part of the program's order. Orderings are put to the test across
//!   threads only.
//! - Load buffering: a load never gives what is stored only later.
//! - `compare_exchange_weak` that fails though the value is the expected one: never over loom, and over
//!   execution graphs at most [`Limits::weak_failures`] times in a thread.
//! - Over loom: the strength of `SeqCst` accesses, which it treats as `AcqRel` (no source relies on one); a
//!   compare-and-swap that fails with an older value; more than seven stores of an atomic's history; more
//!   than five threads. And a read-modify-write that races with a plain store may be given a value that the
//!   store has overwritten: a false alarm.
//! - Over execution graphs: turns of a spinning loop that store what they loaded; more than eight threads.
//! - Below the shim all is one step: the instructions of libc and of the kernel between two points are not
//!   interrupted. That is what single-stepping is for.
//! - Reference counts are not modelled.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

mod choices;
pub mod graph;
#[cfg(not(all(sigproof_graph, not(loom))))]
mod search;
#[cfg(not(any(loom, sigproof_graph)))]
mod unsupported;

pub use choices::Choices;

#[cfg(loom)]
pub use crate::simulated::THREADS;
#[cfg(any(loom, sigproof_graph))]
pub use crate::simulated::engine::{Joiner, available, explore, fail, handle, interruptible, lacking, replay, spawn};
#[cfg(any(loom, sigproof_graph))]
pub use crate::simulated::os::process::fork_and_exec;
#[cfg(all(sigproof_graph, not(loom)))]
pub use crate::simulated::{repeat, search};
#[cfg(not(all(sigproof_graph, not(loom))))]
pub use search::{repeat, search};
#[cfg(not(any(loom, sigproof_graph)))]
pub use unsupported::{Joiner, available, explore, fail, fork_and_exec, handle, interruptible, lacking, replay, spawn};

/// The bookkeeping of a model, which is no part of what it tests. It orders nothing and passes no signal
/// point.
/// What several threads touch at the same time, and what decides what a thread does next, belongs here: the
/// explorer of execution graphs runs a body in any order that the graph allows, and must know of it.
pub mod ghost {
    #[cfg(not(all(sigproof_graph, not(loom))))]
    pub use crate::native::atomic::{AtomicBool, AtomicU32, AtomicU64};
    #[cfg(all(sigproof_graph, not(loom)))]
    pub use crate::simulated::ghost::{AtomicBool, AtomicU32, AtomicU64};
}

/// The engines that models can be explored with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// Execution graphs, each once.
    Graph,
    /// Loom: interleavings.
    Loom,
}

impl Engine {
    /// That of this build, if it has models.
    #[must_use]
    pub const fn own() -> Option<Self> {
        if cfg!(loom) {
            Some(Self::Loom)
        } else if cfg!(sigproof_graph) {
            Some(Self::Graph)
        } else {
            None
        }
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Loom => "loom",
        }
    }
}

/// What is run: once for every execution. It makes what it tests, starts threads, and joins them.
pub type Body = Arc<dyn Fn() + Send + Sync>;

/// Which perturbations happen, and when: each at the n-th chance for one of its kind that the target thread
/// comes to, counted from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Plan {
    /// Signals: the point, and the number of the handler, in the order of the points.
    pub signals: Vec<(u32, u32)>,
    /// Timed waits whose time is over.
    pub timeouts: Vec<u32>,
    /// Waits that end though nothing has happened: spuriously, or by a signal from outside the model (EINTR).
    pub spurious: Vec<u32>,
}

impl Plan {
    /// How many perturbations it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.signals.len() + self.timeouts.len() + self.spurious.len()
    }

    /// Whether nothing happens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What the environment may do to the target thread, where it chooses: to deliver signals, to let timed waits
/// time out, to end waits for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// So many of these things in one execution, at most.
    pub most: u32,
    /// Whether timed waits may time out.
    pub timeouts: bool,
    /// Whether waits may end for nothing.
    pub spurious: bool,
}

/// What a [`search`] tells while it goes on.
pub enum Seen<'a> {
    /// An execution failed, by choices that can be asked for.
    Failed(Failure, &'a dyn Fn() -> Choices),
    /// So far.
    Progress {
        /// Executions run.
        executions: u64,
        /// Graphs that wait.
        waiting: usize,
    },
}

/// How far an exploration goes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// So many times a thread is switched from that could have gone on; `None`: any number.
    pub preemptions: Option<u8>,
    /// So many branches (operations and choices) in one execution; more is [`End::TooLarge`].
    pub branches: usize,
    /// When to stop, as a time on the monotonic clock ([`crate::native::os::clock::now`]).
    pub until: Option<Duration>,
    /// Treat these orderings as others.
    pub instead: Vec<Instead>,
    /// Put a sequentially consistent fence before the operation at this site.
    pub fence: Option<Site>,
    /// Note which orderings are used where.
    pub survey: bool,
    /// At most so many weak compare-and-exchanges of each thread fail though the value is the expected one.
    /// Over execution graphs; a [`repeat`] follows its choices.
    pub weak_failures: u32,
    /// Go on from these graphs, which an earlier search of the same body was left with. For [`search`].
    pub from: Vec<String>,
    /// Keep the graphs that are left. For [`search`].
    pub keep: bool,
    /// Count the graphs that are distinct. For [`search`].
    pub distinct: bool,
    /// Estimate how many executions are left where the search is stopped. For [`search`]; it keeps a part of
    /// the time for that, and without a limit of time it takes some seconds.
    pub estimate: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            preemptions: Some(3),
            branches: 2_000,
            until: None,
            instead: Vec::new(),
            fence: None,
            survey: false,
            weak_failures: 1,
            from: Vec::new(),
            keep: false,
            distinct: false,
            estimate: false,
        }
    }
}

/// Which of an operation's orderings is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The ordering of the operation; of a compare-and-swap, when it succeeds.
    Success,
    /// That of a compare-and-swap that fails.
    Failure,
}

/// An ordering in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// The file, as the compiler was given it.
    pub file: &'static str,
    /// The line of the method's name.
    pub line: u32,
    /// Its column.
    pub column: u32,
    /// Which of its orderings.
    pub role: Role,
}

/// An ordering that is treated as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instead {
    /// Which.
    pub site: Site,
    /// As what.
    pub to: core::sync::atomic::Ordering,
}

/// What an exploration came to.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// Executions run.
    pub executions: u64,
    /// Those in which the whole plan happened.
    pub carried_out: u64,
    /// Signals delivered, in all of them.
    pub deliveries: u64,
    /// The most chances for a perturbation of each kind that the target came to in one execution.
    pub chances: Chances,
    /// How it ended.
    pub end: End,
    /// The orderings that were used and as what, if a survey was asked for.
    pub sites: Vec<(Site, core::sync::atomic::Ordering)>,
    /// Runs that were no executions.
    pub discarded: u64,
    /// Whether some weak compare-and-exchange might have failed once more, but for [`Limits::weak_failures`].
    pub weak_bound_met: bool,
    /// How many graphs its executions had, if [`Limits::distinct`] asked for it.
    pub distinct: Option<u64>,
    /// Graphs that were left when it ended.
    pub left: usize,
    /// These graphs, if [`Limits::keep`] asked for them.
    pub waiting: Vec<String>,
    /// About how many executions are behind them, if the time was over first.
    pub remaining: Option<Remaining>,
}

impl Exploration {
    /// Adds what another part of the same exploration came to; the end stays.
    #[cfg(all(sigproof_graph, not(loom)))]
    pub(crate) fn add(&mut self, other: Self) {
        let Self { executions, carried_out, deliveries, chances, sites, discarded, left, weak_bound_met, .. } = other;
        self.weak_bound_met |= weak_bound_met;
        self.executions += executions;
        self.carried_out += carried_out;
        self.deliveries += deliveries;
        self.discarded += discarded;
        self.left += left;
        self.sites.extend(sites);
        let own = &mut self.chances;
        own.signals = own.signals.max(chances.signals);
        own.timeouts = own.timeouts.max(chances.timeouts);
        own.spurious = own.spurious.max(chances.spurious);
    }
}

/// An estimate of how many executions are left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Remaining {
    /// About so many.
    pub about: f64,
    /// At least so many, in 19 of 20 cases as far as was measured.
    pub low: f64,
    /// At most so many.
    pub high: f64,
}

/// Chances for perturbations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chances {
    /// Signal points.
    pub signals: u32,
    /// Timed waits.
    pub timeouts: u32,
    /// Waits that may end for nothing.
    pub spurious: u32,
}

/// How an exploration ended.
#[derive(Clone, Debug)]
pub enum End {
    /// Every execution within the bound of preemptions was run, and none failed.
    Exhausted,
    /// The time was over first.
    OutOfTime,
    /// An execution had more branches than the limit, and could not be run to its end.
    TooLarge,
    /// This build has no models.
    Unsupported,
    /// The graphs to go on from are none of this body.
    Misfit,
    /// An execution failed; the last one.
    Failed(Failure),
}

/// How an execution failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// In which way.
    pub kind: FailureKind,
    /// What was said.
    pub message: String,
    /// The threads, in the order in which they were started.
    pub threads: Vec<ThreadEnd>,
    /// The steps up to the failure; only of a [`replay`].
    pub steps: Vec<Step>,
    /// The execution graph; only of a [`repeat`].
    pub graph: Option<Box<graph::Graph>>,
}

/// The ways to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// No thread can go on, and not all have ended. Who waits for what is told by the threads.
    Deadlock,
    /// A thread spins, no other thread can go on, and nothing changes.
    Livelock,
    /// Two accesses to a cell or an atomic are not ordered, or overlap.
    Race,
    /// A handler left `errno` changed.
    ErrnoSpoiled,
    /// The body has called [`fail`], with a word for the outcome.
    Reported(&'static str),
    /// The body panicked.
    Panicked,
}

/// A thread at the failure.
#[derive(Clone, Debug)]
pub struct ThreadEnd {
    /// Its name.
    pub name: &'static str,
    /// The handlers that it is in, the outermost first.
    pub handlers: Vec<&'static str>,
    /// Whether it has ended.
    pub ended: bool,
    /// What it waits for.
    pub waits_for: Option<Waiting>,
}

/// What a thread waits for.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// In words: `mutex 1`, `futex 2`, `the end of reader`.
    pub what: String,
    /// The thread that could end the wait, if it is known: a mutex's owner, the thread to be joined.
    pub owner: Option<usize>,
    /// Whether that is an owner of a lock.
    pub lock: bool,
    /// The function of libc, or of Rust's library, that waits so in a real process: what a diagnosis finds on
    /// its stack.
    pub call: &'static str,
}

/// One step of an execution.
#[derive(Clone, Debug)]
pub struct Step {
    /// The thread, by its place in [`Failure::threads`].
    pub thread: usize,
    /// How many handlers deep.
    pub depth: usize,
    /// The operation and its result: `load Acquire = 0x1`.
    pub what: String,
    /// Where.
    pub file: &'static str,
    /// Where.
    pub line: u32,
    /// Where.
    pub column: u32,
    /// The atomic access that it is.
    pub access: Option<Access>,
    /// The latest event of its thread in the execution graph: the thread's slot there, and the event's index.
    pub event: Option<(u8, u16)>,
}

/// An atomic access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its kind.
    pub kind: AccessKind,
    /// Which of its orderings counted.
    pub role: Role,
    /// The ordering.
    pub ordering: core::sync::atomic::Ordering,
}

/// The kinds of atomic accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessKind {
    /// A load.
    Load,
    /// A store.
    Store,
    /// A read-modify-write.
    Update,
    /// A fence.
    Fence,
}
