//! The real thing: the atomics of `core` and the primitives of this operating system, whatever lies below the
//! rest.
//!
//! What a model checker is to see comes from the crate's root, where it can be replaced. What it is not to
//! see comes from here: the bookkeeping of a harness, pages shared between processes, counters of tests.

pub mod atomic;
pub mod os;

/// Spin-loop hint.
pub mod hint {
    pub use core::hint::spin_loop;

    /// How often a loop that gives up tries, of the `tries` that it would like: all of them.
    #[must_use]
    pub const fn tries(tries: u32) -> u32 {
        tries
    }
}
