//! The simulated one: a checker's atomics and cells with a signal point before each operation, and a kernel.
//! See [`crate::model`].
//!
//! | module | holds |
//! |---|---|
//! | [`world`] | one execution's state: threads, masks, plan, clock; who runs |
//! | [`point`] | signal points, and the running of handlers |
//! | [`wait`] | sleeping in the kernel: time-outs, spurious ends, wake-ups |
//! | [`tables`] | the kernel's descriptors and futex queues |
//! | [`rwlock`] | what `sync` exports in place of std's lock |
//! | [`engine`] | explorations, failures, replays |
//! | `below` | the engine: `loomed` is loom, `graphed` explores execution graphs; the names are the same |
//! | [`atomic`], [`cell`], [`hint`], [`os`] | what the crate's root exports |
//!
//! Invariants:
//! 1. The threads of an execution are coroutines of one OS thread, and the engine switches between them
//!    inside its own operations only. So the world lies in a thread-local of the OS thread, and what happens
//!    between two operations of the engine is one step to all.
//! 2. Each operation of the engine is wrapped: the wrapper takes the running thread's number before and sets
//!    it again after. So the world always knows who runs.
//! 3. Once an execution has failed, or outside of any, operations neither reach the engine nor pass signal
//!    points: they act on a shadow of the value. Destructors run then, on stacks that are being unwound.
//! 4. State of the kernel that threads contend for has a *gate*: an atomic of the engine that each operation
//!    on that state touches first, so that the engine sees them depend on each other and tries every order. A
//!    gate is relaxed unless the primitive synchronises memory. The graph explorer runs the threads of one
//!    execution in any order that its graph allows, so there the state of the kernel is a function of the
//!    order of its gate, and of nothing else.

pub mod atomic;
pub mod cell;
pub mod engine;
mod gate;
#[cfg(all(sigproof_graph, not(loom)))]
mod graphed;
pub mod hint;
#[cfg(loom)]
mod loomed;
pub mod os;
mod point;
pub mod rwlock;
mod tables;
mod wait;
mod world;

#[cfg(all(sigproof_graph, not(loom)))]
use graphed as below;
#[cfg(all(sigproof_graph, not(loom)))]
pub use graphed::check::{repeat, search};
#[cfg(all(sigproof_graph, not(loom)))]
pub use graphed::ghost;
#[cfg(all(sigproof_graph, not(loom)))]
pub use graphed::statics::{LocalKey, PerExecution};
#[cfg(loom)]
use loomed as below;
#[cfg(loom)]
pub use loomed::THREADS;
