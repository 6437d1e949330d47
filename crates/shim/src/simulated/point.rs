//! Signal points: where a handler may run in the middle of a thread.

use std::format;
use std::panic::Location;

use super::world::{self, Handler, fail, with};
use crate::model::FailureKind;

/// Passes the signal point before an operation. Who runs; `None` if no thread does (invariant 3 of
/// `simulated`).
#[inline]
pub(super) fn pass(at: &'static Location<'static>) -> Option<usize> {
    let me = with(|w| {
        w.step();
        let me = w.active;
        count(w, me);
        (me, w.progress.pending.is_empty())
    })?;
    match me {
        (me, true) => Some(me),
        (me, false) => {
            deliver(me, at);
            Some(me)
        }
    }
}

/// The point at which a thread is asleep; whether a handler ran.
pub(super) fn pass_asleep(me: usize, at: &'static Location<'static>) -> bool {
    with(|w| count(w, me));
    deliver(me, at)
}

/// Counts a point, if it is one: of the target, and not while all that could interrupt it is blocked. Sends
/// what the plan sends there.
#[inline]
fn count(w: &mut world::World, me: usize) {
    if w.target != Some(me) {
        return;
    }
    let mask = w.threads[me].mask;
    if w.handlers.iter().all(|h| h.signal & mask != 0) {
        return;
    }
    let n = w.progress.points;
    w.progress.points += 1;
    while let Some(&(point, handler)) = w.plan.signals.get(w.progress.sent)
        && point == n
    {
        w.progress.pending.push(handler);
        w.progress.sent += 1;
    }
}

/// Runs the handlers of all pending signals that are not blocked. Whether there were any.
pub(super) fn deliver(me: usize, at: &'static Location<'static>) -> bool {
    let mut any = false;
    while let Some(handler) = with(|w| take(w, me)).flatten() {
        run(me, &handler, at);
        any = true;
    }
    any
}

fn take(w: &mut world::World, me: usize) -> Option<Handler> {
    if w.target != Some(me) {
        return None;
    }
    let mask = w.threads[me].mask;
    let handlers = &w.handlers;
    let ready = |number: &u32| handlers.get(*number as usize).is_some_and(|h| h.signal & mask == 0);
    let place = w.progress.pending.iter().position(ready)?;
    let number = w.progress.pending.remove(place);
    w.handlers.get(number as usize).cloned()
}

fn run(me: usize, handler: &Handler, at: &'static Location<'static>) {
    let before = with(|w| {
        w.record(at, || format!("signal: {} interrupts", handler.name));
        let thread = &mut w.threads[me];
        let before = (thread.mask, thread.errno, thread.spins, thread.waits_for.take());
        thread.mask |= handler.masks;
        thread.frames.push(handler.name);
        thread.spins = 0;
        before
    });
    let Some((mask, errno, spins, waits_for)) = before else { return };
    (handler.body)();
    let spoiled = with(|w| {
        w.record(at, || format!("{} returns", handler.name));
        w.progress.delivered += 1;
        let thread = &mut w.threads[me];
        thread.frames.pop();
        thread.mask = mask;
        thread.spins = spins;
        thread.waits_for = waits_for;
        (thread.errno != errno).then_some(thread.errno)
    });
    if let Some(now) = spoiled.flatten() {
        fail(
            FailureKind::ErrnoSpoiled,
            format!("handler {} was entered with errno {errno} and left with {now}", handler.name),
        );
    }
}
