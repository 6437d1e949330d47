//! The calling thread's `errno`, and a guard that keeps it across a signal handler.
//!
//! All of it is async-signal-safe: the location of `errno` is part of the thread control block and needs no
//! lazy set-up.

use super::target::errno_location;

/// Reads `errno`.
#[inline]
#[must_use]
pub fn get() -> i32 {
    // SAFETY: the location is that of the calling thread, valid while it lives; only this thread and its own
    // handlers use it.
    unsafe { *errno_location() }
}

/// Sets `errno`.
#[inline]
pub fn set(value: i32) {
    // SAFETY: as in `get`.
    unsafe { *errno_location() = value }
}

/// Restores `errno` to what it was when the guard was made.
///
/// The first line of every signal handler, and of every function that a handler may call.
#[derive(Debug)]
#[must_use = "errno is restored when the guard is dropped"]
pub struct ErrnoGuard(i32);

impl ErrnoGuard {
    /// Remembers the current `errno`.
    #[inline]
    #[allow(clippy::new_without_default, reason = "a default that reads errno would surprise")]
    pub fn new() -> Self {
        Self(get())
    }
}

impl Drop for ErrnoGuard {
    #[inline]
    fn drop(&mut self) {
        set(self.0);
    }
}
