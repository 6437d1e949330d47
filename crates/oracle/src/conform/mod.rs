//! Differential tests: the same operations on our buffer and on those of real runtimes, compared answer by
//! answer.
//!
//! | file | holds |
//! |---|---|
//! | [`sequence`] | what is done to a buffer, as a value, as text, and as a request |
//! | [`ours`] | what our buffer answers |
//! | [`answer`] | an answer in words |
//! | [`rule`] | which wake policy a runtime has, found out by asking it |
//! | [`comparing`] | the order and the result of the program that compares many random sequences |
//! | [`single`] | one sequence, operation by operation |
//! | [`regressions`] | those that once did, kept in a file |
//! | [`decisions`] | what differs, and why |
//!
//! Everything runs in one thread on either side, so that every answer is determined: a blocking read that
//! finds nothing *announces* its sleep, and says so; what comes next is done while the reader sleeps; and a
//! read after that goes on behind the sleep, if the note has been woken, or finds itself still asleep. The
//! interleavings of threads are the models' business.

pub mod answer;
pub mod comparing;
pub mod decisions;
pub mod ours;
pub mod regressions;
pub mod rule;
pub mod sequence;
pub mod single;

use std::time::Duration;

/// How long a runtime may be silent before it counts as hung. It answers within microseconds.
pub const PATIENCE: Duration = Duration::from_secs(20);
