//! One execution: the program's threads as fibers on one thread of the system, driven along a graph.
//!
//! A run has two phases. First every thread repeats what the graph says; a load waits until its source has
//! been repeated, so that plain memory is right as far as the graph orders it. Then one thread at a time adds
//! new events: the one with an open read-modify-write, or the first one in the order of their keys. Both
//! phases depend on nothing but the graph.
//!
//! | status | the thread |
//! |---|---|
//! | `Ready` | has more to repeat, or has not reached a new event |
//! | `New` | stands before an event that the graph lacks |
//! | `Blocked` | read a value that keeps it waiting; only a revisit of the load changes that |
//! | `Spinning` | read in a whole turn of a loop only what it may read again for ever |
//! | `Done` | has ended |
//!
//! Invariant: no borrow of the [`Run`] lives while a fiber is switched.

mod fiber;
mod follow;
mod points;
pub(crate) mod reorder;
mod step;

use std::cell::Cell;
use std::rc::Rc;

use crate::end::{End, Limit};
use crate::explain::Point;
use crate::graph::{Id, Kind, Op};
use crate::search::Search;
use crate::signal::Signals;

pub(crate) use fiber::start as fiber_start;
pub(crate) use follow::Guide;
pub(crate) use points::{
    after, assume, deliver, fails_weakly, halt_here, interrupt, may_fail_weakly, may_wake_spuriously, spin_turn,
    wakes_spuriously,
};
pub(crate) use step::{Access, Request, access, is_ended, step, store_later};

/// What a thread is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Ready,
    New,
    Blocked,
    Spinning,
    Done,
}

/// One thread of the program.
pub(crate) struct Fiber {
    pub(crate) coroutine: Option<fiber::Coroutine>,
    pub(crate) yielder: *const fiber::Yielder,
    pub(crate) status: Status,
    /// How many events it has repeated or added.
    pub(crate) done: usize,
    /// A thread that waits for the end of another: that one's slot.
    pub(crate) joins: Option<usize>,
    pub(crate) children: u64,
    pub(crate) locations: u16,
    /// It assumed something that is not so: this is no execution of the program.
    pub(crate) assumes: bool,
    /// Where the turn of a spinning loop began.
    pub(crate) turn: usize,
    pub(crate) turns: usize,
    /// How many of its wake-ups were spurious.
    pub(crate) spurious: u32,
    /// How many of its weak exchanges failed though the value was the expected one.
    pub(crate) weak_failures: u32,
    pub(crate) signals: Signals,
    pub(crate) contexts: crate::cell::Contexts,
    pub(crate) order: reorder::Order,
    pub(crate) thread: Option<crate::thread::Thread>,
}

/// Why a run ends before its threads do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The graph is complete as far as it goes, and stands for no execution.
    Discard,
    /// With this end.
    At(End<()>),
}

/// Limits of a run, and what it counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) events: usize,
    pub(crate) turns: usize,
    pub(crate) unmerged: bool,
    /// Whether a race of plain accesses takes the place of the end of an execution that has one.
    pub(crate) races_end: bool,
    /// How many wake-ups of each thread may be spurious.
    pub(crate) spurious: u32,
    /// How many weak exchanges of each thread may fail though the value is the expected one.
    pub(crate) weak_failures: u32,
    /// Whether handlers see what the compiler may reorder.
    pub(crate) reorders: bool,
}

