//! futex(2): the kernel's wait queue for a 32-bit word, private to the process.
//!
//! Both are bare system calls, so async-signal-safe; a failing one sets `errno`.

use core::time::Duration;

use crate::native::atomic::AtomicU32;
use crate::native::os::clock;
use crate::native::os::error::OsError;

/// How a wait ended. Every one but `TimedOut` asks the caller to look at the word again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FutexWait {
    /// By a wake on this word, meant for this thread or not (futex(2): spurious wake-ups are possible).
    Woken,
    /// The word did not hold what was expected (`EAGAIN`).
    Changed,
    /// A signal handler ran (`EINTR`).
    Interrupted,
    /// The time is over (`ETIMEDOUT`).
    TimedOut,
}

/// Sleeps while `word` holds `expected`, for at most `timeout` on the monotonic clock; no time-out sleeps for
/// ever.
///
/// # Errors
/// [`OsError::Failed`] for anything that is not a [`FutexWait`]; not expected.
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> Result<FutexWait, OsError> {
    let timeout = timeout.map(clock::timespec);
    let timeout = timeout.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: the word outlives the call; the time-out is null or a valid relative time (FUTEX_WAIT counts it
    // on CLOCK_MONOTONIC).
    let result = unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, expected, timeout)
    };
    if result == 0 {
        return Ok(FutexWait::Woken);
    }
    match OsError::last("futex(FUTEX_WAIT)") {
        OsError::Failed { errno: libc::EAGAIN, .. } => Ok(FutexWait::Changed),
        OsError::Failed { errno: libc::EINTR, .. } => Ok(FutexWait::Interrupted),
        OsError::Failed { errno: libc::ETIMEDOUT, .. } => Ok(FutexWait::TimedOut),
        error => Err(error),
    }
}

/// Wakes at most `count` of the threads that wait on `word`; says how many there were.
///
/// # Errors
/// [`OsError::Failed`]; not expected.
#[inline]
pub fn wake(word: &AtomicU32, count: u32) -> Result<usize, OsError> {
    // SAFETY: FUTEX_WAKE uses the address only to find the queue.
    let result =
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, count) };
    usize::try_from(result).map_err(|_| OsError::last("futex(FUTEX_WAKE)"))
}

/// Whether this platform has a futex.
#[must_use]
pub const fn available() -> bool {
    true
}
