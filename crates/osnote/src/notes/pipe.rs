//! A note over a pipe of its own: Go's `sigNote` pipe, generalised to many instances and to timed sleeps.
//!
//! The fix of golang/go#61768 calls this off because of the race between `pipe`, close-on-exec and fork;
//! [`cloexec`] solves that. The algorithm, its states and its invariants are those of [`doorbell`]. The write
//! end does not block; the read end does, and is polled first when the sleep is timed: there is only one
//! reader, so that what was readable still is.

use core::time::Duration;

use sigproof_shim::os::fd::PipeEnds;

use crate::backend::{Backend, Instances, Platform, SignalSafety};
use crate::cloexec::{self, PipeRecipe};
use crate::doorbell::{self, Doorbell, DoorbellNote, Heard};
use crate::note::NoteError;
use crate::provoke::Fill;

/// What it can do.
pub const BACKEND: Backend = Backend {
    name: "pipe",
    summary: "a pipe for each note, close-on-exec from the start or under a fork lock",
    wakeup: SignalSafety::Safe,
    why: "an atomic fetch-or and write, which is on POSIX's list (POSIX.1-2017, 2.4.3; signal-safety(7)), to a non-blocking descriptor",
    timed_sleep: true,
    instances: Instances::Many,
    descriptors: 2,
    platforms: &[Platform::Linux, Platform::Darwin, Platform::Bsd],
    make: || Ok(Box::new(with_recipe(cloexec::best())?)),
};

/// A note whose waker writes a byte to a pipe; the sleeper reads it.
pub type PipeNote = DoorbellNote<PipeBell>;

/// A cleared note over a pipe made by `recipe`.
///
/// # Errors
/// As [`cloexec::pipe_with`].
pub fn with_recipe(recipe: &dyn PipeRecipe) -> Result<PipeNote, NoteError> {
    Ok(DoorbellNote::new(PipeBell { ends: cloexec::pipe_with(recipe)? }))
}

/// A pipe as a doorbell.
#[derive(Debug)]
pub struct PipeBell {
    ends: PipeEnds,
}

impl PipeBell {
    /// Its descriptors, for a diagnosis.
    #[must_use]
    pub const fn ends(&self) -> &PipeEnds {
        &self.ends
    }
}

impl Doorbell for PipeBell {
    const TIMED: bool = true;

    fn ring(&self) -> Result<(), NoteError> {
        doorbell::ring_by_write(self.ends.write.borrow(), &[0])
    }

    fn answer(&self, timeout: Option<Duration>) -> Result<Heard, NoteError> {
        // More than one byte at a time: strays (invariant 2 of the doorbell) go faster so, and there is at
        // most one of ours.
        let mut buffer = [0; 64];
        doorbell::answer_by_read(self.ends.read.borrow(), &mut buffer, timeout.map(Some))
    }

    fn hush(&self) -> Result<(), NoteError> {
        doorbell::hush_by_read(self.ends.read.borrow())
    }
}

impl Fill for PipeBell {
    fn fill(&self) -> Result<(), NoteError> {
        doorbell::fill_by_write(self.ends.write.borrow(), &[0])
    }
}
