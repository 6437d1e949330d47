//! Yielding.

use std::panic::Location;

use crate::simulated::below;
use crate::simulated::point;

/// Lets another thread run, if one wants to.
#[track_caller]
pub fn yield_now() {
    if let Some(me) = point::pass(Location::caller()) {
        below::yield_now(me);
    }
}
