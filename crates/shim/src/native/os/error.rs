//! What a call of the operating system reports: `Copy`, without allocation, fit for a signal handler.

use core::fmt;

use super::errno;

/// A call that failed, or that this platform lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OsError {
    /// This platform does not have it.
    Unsupported {
        /// What was asked for.
        what: &'static str,
    },
    /// The call failed.
    Failed {
        /// Its name.
        call: &'static str,
        /// The error number.
        errno: i32,
    },
}

impl OsError {
    /// The error number, if the call was made at all.
    #[must_use]
    pub const fn errno(self) -> Option<i32> {
        match self {
            Self::Failed { errno, .. } => Some(errno),
            Self::Unsupported { .. } => None,
        }
    }

    /// Whether the call was interrupted by a signal (`EINTR`).
    #[must_use]
    pub const fn interrupted(self) -> bool {
        matches!(self, Self::Failed { errno: libc::EINTR, .. })
    }

    /// Whether a non-blocking call found nothing to do (`EAGAIN`, which `EWOULDBLOCK` equals on every target
    /// of this crate).
    #[must_use]
    pub const fn would_block(self) -> bool {
        matches!(self, Self::Failed { errno: libc::EAGAIN, .. })
    }

    /// Whether the process or the system is out of descriptors (`EMFILE`, `ENFILE`).
    #[must_use]
    pub const fn out_of_descriptors(self) -> bool {
        matches!(self, Self::Failed { errno: libc::EMFILE | libc::ENFILE, .. })
    }

    /// The failure that `errno` describes now.
    pub(crate) fn last(call: &'static str) -> Self {
        Self::Failed { call, errno: errno::get() }
    }
}

impl fmt::Display for OsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { what } => write!(f, "unsupported: {what}"),
            Self::Failed { call, errno } => write!(f, "{call} failed with errno {errno}"),
        }
    }
}

impl core::error::Error for OsError {}

/// For calls that return -1 and set `errno`.
#[inline]
pub(crate) fn check(call: &'static str, result: libc::c_int) -> Result<libc::c_int, OsError> {
    if result == -1 { Err(OsError::last(call)) } else { Ok(result) }
}

/// For the pthread calls, which return the error number.
#[inline]
pub(crate) fn check_number(call: &'static str, number: libc::c_int) -> Result<(), OsError> {
    if number == 0 { Ok(()) } else { Err(OsError::Failed { call, errno: number }) }
}
