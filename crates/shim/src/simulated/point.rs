//! Signal points: where a handler may run in the middle of a thread.

use std::format;
use std::panic::Location;

use super::below;
use super::world::{self, Handler, fail, with};
use crate::model::FailureKind;

/// Passes the signal point before an operation. Who runs; `None` if no thread does (invariant 3 of
/// `simulated`).
#[inline]
pub(super) fn pass(at: &'static Location<'static>) -> Option<usize> {
    let (me, is_due) = with(|w| {
        w.step();
        let me = w.active;
        count(w, me);
        (me, !w.progress.pending.is_empty() || (!w.threads[me].has_chosen && w.may_send(me) != 0))
    })?;
    if is_due {
        deliver(me, at);
    }
    Some(me)
}

/// The point before an access to a cell. Where the environment chooses it is not one: a signal that comes
/// within the access shows as much, and that two accesses overlap as well.
#[inline]
pub(super) fn pass_before_cell(at: &'static Location<'static>) -> Option<usize> {
    if with(|w| w.environment.is_some())? { with(|w| w.active) } else { pass(at) }
}

/// The point within an access to a cell. A signal that comes after it shows nothing more.
#[inline]
pub(super) fn pass_within_cell(at: &'static Location<'static>) {
    with(|w| w.me().has_chosen = false);
    pass(at);
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
    while let Some(handler) = with(|w| take(w, me)).flatten().or_else(|| choose(me)) {
        run(me, &handler, at);
        any = true;
    }
    with(|w| w.threads[me].has_chosen = true);
    any
}

/// The handler of the signal that the environment sends here, if it may choose, and does.
fn choose(me: usize) -> Option<Handler> {
    let able = with(|w| w.may_send(me)).unwrap_or(0);
    if able == 0 {
        return None;
    }
    let nth = below::choose(1 + able.count_ones()).checked_sub(1)?;
    let number = (0..u64::BITS).filter(|bit| able >> bit & 1 != 0).nth(nth as usize)?;
    with(|w| {
        w.spend();
        w.handlers.get(number as usize).cloned()
    })
    .flatten()
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
