//! One-shot notes over every primitive of the platform, and the clients that wait on them.
//!
//! | module | holds |
//! |---|---|
//! | [`note`] | the contract of a note, and its errors |
//! | [`mod@backend`] | what a backend can do, and where |
//! | [`notes`] | the backends, one a file |
//! | [`semaphore`] | per-thread counting semaphores, under [`notes::sema`] |
//! | [`doorbell`] | what the notes over descriptors share |
//! | [`cloexec`] | pipes that no child inherits by accident |
//! | [`cpuprof`] | a client: the profile log behind the profiling signal |
//! | [`sigqueue`] | a client: signals from handlers to ordinary code |
//! | [`foreign`] | notes and windows of a shared library, over the C ABI of `include/sigproof.h` |
//!
//! The system is reached through `sigproof_shim::os` only, so that a model checker can be put below.

#![warn(missing_docs)]

pub mod backend;
pub mod cloexec;
pub mod cpuprof;
mod deadline;
pub mod doorbell;
pub mod foreign;
pub mod note;
pub mod notes;
mod platform;
mod provoke;
pub mod semaphore;
pub mod sigqueue;
#[doc(hidden)]
pub mod testing;

pub use backend::{Backend, Instances, Platform, SignalSafety};
pub use deadline::Deadline;
pub use note::{Note, NoteError, Woken};
pub use notes::Backends;
