//! Sleeping in the kernel.
//!
//! The caller has put the thread into a queue and released what the call holds; no operation of the engine
//! has come between. So the thread is asleep to all others from one step on, and a handler that runs now runs
//! in a sleeping thread.

use std::format;
use std::panic::Location;
use std::string::String;
use std::time::Duration;
use std::vec::Vec;

use super::below;
use super::gate::Gate;
use super::point;
use super::world::{World, with};
use crate::model::Waiting;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By another thread.
    Woken,
    /// By a handler that ran.
    Interrupted,
    /// By its time.
    TimedOut,
    /// For nothing.
    Spurious,
}

/// What may end a wait, beside being woken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends {
    /// A handler that ran; otherwise the wait goes on.
    pub by_handler: bool,
    /// Nothing at all.
    pub spuriously: bool,
    /// The end of this time.
    pub after: Option<Duration>,
}

/// Sleeps until woken by [`wake`], or until one of `ends`. `leave` takes the thread out of its queue, behind
/// `gate`, and tells whether it was still in there.
pub(super) fn sleep(
    me: usize,
    at: &'static Location<'static>,
    waiting: Waiting,
    ends: Ends,
    gate: &Gate,
    leave: impl FnOnce() -> bool,
) -> Ended {
    with(|w| {
        w.record(at, || format!("sleeps: waits for {}", waiting.what));
        w.threads[me].waits_for = Some(waiting);
    });
    below::fall_asleep(me);
    let handled = point::pass_asleep(me, at);
    let ended = below::sleep(me, handled, ends, gate, leave);
    with(|w| {
        w.threads[me].waits_for = None;
        w.record(at, || {
            String::from(match ended {
                Ended::Woken => "is woken",
                Ended::Interrupted => "is interrupted: EINTR",
                Ended::TimedOut => "times out",
                Ended::Spurious => "wakes for nothing",
            })
        });
    });
    ended
}

/// Leaves the queue without a sleep, unless woken before.
pub(super) fn give_up(me: usize, ended: Ended, gate: &Gate, leave: impl FnOnce() -> bool) -> Ended {
    below::give_up(me, ended, gate, leave)
}

/// How the plan ends this wait, if it does.
pub(super) fn planned_end(w: &mut World, me: usize, handled: bool, ends: Ends) -> Option<Ended> {
    if handled && ends.by_handler {
        return Some(Ended::Interrupted);
    }
    if w.target != Some(me) {
        return None;
    }
    if ends.after.is_some() {
        let n = w.progress.timed_waits;
        w.progress.timed_waits += 1;
        if w.plan.timeouts.contains(&n) {
            w.progress.timeouts += 1;
            return Some(pass_time(w, Ended::TimedOut, ends));
        }
    }
    if ends.spuriously {
        let n = w.progress.waits;
        w.progress.waits += 1;
        if w.plan.spurious.contains(&n) {
            w.progress.spurious += 1;
            return Some(pass_time(w, Ended::Spurious, ends));
        }
    }
    None
}

/// The time that a wait takes which ends so; gives the end.
pub(super) fn pass_time(w: &mut World, ended: Ended, ends: Ends) -> Ended {
    let time = ends.after.unwrap_or_default();
    w.clock += match ended {
        Ended::TimedOut => time,
        // More than half of what the sleeper wanted, so that two of them exceed it.
        Ended::Spurious => time.mul_f64(0.6),
        Ended::Woken | Ended::Interrupted => Duration::ZERO,
    };
    ended
}

/// Wakes a thread that [`sleep`]s; the caller has taken it out of its queue.
pub(super) fn wake(who: usize) {
    below::wake(who);
}

/// Takes a thread out of a queue; whether it was there.
pub(super) fn leave(queue: &mut Vec<usize>, who: usize) -> bool {
    let place = queue.iter().position(|t| *t == who);
    place.map(|place| queue.remove(place)).is_some()
}
