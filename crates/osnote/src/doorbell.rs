//! What the notes over descriptors have in common: a word that says what happened, and a doorbell that is
//! rung and answered.
//!
//! The doorbell only makes the sleeper look; the word decides. (A bell that carries the message itself loses
//! it when it is full: xgo-dev/llgo#2456.)
//!
//! | bits of the word | set by | cleared by |
//! |---|---|---|
//! | `SLEEPER` | the sleeper, before it listens | the sleeper, when it goes |
//! | `WOKEN` | the waker, before it rings | `clear` |
//! | `TAKEN` | the sleeper, when it has answered the ring of this `WOKEN` | `clear` |
//!
//! Invariants:
//! 1. `WOKEN` is set by a fetch-or, whose old value tells of a second wake-up; only the first one rings. So
//!    between two clears there is at most one ring, and a ring comes after its `WOKEN`.
//! 2. A sleeper that answers a ring and finds no `WOKEN` has heard a stray one, and listens on.
//! 3. A sleeper that gives up removes `SLEEPER` by a compare-and-swap from "sleeping and not woken"; if that
//!    fails, the ring has come or will, and it answers it. So nothing is left in the bell.
//! 4. A bell that is full is a bell that is ringing: there is something to answer, and the answer finds
//!    `WOKEN`.
//! 5. `clear` answers a ring that no sleeper has answered.
//!
//! Orderings: the fetch-or of `wakeup` releases the waker's work; the sleeper acquires it once it has
//! answered the bell. That it then finds `WOKEN` rests on the bell: a write is seen before the read that gets
//! it, by the locks of the kernel. POSIX does not promise that (POSIX.1-2017, 4.12), and every self-pipe
//! needs it.
//!
//! Limits: if the bell itself is broken (its error is reported by both sides), a sleeper may sleep on.

use core::time::Duration;

use sigproof_shim::atomic::{AtomicU32, Ordering};
use sigproof_shim::os::OsError;
use sigproof_shim::os::errno::ErrnoGuard;
use sigproof_shim::os::fd::FdRef;

use crate::deadline::Deadline;
use crate::note::{Note, NoteError, Woken};
use crate::provoke::{Fill, Provocation, Provoke};

/// What a sleeper heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A ring, which is thereby answered.
    Ring,
    /// Nothing, and the time is over; or a signal handler ran.
    Nothing,
}

/// A thing to ring. `ring` and `answer` leave `errno` to their caller.
pub trait Doorbell: Fill + Send + Sync {
    /// Whether [`answer`](Doorbell::answer) can time out.
    const TIMED: bool;

    /// Rings. Async-signal-safe: it must not block. A bell with no room left is ringing already, which is
    /// success.
    ///
    /// # Errors
    /// What the system reports.
    fn ring(&self) -> Result<(), NoteError>;

    /// Waits for a ring and answers it. No time-out waits for ever.
    ///
    /// # Errors
    /// What the system reports; [`NoteError::Closed`] if no thread can ring any more.
    fn answer(&self, timeout: Option<Duration>) -> Result<Heard, NoteError>;

    /// Answers all that is there, without waiting.
    ///
    /// # Errors
    /// What the system reports.
    fn hush(&self) -> Result<(), NoteError>;
}

const SLEEPER: u32 = 1;
const WOKEN: u32 = 2;
const TAKEN: u32 = 4;

/// A note over a doorbell.
#[derive(Debug)]
pub struct DoorbellNote<B> {
    word: AtomicU32,
    bell: B,
}

impl<B: Doorbell> DoorbellNote<B> {
    /// A cleared note over a silent bell.
    pub fn new(bell: B) -> Self {
        Self { word: AtomicU32::new(0), bell }
    }

    /// The bell that a waker rings.
    pub const fn bell(&self) -> &B {
        &self.bell
    }

    fn sleep_until(&self, deadline: Deadline) -> Result<Woken, NoteError> {
        // Relaxed: it only tells of a second sleeper. What the waker has done is acquired once the bell has
        // been answered.
        if self.word.fetch_or(SLEEPER, Ordering::Relaxed) & SLEEPER != 0 {
            return Err(NoteError::TwoSleepers);
        }
        let slept = self.listen(deadline);
        if slept != Ok(Woken::ByTimeout) {
            // Relaxed: who lets another thread sleep next tells it by other means.
            self.word.fetch_and(!SLEEPER, Ordering::Relaxed);
        }
        slept
    }

