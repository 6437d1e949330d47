//! Go's `sigNote`: one pipe for the whole process, set up once, reached through a process-wide slot.
//!
//! | slot | meaning | next |
//! |---|---|---|
//! | 0 | no note is set up | a pair of descriptors by `install` |
//! | a pair | that pair's note is the one | 0 when that note is dropped |
//!
//! The read end blocks, the write end does not, both are close-on-exec; a wake-up is one byte; there is no
//! timed wait. Sleeper and waker take the descriptors from the slot, as Go does, so that a handler needs no
//! pointer to the note.
//!
//! Invariants, beyond those of [`doorbell`]:
//! 1. `Slot::install` refuses while the slot is taken. So all who look see one pair for the life of the note.
//! 2. Both numbers are in one atomic word: no thread sees the read end of one pair and the write end of
//!    another.
//! 3. A note closes its own pair and no other, after it has left the slot; while it is dropped no thread
//!    sleeps on it or wakes it, as both borrow it.
//!
//! Orderings: the slot's writes release, its reads acquire; a descriptor is in force before its number is
//! seen.

use core::time::Duration;

use sigproof_shim::atomic::{AtomicU64, Ordering};
use sigproof_shim::os::fd::{FdRef, PipeEnds};

use crate::backend::{Backend, Instances, Platform, SignalSafety};
use crate::cloexec;
use crate::doorbell::{self, Doorbell, DoorbellNote, Heard};
use crate::note::NoteError;
use crate::provoke::Fill;

/// What it can do.
pub const BACKEND: Backend = Backend {
    name: "signote",
    summary: "Go's sigNote: one pipe for the process, a second set-up is refused",
    wakeup: SignalSafety::Safe,
    why: "an atomic fetch-or and write, which is on POSIX's list (POSIX.1-2017, 2.4.3; signal-safety(7)), to a non-blocking descriptor",
    timed_sleep: false,
    instances: Instances::One,
    descriptors: 2,
    platforms: &[Platform::Linux, Platform::Darwin, Platform::Bsd],
    make: || Ok(Box::new(set_up_in(process())?)),
};

sigproof_shim::process_static! {
    /// The slot of the process, which the registered backend uses.
    pub fn process() -> Slot = Slot::new();
}

/// Where the one pair of descriptors is found.
#[derive(Debug)]
pub struct Slot {
    /// Both numbers plus one, the read end's in the high half; 0 is empty.
    pub(crate) pair: AtomicU64,
}

impl Slot {
    sigproof_shim::const_fn! {
        /// An empty one.
        #[must_use]
        pub fn new() -> Self {
            Self { pair: AtomicU64::new(0) }
        }
    }

    /// Puts a pair into the empty slot.
    ///
    /// # Errors
    /// [`NoteError::DuplicateSetup`] if it is taken; it stays as it was.
    fn install(&self, ends: &PipeEnds) -> Result<(), NoteError> {
        // Release: the pipe is made before its numbers are seen by the acquire in `get`. Relaxed: a refusal
        // reads nothing else.
        self.pair
            .compare_exchange(0, pack(ends), Ordering::Release, Ordering::Relaxed)
            .map(drop)
            .map_err(|_| NoteError::DuplicateSetup)
    }

    /// Empties the slot if it holds this pair.
    fn remove(&self, ends: &PipeEnds) {
        // Relaxed: the `install` of the next needs nothing of this one. A failure is a slot that was
        // replaced.
        let _ = self.pair.compare_exchange(pack(ends), 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether a note is set up.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        // Relaxed: a look, on which nothing rests.
        self.pair.load(Ordering::Relaxed) != 0
    }

    /// The read end and the write end; numbers that no descriptor has, if the slot is empty.
    ///
    /// # Safety
    /// The caller borrows a note of this slot for as long as it uses the result.
    unsafe fn get(&self) -> (FdRef<'_>, FdRef<'_>) {
        // Acquire: pairs with the release in `install`.
        let pair = self.pair.load(Ordering::Acquire);
        let number = |half: u64| (half as u32).wrapping_sub(1) as i32;
        // SAFETY: an empty slot gives -1, which no descriptor has. The pair in the slot is that of the
        // borrowed note, which keeps it open (invariant 3), or that of a note that replaced it and outlives
        // the call (`testing::set_up_replacing`).
        unsafe { (FdRef::from_number(number(pair >> 32)), FdRef::from_number(number(pair))) }
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self::new()
    }
}

pub(crate) fn pack(ends: &PipeEnds) -> u64 {
    let half = |number: i32| u64::from((number as u32).wrapping_add(1));
    half(ends.read.number()) << 32 | half(ends.write.number())
}

/// A note whose bell is a slot of the table of pipes.
pub type SigNote = DoorbellNote<SlotBell>;

/// Makes the pipe and puts it into `slot`.
///
/// # Errors
/// [`NoteError::DuplicateSetup`] if the slot is taken; [`NoteError::DescriptorsExhausted`].
pub fn set_up_in(slot: &'static Slot) -> Result<SigNote, NoteError> {
    if slot.is_taken() {
        // Before a pipe is made, so that the report is this one even when descriptors are short. The one that
        // counts is in `install`.
        return Err(NoteError::DuplicateSetup);
    }
    let own = cloexec::pipe_with(cloexec::best())?;
    slot.install(&own)?;
    Ok(DoorbellNote::new(SlotBell { slot, own }))
}

/// The pipe in a slot as a doorbell.
#[derive(Debug)]
pub struct SlotBell {
    pub(crate) slot: &'static Slot,
    /// Kept open for the life of the note (invariant 3).
    pub(crate) own: PipeEnds,
}

impl SlotBell {
    /// The descriptors that this note made, for a diagnosis; those in force are the slot's.
    #[must_use]
    pub const fn ends(&self) -> &PipeEnds {
        &self.own
    }
}

impl Drop for SlotBell {
    fn drop(&mut self) {
        self.slot.remove(&self.own);
    }
}

impl Doorbell for SlotBell {
    const TIMED: bool = false;

    fn ring(&self) -> Result<(), NoteError> {
        // SAFETY: this is a note of the slot, and it is borrowed.
        doorbell::ring_by_write(unsafe { self.slot.get() }.1, &[0])
    }

    fn answer(&self, _timeout: Option<Duration>) -> Result<Heard, NoteError> {
        // SAFETY: this is a note of the slot, and it is borrowed.
        doorbell::answer_by_read(unsafe { self.slot.get() }.0, &mut [0], None)
    }

    fn hush(&self) -> Result<(), NoteError> {
        // SAFETY: this is a note of the slot, and it is borrowed.
        doorbell::hush_by_read(unsafe { self.slot.get() }.0)
    }
}

impl Fill for SlotBell {
    fn fill(&self) -> Result<(), NoteError> {
        // SAFETY: this is a note of the slot, and it is borrowed.
        doorbell::fill_by_write(unsafe { self.slot.get() }.1, &[0])
    }
}
