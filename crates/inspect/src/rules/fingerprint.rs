//! A short text that is equal for equal hangs, over runs, builds and addresses.
//!
//! It has no address, no line, no offset and no argument: the mechanism, what is waited for, the function of
//! the handler that waits, and what the interrupted code held. `self-deadlock/heap/in:malloc/heap` is a
//! handler that waits in `malloc` for the heap that the interrupted code holds.

use std::fmt;

use super::locks::Lock;
use super::name::Name;
use super::waits::Wait;

/// What happened, in one word for the fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// A handler waits for what the interrupted code holds.
    SelfDeadlock,
    /// Two or more threads wait for each other.
    CrossDeadlock,
    /// A handler waits, and the holder is not known.
    HandlerWaits,
    /// A handler runs for ever.
    Livelock,
    /// A handler crashes.
    Fault,
    /// A handler calls a function that no handler may call.
    UnsafeCall,
    /// A handler stops its thread on purpose.
    Design,
    /// A handler reports a crash.
    Report,
    /// A sleeper that a handler has to wake.
    LostWakeup,
    /// None of these.
    Other,
}

impl Mechanism {
    fn word(self) -> &'static str {
        match self {
            Self::SelfDeadlock => "self-deadlock",
            Self::CrossDeadlock => "cross-deadlock",
            Self::HandlerWaits => "handler-waits",
            Self::Livelock => "livelock",
            Self::Fault => "fault",
            Self::UnsafeCall => "unsafe-call",
            Self::Design => "by-design",
            Self::Report => "report",
            Self::LostWakeup => "lost-wakeup",
            Self::Other => "other",
        }
    }
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Awaited {
    /// A lock of some kind.
    Lock(Lock),
    /// Anything else.
    Other(Wait),
}

impl Awaited {
    /// The word for a fingerprint.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lock(lock) => lock.word(),
            Self::Other(Wait::Kernel) => "futex",
            Self::Other(Wait::Lock) => "lock",
            Self::Other(Wait::Spin) => "spin",
            Self::Other(Wait::Condition) => "condition",
            Self::Other(Wait::Note) => "note",
            Self::Other(Wait::Channel) => "channel",
            Self::Other(Wait::Semaphore) => "semaphore",
            Self::Other(Wait::Barrier) => "barrier",
            Self::Other(Wait::Once) => "once",
            Self::Other(Wait::Join) => "join",
            Self::Other(Wait::Child) => "child",
            Self::Other(Wait::Input) => "input",
            Self::Other(Wait::Output) => "output",
            Self::Other(Wait::Signal) => "signal",
            Self::Other(Wait::Sleep) => "sleep",
        }
    }
}

/// The first namespaces of libraries whose functions a fingerprint may name.
const LIBRARIES: &[&str] = &["std", "core", "alloc", "parking_lot", "parking_lot_core", "boost", "absl", "folly"];

/// The function that a fingerprint names, of those that wait, the outermost first: a function of C if one is
/// among them, since a compiler may inline those of other languages into it. A function of the program has no
/// place in a fingerprint: another build may have another one.
pub fn called<'a>(mut names: impl Iterator<Item = &'a Name> + Clone) -> Option<String> {
    let is_of_c = |name: &Name| !name.path.contains("::");
    let is_of_library = |name: &Name| LIBRARIES.iter().any(|of| name.path.split("::").next() == Some(of));
    let found = names.clone().find(|name| is_of_c(name)).or_else(|| names.find(|name| is_of_library(name)));
    found.map(|name| name.key.clone())
}

/// The fingerprint of one hang or crash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a mechanism. `called` is the library function in the handler that waits or faults,
    /// by its name in the tables; `held` is the lock class of the code that holds what is waited for.
    pub fn of(mechanism: Mechanism, awaited: Option<Awaited>, called: Option<&str>, held: Option<Lock>) -> Self {
        let mut text = mechanism.word().to_owned();
        text.push('/');
        text.push_str(awaited.map_or("-", Awaited::word));
        text.push_str("/in:");
        text.push_str(called.filter(|called| !called.is_empty()).unwrap_or("-"));
        text.push('/');
        text.push_str(held.map_or("-", Lock::word));
        Self(text)
    }

    /// The fingerprint as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_in_a_fixed_order() {
        let heap = Some(Awaited::Lock(Lock::Heap));
        let print = Fingerprint::of(Mechanism::SelfDeadlock, heap, Some("malloc"), Some(Lock::Heap));
        assert_eq!(print.as_str(), "self-deadlock/heap/in:malloc/heap");
        assert_eq!(Fingerprint::of(Mechanism::Other, None, None, None).as_str(), "other/-/in:-/-");
    }
}
