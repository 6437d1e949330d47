//! The clock: it stands still, but for waits that time out.

use core::time::Duration;

use crate::simulated::world::with;

/// Time since an unspecified point.
#[must_use]
pub fn now() -> Duration {
    with(|w| w.clock).unwrap_or_default()
}
