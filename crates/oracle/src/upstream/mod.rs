//! Reproducers that run inside a real Go runtime, each in a process of its own.
//!
//! ```text
//!  parent (here)                                      child: the driver, `upstream NAME MILLISECONDS`
//!    registry ── the outcome that must occur, and why
//!    attempt  ── starts it in a group of its own ───► the reproducer, in threads of the real runtime
//!             ◄── lines: progress, done, failed ─────  a line each 100 ms
//!             ── SIGQUIT, when nothing moves ───────►  the runtime's own traceback, on the standard error
//!    traceback ── what of it is worth reading
//! ```
//!
//! | how the child ends | outcome |
//! |---|---|
//! | it says `done` and exits with 0 | delivered |
//! | it says `failed`, with an outcome: its accounts do not add up | that one |
//! | `fatal error: notewakeup - double wakeup` | double wake-up |
//! | `fatal error: semawakeup on Darwin signal stack`, or `semasleep` | refused |
//! | any other fatal error, panic or signal | crash |
//! | no progress for ten seconds; all the time somebody was in the section of the profile that a handler enters | self-deadlock |
//! | no progress for ten seconds, much processor time used | livelock |
//! | no progress for ten seconds, little used | lost wake-up |
//!
//! # Invariants
//! 1. A hang is told from the absence of progress, never from the time that the whole takes.
//! 2. When an attempt returns, its process group is gone. A child whose parent is killed dies with it: by the
//!    end of its standard input and, on Linux, by `PR_SET_PDEATHSIG`.
//!
//! # Limits
//! On macOS nothing of this was run: it is compiled, and the driver is cross-compiled
//! (`tests/tests/cli/upstream.rs`). A thread that is stuck in a handler has all signals blocked and gives no
//! traceback; the others do.

mod attempt;
pub mod registry;

pub use attempt::{Attempted, Told, attempt};
pub use registry::{REPRODUCERS, Reproducer};
