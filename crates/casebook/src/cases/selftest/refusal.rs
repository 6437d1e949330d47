//! The note that refuses signal handlers, with its detection of handlers switched off: it must deadlock as
//! the note without the mending does.
//!
//! Everything but the note is [`darwin_sigqueue_note`]'s own. If this case stopped deadlocking, the flavour
//! `refuses` of that case would pass for a reason that is not its detection.

use sigproof_osnote::notes::sema::{REFUSING, SemaNote};
use sigproof_osnote::semaphore::{PthreadSemaphore, Refusing, Whereabouts};
use sigproof_osnote::{Backend, Backends, NoteError};

use crate::cases::darwin_sigqueue_note;
use sigproof_harness::attempt::Attempt;
use sigproof_harness::case::Case;
use sigproof_harness::failure::Failure;
use sigproof_harness::forked::Window;
use sigproof_harness::setup::Setup;
use sigproof_report::Outcome;

/// Finds no handler, wherever it is asked.
enum Blind {}

impl Whereabouts for Blind {
    fn in_handler() -> Result<bool, NoteError> {
        Ok(false)
    }
}

const NOTE: Backend =
    Backend { make: || Ok(Box::new(SemaNote::<Refusing<PthreadSemaphore, Blind>>::new())), ..REFUSING };

pub(in crate::cases) static BLIND: BlindRefusal = BlindRefusal;

pub(in crate::cases) struct BlindRefusal;

impl Case for BlindRefusal {
    fn name(&self) -> &'static str {
        "selftest-refusal-blind"
    }

    fn summary(&self) -> &'static str {
        "a note that is to refuse signal handlers and does not detect them: it must deadlock"
    }

    fn upstream(&self) -> &'static [&'static str] {
        &[]
    }

    fn setups(&self, _notes: Backends) -> Vec<Setup> {
        vec![Setup::broken(Outcome::SelfDeadlock).note(&NOTE)]
    }

    fn attempt(&self, setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        darwin_sigqueue_note::CASE.attempt(setup, attempt)
    }

    fn windows(&self, setup: &Setup) -> Vec<Window> {
        darwin_sigqueue_note::CASE.windows(setup)
    }

    fn hidden(&self) -> bool {
        true
    }
}
