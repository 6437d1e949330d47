//! The simulated one: loom's atomics and cells with a signal point before each operation, and a kernel. See
//! [`crate::model`].
//!
//! | module | holds |
//! |---|---|
//! | [`world`] | one execution's state: threads, masks, plan, clock; who runs |
//! | [`point`] | signal points, and the running of handlers |
//! | [`wait`] | sleeping in the kernel: time-outs, spurious ends, wake-ups |
//! | [`tables`] | the kernel's descriptors and futex queues |
//! | [`rwlock`] | what `sync` exports in place of std's lock |
//! | [`engine`] | explorations, failures, replays |
//! | [`path`] | loom's path through its choices, as a short text and back |
//! | [`atomic`], [`cell`], [`hint`], [`os`] | what the crate's root exports |
//!
//! Invariants:
//! 1. The threads of an execution are coroutines of one OS thread, and loom switches between them inside its
//!    own operations only. So the world lies in a thread-local of the OS thread, and what happens between two
//!    operations of loom is one step to all.
//! 2. Each operation of loom is wrapped: the wrapper takes the running thread's number before and sets it
//!    again after. So the world always knows who runs.
//! 3. Once an execution has failed, or outside of any, operations neither reach loom nor pass signal points:
//!    they act on a shadow of the value. Destructors run then, on stacks that are being unwound.
//! 4. State of the kernel that threads contend for has a *gate*: an atomic of loom that each operation on
//!    that state touches first, so that loom sees them depend on each other and tries every order. A gate is
//!    relaxed unless the primitive synchronises memory.

pub mod atomic;
pub mod cell;
pub mod engine;
mod gate;
pub mod hint;
pub mod os;
mod path;
mod point;
pub mod rwlock;
mod tables;
mod wait;
mod world;
