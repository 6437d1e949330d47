//! Points where a signal may be delivered, and the turns of spinning loops.

use super::{Request, Status, Stop, fiber, limit, reorder, step, with};
use crate::end::Limit;
use crate::graph::{Event, Graph, Kind};

/// A point where the environment may deliver signals to the thread that runs: each choice is an event.
pub(crate) fn deliver() {
    let mut has_come = false;
    loop {
        let (able, ended) = with(|run| {
            let able = if run.ended || run.is_open() { 0 } else { run.fibers[run.current].signals.able() };
            (able, run.ended)
        });
        let choice = if able == 0 || ended { 0 } else { step(Request::Choice(1 + u64::from(able.count_ones()))) };
        let Some(nth) = choice.checked_sub(1) else {
            if std::mem::take(&mut has_come) && reorder::do_delayed() {
                continue;
            }
            return;
        };
        reorder::load_ahead();
        arrive(able, nth);
        has_come = true;
    }
}

fn arrive(able: u32, nth: u64) {
    let mut signals = (0..u32::BITS).filter(|bit| able >> bit & 1 != 0);
    let signal = signals.nth(usize::try_from(nth).expect("a small number"));
    crate::signal::arrive(signal.expect("a signal that may arrive"));
}

/// A signal wakes the thread from a blocking call: one that may arrive now.
pub(crate) fn interrupt() {
    let able = with(|run| if run.ended { 0 } else { run.fibers[run.current].signals.able() });
    match able.count_ones() {
        0 => {}
        1 => arrive(able, 0),
        count => arrive(able, step(Request::Choice(u64::from(count)))),
    }
}

/// Whether a wake-up of the thread that runs may be spurious.
pub(crate) fn may_wake_spuriously() -> bool {
    with(|run| !run.ended && run.fibers[run.current].spurious < run.rules.spurious)
}

/// A wake-up of the thread that runs is spurious.
pub(crate) fn wakes_spuriously() {
    with(|run| run.fibers[run.current].spurious += 1);
}

/// Whether a weak exchange of the thread that runs may fail though the value is the expected one. In an
/// execution that is repeated its trail says so, whatever the bound of the search was that found it.
pub(crate) fn may_fail_weakly() -> bool {
    with(|run| {
        let is_within = run.fibers[run.current].weak_failures < run.rules.weak_failures;
        !run.ended && run.chooses_next().unwrap_or(is_within)
    })
}

/// A weak exchange of the thread that runs fails though the value is the expected one.
pub(crate) fn fails_weakly() {
    with(|run| run.fibers[run.current].weak_failures += 1);
}

/// The execution has a stop: the thread does nothing more.
pub(crate) fn halt_here() {
    if with(|run| !run.ended) {
        fiber::switch();
    }
}

/// The end of a turn of a loop that waits for another thread.
pub(crate) fn spin_turn() {
    deliver();
    reorder::barrier();
    let goes_on = with(|run| {
        if run.ended || run.stop.is_some() {
            return true;
        }
        let slot = run.current;
        let done = run.fibers[slot].done;
        let events = &run.search.graph.threads[slot].events;
        let turn = &events[run.fibers[slot].turn.min(done)..done];
        // A read-modify-write that stores what it loaded changes nothing: without that turn, each load from
        // it can load from the store before, and nothing is ordered that was not.
        let mut fails = false;
        let only_reads = turn.iter().enumerate().all(|(nth, event)| match event.kind {
            Kind::Load => !event.opens || event.new.is_none_or(|new| new == event.val),
            Kind::Store => is_idle(&run.search.graph, event),
            Kind::Choice if event.val != 0 => {
                let is_weak = turn.get(nth + 1).is_some_and(|next| next.assumed && !next.kernel);
                fails |= is_weak;
                is_weak
            }
            Kind::Choice => true,
            _ => false,
        });
        // What was repeated so far is not the end of the thread: the graph has later events.
        let is_idle = only_reads && done == run.known(slot);
        if is_idle && fails {
            // The turn found the expected value and had no effect: the execution without it is another one of
            // this search. What follows from here keeps the failure, which no store can displace.
            run.halt(Stop::Discard);
            return false;
        }
        if is_idle {
            run.fibers[slot].status = Status::Spinning;
            return false;
        }
        let fiber = &mut run.fibers[slot];
        fiber.turn = done;
        fiber.turns += 1;
        if fiber.turns > run.rules.turns {
            run.halt(limit(Limit::Turns));
            return false;
        }
        true
    });
    if !goes_on {
        fiber::switch();
    }
}

/// Whether a store is that of a read-modify-write which stores what it loaded.
pub(crate) fn is_idle(graph: &Graph, store: &Event) -> bool {
    store.kind == Kind::Store && store.excl && graph.event(store.src).val == store.val
}

/// A point after an operation, which the comparison run has.
pub(crate) fn after() {
    if with(|run| run.rules.unmerged) {
        deliver();
    }
}

/// Leaves the execution out unless `condition` holds.
pub(crate) fn assume(condition: bool) {
    if condition || with(|run| run.ended) {
        return;
    }
    with(|run| {
        let fiber = &mut run.fibers[run.current];
        fiber.assumes = true;
        fiber.status = Status::Blocked;
    });
    fiber::switch();
}
