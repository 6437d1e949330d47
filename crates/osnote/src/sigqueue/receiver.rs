//! The receiver's side of the queue. States and invariants: the module above.

use sigproof_shim::atomic::Ordering;
use sigproof_shim::sync::Arc;

use super::{IDLE, RECEIVING, SENDING, SigQueue};
use crate::note::NoteError;

/// The one receiver of a queue. Ordinary code only.
#[derive(Debug)]
pub struct Receiver {
    queue: Arc<SigQueue>,
    /// Taken off the queue's mask, not yet given out.
    taken: u64,
}

impl Receiver {
    pub(super) const fn new(queue: Arc<SigQueue>) -> Self {
        Self { queue, taken: 0 }
    }

    /// The next signal, if there is one; the lowest number first among those that came together.
    pub fn try_recv(&mut self) -> Option<i32> {
        if self.taken == 0 {
            // Acquire: pairs with the release of the sender's fetch-or.
            self.taken = self.queue.mask.swap(0, Ordering::Acquire);
        }
        if self.taken == 0 {
            return None;
        }
        let index = self.taken.trailing_zeros();
        self.taken &= self.taken - 1;
        Some(index as i32 + 1)
    }

    /// The next signal; sleeps until there is one.
    ///
    /// # Errors
    /// What the note's `sleep` reports.
    pub fn recv(&mut self) -> Result<i32, NoteError> {
        loop {
            if let Some(signo) = self.try_recv() {
                return Ok(signo);
            }
            self.wait()?;
        }
    }

    /// Returns when there may be something to look at that the last look did not see.
    fn wait(&self) -> Result<(), NoteError> {
        let queue = &*self.queue;
        // Success Release: the cleared note, to the sender that wakes it. Failure Relaxed: the exchange below
        // acquires.
        match queue.state.compare_exchange(IDLE, RECEIVING, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => {
                let slept = queue.note.sleep();
                if slept.is_err() {
                    // Not asleep, so no longer receiving. Failure: a sender has just taken the state to IDLE.
                    // Relaxed: nothing but the state is passed on.
                    let _ = queue.state.compare_exchange(RECEIVING, IDLE, Ordering::Relaxed, Ordering::Relaxed);
                }
                slept?;
                queue.note.clear();
            }
            Err(_) => {
                // SENDING, as there is no other receiver; only this thread leaves that state. The look at the
                // mask comes after (invariant 1). Acquire: the bit of the sender that has announced itself.
                // Failure: cannot be, and the next look tells.
                let _ = queue.state.compare_exchange(SENDING, IDLE, Ordering::Acquire, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}
