//! Tests for code that signal handlers interrupt, as ordinary `#[test]`s, under `cargo test` and nextest.
//!
//! | function | what it does |
//! |---|---|
//! | [`sweep`] | delivers a real signal at every instruction of a piece of code, each in an execution of its own |
//! | [`stress`] | aims real signals at a piece of code, at random times |
//! | [`note`] | all of these, for a wake-up primitive |
//! | [`model`] | explores every execution and a signal at every operation, in a build with `--cfg sigproof_graph` |
//!
//! Each has a second form, [`sweep_expecting`] and so on, for code that must fail: the test passes if the
//! given outcome occurs, and fails if it does not.
//!
//! A test runs in processes of its own, which are this test's executable again: what the code does there (a
//! hang, a crash, an exit) is an outcome. A failure panics with the map of the code, the stacks of a hang,
//! and the command that repeats one execution:
//!
//! ```text
//! SIGPROOF_REPLAY=TOKEN cargo test NAME
//! ```
//!
//! A failed stress has `SIGPROOF_SEED=NUMBER` in its place: one attempt with the same numbers for its aim.
//!
//! # Where it cannot run
//!
//! A sweep needs Linux; a model needs the other build. Where a test cannot run, it says "skipped" and why on
//! the standard error, also where the test's output is captured, and passes. With `SIGPROOF_WHEN_IMPOSSIBLE`
//! set to `fail` it fails instead. Any other value but `skip` is refused.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! sigproof::sweep(|stage| {
//!     let counter = Arc::new(AtomicU64::new(0));
//!     let in_handler = Arc::clone(&counter);
//!     stage.handler(move |_| {
//!         in_handler.fetch_add(1, Ordering::Relaxed);
//!         Ok(())
//!     })?;
//!     while stage.another()? {
//!         counter.store(0, Ordering::Relaxed);
//!         stage.window(|| counter.fetch_add(1, Ordering::Relaxed));
//!     }
//!     Ok(())
//! });
//! ```

#![warn(missing_docs)]

mod named;
mod told;
mod ways;

pub use sigproof_harness::attempt::Attempt;
pub use sigproof_harness::forked::Stage;
pub use sigproof_harness::inject::{Fault, Injector};
pub use sigproof_harness::model::{Model, ensure, handle, interruptible, must, spawn};
pub use sigproof_harness::{Failure, model::SIGNAL};
pub use sigproof_osnote::{Note, NoteError, Woken};
pub use sigproof_report::Outcome;
pub use sigproof_shim as shim;
pub use ways::model::{model, model_expecting};
pub use ways::note::{note, note_expecting};
pub use ways::stress::{stress, stress_expecting};
pub use ways::sweep::{sweep, sweep_expecting};
