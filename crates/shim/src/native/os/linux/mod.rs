//! Linux.

use core::time::Duration;

use super::clock;
use super::error::{OsError, check, check_number};

pub mod futex;
pub mod sem;

pub(super) fn errno_location() -> *mut libc::c_int {
    // SAFETY: no preconditions; the address is in the thread control block.
    unsafe { libc::__errno_location() }
}

/// Initialises a condition variable on the monotonic clock.
///
/// # Safety
/// `condvar` is valid, not in use, and does not move afterwards.
pub(super) unsafe fn cond_init(condvar: *mut libc::pthread_cond_t) -> Result<(), OsError> {
    let mut attributes = core::mem::MaybeUninit::uninit();
    // SAFETY: the attributes are initialised before use and destroyed after; the rest is the caller's
    // promise.
    unsafe {
        check_number("pthread_condattr_init", libc::pthread_condattr_init(attributes.as_mut_ptr()))?;
        let made = check_number(
            "pthread_condattr_setclock",
            libc::pthread_condattr_setclock(attributes.as_mut_ptr(), libc::CLOCK_MONOTONIC),
        )
        .and_then(|()| check_number("pthread_cond_init", libc::pthread_cond_init(condvar, attributes.as_ptr())));
        libc::pthread_condattr_destroy(attributes.as_mut_ptr());
        made
    }
}

/// Waits until the time that `timeout` from now is on the clock chosen by [`cond_init`].
///
/// # Safety
/// Both are initialised; the mutex is locked by this thread.
pub(super) unsafe fn cond_wait_for(
    condvar: *mut libc::pthread_cond_t,
    mutex: *mut libc::pthread_mutex_t,
    timeout: Duration,
) -> Result<(), OsError> {
    let until = clock::timespec(clock::now().saturating_add(timeout));
    // SAFETY: the caller's promise.
    check_number("pthread_cond_timedwait", unsafe { libc::pthread_cond_timedwait(condvar, mutex, &raw const until) })
}

pub(super) fn poll(entry: &mut libc::pollfd, timeout: Option<Duration>) -> Result<libc::c_int, OsError> {
    let timeout = timeout.map(clock::timespec);
    let timeout = timeout.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: one entry; the time-out is null or valid; a null mask leaves the mask alone.
    check("ppoll", unsafe { libc::ppoll(entry, 1, timeout, core::ptr::null()) })
}

pub(super) fn pipe2(ends: &mut [libc::c_int; 2], flags: libc::c_int) -> Result<(), OsError> {
    // SAFETY: room for the two numbers.
    check("pipe2", unsafe { libc::pipe2(ends.as_mut_ptr(), flags) }).map(drop)
}

/// Linux has had it since 2.6.27.
pub(super) const fn has_pipe2() -> bool {
    true
}

pub(super) fn eventfd() -> Result<libc::c_int, OsError> {
    // SAFETY: no pointers.
    check("eventfd", unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
}