/// The state of the current execution.
pub(crate) struct Run {
    pub(crate) search: Search,
    pub(crate) fibers: Vec<Fiber>,
    pub(crate) current: usize,
    pub(crate) extending: bool,
    pub(crate) ended: bool,
    pub(crate) stop: Option<Stop>,
    pub(crate) number: u64,
    pub(crate) rules: Rules,
    pub(crate) actions: Vec<Option<Rc<crate::signal::Action>>>,
    pub(crate) last: Vec<(u32, u64)>,
    /// The locations in the order in which the run before made them.
    pub(crate) made: Vec<u32>,
    /// How many this run has made.
    pub(crate) made_now: usize,
    /// The two accesses of the race that ended the execution.
    pub(crate) raced: Option<[Point; 2]>,
    /// Whether, in any run, a weak exchange succeeded that [`Rules::weak_failures`] kept from failing.
    pub(crate) weak_bound_met: bool,
    /// The execution to repeat, if one is to be.
    pub(crate) guide: Option<Guide>,
    stacks: Vec<fiber::Stack>,
}

thread_local! {
    static RUN: Cell<*mut Run> = const { Cell::new(std::ptr::null_mut()) };
}

/// Lets `what` look at the current run.
///
/// # Panics
///
/// Outside of a run.
pub(crate) fn with<R>(what: impl FnOnce(&mut Run) -> R) -> R {
    let run = RUN.get();
    assert!(!run.is_null(), "explore: this type works only inside a program that explore runs");
    // SAFETY: `execute` set the pointer to the Run that it borrows exclusively, and resets it before it
    // returns. All fibers run on this thread, and `what` switches none, so this is the only borrow.
    what(unsafe { &mut *run })
}

/// Whether the calling code is part of a run.
pub(crate) fn is_inside() -> bool {
    !RUN.get().is_null()
}

impl Run {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            search: Search::default(),
            fibers: Vec::new(),
            current: 0,
            extending: false,
            ended: false,
            stop: None,
            number: 0,
            rules,
            actions: Vec::new(),
            last: Vec::new(),
            made: Vec::new(),
            made_now: 0,
            raced: None,
            weak_bound_met: false,
            guide: None,
            stacks: Vec::new(),
        }
    }

    /// Runs `main` along the current graph. `finish` runs when the execution has ended, before the stacks of
    /// threads that have not ended are unwound; in it, loads give the last values.
    pub(crate) fn execute(
        &mut self,
        main: Rc<dyn Fn()>,
        finish: impl FnOnce(&Result<End<()>, Stop>),
    ) -> Result<End<()>, Stop> {
        let this: *mut Self = self;
        let _reset = Entered(RUN.replace(this));
        with(|run| run.begin());
        fiber::start(0, 1 << 56, Box::new(move || main()));
        let end = drive();
        with(|run| run.ended = true);
        finish(&end);
        fiber::unwind_all();
        end
    }

    fn begin(&mut self) {
        self.fibers.clear();
        self.actions.clear();
        self.last.clear();
        self.extending = false;
        self.ended = false;
        self.stop = None;
        self.made_now = 0;
        self.raced = None;
        self.number += 1;
    }

    /// The thread that adds the next event.
    fn choose(&self) -> Option<usize> {
        let graph = &self.search.graph;
        let is_able = |slot: &usize| {
            let fiber = &self.fibers[*slot];
            let waits = fiber.joins.is_some_and(|child| self.fibers[child].status != Status::Done);
            fiber.status == Status::New && !waits
        };
        if let Some(slot) = graph.open().filter(is_able) {
            return Some(slot);
        }
        (0..self.fibers.len()).filter(is_able).min_by_key(|&slot| graph.threads[slot].key)
    }

    /// How the threads ended, if none can go on.
    fn close(&self) -> Result<End<()>, Stop> {
        let end = self.end()?;
        if !self.rules.races_end && end == End::Done(()) {
            return Ok(end);
        }
        Ok(self.search.graph.race().map_or(end, End::Race))
    }

    fn end(&self) -> Result<End<()>, Stop> {
        if self.fibers.iter().all(|fiber| fiber.status == Status::Done) {
            return Ok(End::Done(()));
        }
        let graph = &self.search.graph;
        let mut spins = false;
        for (slot, (fiber, thread)) in self.fibers.iter().zip(&graph.threads).enumerate() {
            let waiting = match fiber.status {
                Status::Blocked => &thread.events[thread.events.len() - 1..],
                Status::Spinning => {
                    spins = true;
                    &thread.events[fiber.turn..]
                }
                Status::Ready | Status::New | Status::Done => &[],
            };
            // What this turn stored, it loaded before.
            let is_own = |id: &Id| {
                waiting.iter().any(|event| points::is_idle(graph, event)) && {
                    let event = graph.event(*id);
                    usize::from(id.thread) == slot
                        && usize::from(id.index) >= thread.events.len() - waiting.len()
                        && event.excl
                }
            };
            let newest = |loc: u32| {
                let order = &graph.locations[loc as usize].order;
                order.iter().rposition(|id| !is_own(id)).map_or(0, |index| index + 1)
            };
            let mut loads = waiting.iter().filter(|event| event.kind == Kind::Load);
            if loads.any(|load| graph.place(load.loc, load.src) < newest(load.loc)) {
                return Err(Stop::Discard);
            }
            if fiber.assumes {
                return Err(Stop::Discard);
            }
            let is_blocked = fiber.status == Status::Blocked;
            if is_blocked && (waiting.iter().any(|load| load.assumed) || fiber.signals.would_wake(graph)) {
                return Err(Stop::Discard);
            }
        }
        Ok(if spins { End::Livelock } else { End::Deadlock })
    }

    /// Whether the thread that runs has an open read-modify-write.
    pub(crate) fn is_open(&self) -> bool {
        let events = &self.search.graph.threads[self.current].events[..self.fibers[self.current].done];
        let last = events.iter().rev().find(|event| event.opens || event.excl);
        last.is_some_and(|event| event.kind == Kind::Load && event.op == Op::Later)
    }

    pub(crate) fn halt(&mut self, stop: Stop) {
        self.stop.get_or_insert(stop);
    }
}

