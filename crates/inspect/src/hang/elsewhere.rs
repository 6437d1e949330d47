//! The watch where there is no `/proc/PID/task/*/syscall`: same shape, no verdict.

use super::Look;

/// A watch over nothing: each look is [`Look::Unwatchable`].
#[derive(Debug)]
pub struct Watch;

impl Watch {
    /// A watch over process `pid`.
    pub fn new(_pid: u32) -> Self {
        Self
    }

    /// The same, with another limit for spins.
    #[must_use]
    pub fn spin_limit(self, _limit: std::time::Duration) -> Self {
        self
    }

    /// Nothing to forget.
    pub fn begin_again(&mut self) {}

    /// Always [`Look::Unwatchable`]: this target does not tell what a thread waits for.
    pub fn look(&mut self, _progress: u64, _timers_idle: bool) -> Look {
        Look::Unwatchable("this target does not show what another process's threads wait for".to_owned())
    }
}
