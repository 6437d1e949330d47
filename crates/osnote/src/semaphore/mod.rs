//! Counting semaphores, one a thread: what [`SemaNote`](crate::notes::sema::SemaNote) sleeps on.
//!
//! A semaphore belongs to the thread that sleeps on it. Any thread may add to its count; only the owner
//! takes. There is at most one addition per sleep, so the count is 0 or 1 between sleeps that are correct.
//!
//! Invariants:
//! 1. *Type-stable storage.* A semaphore that was ever handed out is never freed, moved or destroyed: see
//!    `storage`. A waker holds a plain address, and may still be inside the primitive when the sleeper has
//!    long gone on (glibc bug 12674: `sem_post` touched the semaphore after it had let the waiter go, which
//!    by then had freed it; a mutex unlock or condition-variable signal may do the same).
//! 2. A thread has one semaphore of each kind, made at its first sleep; a later call finds the same. When the
//!    thread ends, a later thread may get it.
//! 3. [`Semaphore::wakeup`] touches no thread-local storage: a handler may be the first code of this crate
//!    that its thread runs.

mod posix;
mod pthread;
mod refusing;
mod storage;

use core::time::Duration;

pub use posix::PosixSemaphore;
pub use pthread::PthreadSemaphore;
pub use refusing::{Refusing, SignalStack, Whereabouts};
pub use storage::give_back;
pub(crate) use storage::prime;

use crate::deadline::Deadline;
use crate::note::NoteError;
use crate::provoke::Disturb;

/// How one wait of the primitive ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitOnce {
    /// One was taken off the count.
    Acquired,
    /// The time is over; nothing was taken.
    TimedOut,
    /// For no reason, or for a signal; nothing was taken.
    Spurious,
}

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slept {
    /// One was taken off the count.
    Acquired,
    /// The time is over; nothing was taken.
    TimedOut,
}

/// A counting semaphore of which each thread owns one.
///
/// An implementation brings [`create`](Semaphore::create), [`wait_once`](Semaphore::wait_once) and
/// [`wakeup`](Semaphore::wakeup). The provided [`sleep`](Semaphore::sleep) is the correct loop around them;
/// it is overridden only to rebuild a historical wrong one.
pub trait Semaphore: Disturb + Send + Sync + Sized + 'static {
    /// A fresh one, with a count of zero. Called by [`current`](Semaphore::current), never in a handler.
    ///
    /// # Errors
    /// What the system reports; [`NoteError::Unsupported`] where the platform lacks it.
    fn create() -> Result<Self, NoteError>;

    /// Waits once: until the count is above zero (and takes one), until `timeout` is over, or until the
    /// primitive wakes for nothing. No time-out waits for ever. Never called in a handler.
    ///
    /// # Errors
    /// What the system reports.
    fn wait_once(&self, timeout: Option<Duration>) -> Result<WaitOnce, NoteError>;

    /// Adds one and wakes the owner. Whether a signal handler may call it is the implementation's to say.
    ///
    /// # Errors
    /// What the system reports.
    fn wakeup(&self) -> Result<(), NoteError>;

    /// Sleeps until one can be taken, or until `timeout` is over: after a spurious wake-up only for what is
    /// left of it (golang/go#27250 is what happens otherwise).
    ///
    /// # Errors
    /// As [`wait_once`](Semaphore::wait_once).
    fn sleep(&self, timeout: Option<Duration>) -> Result<Slept, NoteError> {
        let deadline = Deadline::after(timeout);
        loop {
            match self.wait_once(deadline.left())? {
                WaitOnce::Acquired => return Ok(Slept::Acquired),
                // A primitive on a clock that somebody may set can time out early: the deadline decides.
                WaitOnce::TimedOut | WaitOnce::Spurious if deadline.passed() => return Ok(Slept::TimedOut),
                WaitOnce::TimedOut | WaitOnce::Spurious => {}
            }
        }
    }

    /// The calling thread's, made if need be (invariants 1 and 2). Never called in a handler.
    ///
    /// # Errors
    /// As [`create`](Semaphore::create); [`NoteError::Unsupported`] in a thread that is being torn down.
    fn current() -> Result<&'static Self, NoteError> {
        storage::current()
    }
}
