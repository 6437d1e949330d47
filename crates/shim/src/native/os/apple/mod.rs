//! macOS and its siblings: no futex and no eventfd, and unnamed semaphores exist in name only (`sem_init`
//! fails with `ENOSYS`).

use core::time::Duration;

use super::clock;
use super::error::{OsError, check, check_number};

#[path = "../unsupported/futex.rs"]
pub mod futex;
mod pipe2;
#[path = "../unsupported/sem.rs"]
pub mod sem;

pub(super) use pipe2::{has_pipe2, pipe2};

pub(super) fn errno_location() -> *mut libc::c_int {
    // SAFETY: no preconditions; the address is in the thread's own storage.
    unsafe { libc::__error() }
}

/// Initialises a condition variable; the relative wait below needs no clock attribute.
///
/// # Safety
/// `condvar` is valid, not in use, and does not move afterwards.
pub(super) unsafe fn cond_init(condvar: *mut libc::pthread_cond_t) -> Result<(), OsError> {
    // SAFETY: the caller's promise.
    check_number("pthread_cond_init", unsafe { libc::pthread_cond_init(condvar, core::ptr::null()) })
}

/// Waits for a relative time, which no clock setting changes.
///
/// # Safety
/// Both are initialised; the mutex is locked by this thread.
pub(super) unsafe fn cond_wait_for(
    condvar: *mut libc::pthread_cond_t,
    mutex: *mut libc::pthread_mutex_t,
    timeout: Duration,
) -> Result<(), OsError> {
    let timeout = clock::timespec(timeout);
    // SAFETY: the caller's promise.
    check_number("pthread_cond_timedwait_relative_np", unsafe {
        libc::pthread_cond_timedwait_relative_np(condvar, mutex, &raw const timeout)
    })
}

/// There is no ppoll: milliseconds, rounded up so that a time-out is never early.
pub(super) fn poll(entry: &mut libc::pollfd, timeout: Option<Duration>) -> Result<libc::c_int, OsError> {
    let timeout = timeout
        .map_or(-1, |time| libc::c_int::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX));
    // SAFETY: one entry.
    check("poll", unsafe { libc::poll(entry, 1, timeout) })
}

pub(super) const fn eventfd() -> Result<libc::c_int, OsError> {
    Err(OsError::Unsupported { what: "eventfd on this platform" })
}