    /// Listens until woken or until the deadline. On `ByTimeout`, `SLEEPER` has been removed.
    fn listen(&self, deadline: Deadline) -> Result<Woken, NoteError> {
        loop {
            // Relaxed: `TAKEN` was set by a sleep before this one, which has acquired the waker's work.
            if self.word.load(Ordering::Relaxed) & TAKEN != 0 {
                return Ok(Woken::ByWakeup);
            }
            let heard = self.bell.answer(deadline.left())?;
            // Acquire: pairs with the fetch-or in `wakeup`, for the waker's work.
            if heard == Heard::Ring && self.word.load(Ordering::Acquire) & WOKEN != 0 {
                // Relaxed: read by sleepers, and by who clears: after this sleep.
                self.word.fetch_or(TAKEN, Ordering::Relaxed);
                return Ok(Woken::ByWakeup);
            }
            // A stray ring (invariant 2), a signal, or the end of the time.
            if deadline.passed() {
                // Invariant 3. The loop ends: once this fails, `WOKEN` stays and its ring is on its way.
                // Relaxed: whoever is faster, nothing is passed on here.
                if self.word.compare_exchange(SLEEPER, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                    return Ok(Woken::ByTimeout);
                }
                while self.bell.answer(None)? != Heard::Ring {}
                // Acquire: pairs with the fetch-or in `wakeup`, for the waker's work.
                self.word.fetch_or(TAKEN, Ordering::Acquire);
                return Ok(Woken::ByWakeup);
            }
        }
    }
}

impl<B: Doorbell> Note for DoorbellNote<B> {
    fn clear(&self) {
        // Relaxed: no wake-up is under way, so one that there was has been seen by other means.
        let word = self.word.load(Ordering::Relaxed);
        if word & WOKEN != 0 && word & TAKEN == 0 {
            // Invariant 5. An error here is one that the next sleep reports.
            let _ = self.bell.hush();
        }
        // Release: pairs with the fetch-or in `wakeup`: what was done before the clear is seen by the next
        // waker.
        self.word.store(0, Ordering::Release);
    }

    fn sleep(&self) -> Result<(), NoteError> {
        self.sleep_until(Deadline::NEVER).map(drop)
    }

    fn sleep_timeout(&self, timeout: Duration) -> Result<Woken, NoteError> {
        if !B::TIMED {
            return Err(NoteError::Unsupported { what: "a timed sleep on this note" });
        }
        self.sleep_until(Deadline::after(Some(timeout)))
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        let _errno = ErrnoGuard::new();
        // Release: the waker's work, to the sleeper's acquire. Acquire: pairs with the store in `clear`.
        // Invariant 1.
        if self.word.fetch_or(WOKEN, Ordering::AcqRel) & WOKEN != 0 {
            return Err(NoteError::DoubleWakeup);
        }
        self.bell.ring()
    }

    fn testing(&self) -> Option<&dyn Provoke> {
        Some(self)
    }
}

impl<B: Doorbell> Provoke for DoorbellNote<B> {
    fn provoke(&self, provocation: Provocation) -> Result<(), NoteError> {
        match provocation {
            Provocation::SpuriousWake => self.bell.ring(),
            Provocation::FullDoorbell => self.bell.fill(),
        }
    }
}

/// Writes `bytes` to a non-blocking descriptor; a full one is success (invariant 4).
pub(crate) fn ring_by_write(to: FdRef<'_>, bytes: &[u8]) -> Result<(), NoteError> {
    loop {
        match to.write(bytes) {
            Ok(_) => return Ok(()),
            Err(error) if error.would_block() => return Ok(()),
            Err(error) if error.interrupted() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Reads into `buffer` from a descriptor, after a wait for it to be readable if `poll` is given.
pub(crate) fn answer_by_read(
    from: FdRef<'_>,
    buffer: &mut [u8],
    poll: Option<Option<Duration>>,
) -> Result<Heard, NoteError> {
    let read = match poll.map(|timeout| from.poll_readable(timeout)) {
        Some(Ok(false)) => return Ok(Heard::Nothing),
        Some(Err(error)) => Err(error),
        Some(Ok(true)) | None => from.read(buffer),
    };
    match read {
        Ok(0) => Err(NoteError::Closed),
        Ok(_) => Ok(Heard::Ring),
        Err(error) if error.interrupted() || error.would_block() => Ok(Heard::Nothing),
        Err(error) => Err(error.into()),
    }
}

/// Writes `bytes` to a non-blocking descriptor until it is full.
pub(crate) fn fill_by_write(to: FdRef<'_>, bytes: &[u8]) -> Result<(), NoteError> {
    let _errno = ErrnoGuard::new();
    loop {
        match to.write(bytes) {
            Err(error) if error.would_block() => return Ok(()),
            Err(error @ OsError::Failed { .. }) if !error.interrupted() => return Err(error.into()),
            _ => {}
        }
    }
}

/// Reads until nothing is left, without waiting.
pub(crate) fn hush_by_read(from: FdRef<'_>) -> Result<(), NoteError> {
    let mut buffer = [0; 64];
    while answer_by_read(from, &mut buffer, Some(Some(Duration::ZERO)))? == Heard::Ring {}
    Ok(())
}
