//! The only crate that names std's atomics or the operating system's primitives.
//!
//! Everything above it (profbuf, osnote, the harness) takes its atomics, cells and system calls from here, so that another
//! implementation of the same names can be put below the same sources: a model checker's, with a signal point before each operation.
//!
//! | module | holds |
//! |---|---|
//! | [`atomic`] | the atomics and orderings of `core` |
//! | [`cell`] | [`cell::UnsafeCell`], reached through closures so that a checker sees each access begin and end |
//! | [`hint`] | the spin hint |
//! | [`sync`] | reference counting |
//! | [`os`] | futex, pthread mutex and condition variable, descriptors, semaphores, clock, errno, signal masks |
//!
//! `no_std`: profbuf sits on it and must not be able to reach for an allocator-backed or lazily initialised thing by accident.

#![no_std]

extern crate alloc;

pub mod atomic;
pub mod cell;
pub mod os;

/// Spin-loop hint.
pub mod hint {
    pub use core::hint::spin_loop;
}

/// Reference counting.
pub mod sync {
    pub use alloc::sync::Arc;
}
