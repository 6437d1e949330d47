//! The running thread's `errno`.

use crate::simulated::world::with;

/// Reads `errno`.
#[must_use]
pub fn get() -> i32 {
    with(|w| w.me().errno).unwrap_or_default()
}

/// Sets `errno`.
pub fn set(value: i32) {
    with(|w| w.me().errno = value);
}

/// Restores `errno` to what it was when the guard was made.
#[derive(Debug)]
#[must_use = "errno is restored when the guard is dropped"]
pub struct ErrnoGuard(i32);

impl ErrnoGuard {
    /// Remembers the current `errno`.
    #[allow(clippy::new_without_default, reason = "a default that reads errno would surprise")]
    pub fn new() -> Self {
        Self(get())
    }
}

impl Drop for ErrnoGuard {
    fn drop(&mut self) {
        set(self.0);
    }
}
