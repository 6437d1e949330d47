//! Spinning: lets others run, and tells when no thread is left to.

use std::panic::Location;
use std::string::String;

use super::point;
use super::world::{fail, switching, with};
use crate::model::FailureKind;

/// So many turns in which no other thread does anything but spin are for ever.
const TURNS: u32 = 8;

/// Spin-loop hint.
#[track_caller]
pub fn spin_loop() {
    let at = Location::caller();
    let Some(me) = point::pass(at) else { return };
    let turns = with(|w| {
        let thread = w.me();
        thread.spins += 1;
        thread.since_spin = 0;
        let turns = thread.spins;
        w.record(at, || String::from("spins"));
        turns
    });
    if turns > Some(TURNS) {
        fail(FailureKind::Livelock, String::from("a thread spins, and no thread is left to end that"));
    }
    switching(me, loom::thread::yield_now);
}

/// How often a loop that gives up tries, of the `tries` that it would like: twice, which shows as much.
#[must_use]
pub const fn tries(tries: u32) -> u32 {
    if tries < 2 { tries } else { 2 }
}
