//! How an execution ends.

use std::fmt;

use crate::graph::order::MOST;

/// A limit that ended an execution early. What lies behind it was not explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// The execution had as many events as [`Explorer::events`](crate::Explorer::events) allows.
    Events,
    /// A loop with stores made as many turns as [`Explorer::turns`](crate::Explorer::turns) allows.
    Turns,
    /// The execution had as many sequentially consistent events as can be put into an order: 128.
    SeqCst,
    /// The program started more threads than 8, the first included, over all its executions; or threads
    /// within threads, more than 7 deep.
    Threads,
    /// A thread made more atomics and other objects than 65,535; some objects are made of several.
    Objects,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End<T> {
    /// All threads ended; the program gave this value.
    Done(T),
    /// Some threads wait, and no thread or signal of this execution can wake them.
    Deadlock,
    /// Some threads spin for ever: a turn of their loop only reads, and has read the newest values.
    Livelock,
    /// Two accesses to a plain cell conflict, and neither happens before the other.
    Race(String),
    /// A thread panicked.
    Panic(String),
    /// A limit ended it early.
    Limit(Limit),
    /// The program did something else than in an earlier run, though all that it read through this crate was
    /// the same. It depends on something that the explorer does not see, such as a static of std, a clock or
    /// an address; so nothing that was found is a result.
    Unrepeatable(String),
}

impl<T> End<T> {
    /// The same end with another value.
    pub(crate) fn with<U>(self, value: impl FnOnce() -> U) -> End<U> {
        match self {
            Self::Done(_) => End::Done(value()),
            Self::Deadlock => End::Deadlock,
            Self::Livelock => End::Livelock,
            Self::Race(text) => End::Race(text),
            Self::Panic(text) => End::Panic(text),
            Self::Limit(limit) => End::Limit(limit),
            Self::Unrepeatable(text) => End::Unrepeatable(text),
        }
    }
}

impl<T: fmt::Debug> fmt::Display for End<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(value) => write!(f, "{value:?}"),
            Self::Deadlock => f.write_str("deadlock"),
            Self::Livelock => f.write_str("livelock"),
            Self::Race(text) => write!(f, "data race: {text}"),
            Self::Panic(text) => write!(f, "panic: {text}"),
            Self::Limit(Limit::Events) => f.write_str("limit: events"),
            Self::Limit(Limit::Turns) => f.write_str("limit: turns of a loop"),
            Self::Limit(Limit::SeqCst) => {
                write!(f, "limit: more than {MOST} sequentially consistent events in an execution; weaken some of them")
            }
            Self::Limit(Limit::Threads) => f.write_str("limit: threads"),
            Self::Limit(Limit::Objects) => f.write_str("limit: atomics and other objects of a thread"),
            Self::Unrepeatable(text) => write!(f, "the program is not a function of what it reads: {text}"),
        }
    }
}
