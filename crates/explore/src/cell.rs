//! Plain memory. Two accesses to a cell, one of them a write, must be ordered, or the execution ends as a
//! data race.
//!
//! Between threads the order is happens-before. A thread and a handler that interrupts it are ordered by
//! less: an atomic access that releases, or follows a releasing
//! [`compiler_fence`](crate::atomic::compiler_fence), and one that acquires, or precedes an acquiring
//! compiler fence, where the second reads what the first stored. A change of the signal mask, and
//! [`signal::allow`](crate::signal::allow), order all that is before and after them.

use std::cell::{RefCell, UnsafeCell};

use crate::end::End;
use crate::explain::Point;
use crate::graph::{Clock, Id, Kind, bits};
use crate::run::{Run, Stop, after, deliver, halt_here, with};

/// What one activation of a thread, or of a handler on its stack, knows of the others of the same thread.
#[derive(Debug, Default)]
pub(crate) struct Contexts {
    on: bool,
    current: usize,
    known: Vec<Vec<u32>>,
    released: Vec<Vec<u32>>,
    acquirable: Vec<Vec<u32>>,
    /// What a store of this thread releases, by its index.
    messages: Vec<(usize, Vec<u32>)>,
    base: Vec<u32>,
}

fn join(into: &mut Vec<u32>, from: &[u32]) {
    if into.len() < from.len() {
        into.resize(from.len(), 0);
    }
    for (mine, theirs) in into.iter_mut().zip(from) {
        *mine = (*mine).max(*theirs);
    }
}

impl Contexts {
    fn begin(&mut self) {
        let number = self.known.len();
        let mut known = self.base.clone();
        known.resize(known.len().max(number + 1), 0);
        known[number] = 1;
        self.known.push(known);
        self.released.push(Vec::new());
        self.acquirable.push(Vec::new());
        self.current = number;
    }

    /// From now on the thread may be interrupted; or its mask changes.
    pub(crate) fn barrier(&mut self) {
        if !self.on {
            self.on = true;
            self.begin();
        }
        let mut all = Vec::new();
        self.known.iter().for_each(|known| join(&mut all, known));
        join(&mut self.known[self.current], &all);
        join(&mut self.base, &all);
        self.advance();
    }

    /// A handler begins. Gives the context that it interrupts.
    pub(crate) fn enter(&mut self) -> usize {
        let interrupted = self.current;
        if self.on {
            self.begin();
        }
        interrupted
    }

    /// A handler returns to `interrupted`.
    pub(crate) fn leave(&mut self, interrupted: usize) {
        self.current = interrupted;
    }

    fn advance(&mut self) {
        let current = self.current;
        self.known[current][current] += 1;
    }

    fn epoch(&self) -> u32 {
        if self.on { self.known[self.current][self.current] } else { 0 }
    }

    fn knows(&self, access: &Past) -> bool {
        !self.on || access.context == self.current || {
            self.known[self.current].get(access.context).is_some_and(|&epoch| epoch >= access.epoch)
        }
    }
}

/// A fence of the order `ord` for the compiler.
pub(crate) fn fence_of_compiler(ord: u8) {
    with(|run| {
        let contexts = &mut run.fibers[run.current].contexts;
        if !contexts.on {
            return;
        }
        let current = contexts.current;
        if ord & bits::ACQ != 0 {
            let learnt = contexts.acquirable[current].clone();
            join(&mut contexts.known[current], &learnt);
        }
        if ord & bits::REL != 0 {
            contexts.released[current] = contexts.known[current].clone();
            contexts.advance();
        }
    });
}

/// The thread's latest event is a store of the order `ord`.
pub(crate) fn written_by_compiler(ord: u8) {
    with(|run| {
        let fiber = &mut run.fibers[run.current];
        let contexts = &mut fiber.contexts;
        if !contexts.on {
            return;
        }
        let current = contexts.current;
        let message =
            if ord & bits::REL != 0 { contexts.known[current].clone() } else { contexts.released[current].clone() };
        if !message.is_empty() {
            contexts.messages.push((fiber.done.saturating_sub(1), message));
            contexts.advance();
        }
    });
}

