//! The futex's API on a platform without one: every call answers [`OsError::Unsupported`].

use core::time::Duration;

use crate::native::atomic::AtomicU32;
use crate::native::os::error::OsError;

const NONE: OsError = OsError::Unsupported { what: "futex on this platform" };

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FutexWait {
    /// By a wake.
    Woken,
    /// The word did not hold what was expected.
    Changed,
    /// A signal handler ran.
    Interrupted,
    /// The time is over.
    TimedOut,
}

/// There is no futex here.
///
/// # Errors
/// [`OsError::Unsupported`], always.
pub const fn wait(_word: &AtomicU32, _expected: u32, _timeout: Option<Duration>) -> Result<FutexWait, OsError> {
    Err(NONE)
}

/// There is no futex here.
///
/// # Errors
/// [`OsError::Unsupported`], always.
pub const fn wake(_word: &AtomicU32, _count: u32) -> Result<usize, OsError> {
    Err(NONE)
}

/// Whether this platform has a futex.
#[must_use]
pub const fn available() -> bool {
    false
}
