//! Hooks for tests, models and reproducers. No client of a note needs them, so they are in no public
//! document.
//!
//! | hook | what it does |
//! |---|---|
//! | [`provoke`] | disturbs the primitive below a note, as every primitive may behave by itself |
//! | [`set_up_replacing`] | sets up a second `sigNote` that silently replaces the first: the historical mistake |
//! | [`give_back`] | returns the calling thread's semaphores early |
//! | [`prime`] | makes the statics before a model starts threads |

use sigproof_shim::atomic::Ordering;

pub use crate::provoke::{Disturb, Fill, Provocation, Provoke};
pub use crate::semaphore::give_back;

use crate::cloexec;
use crate::doorbell::DoorbellNote;
use crate::note::{Note, NoteError};
use crate::notes::signote::{SigNote, Slot, SlotBell, pack};

/// Makes this crate's statics, which otherwise are made when they are first asked for. For models: their
/// first thread calls it before it starts others, so that nothing is ordered by the making. Elsewhere it does
/// nothing.
pub fn prime() {
    crate::semaphore::prime();
    cloexec::forks();
    crate::notes::signote::process();
}

/// Disturbs the primitive below a note on purpose. A correct note bears it: neither its sleeper nor its waker
/// notices. Not async-signal-safe.
///
/// # Errors
/// [`NoteError::Unsupported`] where the note cannot be provoked so; else what its primitive reports.
pub fn provoke(note: &(impl Note + ?Sized), provocation: Provocation) -> Result<(), NoteError> {
    note.testing().ok_or(provocation.unsupported())?.provoke(provocation)
}

/// As [`set_up_in`](crate::notes::signote::set_up_in), but takes over a slot that is taken: what a second
/// set-up of the `sigNote` must not do. A sleeper on the first note then sleeps on a pipe that no waker
/// writes to.
///
/// # Errors
/// [`NoteError::DescriptorsExhausted`], or what else the system reports.
///
/// # Safety
/// A note that replaces another lives until no call of the other is running: such a call uses the descriptors
/// of the replacing note.
pub unsafe fn set_up_replacing(slot: &'static Slot) -> Result<SigNote, NoteError> {
    let own = cloexec::pipe_with(cloexec::best())?;
    // Release: as in `Slot::install`.
    slot.pair.store(pack(&own), Ordering::Release);
    Ok(DoorbellNote::new(SlotBell { slot, own }))
}
