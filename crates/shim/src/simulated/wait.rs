//! Sleeping in the kernel.
//!
//! The caller has put the thread into a queue and released what the call holds; no operation of loom has come
//! between. So the thread is asleep to all others from one step on, and a handler that runs now runs in a
//! sleeping thread.

use std::panic::Location;
use std::string::String;
use std::time::Duration;
use std::vec::Vec;
use std::{format, mem};

use super::point;
use super::world::{World, switching, with};
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

/// Sleeps until woken by [`wake`], or until one of `ends`. The caller takes the thread out of its queue, if
/// it is still in there.
pub(super) fn sleep(me: usize, at: &'static Location<'static>, waiting: Waiting, ends: Ends) -> Ended {
    with(|w| {
        w.record(at, || format!("sleeps: waits for {}", waiting.what));
        w.threads[me].woken = false;
        w.threads[me].waits_for = Some(waiting);
    });
    let handled = point::pass_asleep(me, at);
    let ended = with(|w| early_end(w, me, handled, ends)).flatten().unwrap_or_else(|| {
        while with(|w| !w.threads[me].woken) == Some(true) {
            with(|w| w.threads[me].parked = true);
            switching(me, loom::thread::park);
            with(|w| w.threads[me].parked = false);
        }
        Ended::Woken
    });
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

fn early_end(w: &mut World, me: usize, handled: bool, ends: Ends) -> Option<Ended> {
    if mem::take(&mut w.threads[me].woken) {
        return Some(Ended::Woken);
    }
    if handled && ends.by_handler {
        return Some(Ended::Interrupted);
    }
    if w.target != Some(me) {
        return None;
    }
    if let Some(time) = ends.after {
        let n = w.progress.timed_waits;
        w.progress.timed_waits += 1;
        if w.plan.timeouts.contains(&n) {
            w.progress.timeouts += 1;
            w.clock += time;
            return Some(Ended::TimedOut);
        }
    }
    if ends.spuriously {
        let n = w.progress.waits;
        w.progress.waits += 1;
        if w.plan.spurious.contains(&n) {
            w.progress.spurious += 1;
            // Time passes; more than half of what the sleeper wanted, so that two of them exceed it.
            w.clock += ends.after.unwrap_or_default().mul_f64(0.6);
            return Some(Ended::Spurious);
        }
    }
    None
}

/// Wakes a thread that [`sleep`]s; the caller has taken it out of its queue.
pub(super) fn wake(who: usize) {
    let parked = with(|w| {
        let thread = &mut w.threads[who];
        thread.woken = true;
        thread.parked.then(|| thread.handle.clone()).flatten()
    });
    if let Some(handle) = parked.flatten() {
        // Does not switch. That it orders the woken after us is more than the kernel promises: see the limits
        // of `model`.
        handle.unpark();
    }
}

/// Takes a thread out of a queue; whether it was there.
pub(super) fn leave(queue: &mut Vec<usize>, who: usize) -> bool {
    let place = queue.iter().position(|t| *t == who);
    place.map(|place| queue.remove(place)).is_some()
}
