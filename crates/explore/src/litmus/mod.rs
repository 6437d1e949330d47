//! Litmus tests in the C format of herd: a reader, and the explorer behind it.
//!
//! The subset: `atomic_load`, `atomic_store`, `atomic_exchange`, `atomic_fetch_{add,sub,and,or,xor}`,
//! `atomic_compare_exchange_{strong,weak}`, each with `_explicit` or without, `atomic_thread_fence`,
//! `atomic_signal_fence`, plain accesses by `*x`, registers, `if`, `while`; `exists`, `~exists`, `forall`,
//! `locations`, `filter`. What is outside of it is refused by name.
//!
//! Extensions:
//!
//! - `H0 (…) { … }` is a handler that interrupts `P0` at most once, at any point; its registers are `H0:r`.
//!   In a condition a register that was never set equals nothing; an outcome shows it as `-`.
//! - Functions: `sigmask()`, `sigunmask()` (the handler's signal), `raise()`; `futex_wait(x, v)`,
//!   `futex_wait_timeout(x, v)` (0 woken, 1 changed, 2 interrupted, 3 timed out), `futex_wake(x, n)`;
//!   `mutex_lock(m)`, `mutex_unlock(m)`; `sem_wait(s)`, `sem_post(s)`; `park()`, `unpark(0)` (a thread's
//!   number); `assume(v)` leaves out the executions in which it is 0; `sched_yield()` has no effect.
//! - A comment `(* expect 1:r0 x … *)` names registers and locations in its first line, and has an outcome in
//!   each line after it: a value for each, or `deadlock`, `livelock`, `race`. The set is exact. `(*
//!   executions 4 *)` is the number of graphs. `(* compiler reorders *)` asks for
//!   [`Explorer::compiler_reorders`](crate::Explorer::compiler_reorders).

mod call;
mod condition;
mod explained;
mod judge;
#[doc(hidden)]
pub mod machine;
mod parse;
mod question;
mod run;
mod show;
mod statement;
mod token;
mod uses;

use std::fmt;

pub use call::Call;
pub use condition::{Condition, Quantifier};
pub use judge::{Ends, Judged, Line};
pub use show::Executions;
pub use statement::Modify;
pub use uses::Use;

/// Why a file was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The line.
    pub line: usize,
    /// What is there.
    pub what: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {} is outside of the subset of C that is read", self.line, self.what)
    }
}

impl std::error::Error for Refused {}

/// A test that was read.
#[derive(Debug, Clone)]
pub struct Litmus {
    /// Its name.
    pub name: String,
    /// Its locations.
    pub locations: Vec<Location>,
    /// Its threads.
    pub threads: Vec<Body>,
    /// Its handlers, each with the thread that it interrupts.
    pub handlers: Vec<(usize, Body)>,
    /// What is asked.
    pub condition: Option<Condition>,
    pub(crate) filter: Option<condition::Formula>,
    pub(crate) shown: Vec<Name>,
    pub(crate) expect: Option<Expect>,
    /// The number of executions to expect.
    pub executions: Option<u64>,
    /// Whether handlers see what the compiler may reorder.
    pub reorders: bool,
}

/// A location.
#[derive(Debug, Clone)]
pub struct Location {
    /// Its name.
    pub name: String,
    /// Its initial value.
    pub init: i64,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of locations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A word.
    Word,
    /// A word for which threads wait.
    Futex,
    /// A mutex.
    Mutex,
    /// A semaphore; its initial value is its count.
    Semaphore,
}

/// A thread or a handler.
#[derive(Debug, Clone, Default)]
pub struct Body {
    pub(crate) name: String,
    pub(crate) registers: Vec<String>,
    pub(crate) statements: Vec<parse::Statement>,
}

/// A register or a location of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// That of a thread (`0`) or a handler (`H0`).
    Register(String, String),
    /// The last value of a location.
    Location(String),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register(thread, register) => write!(f, "{thread}:{register}"),
            Self::Location(location) => write!(f, "[{location}]"),
        }
    }
}

/// The outcomes that a file names.
#[derive(Debug, Clone)]
pub(crate) struct Expect {
    pub(crate) names: Vec<Name>,
    pub(crate) lines: std::collections::BTreeSet<Line>,
}

impl Litmus {
    /// Reads a test.
    ///
    /// # Errors
    ///
    /// With the first thing that is outside of the subset.
    pub fn read(text: &str) -> Result<Self, Refused> {
        parse::read(text)
    }
}
