//! The end of a timed sleep, fixed when it begins: however often the sleeper is woken for nothing, it sleeps
//! only for what is left.
//!
//! The mistake that this type is there to prevent is golang/go#27250: a wait that restarts with the full
//! time-out at each spurious wake-up.

use core::time::Duration;

use sigproof_shim::os::clock;

/// A point on the monotonic clock; or never.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<Duration>);

impl Deadline {
    /// It never comes.
    pub const NEVER: Self = Self(None);

    /// `timeout` from now; never if there is none, or if it is too far to be told.
    #[must_use]
    pub fn after(timeout: Option<Duration>) -> Self {
        Self(timeout.and_then(|timeout| clock::now().checked_add(timeout)))
    }

    /// What is left: `None` is for ever, zero is passed.
    #[must_use]
    pub fn left(self) -> Option<Duration> {
        self.0.map(|end| end.saturating_sub(clock::now()))
    }

    /// Whether it has come.
    #[must_use]
    pub fn passed(self) -> bool {
        self.left() == Some(Duration::ZERO)
    }
}
