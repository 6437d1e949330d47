//! Mutex and condition variable. A wait for either goes on after a handler that interrupted it.

use core::marker::PhantomData;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::cell::RefCell;
use std::format;
use std::panic::Location;
use std::string::String;
use std::vec::Vec;

use super::OsError;
use crate::model::{FailureKind, Waiting};
use crate::simulated::below;
use crate::simulated::gate::Gate;
use crate::simulated::wait::{self, Ended, Ends};
use crate::simulated::world::{fail, with};

#[derive(Debug, Default)]
struct Lock {
    owner: Option<usize>,
    waiters: Vec<usize>,
}

/// A mutex that does not protect a value: only exclusion.
#[derive(Debug)]
pub struct Mutex {
    number: u32,
    gate: Gate,
    lock: RefCell<Lock>,
}

// SAFETY: all threads of a model are one thread of the system (invariant 1 of `simulated`).
unsafe impl Sync for Mutex {}

/// A locked mutex.
#[derive(Debug)]
#[must_use = "the mutex is unlocked when the guard is dropped"]
pub struct MutexGuard<'a> {
    mutex: &'a Mutex,
    at: &'static Location<'static>,
    _not_send: PhantomData<*const ()>,
}

impl Mutex {
    /// A fresh mutex.
    ///
    /// # Errors
    /// None.
    pub fn new() -> Result<Self, OsError> {
        let number = with(|w| w.number()).unwrap_or_default();
        Ok(Self { number, gate: Gate::ordering(), lock: RefCell::default() })
    }

    /// Waits for the mutex and takes it. Ends the execution if this thread holds it: it would wait for ever.
    ///
    /// # Errors
    /// None.
    #[track_caller]
    pub fn lock(&self) -> Result<MutexGuard<'_>, OsError> {
        let at = Location::caller();
        if let Some(me) = self.gate.enter(at, Ordering::Acquire) {
            self.acquire(me, at);
        }
        Ok(MutexGuard { mutex: self, at, _not_send: PhantomData })
    }

    /// Behind the gate.
    fn acquire(&self, me: usize, at: &'static Location<'static>) {
        loop {
            let owner = self.lock.borrow().owner;
            match owner {
                None => {
                    self.lock.borrow_mut().owner = Some(me);
                    with(|w| w.record(at, || format!("locks mutex {}", self.number)));
                    return;
                }
                Some(owner) => {
                    let waiting = Waiting {
                        what: format!("mutex {}", self.number),
                        owner: Some(owner),
                        lock: true,
                        call: "pthread_mutex_lock",
                    };
                    if owner == me {
                        with(|w| {
                            w.record(at, || format!("sleeps: waits for mutex {}, which it holds", self.number));
                            w.me().waits_for = Some(waiting);
                        });
                        fail(FailureKind::Deadlock, String::from("a thread waits for what it holds"));
                    }
                    self.lock.borrow_mut().waiters.push(me);
                    wait::sleep(me, at, waiting, Ends::default(), &self.gate, || false);
                    self.gate.again(me, Ordering::Acquire);
                }
            }
        }
    }

    /// Behind the gate. All waiters try again, so that each may be the next.
    fn release(&self) {
        let waiters = {
            let mut lock = self.lock.borrow_mut();
            lock.owner = None;
            core::mem::take(&mut lock.waiters)
        };
        waiters.into_iter().for_each(wait::wake);
    }

    /// The address of the object.
    #[must_use]
    pub fn address(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }
}

impl Drop for MutexGuard<'_> {
    fn drop(&mut self) {
        if self.mutex.gate.enter(self.at, Ordering::Release).is_some() {
            with(|w| w.record(self.at, || format!("unlocks mutex {}", self.mutex.number)));
            self.mutex.release();
        }
    }
}

/// How a timed wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CondWait {
    /// Signalled, or spuriously: the caller looks at its condition again.
    Woken,
    /// The time is over.
    TimedOut,
}

/// A condition variable.
#[derive(Debug)]
pub struct Condvar {
    number: u32,
    gate: Gate,
    waiters: RefCell<Vec<usize>>,
}

// SAFETY: all threads of a model are one thread of the system (invariant 1 of `simulated`).
unsafe impl Sync for Condvar {}

impl Condvar {
    /// A fresh condition variable.
    ///
    /// # Errors
    /// None.
    pub fn new() -> Result<Self, OsError> {
        let number = with(|w| w.number()).unwrap_or_default();
        Ok(Self { number, gate: Gate::new(), waiters: RefCell::default() })
    }

    /// Unlocks, waits, locks again. May wake spuriously.
    ///
    /// # Errors
    /// None.
    #[track_caller]
    pub fn wait(&self, guard: &mut MutexGuard<'_>) -> Result<(), OsError> {
        self.wait_until(Location::caller(), guard, None);
        Ok(())
    }

    /// As [`Condvar::wait`], for at most `timeout`.
    ///
    /// # Errors
    /// None.
    #[track_caller]
    pub fn wait_for(&self, guard: &mut MutexGuard<'_>, timeout: Duration) -> Result<CondWait, OsError> {
        Ok(match self.wait_until(Location::caller(), guard, Some(timeout)) {
            Some(Ended::TimedOut) => CondWait::TimedOut,
            _ => CondWait::Woken,
        })
    }

    fn wait_until(
        &self,
        at: &'static Location<'static>,
        guard: &MutexGuard<'_>,
        timeout: Option<Duration>,
    ) -> Option<Ended> {
        let me = self.gate.enter(at, Ordering::Relaxed)?;
        self.waiters.borrow_mut().push(me);
        // The mutex is released in a second step, with a signal point between: the thread is in the queue and
        // holds the mutex.
        guard.mutex.gate.enter(at, Ordering::Release)?;
        with(|w| w.record(at, || format!("unlocks mutex {} to wait", guard.mutex.number)));
        guard.mutex.release();
        let waiting = Waiting {
            what: format!("condition variable {}", self.number),
            owner: None,
            lock: false,
            call: "pthread_cond_wait",
        };
        let leave = || wait::leave(&mut self.waiters.borrow_mut(), me);
        // A signal between the two steps has taken this thread out of the queue already.
        let signalled = below::SEES_WAKE_UPS && !self.waiters.borrow().contains(&me);
        let ended = if signalled {
            Ended::Woken
        } else if timeout == Some(Duration::ZERO) {
            wait::give_up(me, Ended::TimedOut, &self.gate, leave)
        } else {
            let ends = Ends { by_handler: false, spuriously: true, after: timeout };
            wait::sleep(me, at, waiting, ends, &self.gate, leave)
        };
        guard.mutex.gate.enter(at, Ordering::Acquire)?;
        guard.mutex.acquire(me, at);
        Some(ended)
    }

    /// Wakes one waiter, if there is one.
    ///
    /// # Errors
    /// None.
    #[track_caller]
    pub fn signal(&self) -> Result<(), OsError> {
        let at = Location::caller();
        if self.gate.enter(at, Ordering::Relaxed).is_some() {
            let waiter = {
                let mut waiters = self.waiters.borrow_mut();
                (!waiters.is_empty()).then(|| waiters.remove(0))
            };
            with(|w| w.record(at, || format!("signals condition variable {}", self.number)));
            if let Some(who) = waiter {
                wait::wake(who);
            }
        }
        Ok(())
    }

    /// The address of the object.
    #[must_use]
    pub fn address(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }
}
