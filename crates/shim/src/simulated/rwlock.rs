//! A read-write lock with the names of `std::sync`. Never poisoned: a panic ends the execution.
//!
//! Who wants it gets it as soon as it is free; which of several that is is for the checker to try.

use core::sync::atomic::Ordering;
use std::cell::RefCell;
use std::format;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::LockResult;
use std::vec::Vec;

use super::gate::Gate;
use super::wait::{self, Ends};
use super::world::with;
use crate::model::Waiting;

#[derive(Debug, Default)]
struct Lock {
    /// One for each time that it is locked for reading.
    readers: Vec<usize>,
    writer: Option<usize>,
    waiters: Vec<usize>,
}

/// What waits in a real process.
const RWLOCK: &str = "std::sys::sync::rwlock::futex::RwLock::write_contended";

/// Of no value: only exclusion.
#[derive(Debug)]
pub struct RwLock<T = ()> {
    number: u32,
    gate: Gate,
    lock: RefCell<Lock>,
    _value: PhantomData<T>,
}

// SAFETY: all threads of a model are one thread of the system (invariant 1 of `simulated`).
unsafe impl Sync for RwLock {}

/// Locked for reading.
#[derive(Debug)]
#[must_use = "it is unlocked when the guard is dropped"]
pub struct RwLockReadGuard<'a, T = ()>(#[expect(dead_code, reason = "held, not read")] Held<'a>, PhantomData<T>);

/// Locked for writing.
#[derive(Debug)]
#[must_use = "it is unlocked when the guard is dropped"]
pub struct RwLockWriteGuard<'a, T = ()>(#[expect(dead_code, reason = "held, not read")] Held<'a>, PhantomData<T>);

#[derive(Debug)]
struct Held<'a> {
    lock: &'a RwLock,
    at: &'static Location<'static>,
    _not_send: PhantomData<*const ()>,
}

impl RwLock {
    /// A fresh one.
    #[must_use]
    pub fn new(_value: ()) -> Self {
        let number = with(|w| w.number()).unwrap_or_default();
        Self { number, gate: Gate::ordering(), lock: RefCell::default(), _value: PhantomData }
    }

    /// Waits until no thread writes.
    ///
    /// # Errors
    /// None.
    #[track_caller]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_>> {
        Ok(RwLockReadGuard(self.acquire(Location::caller(), false), PhantomData))
    }

    /// Waits until no thread reads or writes.
    ///
    /// # Errors
    /// None.
    #[track_caller]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_>> {
        Ok(RwLockWriteGuard(self.acquire(Location::caller(), true), PhantomData))
    }

    fn acquire(&self, at: &'static Location<'static>, writes: bool) -> Held<'_> {
        let held = Held { lock: self, at, _not_send: PhantomData };
        let Some(me) = self.gate.enter(at, Ordering::Acquire) else { return held };
        let doing = if writes { "writing" } else { "reading" };
        loop {
            let owner = {
                let mut lock = self.lock.borrow_mut();
                let owner = lock.writer.or_else(|| lock.readers.first().copied().filter(|_| writes));
                match owner {
                    Some(_) => lock.waiters.push(me),
                    None if writes => lock.writer = Some(me),
                    None => lock.readers.push(me),
                }
                owner
            };
            if owner.is_none() {
                with(|w| w.record(at, || format!("locks read-write lock {} for {doing}", self.number)));
                return held;
            }
            let waiting = Waiting { what: format!("read-write lock {}", self.number), owner, lock: true, call: RWLOCK };
            wait::sleep(me, at, waiting, Ends::default(), &self.gate, || false);
            self.gate.again(me, Ordering::Acquire);
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let Some(me) = self.lock.gate.enter(self.at, Ordering::Release) else { return };
        with(|w| w.record(self.at, || format!("unlocks read-write lock {}", self.lock.number)));
        let waiters = {
            let mut lock = self.lock.lock.borrow_mut();
            if lock.writer == Some(me) {
                lock.writer = None;
            } else {
                wait::leave(&mut lock.readers, me);
            }
            core::mem::take(&mut lock.waiters)
        };
        waiters.into_iter().for_each(wait::wake);
    }
}
