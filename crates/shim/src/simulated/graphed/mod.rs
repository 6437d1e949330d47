//! The engine that explores execution graphs: [`sigproof_explore`].
//!
//! | module | holds |
//! |---|---|
//! | [`check`] | explorations and replays |
//! | [`search`] | one search, shared by threads |
//! | [`left`] | what a search is left with: texts, and an estimate |
//! | [`ghost`] | the bookkeeping of a model |
//! | [`witness`] | the graph of a failed execution |
//! | [`statics`] | statics of the process and of a thread, for each execution anew |
//!
//! The explorer's own signals are not used: where a signal arrives is a choice of the environment that
//! `point` asks for.

use core::sync::atomic::Ordering;
use core::time::Duration;
use std::format;
use std::panic::Location;
use std::rc::Rc;
use std::string::String;

use sigproof_explore::explain::Point;
use sigproof_explore::{cell, hint, system, thread};

use super::gate::Gate as Outer;
use super::wait::{Ended, Ends, pass_time, planned_end};
use super::world::{World, fail, switching, with};
use crate::model::FailureKind;

pub(super) mod check;
pub mod ghost;
mod left;
mod search;
pub mod statics;
mod witness;

pub(super) use sigproof_explore::atomic;
pub(super) use system::Gate;

/// How often a loop that gives up tries: a try that fails does nothing but read.
pub(super) const TRIES: u32 = 1;

/// Whether a thread knows at once that it has been woken: it has to look, behind the gate.
pub(super) const SEES_WAKE_UPS: bool = false;

/// Plain memory.
#[derive(Debug)]
pub(super) struct Plain(cell::Cell<()>);

impl Plain {
    pub(super) fn new() -> Self {
        Self(cell::Cell::new(()))
    }

    pub(super) fn read(&self) {
        self.0.get();
    }

    pub(super) fn write(&self) {
        self.0.set(());
    }
}

/// What loom needs: nothing.
pub(super) struct Readers;

impl Readers {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn before_load(&self, _me: usize) {}

    pub(super) fn after_load(&self, _me: usize) {}

    pub(super) fn before_write(&self, _me: usize) {}

    pub(super) fn after_write(&self, _me: usize) {}
}

/// The step of a thread that uses an object without knowing that it is made.
pub(super) const NOT_MADE: &str = "uses an object that is not known to be made";

/// Where an object was made. Its construction must happen before each use of it.
#[derive(Debug)]
pub(super) struct Made(Option<Point>);

impl Made {
    /// Here. What a static of the process holds is made before all threads, whoever asks for it first.
    pub(super) fn here() -> Self {
        Self(if statics::makes_one() { None } else { system::here() })
    }

    /// Whoever uses it, it is there.
    pub(super) fn anywhere() -> Self {
        Self(None)
    }

    /// Ends the execution if the thread that runs does not know that the object is made.
    pub(super) fn check(&self, at: &'static Location<'static>) {
        let Some(made) = self.0.filter(|made| !system::happened(*made)) else { return };
        let told = with(|w| {
            w.record(at, || String::from(NOT_MADE));
            let name = w.threads.get(w.active).map_or("?", |thread| thread.name);
            format!("thread {name} uses an object without knowing that it is made")
        });
        if let Some(told) = told {
            system::races_with(made);
            fail(FailureKind::Race, told);
        }
    }
}

/// What it takes to let a thread sleep, and to wake it.
#[derive(Debug)]
pub(super) struct Sleeper {
    ticket: Rc<system::Ticket>,
    /// How many wake-ups it has had.
    used: u64,
    /// Turns of a loop that gives up.
    turns: u32,
}

impl Sleeper {
    pub(super) fn new() -> Self {
        Self { ticket: Rc::new(system::Ticket::new()), used: 0, turns: 0 }
    }
}

/// The thread is about to sleep, and is in its queue.
pub(super) fn fall_asleep(_me: usize) {}

/// Sleeps, unless the wait ends early. A thread that ends its wait looks, behind the gate, whether it is in
/// its queue: if it is not, another has woken it, and that is how the wait ended.
pub(super) fn sleep(me: usize, handled: bool, ends: Ends, gate: &Outer, leave: impl FnOnce() -> bool) -> Ended {
    match early_end(me, handled, ends) {
        Some(ended) => give_up(me, ended, gate, leave),
        None => be_woken(me),
    }
}

