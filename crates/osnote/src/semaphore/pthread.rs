//! The counting semaphore of {mutex, condition variable, count}: what a runtime builds where the platform
//! gives it nothing better.
//!
//! **`wakeup` is not async-signal-safe**: `pthread_mutex_lock`, `pthread_cond_signal` and
//! `pthread_mutex_unlock` are not on POSIX's list (POSIX.1-2017, section 2.4.3). A handler that interrupts
//! its own thread inside `wait_once` finds the mutex held by that thread, and waits for ever. That is
//! golang/go#61768, built faithfully.
//!
//! Invariant 1: the count is read and written with the mutex held.
//!
//! Orderings: none of its own; the mutex orders.

use core::time::Duration;

use sigproof_shim::cell::UnsafeCell;
use sigproof_shim::os::pthread::{CondWait, Condvar, Mutex, MutexGuard};

use super::{Semaphore, WaitOnce};
use crate::note::NoteError;
use crate::provoke::Disturb;

/// See the module.
#[derive(Debug)]
pub struct PthreadSemaphore {
    mutex: Mutex,
    condvar: Condvar,
    count: UnsafeCell<u32>,
}

// SAFETY: the count is only reached with the mutex held (invariant 1); the rest is `Sync`.
unsafe impl Sync for PthreadSemaphore {}

impl PthreadSemaphore {
    /// The address of the C mutex, by which a diagnosis recognises it.
    #[must_use]
    pub fn mutex_address(&self) -> usize {
        self.mutex.address()
    }

    /// The address of the C condition variable.
    #[must_use]
    pub fn condvar_address(&self) -> usize {
        self.condvar.address()
    }

    /// Takes one, if there is one. The guard shows that the mutex is held.
    fn take(&self, _held: &MutexGuard<'_>) -> bool {
        // SAFETY: the mutex is held (invariant 1).
        self.count.with_mut(|count| unsafe {
            let some = *count > 0;
            *count -= u32::from(some);
            some
        })
    }
}

impl Semaphore for PthreadSemaphore {
    fn create() -> Result<Self, NoteError> {
        Ok(Self { mutex: Mutex::new()?, condvar: Condvar::new()?, count: UnsafeCell::new(0) })
    }

    fn wait_once(&self, timeout: Option<Duration>) -> Result<WaitOnce, NoteError> {
        let mut held = self.mutex.lock()?;
        if self.take(&held) {
            return Ok(WaitOnce::Acquired);
        }
        let ended = match timeout {
            None => {
                self.condvar.wait(&mut held)?;
                CondWait::Woken
            }
            Some(timeout) => self.condvar.wait_for(&mut held, timeout)?,
        };
        // After a time-out too, an addition may have come between the end of the time and the lock. Taking it
        // here saves the next sleep a stray count; without this look the addition would stay for that sleep,
        // which is right as well.
        Ok(match ended {
            _ if self.take(&held) => WaitOnce::Acquired,
            CondWait::Woken => WaitOnce::Spurious,
            CondWait::TimedOut => WaitOnce::TimedOut,
        })
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        let held = self.mutex.lock()?;
        // SAFETY: the mutex is held (invariant 1).
        self.count.with_mut(|count| unsafe { *count = (*count).saturating_add(1) });
        // With the mutex held: the owner can only go on once this thread has let go of the mutex.
        self.condvar.signal()?;
        drop(held);
        Ok(())
    }
}

impl Disturb for PthreadSemaphore {
    fn disturb(&self) -> Result<(), NoteError> {
        let held = self.mutex.lock()?;
        self.condvar.signal()?;
        drop(held);
        Ok(())
    }
}
