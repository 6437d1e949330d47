//! The operating system's primitives, thin: one function or type for each call, typed results, no policy.
//!
//! Target selection for the whole crate is in this file: `target` is `linux/` or `apple/`, both with the same
//! names. What a target lacks comes from `unsupported/`, which has the same API and answers
//! [`OsError::Unsupported`], so that every caller compiles everywhere.
//!
//! | module | holds | async-signal-safe part |
//! |---|---|---|
//! | [`clock`] | the monotonic clock | all |
//! | [`errno`] | the calling thread's `errno` and a guard for it | all |
//! | [`fd`] | pipe, eventfd, read, write, poll, descriptor flags | all but the look-up of `pipe2` |
//! | [`futex`] | wait and wake on a 32-bit word (Linux) | all |
//! | [`pthread`] | mutex and condition variable | nothing |
//! | [`sem`] | unnamed POSIX semaphore (not on Darwin) | `post` |
//! | [`sigmask`] | block a signal in the calling thread | all |
//! | [`sigstack`] | whether the calling code runs on the alternate signal stack | all (Linux, macOS) |
//! | [`thread`] | yielding | all (Linux) |
//!
//! Async-signal-safe means: on the list of POSIX.1-2017, section 2.4.3, or of signal-safety(7), or a bare
//! system call.

pub mod clock;
pub mod errno;
mod error;
pub mod fd;
pub mod pthread;
pub mod sigmask;
pub mod sigstack;
pub mod thread;

#[cfg(target_vendor = "apple")]
#[path = "apple/mod.rs"]
mod target;

#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod target;

#[cfg(test)]
mod tests;

pub use error::OsError;
pub use target::{futex, sem};