pub(super) fn give_up(me: usize, ended: Ended, gate: &Outer, leave: impl FnOnce() -> bool) -> Ended {
    gate.again(me, Ordering::Relaxed);
    if leave() { ended } else { be_woken(me) }
}

fn be_woken(me: usize) -> Ended {
    let next = with(|w| {
        let sleeper = &mut w.threads[me].sleeper;
        sleeper.used += 1;
        (Rc::clone(&sleeper.ticket), sleeper.used)
    });
    if let Some((ticket, count)) = next {
        switching(me, || ticket.wait_for(count));
    }
    Ended::Woken
}

fn early_end(me: usize, handled: bool, ends: Ends) -> Option<Ended> {
    let may = with(|w| may_end(w, me, handled, ends))?;
    match may {
        May::End(ended) => Some(ended),
        May::GoOn => None,
        May::Choose { expires, spuriously } => {
            let ways = [(expires, Ended::TimedOut), (spuriously, Ended::Spurious)];
            let mut ways = ways.into_iter().filter_map(|(may, ended)| may.then_some(ended));
            let nth = choose(1 + u32::from(expires) + u32::from(spuriously)).checked_sub(1)?;
            let ended = ways.nth(nth as usize)?;
            with(|w| {
                w.spend();
                pass_time(w, ended, ends)
            })
        }
    }
}

enum May {
    End(Ended),
    GoOn,
    Choose { expires: bool, spuriously: bool },
}

fn may_end(w: &mut World, me: usize, handled: bool, ends: Ends) -> May {
    let Some(environment) = w.environment else {
        return planned_end(w, me, handled, ends).map_or(May::GoOn, May::End);
    };
    if handled && ends.by_handler {
        return May::End(Ended::Interrupted);
    }
    if w.target != Some(me) || environment.most == 0 {
        return May::GoOn;
    }
    let expires = environment.timeouts && ends.after.is_some_and(|after| after != Duration::ZERO);
    let spuriously = environment.spurious && ends.spuriously;
    May::Choose { expires, spuriously }
}

pub(super) fn wake(who: usize) {
    let ticket = with(|w| (w.active, Rc::clone(&w.threads[who].sleeper.ticket)));
    if let Some((me, ticket)) = ticket {
        switching(me, || ticket.give());
    }
}

/// A turn of a loop that spins. A loop that gives up goes on with its next try; another one waits for a newer
/// value.
pub(super) fn spin(me: usize) {
    let gives_up = with(|w| {
        let turns = &mut w.threads[me].sleeper.turns;
        let gives_up = *turns > 0;
        *turns = turns.saturating_sub(1);
        gives_up
    });
    if gives_up != Some(true) {
        switching(me, hint::spin_loop);
    }
}

/// A loop begins that gives up after so many tries.
pub(super) fn begin_tries(tries: u32) {
    with(|w| w.me().sleeper.turns = tries);
}

/// A thread that yields waits for another: the turn of the loop around it ends.
pub(super) fn yield_now(me: usize) {
    switching(me, hint::spin_loop);
}

/// What the kernel finds in a word: at least what was stored before the latest call that passed the gate.
pub(super) fn seen_by_kernel(me: usize, word: &atomic::AtomicU32, _shadow: &core::sync::atomic::AtomicU32) -> u32 {
    switching(me, || system::seen_by_kernel(word))
}

/// The latest event of the thread that runs: the thread's slot, and the event's index.
pub(super) fn latest_event() -> Option<(u8, u16)> {
    system::latest().map(|id| (id.thread, id.index))
}

/// A choice of the environment.
pub(super) fn choose(count: u32) -> u32 {
    let me = with(|w| w.active).unwrap_or_default();
    switching(me, || system::choose(u64::from(count))) as u32
}

/// A thread to wait for.
pub(super) type JoinHandle<R> = thread::JoinHandle<R>;

pub(super) fn spawn<R: 'static>(body: impl FnOnce() -> R + 'static) -> JoinHandle<R> {
    thread::spawn(body)
}

pub(super) fn join<R>(handle: JoinHandle<R>) -> R {
    handle.join()
}

/// The thread that runs begins.
pub(super) fn thread_begins(_number: usize) {}

/// The thread that runs ends.
pub(super) fn thread_ends() {
    statics::end_of_thread();
}
