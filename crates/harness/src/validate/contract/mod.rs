//! The contract of a library's note: what `sigproof.h` promises, one check in one process each.
//!
//! | file | holds |
//! |---|---|
//! | this one | the case, and the list of checks |
//! | `tested` | a note each of whose calls is compared with the contract |
//! | `order` | wake-ups, sleeps and clears in every order, in one thread and across threads |
//! | `times` | timed sleeps |
//! | `process` | signals that wake nobody, instances, and what the note leaves behind |
//!
//! A check ends its process with the first thing that it sees ([`guard::fail`]): a thread that is joined may
//! sleep for good by then. A check that hangs is judged by the parent.

mod order;
mod process;
mod tested;
mod times;

use sigproof_osnote::Backends;
use sigproof_osnote::foreign::current;
use sigproof_osnote::foreign::library::{Library, Note as Said};
use sigproof_report::Outcome;

use super::guard;
use crate::attempt::Attempt;
use crate::case::Case;
use crate::failure::Failure;
use crate::setup::Setup;

pub static CASE: Contract = Contract;

pub const CASE_NAME: &str = "library-contract";

/// See the module.
#[derive(Debug)]
pub struct Contract;

/// What a check has.
pub(super) struct Given<'a> {
    library: &'static Library,
    said: &'a Said,
    attempt: &'a Attempt,
}

/// One check.
pub struct Check {
    /// Its name, the flavour of its setup.
    pub name: &'static str,
    /// What the contract promises.
    pub promise: &'static str,
    /// For which notes it is made.
    applies: fn(&Said) -> bool,
    /// Returns if the promise was kept.
    run: fn(&Given<'_>),
}

/// How many of the checks come first: they say whether it is a note at all. Where one of them fails, the
/// others would fail for the same reason.
pub const BASIC: usize = 2;

/// All of them, in the order in which they are made.
pub const CHECKS: &[Check] = &[
    Check {
        name: "wake-before-sleep",
        promise: "a wake-up before the sleep makes the sleep return",
        applies: |_| true,
        run: order::before,
    },
    Check {
        name: "wake-after-sleep",
        promise: "a wake-up ends a sleep in another thread, and nothing else does",
        applies: |_| true,
        run: order::after,
    },
    Check {
        name: "clear",
        promise: "a clear forgets a wake-up, whether a sleep has returned for it or not",
        applies: |_| true,
        run: order::clear,
    },
    Check {
        name: "second-wake-up",
        promise: "a second wake-up returns 0 or EALREADY, and does no harm",
        applies: |_| true,
        run: order::second,
    },
    Check {
        name: "many-wake-ups",
        promise: "any number of wake-ups without a clear between them returns, and does no harm",
        applies: |_| true,
        run: order::many,
    },
    Check {
        name: "threads",
        promise: "two threads wake each other in turn, and see what the other has written",
        applies: |_| true,
        run: order::threads,
    },
    Check {
        name: "timed-sleep",
        promise: "a timed sleep that nobody wakes returns ETIMEDOUT, and not before its time",
        applies: Said::is_timed,
        run: times::out,
    },
    Check {
        name: "timed-wake",
        promise: "a timed sleep that is woken returns 0, whatever its time",
        applies: Said::is_timed,
        run: times::woken,
    },
    Check {
        name: "signals",
        promise: "a signal whose handler wakes nobody ends no sleep",
        applies: |_| true,
        run: process::signals,
    },
    Check {
        name: "instances",
        promise: "a wake-up of one instance wakes no other",
        applies: |said| !said.is_single(),
        run: process::instances,
    },
    Check {
        name: "errno",
        promise: "a wake-up that a signal handler may call keeps errno",
        applies: Said::claims_safety,
        run: process::errno,
    },
    Check {
        name: "destroy",
        promise: "a destroyed note leaves no descriptor open, and another can be made",
        applies: |said| said.destroys,
        run: process::destroy,
    },
];

/// The checks that are made of this note.
pub fn checks(said: &Said) -> impl Iterator<Item = &'static Check> + use<'_> {
    CHECKS.iter().filter(|check| (check.applies)(said))
}

impl Case for Contract {
    fn name(&self) -> &'static str {
        CASE_NAME
    }

    fn summary(&self) -> &'static str {
        "what sigproof.h promises of a note"
    }

    fn upstream(&self) -> &'static [&'static str] {
        &[]
    }

    fn setups(&self, notes: Backends) -> Vec<Setup> {
        let Some(note) = super::backend_of(notes) else { return Vec::new() };
        let Some(said) = current::described().and_then(|described| described.note.as_ref()) else { return Vec::new() };
        checks(said).map(|check| Setup::fixed().flavour(check.name).note(note)).collect()
    }

    fn attempt(&self, setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        guard::begin(attempt.page)?;
        let before = guard::descriptors();
        let library = super::loaded()?;
        let said = library.description.note.as_ref();
        let check = CHECKS.iter().find(|check| Some(check.name) == setup.flavour);
        let (Some(said), Some(check)) = (said, check) else {
            return Err(Failure::new(Outcome::Crash, "there is no such check of this library"));
        };
        (check.run)(&Given { library, said, attempt });
        let closed = before & !guard::descriptors();
        if closed != 0 {
            let detail = format!("it has closed descriptors that are not its own: {:?}", guard::numbers(closed));
            return Err(Failure::new(Outcome::DescriptorLeak, detail));
        }
        Ok(())
    }

    fn aimed(&self) -> bool {
        false
    }

    fn hidden(&self) -> bool {
        true
    }
}
