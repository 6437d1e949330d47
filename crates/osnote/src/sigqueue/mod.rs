//! A queue of signals: sent in a handler, received by ordinary code that sleeps on a note in between.
//!
//! As the kernel does, the queue keeps one bit for each signal number: a signal that is sent again before it
//! was received is received once.
//!
//! | state word | meaning | next |
//! |---|---|---|
//! | `IDLE` | no thread waits, nothing is announced | `RECEIVING` by the receiver that found nothing, `SENDING` by a sender |
//! | `RECEIVING` | the receiver sleeps on the note, or is about to | `IDLE` by the sender, which then wakes the note |
//! | `SENDING` | something was sent since the receiver last looked | `IDLE` by the receiver, which then looks |
//!
//! ```text
//! send:  delivering+1; wanted?; mask |= bit; state: IDLE -> SENDING | RECEIVING -> IDLE, wake | SENDING; delivering-1
//! recv:  mask -> 0; nothing? state: SENDING -> IDLE, look again | IDLE -> RECEIVING, sleep, clear the note, look again
//! ```
//!
//! Invariants:
//! 1. Who turns a bit of the mask on announces it: touches the state word *after* that, by a
//!    read-modify-write. Who takes the mask after the receiver's own read-modify-write of the state word sees
//!    every bit that was announced before it. So the receiver never sleeps over a bit.
//! 2. Only the sender whose compare-and-swap took the state from `RECEIVING` to `IDLE` wakes, and the
//!    receiver clears the note before it stores `RECEIVING` again: one wake-up between two clears.
//! 3. There is one [`Receiver`], and it alone sleeps, in state `RECEIVING` only.
//! 4. `delivering` is above zero as long as a [`SigQueue::send`] that has seen its signal wanted is in
//!    flight.
//!
//! Orderings: no operation needs a single total order. Where two threads each write one word and then look at
//! the other's (mask and state; wanted and delivering), one of the looks is a read-modify-write, so that one
//! of the two sees the other.
//!
//! Limits: signal numbers 1 to 64. `send` is as async-signal-safe as the note's `wakeup`. After an error of
//! the note itself the queue makes no promise.

mod receiver;

use core::fmt;

use sigproof_shim::atomic::{AtomicU32, AtomicU64, Ordering};
use sigproof_shim::os::errno::ErrnoGuard;
use sigproof_shim::os::thread;
use sigproof_shim::sync::Arc;

pub use receiver::Receiver;

use crate::note::{Note, NoteError};

const IDLE: u32 = 0;
const RECEIVING: u32 = 1;
const SENDING: u32 = 2;

/// What became of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is in the queue, and was not before.
    Queued,
    /// It was in the queue already, not yet received: both are received as one.
    Coalesced,
    /// No thread wants it.
    NotWanted,
}

/// The sender's side: shared, and reached by handlers through a static pointer.
pub struct SigQueue {
    note: Box<dyn Note>,
    state: AtomicU32,
    delivering: AtomicU32,
    wanted: AtomicU64,
    mask: AtomicU64,
}

impl fmt::Debug for SigQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigQueue")
            .field("state", &self.state)
            .field("delivering", &self.delivering)
            .field("wanted", &self.wanted)
            .field("mask", &self.mask)
            .finish_non_exhaustive()
    }
}

/// An empty queue that wants nothing, and its one receiver, which sleeps on `note`: a cleared one that no
/// other thread uses.
#[must_use]
pub fn queue(note: Box<dyn Note>) -> (Arc<SigQueue>, Receiver) {
    let queue = Arc::new(SigQueue {
        note,
        state: AtomicU32::new(IDLE),
        delivering: AtomicU32::new(0),
        wanted: AtomicU64::new(0),
        mask: AtomicU64::new(0),
    });
    (Arc::clone(&queue), Receiver::new(queue))
}

