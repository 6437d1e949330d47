//! Whether the running thread is on its alternate signal stack: in a model every handler runs there, and
//! nothing else does.

use std::panic::Location;
use std::string::String;

use super::OsError;
use crate::simulated::point;
use crate::simulated::world::with;

/// Whether the running code is a handler's.
///
/// # Errors
/// None here.
#[track_caller]
pub fn on_signal_stack() -> Result<bool, OsError> {
    let at = Location::caller();
    point::pass(at);
    let inside = with(|w| {
        w.record(at, || String::from("asks whether it is on the signal stack"));
        !w.me().frames.is_empty()
    });
    Ok(inside.unwrap_or(false))
}
