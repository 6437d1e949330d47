//! A note over an event counter: one descriptor instead of a pipe's two, and eight bytes in the kernel
//! instead of a buffer.
//!
//! The algorithm, its states and its invariants are those of [`doorbell`]. Reading and writing share one open
//! file, so that both are non-blocking, as the writer in a handler must be; the sleeper polls.

use core::time::Duration;

use sigproof_shim::os::fd::{self, Fd};

use crate::backend::{Backend, Instances, Platform, SignalSafety};
use crate::doorbell::{self, Doorbell, DoorbellNote, Heard};
use crate::note::NoteError;
use crate::provoke::Fill;

/// What it can do.
pub const BACKEND: Backend = Backend {
    name: "eventfd",
    summary: "an event counter",
    wakeup: SignalSafety::Safe,
    why: "an atomic fetch-or and write, which is on POSIX's list (POSIX.1-2017, 2.4.3; signal-safety(7)), to a non-blocking eventfd(2)",
    timed_sleep: true,
    instances: Instances::Many,
    descriptors: 1,
    platforms: &[Platform::Linux],
    make: || Ok(Box::new(new()?)),
};

/// A note whose waker adds to an `eventfd` counter; the sleeper reads it.
pub type EventfdNote = DoorbellNote<EventfdBell>;

/// A cleared note over a fresh counter.
///
/// # Errors
/// [`NoteError::Unsupported`] outside Linux; [`NoteError::DescriptorsExhausted`].
pub fn new() -> Result<EventfdNote, NoteError> {
    Ok(DoorbellNote::new(EventfdBell { counter: fd::eventfd()? }))
}

/// The counter stops one below the largest number (eventfd(2)): a write that would go past it finds no room.
const FULL: u64 = u64::MAX - 1;

/// An event counter as a doorbell.
#[derive(Debug)]
pub struct EventfdBell {
    counter: Fd,
}

impl EventfdBell {
    /// Its descriptor, for a diagnosis.
    #[must_use]
    pub const fn counter(&self) -> &Fd {
        &self.counter
    }
}

impl Doorbell for EventfdBell {
    const TIMED: bool = true;

    fn ring(&self) -> Result<(), NoteError> {
        doorbell::ring_by_write(self.counter.borrow(), &1_u64.to_ne_bytes())
    }

    fn answer(&self, timeout: Option<Duration>) -> Result<Heard, NoteError> {
        doorbell::answer_by_read(self.counter.borrow(), &mut [0; 8], Some(timeout))
    }

    fn hush(&self) -> Result<(), NoteError> {
        doorbell::hush_by_read(self.counter.borrow())
    }
}

impl Fill for EventfdBell {
    fn fill(&self) -> Result<(), NoteError> {
        self.hush()?;
        doorbell::fill_by_write(self.counter.borrow(), &FULL.to_ne_bytes())
    }
}
