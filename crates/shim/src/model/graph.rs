//! The execution graph of a failed execution, for those who explain it.
//!
//! `sigproof_explore::explain` has types of the same names. They are not these, for three reasons. The
//! harness explains failures in every build, also where neither engine is compiled: reports are the same
//! everywhere. The shim of a real build is `no_std` and must not bring the explorer with its fibers into the
//! programs that it is below. And the explorer names an event by its thread's slot and its index there,
//! which means nothing without the explorer's graph; here an event has a place in one list, belongs to a
//! step, and its thread is that of the failure. `simulated::graphed::witness` is the one place that turns
//! the ones into the others.

use alloc::vec::Vec;

/// The events of an execution and their relations. Events are named by their place in [`Graph::events`].
#[derive(Clone, Debug)]
pub struct Graph {
    /// The events, thread by thread.
    pub events: Vec<Event>,
    /// What comes directly before what.
    pub edges: Vec<Edge>,
    /// Whether the memory order of the execution is weak.
    pub memory: Memory,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// The thread, by its place in [`Failure::threads`](super::Failure::threads).
    pub thread: usize,
    /// The step that it belongs to.
    pub step: Option<usize>,
    /// What it is.
    pub kind: EventKind,
    /// Its location, as a number.
    pub location: Option<u32>,
    /// The value that it loads, stores or chooses.
    pub value: u64,
    /// Whether the simulated kernel does it.
    pub is_kernel: bool,
}

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The first event of a thread.
    Begin,
    /// The last event of a thread.
    End,
    /// A load, or the load of a read-modify-write.
    Load,
    /// A store.
    Store,
    /// The store of a read-modify-write; its load stands before it.
    Update,
    /// A fence.
    Fence,
    /// A choice of the environment.
    Choice,
    /// The start of a thread.
    Spawn,
    /// The end of a wait for a thread.
    Join,
}

/// How an event comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// In the order of the program.
    Sequenced,
    /// A store before a load that reads from it.
    Reads,
    /// A store before the next one of the location.
    Modifies,
    /// A load before the store behind the one that it reads.
    Overwritten,
    /// The start of a thread before its first event.
    Starts,
    /// The last event of a thread before the end of a wait for it.
    Joins,
}

/// One event before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// The earlier one.
    pub from: usize,
    /// How it is earlier.
    pub by: Relation,
    /// The later one.
    pub to: usize,
}

/// What the memory order of an execution is.
#[derive(Clone, Debug)]
pub enum Memory {
    /// The steps have an order in which each load reads the newest store: the failure does not need a weak
    /// memory order. The steps of the failure are in such an order.
    Sequential,
    /// These loads read old stores. The simplest comes first.
    Weak(Vec<Weak>),
    /// A race, of two accesses to plain memory in different threads.
    Race(Race),
    /// The engine does not tell.
    Unknown,
}

/// A load that reads an old store.
#[derive(Clone, Debug)]
pub struct Weak {
    /// The load.
    pub load: usize,
    /// The store that it reads; `None`: the initial value.
    pub source: Option<usize>,
    /// A newer store that comes before the load.
    pub newer: usize,
    /// How it comes before the load.
    pub path: Path,
}

/// Two accesses to the same plain memory that are not ordered.
#[derive(Clone, Debug)]
pub struct Race {
    /// The step of the earlier one.
    pub first: Option<usize>,
    /// The step of the later one.
    pub second: Option<usize>,
    /// How the first comes before the second; `None`: in no way.
    pub path: Option<Path>,
}

/// How an event comes before another.
#[derive(Clone, Debug, Default)]
pub struct Path {
    /// Step by step.
    pub edges: Vec<Edge>,
    /// Those that give no happens-before.
    pub gaps: Vec<Gap>,
}

/// A step of a path that gives no happens-before.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// The step.
    pub edge: Edge,
    /// Its store does not release what comes before it.
    pub release: bool,
    /// Its load does not acquire.
    pub acquire: bool,
}
