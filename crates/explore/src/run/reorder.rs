//! What the compiler may do to the accesses of one thread, as a handler that interrupts it can see it:
//! [`Explorer::compiler_reorders`](crate::Explorer::compiler_reorders).
//!
//! For other threads RC11 already allows what a compiler does. A handler is sequenced in its thread, so
//! without this it finds the accesses in the order of the text. With it, two kinds of accesses may change
//! sides at each point where the environment lets a handler in:
//!
//! | access | may be | unless between its place and the handler there is |
//! |---|---|---|
//! | a relaxed or plain store | *delayed*: done after the handler | an access to the same location; a release; a releasing fence |
//! | a relaxed or plain load | *ahead*: done before the handler | an access to the same location; an acquire; an acquiring fence |
//!
//! The fences are those between threads and those for the compiler. A sequentially consistent access or
//! fence stops both; so do a system call (a mask, a wait, a mutex), a start, an end and a join of a thread,
//! and the end of a turn of a loop. A load is not delayed: that would be load buffering. Values and
//! addresses that depend on a load do not keep the order, as relaxed accesses of C++ do not.
//!
//! Stores that a handler has overtaken are done together when it has returned. At most [`AHEAD`] loads are
//! ahead at a time.
//!
//! A choice says which store is delayed, and before a handler which locations are loaded ahead. An
//! execution in which no handler comes, or no load takes the value, is left out: it is one of those without
//! the choice.

use super::{Request, Run, step, with};
use crate::graph::{Id, Op, Until, bits};

/// The most loads that are ahead at a time.
const AHEAD: usize = 4;

/// What of an activation of a thread, or of a handler on its stack, is not in the order of the text.
#[derive(Debug, Default)]
pub(crate) struct Order {
    delayed: Vec<Delayed>,
    ahead: Vec<Ahead>,
    /// Of the locations that the first thread made, how many the thread knows from its start.
    pub(crate) visible: u16,
}

#[derive(Debug, Clone, Copy)]
struct Delayed {
    loc: u32,
    val: u64,
    plain: bool,
}

#[derive(Debug, Clone, Copy)]
struct Ahead {
    loc: u32,
    val: u64,
    /// Its event.
    index: usize,
}

impl Order {
    fn is_in_order(&self) -> bool {
        self.delayed.is_empty() && self.ahead.is_empty()
    }

    fn has(&self, loc: u32) -> bool {
        self.delayed.iter().any(|store| store.loc == loc) || self.ahead.iter().any(|load| load.loc == loc)
    }
}

impl Run {
    /// How many of the first thread's locations the thread that runs knows.
    pub(crate) fn visible(&self) -> u16 {
        let fiber = &self.fibers[self.current];
        if self.current == 0 { fiber.locations } else { fiber.order.visible }
    }

    fn may_reorder(&self) -> bool {
        self.rules.reorders && !self.ended && self.fibers[self.current].signals.able() != 0
    }

    /// Whether `request` may be done with what is out of order now.
    pub(super) fn keeps_order(&self, request: Request) -> bool {
        let order = &self.fibers[self.current].order;
        if order.is_in_order() {
            return true;
        }
        let is_fine = |ord: u8| {
            let is_sc = ord & bits::SC != 0;
            (order.delayed.is_empty() || !is_sc && ord & bits::REL == 0)
                && (order.ahead.is_empty() || !is_sc && ord & bits::ACQ == 0)
        };
        let is_word = |loc: u32| self.search.graph.locations[loc as usize].is_word;
        match request {
            Request::Load(access) => {
                let is_plain_load = access.op == Op::None;
                // A load does not release.
                let ord = if is_plain_load && access.success & bits::SC == 0 {
                    access.success & !bits::REL
                } else {
                    access.success | access.fail
                };
                is_word(access.loc)
                    && !access.kernel
                    && (access.until == Until::Any || access.assumed)
                    && !order.has(access.loc)
                    && is_fine(ord)
            }
            Request::Store { loc, ord, kernel, .. } => {
                // A store does not acquire.
                let ord = if ord & bits::SC == 0 { ord & !bits::ACQ } else { ord };
                is_word(loc) && !kernel && !order.has(loc) && is_fine(ord)
            }
            Request::Plain { loc, .. } => !order.has(loc),
            Request::Fence(ord) => is_fine(ord),
            Request::StoreLater { .. } | Request::Choice(_) | Request::Begin(_) => true,
            Request::Spawn(_) | Request::End | Request::Join { .. } => false,
        }
    }
}

