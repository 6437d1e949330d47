//! The unnamed semaphore's API on a platform without one: none can be made.

use core::convert::Infallible;
use core::time::Duration;

use crate::native::os::error::OsError;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SemWait {
    /// The count was above zero, and is now one less.
    Acquired,
    /// The time is over.
    TimedOut,
    /// A signal handler ran: nothing was acquired.
    Interrupted,
}

/// A counting semaphore; without a value here. Aligned as a real one is: users tell its address from small
/// numbers.
#[derive(Debug)]
#[repr(align(4))]
pub struct Semaphore(Infallible);

impl Semaphore {
    /// There are no unnamed semaphores here.
    ///
    /// # Errors
    /// [`OsError::Unsupported`], always.
    pub const fn new() -> Result<Self, OsError> {
        Err(OsError::Unsupported { what: "unnamed semaphores on this platform" })
    }

    /// Cannot be called.
    ///
    /// # Errors
    /// None.
    pub fn post(&self) -> Result<(), OsError> {
        match self.0 {}
    }

    /// Cannot be called.
    ///
    /// # Errors
    /// None.
    pub fn wait(&self) -> Result<SemWait, OsError> {
        match self.0 {}
    }

    /// Cannot be called.
    ///
    /// # Errors
    /// None.
    pub fn wait_for(&self, _timeout: Duration) -> Result<SemWait, OsError> {
        match self.0 {}
    }

    /// Cannot be called.
    #[must_use]
    pub fn address(&self) -> usize {
        match self.0 {}
    }
}
