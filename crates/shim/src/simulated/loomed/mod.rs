//! The engine that is loom.
//!
//! | module | holds |
//! |---|---|
//! | [`check`] | explorations and replays |
//! | [`path`] | loom's path through its choices, as a short text and back |
//! | [`readers`] | what loom needs to see every order of loads and stores |

use core::sync::atomic::Ordering;
use std::panic::Location;
use std::string::String;

use super::gate::Gate as Outer;
use super::wait::{Ended, Ends, planned_end};
use super::world::{fail, switching, with};
use crate::model::FailureKind;

pub(super) mod check;
mod path;
mod readers;

pub(super) use loom::sync::atomic;
pub(super) use readers::Readers;

/// The most threads of a model.
pub const THREADS: usize = loom::MAX_THREADS;

/// How often a loop that gives up tries.
pub(super) const TRIES: u32 = 2;

/// Whether a thread knows at once that it has been woken: all that happens between two operations of loom is
/// one step.
pub(super) const SEES_WAKE_UPS: bool = true;

/// So many turns in which no other thread does anything but spin are for ever.
const TURNS: u32 = 8;

/// Plain memory.
#[derive(Debug)]
pub(super) struct Plain(loom::cell::UnsafeCell<()>);

impl Plain {
    #[track_caller]
    pub(super) fn new() -> Self {
        Self(loom::cell::UnsafeCell::new(()))
    }

    #[track_caller]
    pub(super) fn read(&self) {
        self.0.with(|_| ());
    }

    #[track_caller]
    pub(super) fn write(&self) {
        self.0.with_mut(|_| ());
    }
}

/// Where an object was made: loom's atomics know it themselves.
#[derive(Debug)]
pub(super) struct Made;

impl Made {
    pub(super) fn here() -> Self {
        Self
    }

    pub(super) fn anywhere() -> Self {
        Self
    }

    #[inline]
    pub(super) fn check(&self, _at: &'static Location<'static>) {}
}

/// See `simulated`'s `gate`.
#[derive(Debug)]
pub(super) struct Gate(atomic::AtomicU32);

impl Gate {
    pub(super) fn hidden() -> Self {
        Self(atomic::AtomicU32::new(0))
    }

    pub(super) fn seen() -> Self {
        Self::hidden()
    }

    pub(super) fn pass(&self, ordering: Ordering) {
        self.0.fetch_add(0, ordering);
    }

    pub(super) fn during<R>(&self, ordering: Ordering, inside: impl FnOnce() -> R) -> R {
        self.pass(ordering);
        inside()
    }
}

/// What it takes to let a thread sleep, and to wake it.
#[derive(Debug)]
pub(super) struct Sleeper {
    /// Set when it starts to run: what `unpark` needs.
    handle: Option<loom::thread::Thread>,
    /// Set by who ends its wait.
    woken: bool,
    /// Whether it waits in loom, and needs an `unpark`.
    parked: bool,
}

impl Sleeper {
    pub(super) fn new() -> Self {
        Self { handle: None, woken: false, parked: false }
    }
}

/// The thread is about to sleep, and is in its queue.
pub(super) fn fall_asleep(me: usize) {
    with(|w| w.threads[me].sleeper.woken = false);
}

/// Sleeps, unless the wait has ended already or ends early.
pub(super) fn sleep(me: usize, handled: bool, ends: Ends, _gate: &Outer, leave: impl FnOnce() -> bool) -> Ended {
    let early = with(|w| {
        if core::mem::take(&mut w.threads[me].sleeper.woken) {
            return Some(Ended::Woken);
        }
        planned_end(w, me, handled, ends)
    });
    let ended = early.flatten().unwrap_or_else(|| {
        while with(|w| !w.threads[me].sleeper.woken) == Some(true) {
            with(|w| w.threads[me].sleeper.parked = true);
            switching(me, loom::thread::park);
            with(|w| w.threads[me].sleeper.parked = false);
        }
        Ended::Woken
    });
    leave();
    ended
}

/// Leaves its queue without a sleep.
pub(super) fn give_up(_me: usize, ended: Ended, _gate: &Outer, leave: impl FnOnce() -> bool) -> Ended {
    leave();
    ended
}

pub(super) fn wake(who: usize) {
    let parked = with(|w| {
        let sleeper = &mut w.threads[who].sleeper;
        sleeper.woken = true;
        sleeper.parked.then(|| sleeper.handle.clone()).flatten()
    });
    if let Some(handle) = parked.flatten() {
        // Does not switch. That it orders the woken after us is more than the kernel promises: see the limits
        // of `model`.
        handle.unpark();
    }
}

/// A turn of a loop that spins.
pub(super) fn spin(me: usize) {
    if with(|w| w.threads[me].spins) > Some(TURNS) {
        fail(FailureKind::Livelock, String::from(super::engine::SPINS));
    }
    yield_now(me);
}

/// A loop begins that gives up after so many tries.
pub(super) fn begin_tries(_tries: u32) {}

pub(super) fn yield_now(me: usize) {
    switching(me, loom::thread::yield_now);
}

/// What the kernel finds in a word: the newest value. A write, even of the value that is there, would compete
/// with a store of another thread that loom does not order after it.
pub(super) fn seen_by_kernel(me: usize, word: &atomic::AtomicU32, shadow: &core::sync::atomic::AtomicU32) -> u32 {
    // An exchange that fails gives the newest value; a load might give an older one.
    let absent = !shadow.load(Ordering::Relaxed);
    let looked = switching(me, || word.compare_exchange(absent, absent, Ordering::Relaxed, Ordering::Relaxed));
    looked.unwrap_or_else(|value| value)
}

/// There is no execution graph.
pub(super) fn latest_event() -> Option<(u8, u16)> {
    None
}

/// A choice of the environment: here plans say what it does.
pub(super) fn choose(_count: u32) -> u32 {
    0
}

/// A thread to wait for.
pub(super) type JoinHandle<R> = loom::thread::JoinHandle<R>;

pub(super) fn spawn<R: 'static>(body: impl FnOnce() -> R + 'static) -> JoinHandle<R> {
    loom::thread::spawn(body)
}

pub(super) fn join<R>(handle: JoinHandle<R>) -> R {
    handle.join().unwrap_or_else(|_| unreachable!("a panic ends the execution"))
}

/// The thread that runs begins.
pub(super) fn thread_begins(number: usize) {
    with(|w| w.threads[number].sleeper.handle = Some(loom::thread::current()));
}

/// The thread that runs ends.
pub(super) fn thread_ends() {}