/// Whether something is out of order, and the thread can still be interrupted.
pub(crate) fn is_out_of_order() -> bool {
    with(|run| !run.ended && !run.fibers[run.current].order.is_in_order())
}

/// Leaves the execution out if a fence of this order for the compiler stands between an access and the
/// handler that it should have passed.
pub(crate) fn fence_of_compiler(ord: u8) {
    let keeps = with(|run| run.ended || run.keeps_order(Request::Fence(ord)));
    super::assume(keeps);
}

/// Leaves the execution out if anything is out of order: the compiler moves nothing over this point.
pub(crate) fn barrier() {
    let keeps = with(|run| run.ended || run.fibers[run.current].order.is_in_order());
    super::assume(keeps);
}

/// Whether a store is delayed, as the environment chooses. A store behind a delayed one to its location is.
pub(crate) fn delays(loc: u32, val: u64, plain: bool) -> bool {
    if !with(|run| run.may_reorder()) {
        return false;
    }
    let follows = with(|run| run.fibers[run.current].order.delayed.iter().any(|store| store.loc == loc));
    if with(|run| run.fibers[run.current].order.ahead.iter().any(|load| load.loc == loc)) {
        return false;
    }
    let is_delayed = follows || step(Request::Choice(2)) == 1;
    if is_delayed {
        with(|run| run.fibers[run.current].order.delayed.push(Delayed { loc, val, plain }));
    }
    is_delayed
}

/// The value of a load that was done ahead.
pub(crate) fn loaded_ahead(loc: u32, plain: bool) -> Option<u64> {
    with(|run| {
        let slot = run.current;
        let order = &mut run.fibers[slot].order;
        if run.ended || order.delayed.iter().any(|store| store.loc == loc) {
            return None;
        }
        let place = order.ahead.iter().position(|load| load.loc == loc)?;
        let Ahead { val, index, .. } = order.ahead.remove(place);
        run.search.graph.event_mut(Id { thread: slot as u8, index: index as u16 }).plain |= plain;
        Some(val)
    })
}

/// A handler is about to come: loads what the thread is to load after it, as the environment chooses.
pub(super) fn load_ahead() {
    let (locations, mut room) = with(|run| {
        let order = &run.fibers[run.current].order;
        let room = if run.rules.reorders { AHEAD.saturating_sub(order.ahead.len()) } else { 0 };
        let graph = &run.search.graph;
        let number = |number| graph.locations.iter().position(|location| location.name == (0, number));
        let known = (0..run.visible()).filter_map(number).filter(|&index| graph.locations[index].is_word);
        let locations: Vec<u32> = if room == 0 { Vec::new() } else { known.map(|index| index as u32).collect() };
        (locations, room)
    });
    let mut from = 0;
    while room > 0 && from < locations.len() {
        let choice = step(Request::Choice(1 + (locations.len() - from) as u64));
        let Some(nth) = choice.checked_sub(1) else { return };
        from += nth as usize;
        let loc = locations[from];
        // Not by the way of the program's own loads, which what is out of order may stop.
        let order = with(|run| std::mem::take(&mut run.fibers[run.current].order));
        let val = step(Request::Load(super::Access::load(loc, 0)));
        with(|run| {
            let fiber = &mut run.fibers[run.current];
            fiber.order = order;
            fiber.order.ahead.push(Ahead { loc, val, index: fiber.done - 1 });
        });
        room -= 1;
    }
}

/// The handler has returned: does the stores that it has overtaken. Whether there were any.
pub(super) fn do_delayed() -> bool {
    let delayed = with(|run| std::mem::take(&mut run.fibers[run.current].order.delayed));
    for &Delayed { loc, val, plain } in &delayed {
        step(if plain { Request::Plain { loc, val } } else { Request::Store { loc, val, ord: 0, kernel: false } });
    }
    !delayed.is_empty()
}

/// A handler begins: what is out of order around it.
pub(crate) fn enter() -> Order {
    with(|run| {
        let order = &mut run.fibers[run.current].order;
        let visible = order.visible;
        std::mem::replace(order, Order { visible, ..Order::default() })
    })
}

/// It returns.
pub(crate) fn leave(outer: Order) {
    barrier();
    with(|run| run.fibers[run.current].order = outer);
}
