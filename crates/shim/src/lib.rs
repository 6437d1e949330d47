//! The only crate that names std's atomics, the operating system's primitives, or loom.
//!
//! Everything above it (profbuf, osnote, the harness) takes its atomics, cells and system calls from here, so
//! that another implementation of the same names can be put below the same sources. There are two:
//!
//! - the real one, in [`native`], at no cost;
//! - a simulated one, in `simulated`: atomics of a model checker with a signal point before each operation,
//!   and a simulated kernel. `--cfg sigproof_graph` puts it over the explorer of execution graphs
//!   (`crates/explore`), `--cfg loom` over loom. What it can and cannot see is said in [`model`].
//!
//! | module | holds |
//! |---|---|
//! | [`atomic`] | atomics and orderings |
//! | [`cell`] | [`cell::UnsafeCell`], reached through closures so that a checker sees each access begin and end |
//! | [`hint`] | the spin hint |
//! | [`sync`] | reference counting |
//! | [`os`] | futex, pthread mutex and condition variable, descriptors, semaphores, clock, errno, signal masks |
//! | [`native`] | the real ones of these, also where the others are simulated |
//! | [`model`] | the door to the model checker |
//!
//! `no_std` but for the models: profbuf sits on it and must not be able to reach for an allocator-backed or
//! lazily initialised thing by accident.

#![warn(missing_docs)]
#![cfg_attr(not(any(loom, sigproof_graph)), no_std)]

#[cfg(all(loom, sigproof_graph))]
compile_error!("a build has one engine: --cfg loom, or --cfg sigproof_graph");

extern crate alloc;

#[cfg(not(any(loom, sigproof_graph)))]
pub mod cell;
pub mod model;
pub mod native;
#[cfg(any(loom, sigproof_graph))]
mod simulated;
mod statics;

#[cfg(not(any(loom, sigproof_graph)))]
pub use native::{atomic, hint, os};
#[cfg(any(loom, sigproof_graph))]
pub use simulated::{atomic, cell, hint, os};

#[doc(hidden)]
#[cfg(loom)]
pub use loom;
#[doc(hidden)]
#[cfg(all(sigproof_graph, not(loom)))]
pub use simulated::{LocalKey, PerExecution};

/// Reference counting. The counts themselves are not modelled. And, for [`use_rw_lock`], the lock of models.
pub mod sync {
    pub use alloc::sync::Arc;

    #[cfg(any(loom, sigproof_graph))]
    pub use crate::simulated::rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
}