/// The bit of a signal number, if it has one.
const fn bit(signo: i32) -> Option<u64> {
    if signo >= 1 && signo <= 64 { Some(1 << (signo - 1)) } else { None }
}

impl SigQueue {
    /// Queues `signo` from now on. Says whether it is a number that can be queued: 1 to 64.
    pub fn enable(&self, signo: i32) -> bool {
        let Some(bit) = bit(signo) else { return false };
        // Release: what the caller set up for this signal is seen by the sender that sees it wanted.
        self.wanted.fetch_or(bit, Ordering::Release);
        true
    }

    /// Queues `signo` no more. One that is in flight or in the queue is still received: see
    /// [`SigQueue::wait_until_idle`].
    pub fn disable(&self, signo: i32) -> bool {
        let Some(bit) = bit(signo) else { return false };
        // Relaxed: `wait_until_idle` passes it on, to the sender's increment of `delivering`.
        self.wanted.fetch_and(!bit, Ordering::Relaxed);
        true
    }

    /// Puts `signo` into the queue if it is wanted, and wakes the receiver if that sleeps. For signal
    /// handlers: async-signal-safe if the note's `wakeup` is, and keeps `errno`. Handlers may interrupt each
    /// other in it.
    ///
    /// # Errors
    /// What the note's `wakeup` reports. The signal is in the queue all the same.
    pub fn send(&self, signo: i32) -> Result<Sent, NoteError> {
        let _errno = ErrnoGuard::new();
        let Some(bit) = bit(signo) else { return Ok(Sent::NotWanted) };
        // Acquire: if `wait_until_idle` came before this, its caller's `disable` is seen below (invariant 4).
        self.delivering.fetch_add(1, Ordering::Acquire);
        let sent = self.deliver(bit);
        // Release: pairs with the acquire in `wait_until_idle`: what this handler did with the note is over.
        self.delivering.fetch_sub(1, Ordering::Release);
        sent
    }

    fn deliver(&self, bit: u64) -> Result<Sent, NoteError> {
        // Acquire: pairs with the release in `enable`.
        if self.wanted.load(Ordering::Acquire) & bit == 0 {
            return Ok(Sent::NotWanted);
        }
        // Release: the handler's work, to the receiver's swap.
        if self.mask.fetch_or(bit, Ordering::Release) & bit != 0 {
            // Whoever has turned it on announces it (invariant 1), even if this thread's own interrupted code
            // is the one.
            return Ok(Sent::Coalesced);
        }
        self.announce()?;
        Ok(Sent::Queued)
    }

    fn announce(&self) -> Result<(), NoteError> {
        let mut seen = IDLE;
        loop {
            let next = if seen == RECEIVING { IDLE } else { SENDING };
            // Also where it changes nothing (SENDING): it must be a read-modify-write to be ordered against
            // the receiver's (invariant 1). Release: the bit in the mask, to the receiver's acquire on this
            // word. Acquire: the receiver's clear of the note. Failure Relaxed: the next turn acquires.
            match self.state.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(RECEIVING) => return self.note.wakeup(),
                Ok(_) => return Ok(()),
                Err(now) => seen = now,
            }
        }
    }

    /// Returns when no `send` that has seen its signal wanted is in flight: after a [`SigQueue::disable`],
    /// when no handler adds that signal to the queue any more. Ordinary code only; yields meanwhile.
    pub fn wait_until_idle(&self) {
        // A read-modify-write, Release: a `send` that is not counted here comes after it, and acquires what
        // this thread has disabled. Acquire: pairs with the release of the decrement.
        while self.delivering.fetch_add(0, Ordering::AcqRel) != 0 {
            thread::yield_now();
        }
    }

    /// Whether the receiver has received all that was sent and sleeps, or is about to. A snapshot.
    #[must_use]
    pub fn is_receiving(&self) -> bool {
        // Relaxed: a look, on which nothing rests.
        self.state.load(Ordering::Relaxed) == RECEIVING
    }
}
