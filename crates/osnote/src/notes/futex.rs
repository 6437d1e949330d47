//! A note that is one 32-bit word, on which the kernel waits and wakes.
//!
//! | word | meaning | next |
//! |---|---|---|
//! | `CLEAR` | no thread has slept or woken | `SLEEPING` by the sleeper, `WOKEN` by the waker |
//! | `SLEEPING` | a sleeper is in the kernel, or about to be | `WOKEN` by the waker, `CLEAR` by the sleeper that gives up |
//! | `WOKEN` | woken | `CLEAR` by `clear` |
//!
//! Invariants:
//! 1. Only the waker stores `WOKEN`, by a swap whose old value tells it of a second wake-up and of a sleeper.
//! 2. A sleeper gives up by a compare-and-swap from `SLEEPING`; if that fails, it has been woken. The
//!    primitive keeps no count, so that nothing can be left behind in it.
//!
//! Orderings: the swap of `wakeup` releases what the waker has done; the sleeper's loads and its failing
//! compare-and-swaps acquire it.
//!
//! Limits: the kernel's wake happens after the swap, so that it may hit a word whose note is gone and
//! another's sleeper with it: a spurious wake-up there, which every futex user must bear (futex(2)). Here a
//! waker borrows the note while it wakes.

use core::time::Duration;

use sigproof_shim::atomic::{AtomicU32, Ordering};
use sigproof_shim::os::errno::ErrnoGuard;
use sigproof_shim::os::futex;

use crate::backend::{Backend, Instances, Platform, SignalSafety};
use crate::deadline::Deadline;
use crate::note::{Note, NoteError, Woken};
use crate::provoke::{Provocation, Provoke};

/// What it can do.
pub const BACKEND: Backend = Backend {
    name: "futex",
    summary: "one 32-bit word, kernel wait and wake",
    wakeup: SignalSafety::Safe,
    why: "an atomic swap and one system call; no lock in user space (futex(2))",
    timed_sleep: true,
    instances: Instances::Many,
    descriptors: 0,
    platforms: &[Platform::Linux],
    make: || Ok(Box::new(FutexNote::new()?)),
};

const CLEAR: u32 = 0;
const SLEEPING: u32 = 1;
const WOKEN: u32 = 2;

/// See the module.
#[derive(Debug)]
pub struct FutexNote {
    word: AtomicU32,
}

impl FutexNote {
    /// A cleared note.
    ///
    /// # Errors
    /// [`NoteError::Unsupported`] outside Linux.
    pub fn new() -> Result<Self, NoteError> {
        if !futex::available() {
            return Err(NoteError::Unsupported { what: "futex on this platform" });
        }
        Ok(Self { word: AtomicU32::new(CLEAR) })
    }

    fn sleep_until(&self, deadline: Deadline) -> Result<Woken, NoteError> {
        // Success Relaxed: the swap in `wakeup` needs nothing of the sleeper but this word. Failure Acquire:
        // pairs with that swap.
        match self.word.compare_exchange(CLEAR, SLEEPING, Ordering::Relaxed, Ordering::Acquire) {
            Ok(_) => {}
            Err(WOKEN) => return Ok(Woken::ByWakeup),
            Err(_) => return Err(NoteError::TwoSleepers),
        }
        loop {
            let waited = futex::wait(&self.word, SLEEPING, deadline.left());
            // Acquire: pairs with the swap in `wakeup`. The word decides, whatever the kernel says.
            if self.word.load(Ordering::Acquire) == WOKEN {
                return Ok(Woken::ByWakeup);
            }
            if waited.is_err() || deadline.passed() {
                // Invariant 2. Success Relaxed: as above. Failure Acquire: pairs with the swap in `wakeup`.
                if self.word.compare_exchange(SLEEPING, CLEAR, Ordering::Relaxed, Ordering::Acquire).is_err() {
                    return Ok(Woken::ByWakeup);
                }
                waited?;
                return Ok(Woken::ByTimeout);
            }
        }
    }
}

impl Note for FutexNote {
    fn clear(&self) {
        // Release: what was done before the clear is seen by whoever finds the word clear.
        self.word.store(CLEAR, Ordering::Release);
    }

    fn sleep(&self) -> Result<(), NoteError> {
        self.sleep_until(Deadline::NEVER).map(drop)
    }

    fn sleep_timeout(&self, timeout: Duration) -> Result<Woken, NoteError> {
        self.sleep_until(Deadline::after(Some(timeout)))
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        let _errno = ErrnoGuard::new();
        // AcqRel: releases the waker's work to the sleeper's acquires; acquires from the clear that it
        // replaces.
        match self.word.swap(WOKEN, Ordering::AcqRel) {
            CLEAR => Ok(()),
            SLEEPING => Ok(futex::wake(&self.word, 1).map(drop)?),
            _ => Err(NoteError::DoubleWakeup),
        }
    }

    fn testing(&self) -> Option<&dyn Provoke> {
        Some(self)
    }
}

impl Provoke for FutexNote {
    fn provoke(&self, provocation: Provocation) -> Result<(), NoteError> {
        match provocation {
            Provocation::SpuriousWake => Ok(futex::wake(&self.word, 1).map(drop)?),
            Provocation::FullDoorbell => Err(provocation.unsupported()),
        }
    }
}
