//! Spinning: lets others run, and tells when no thread is left to.

use std::panic::Location;
use std::string::String;

use super::below;
use super::point;
use super::world::with;

/// Spin-loop hint.
#[track_caller]
pub fn spin_loop() {
    let at = Location::caller();
    let Some(me) = point::pass(at) else { return };
    with(|w| {
        let thread = w.me();
        thread.spins += 1;
        thread.since_spin = 0;
        w.record(at, || String::from("spins"));
    });
    below::spin(me);
}

/// How often a loop that gives up tries, of the `tries` that it would like: few times show as much.
#[must_use]
pub fn tries(tries: u32) -> u32 {
    let tries = tries.min(below::TRIES);
    below::begin_tries(tries);
    tries
}
