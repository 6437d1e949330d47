//! What a simulated operating system is made of, for programs that bring their own kernel.
//!
//! The state of such a kernel is plain memory. That is right on two conditions: each access to it stands
//! behind a [`Gate`] that all accesses to this state pass, and no operation of this crate lies between the
//! gate and the access. Then the gate's modification order is the order of the accesses, in every execution.
//!
//! No operation here is a point where a signal is delivered.

use crate::atomic::{location, order};
use crate::explain::Point;
use crate::graph::{Id, Op, Until};
use crate::run::{Access, Request, Run, access, is_inside, step, store_later, with};

pub use core::sync::atomic::Ordering;

/// Whether the calling code is part of an execution that has not ended.
pub fn is_running() -> bool {
    is_inside() && with(|run| !run.ended && run.stop.is_none())
}

/// A choice of the environment among the numbers below `count`.
pub fn choose(count: u64) -> u64 {
    if count < 2 { 0 } else { step(Request::Choice(count)) }
}

/// The door to a piece of the kernel's state: a read-modify-write for each that passes.
#[derive(Debug)]
pub struct Gate {
    word: u32,
    is_seen: bool,
}

impl Gate {
    /// A gate that orders the accesses behind it, and nothing of the program.
    pub fn hidden() -> Self {
        Self { word: location(0), is_seen: false }
    }

    /// A gate whose orderings count for the program as those of an atomic do: that of a lock.
    pub fn seen() -> Self {
        Self { word: location(0), is_seen: true }
    }

    fn access(&self, op: Op, ordering: Ordering) -> Access {
        let ord = order(ordering);
        let access = Access::rmw(self.word, op, ord, ord);
        if self.is_seen { access } else { access.kernel() }
    }

    /// Passes it. Up to its next operation the thread is alone behind it.
    pub fn pass(&self, ordering: Ordering) {
        access(self.access(Op::Add(1, u64::MAX), ordering));
    }

    /// Passes it with `inside` as a part of the step. It may load, and does nothing else: what depends on the
    /// loads is done after it, before the next operation.
    pub fn during<R>(&self, ordering: Ordering, inside: impl FnOnce() -> R) -> R {
        let passed = step(Request::Load(self.access(Op::Later, ordering)));
        let result = inside();
        store_later(self.word, passed.wrapping_add(1), order(ordering), !self.is_seen);
        result
    }
}

/// Counts the wake-ups of a thread.
#[derive(Debug)]
pub struct Ticket {
    word: u32,
}

impl Ticket {
    /// One without wake-ups. The thread that makes it starts the one that waits.
    #[expect(clippy::new_without_default, reason = "it belongs to an execution")]
    pub fn new() -> Self {
        Self { word: location(0) }
    }

    /// One more. Orders nothing of the program.
    pub fn give(&self) {
        access(Access::rmw(self.word, Op::Add(1, u64::MAX), 0, 0).kernel());
    }

    /// Waits until there were so many.
    pub fn wait_for(&self, count: u64) {
        access(Access::load(self.word, 0).until(Until::Least(count)).kernel());
    }
}

/// A word of the kernel, or of the bookkeeping of a test: its accesses see each other's order, and order
/// nothing of the program.
#[derive(Debug)]
pub struct Hidden {
    word: u32,
}

impl Hidden {
    /// One with this value.
    pub fn new(value: u64) -> Self {
        Self { word: location(value) }
    }

    /// A load.
    pub fn load(&self) -> u64 {
        access(Access::load(self.word, 0).kernel())
    }

    /// A store.
    pub fn store(&self, value: u64) {
        step(Request::Store { loc: self.word, val: value, ord: 0, kernel: true });
    }

    /// Stores a value, and gives the old one.
    pub fn swap(&self, value: u64) -> u64 {
        access(Access::rmw(self.word, Op::Swap(value), 0, 0).kernel())
    }

    /// Adds, and gives the old value.
    pub fn add(&self, operand: u64) -> u64 {
        access(Access::rmw(self.word, Op::Add(operand, u64::MAX), 0, 0).kernel())
    }
}

/// A thread's load of an atomic in the name of the kernel: at least as new as what the kernel has seen.
pub fn seen_by_kernel(word: &crate::atomic::AtomicU32) -> u32 {
    access(Access::load(word.location(), 0).kernel()) as u32
}

/// The latest event of the thread that runs.
pub fn latest() -> Option<Id> {
    let of = |run: &mut Run| {
        let index = run.fibers.get(run.current)?.done.checked_sub(1)?;
        Some(Id { thread: u8::try_from(run.current).ok()?, index: u16::try_from(index).ok()? })
    };
    is_inside().then(|| with(of)).flatten()
}

/// Where the thread that runs is; `None` outside of an execution.
pub fn here() -> Option<Point> {
    let of = |run: &mut Run| {
        let done = run.fibers.get(run.current).map_or(0, |fiber| fiber.done);
        Some(Point { thread: u8::try_from(run.current).ok()?, done: u16::try_from(done).ok()? })
    };
    is_running().then(|| with(of)).flatten()
}

/// Whether what the program did at `point` happens before what the thread that runs does next.
pub fn happened(point: Point) -> bool {
    !is_running()
        || with(|run| {
            let events = &run.search.graph.threads[run.current].events[..run.fibers[run.current].done];
            let thread = usize::from(point.thread);
            thread == run.current || events.last().is_some_and(|event| event.hb.get(thread) > point.done)
        })
}

/// Notes, before the program ends the execution, that what it does now has no order with what it did at
/// `point`.
pub fn races_with(point: Point) {
    let here = here();
    if is_inside() {
        with(|run| run.raced = here.map(|here| [point, here]));
    }
}