/// The thread's latest load is one of `location`, of the order `ord`.
pub(crate) fn read_by_compiler(location: u32, ord: u8) {
    with(|run| {
        let Run { fibers, search, current, .. } = run;
        let (slot, fiber) = (*current, &mut fibers[*current]);
        if !fiber.contexts.on {
            return;
        }
        let events = &search.graph.threads[slot].events[..fiber.done];
        let is_it = |event: &&crate::graph::Event| event.kind == Kind::Load && event.loc == location;
        let Some(load) = events.iter().rev().find(is_it) else { return };
        if load.src == Id::INIT {
            return;
        }
        let mut learnt = Vec::new();
        let is_own = usize::from(load.src.thread) == slot;
        let reach = usize::from(search.graph.event(load.src).msg.get(slot));
        for (index, message) in &fiber.contexts.messages {
            if if is_own { *index == usize::from(load.src.index) } else { *index < reach } {
                join(&mut learnt, message);
            }
        }
        let context = fiber.contexts.current;
        join(&mut fiber.contexts.acquirable[context], &learnt);
        if ord & bits::ACQ != 0 {
            join(&mut fiber.contexts.known[context], &learnt);
        }
    });
}

#[derive(Debug, Clone, Copy)]
struct Past {
    thread: usize,
    done: usize,
    context: usize,
    epoch: u32,
}

#[derive(Debug, Default)]
struct History {
    write: Option<Past>,
    reads: Vec<Past>,
    writing: bool,
    reading: usize,
}

/// A plain cell.
#[derive(Debug, Default)]
pub struct Cell<T> {
    value: UnsafeCell<T>,
    history: RefCell<History>,
}

impl<T> Cell<T> {
    /// A new cell. As for an atomic, its construction must happen before every access.
    pub fn new(value: T) -> Self {
        Self { value: UnsafeCell::new(value), history: RefCell::default() }
    }

    /// Reads. A handler may interrupt the access at its end.
    pub fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        deliver();
        self.enter(false);
        let result = read(self.value.get());
        deliver();
        self.history.borrow_mut().reading -= 1;
        after();
        result
    }

    /// Writes. A handler may interrupt the access at its end.
    pub fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        deliver();
        self.enter(true);
        let result = write(self.value.get());
        deliver();
        self.history.borrow_mut().writing = false;
        after();
        result
    }

    /// The value.
    pub fn get(&self) -> T
    where
        T: Copy,
    {
        deliver();
        self.enter(false);
        // SAFETY: all threads of the program run on one thread of the system, and no reference into the cell
        // exists: `with` and `with_mut` give out pointers only, and `enter` has ended an execution that is
        // inside of a write.
        let value = unsafe { *self.value.get() };
        self.history.borrow_mut().reading -= 1;
        after();
        value
    }

    /// Stores a value.
    pub fn set(&self, value: T) {
        deliver();
        self.enter(true);
        // SAFETY: as in `get`.
        unsafe { *self.value.get() = value };
        self.history.borrow_mut().writing = false;
        after();
    }

    fn enter(&self, writes: bool) {
        let raced = with(|run| (!run.ended).then(|| self.check(run, writes)).flatten());
        if let Some((text, points)) = raced {
            with(|run| {
                run.raced = points;
                run.halt(Stop::At(End::Race(text)));
            });
            halt_here();
        }
        let mut history = self.history.borrow_mut();
        if writes {
            history.writing = true;
        } else {
            history.reading += 1;
        }
    }

    fn check(&self, run: &Run, writes: bool) -> Option<(String, Option<[Point; 2]>)> {
        let slot = run.current;
        let fiber = &run.fibers[slot];
        let done = fiber.done;
        let last = run.search.graph.threads[slot].events[..done].last();
        let view = last.map_or_else(Clock::default, |event| event.hb);
        let mut history = self.history.borrow_mut();
        let what = if writes { "a write" } else { "a read" };
        if history.writing || (writes && history.reading > 0) {
            return Some((format!("{what} by thread {slot} begins within another access"), None));
        }
        let known = |past: &Past| {
            if past.thread == slot {
                fiber.contexts.knows(past)
            } else {
                usize::from(view.get(past.thread)) > past.done
            }
        };
        let unknown = |past: &Past, whose: &str| {
            let who = if past.thread == slot { "and a handler of it" } else { "and thread" };
            let other = if past.thread == slot { String::new() } else { format!(" {}", past.thread) };
            let point = |thread: usize, done: usize| Point { thread: thread as u8, done: done as u16 };
            let points = [point(past.thread, past.done), point(slot, done)];
            (format!("{what} by thread {slot} {who}{other}, with {whose}, without an order"), Some(points))
        };
        if let Some(write) = history.write.filter(|write| !known(write)) {
            return Some(unknown(&write, "a write"));
        }
        let now = Past { thread: slot, done, context: fiber.contexts.current, epoch: fiber.contexts.epoch() };
        if writes {
            if let Some(read) = history.reads.iter().find(|read| !known(read)) {
                return Some(unknown(read, "a read"));
            }
            history.write = Some(now);
            history.reads.clear();
        } else {
            history.reads.retain(|past| past.thread != slot || past.context != now.context);
            history.reads.push(now);
        }
        None
    }
}