struct Entered(*mut Run);

impl Drop for Entered {
    fn drop(&mut self) {
        RUN.set(self.0);
    }
}

/// Resumes fibers until none can go on.
fn drive() -> Result<End<()>, Stop> {
    loop {
        // Repeat: a thread that waits for a source yields as Ready, and sb ∪ rf has no cycle.
        loop {
            let mut moved = false;
            let mut slot = 0;
            while slot < with(|run| run.fibers.len()) {
                if with(|run| run.fibers[slot].coroutine.is_some() && run.fibers[slot].status == Status::Ready) {
                    let before = with(|run| run.fibers[slot].done);
                    fiber::resume(slot);
                    moved |= with(|run| run.fibers[slot].status != Status::Ready || run.fibers[slot].done != before);
                    if let Some(stop) = with(|run| run.stop.take()) {
                        return stopped(stop);
                    }
                }
                slot += 1;
            }
            if !moved {
                break;
            }
        }
        if with(|run| run.guide.is_some()) {
            return with(|run| if run.has_left_the_trail() { Err(Stop::Discard) } else { run.close() });
        }
        let waits = |fiber: &Fiber| fiber.status == Status::Ready && fiber.coroutine.is_some();
        if let Some(slot) = with(|run| run.fibers.iter().position(waits)) {
            return Ok(End::Unrepeatable(format!("thread {slot} reads a store that is not made any more")));
        }
        let Some(slot) = with(|run| run.choose()) else {
            return with(|run| run.close());
        };
        with(|run| {
            run.extending = true;
            run.fibers[slot].status = Status::Ready;
        });
        fiber::resume(slot);
        with(|run| run.extending = false);
        if let Some(stop) = with(|run| run.stop.take()) {
            return stopped(stop);
        }
    }
}

fn stopped(stop: Stop) -> Result<End<()>, Stop> {
    match stop {
        Stop::At(end) => Ok(end),
        Stop::Discard => Err(Stop::Discard),
    }
}

/// The end of a run that became too long.
pub(crate) fn limit(limit: Limit) -> Stop {
    Stop::At(End::Limit(limit))
}
