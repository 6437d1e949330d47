//! The unnamed POSIX semaphore.
//!
//! `wakeup` is `sem_post`, which is on POSIX's list of async-signal-safe functions (POSIX.1-2017, section
//! 2.4.3; signal-safety(7)): the only call of its family that is. It sets `errno` when it fails; the note
//! above keeps `errno`.
//!
//! `sem_wait` returns `EINTR` when a handler has run; taken for an acquisition that is a bug of its own
//! (crystal-lang/crystal#17380).

use core::time::Duration;

use sigproof_shim::os::sem::{self, SemWait};

use super::{Semaphore, WaitOnce};
use crate::note::NoteError;
use crate::provoke::Disturb;

/// See the module.
#[derive(Debug)]
pub struct PosixSemaphore(sem::Semaphore);

impl PosixSemaphore {
    /// The address of the C object, by which a diagnosis recognises it.
    #[must_use]
    pub fn address(&self) -> usize {
        self.0.address()
    }
}

impl Disturb for PosixSemaphore {}

impl Semaphore for PosixSemaphore {
    fn create() -> Result<Self, NoteError> {
        Ok(Self(sem::Semaphore::new()?))
    }

    fn wait_once(&self, timeout: Option<Duration>) -> Result<WaitOnce, NoteError> {
        let ended = match timeout {
            None => self.0.wait()?,
            Some(timeout) => self.0.wait_for(timeout)?,
        };
        Ok(match ended {
            SemWait::Acquired => WaitOnce::Acquired,
            SemWait::TimedOut => WaitOnce::TimedOut,
            SemWait::Interrupted => WaitOnce::Spurious,
        })
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        Ok(self.0.post()?)
    }
}
