//! What a signal handler may do with this crate.

use rust_crate::{Flag, Locked};
use sigproof::{Note, NoteError, Outcome};

struct FlagNote(Flag);

impl Note for FlagNote {
    fn clear(&self) {
        self.0.clear();
    }

    fn sleep(&self) -> Result<(), NoteError> {
        Ok(self.0.wait()?)
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        if self.0.set()? { Err(NoteError::DoubleWakeup) } else { Ok(()) }
    }
}

struct LockedNote(Locked);

impl Note for LockedNote {
    fn clear(&self) {
        self.0.clear();
    }

    fn sleep(&self) -> Result<(), NoteError> {
        Ok(self.0.wait()?)
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        if self.0.set()? { Err(NoteError::DoubleWakeup) } else { Ok(()) }
    }
}

/// Right: a signal at every instruction, at random times, and in a build for models in every interleaving.
#[test]
fn a_handler_may_set_a_flag() {
    sigproof::note(|| Ok(FlagNote(Flag::new()?)));
}

/// Wrong, and expected to be: the handler waits for the mutex that its own thread holds.
#[test]
fn a_handler_may_not_set_what_a_mutex_protects() {
    sigproof::note_expecting(Outcome::SelfDeadlock, || Ok(LockedNote(Locked::new()?)));
}

/// Wrong, and expected to be: the handler allocates, and so does the code that it interrupts.
#[cfg(not(sigproof_graph))]
#[test]
fn a_handler_may_not_allocate() {
    // Larger than what a thread keeps for itself: it comes from what threads share, behind a lock.
    let allocate = || drop(std::hint::black_box(Vec::<u8>::with_capacity(100_000)));
    sigproof::sweep_expecting(Outcome::SelfDeadlock, move |stage| {
        stage.handler(move |_| {
            allocate();
            Ok(())
        })?;
        while stage.another()? {
            stage.window(allocate);
        }
        Ok(())
    });
}
