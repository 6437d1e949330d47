//! The parent's side of one attempt: start the child, watch it until it ends or hangs, diagnose a hang, and
//! leave no process behind.
//!
//! Whatever the child does, this returns a verdict: it may finish, crash, be killed, write nonsense on the
//! page, or hang. Whether it hangs is [`sigproof_inspect::hang`]'s to say; where that cannot see (no `/proc`,
//! no permission), a long time without progress decides.

mod child;
mod closed;
pub mod judge;
pub mod spin;
mod watching;

use std::time::Duration;

use sigproof_report::Finding;

pub use judge::End;
pub use watching::attempt;

/// What the parent wants of an attempt under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Go on.
    GoOn,
    /// Finish the round and come to an end.
    Finish,
    /// Stop at once; the attempt does not count.
    Abandon,
}

/// What is known of an attempt.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// How it ended.
    pub end: End,
    /// What is to be said of a bad outcome.
    pub finding: Option<Finding>,
    /// From the start of the child to the outcome, its detection included and its diagnosis not.
    pub elapsed: Duration,
    /// Signals delivered.
    pub signals: u64,
    /// Signals inside the window.
    pub inside: u64,
}
