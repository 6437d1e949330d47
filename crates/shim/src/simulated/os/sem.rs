//! The unnamed POSIX semaphore. Posting and waiting synchronise memory (POSIX.1-2017, 4.12).

use core::sync::atomic::Ordering;
use core::time::Duration;
use std::cell::RefCell;
use std::format;
use std::panic::Location;
use std::vec::Vec;

use super::OsError;
use crate::model::Waiting;
use crate::simulated::gate::Gate;
use crate::simulated::wait::{self, Ended, Ends};
use crate::simulated::world::with;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SemWait {
    /// The count was above zero, and is now one less.
    Acquired,
    /// The time is over.
    TimedOut,
    /// A signal handler ran (`EINTR`): nothing was acquired.
    Interrupted,
}

#[derive(Debug, Default)]
struct State {
    count: u32,
    waiters: Vec<usize>,
}

/// A counting semaphore.
#[derive(Debug)]
pub struct Semaphore {
    number: u32,
    gate: Gate,
    state: RefCell<State>,
}

// SAFETY: all threads of a model are one thread of the system (invariant 1 of `simulated`).
unsafe impl Sync for Semaphore {}

impl Semaphore {
    /// A fresh semaphore with a count of zero.
    ///
    /// # Errors
    /// None.
    pub fn new() -> Result<Self, OsError> {
        let number = with(|w| w.number()).unwrap_or_default();
        Ok(Self { number, gate: Gate::ordering(), state: RefCell::default() })
    }

    /// Adds one, and wakes a waiter if there is one.
    ///
    /// # Errors
    /// None.
    #[track_caller]
    pub fn post(&self) -> Result<(), OsError> {
        let at = Location::caller();
        if self.gate.enter(at, Ordering::Release).is_none() {
            return Ok(());
        }
        let waiter = {
            let mut state = self.state.borrow_mut();
            state.count += 1;
            (!state.waiters.is_empty()).then(|| state.waiters.remove(0))
        };
        with(|w| w.record(at, || format!("posts semaphore {}", self.number)));
        if let Some(who) = waiter {
            wait::wake(who);
        }
        Ok(())
    }

    /// Waits for a count above zero and takes one off it.
    ///
    /// # Errors
    /// None.
    #[track_caller]
    pub fn wait(&self) -> Result<SemWait, OsError> {
        self.wait_until(Location::caller(), None)
    }

    /// As [`Semaphore::wait`], for at most `timeout`.
    ///
    /// # Errors
    /// None.
    #[track_caller]
    pub fn wait_for(&self, timeout: Duration) -> Result<SemWait, OsError> {
        self.wait_until(Location::caller(), Some(timeout))
    }

    fn wait_until(&self, at: &'static Location<'static>, timeout: Option<Duration>) -> Result<SemWait, OsError> {
        let Some(me) = self.gate.enter(at, Ordering::Acquire) else { return Ok(SemWait::Acquired) };
        loop {
            {
                let mut state = self.state.borrow_mut();
                if state.count > 0 {
                    state.count -= 1;
                    with(|w| w.record(at, || format!("takes one from semaphore {}", self.number)));
                    return Ok(SemWait::Acquired);
                }
                if timeout == Some(Duration::ZERO) {
                    super::errno::set(libc::ETIMEDOUT);
                    return Ok(SemWait::TimedOut);
                }
                state.waiters.push(me);
            }
            let waiting =
                Waiting { what: format!("semaphore {}", self.number), owner: None, lock: false, call: "sem_wait" };
            let ends = Ends { by_handler: true, spuriously: true, after: timeout };
            let leave = || wait::leave(&mut self.state.borrow_mut().waiters, me);
            let ended = wait::sleep(me, at, waiting, ends, &self.gate, leave);
            match ended {
                Ended::Woken => self.gate.again(me, Ordering::Acquire),
                Ended::Interrupted | Ended::Spurious => {
                    super::errno::set(libc::EINTR);
                    return Ok(SemWait::Interrupted);
                }
                Ended::TimedOut => {
                    super::errno::set(libc::ETIMEDOUT);
                    return Ok(SemWait::TimedOut);
                }
            }
        }
    }

    /// The address of the object.
    #[must_use]
    pub fn address(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }
}
