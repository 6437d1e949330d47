//! futex(2): wait and wake on a 32-bit word. Nothing is synchronised.
//!
//! All futexes have one gate. A wait then looks at the word, and joins its queue, in one step. A wake does
//! not touch the word.

use core::sync::atomic::Ordering;
use core::time::Duration;
use std::format;
use std::panic::Location;
use std::rc::Rc;

use super::OsError;
use crate::atomic::AtomicU32;
use crate::model::Waiting;
use crate::simulated::gate::Gate;
use crate::simulated::wait::{self, Ended, Ends};
use crate::simulated::world::with;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FutexWait {
    /// By a wake on this word, or spuriously.
    Woken,
    /// The word did not hold what was expected.
    Changed,
    /// A signal handler ran.
    Interrupted,
    /// The time is over.
    TimedOut,
}

/// The gate; `None` outside of an execution.
fn gate() -> Option<Rc<Gate>> {
    with(|w| Rc::clone(&w.futexes.gate))
}

/// Sleeps while `word` holds `expected`, for at most `timeout`.
///
/// # Errors
/// None.
#[track_caller]
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> Result<FutexWait, OsError> {
    let at = Location::caller();
    let Some(gate) = gate() else { return Ok(FutexWait::Changed) };
    let address = core::ptr::from_ref(word).addr();
    let looked = gate.enter_with(at, Ordering::Relaxed, |me| (me, word.seen_by_kernel(me)));
    let Some((me, found)) = looked else { return Ok(FutexWait::Changed) };
    if found != expected {
        with(|w| w.record(at, || format!("futex wait: not {expected:#x}: EAGAIN")));
        super::errno::set(libc::EAGAIN);
        return Ok(FutexWait::Changed);
    }
    if timeout == Some(Duration::ZERO) {
        super::errno::set(libc::ETIMEDOUT);
        return Ok(FutexWait::TimedOut);
    }
    with(|w| w.futexes.of(address).push(me));
    let waiting =
        Waiting { what: format!("a wake of the futex {expected:#x}"), owner: None, lock: false, call: "syscall" };
    let ends = Ends { by_handler: true, spuriously: true, after: timeout };
    let leave = || with(|w| wait::leave(w.futexes.of(address), me)).unwrap_or(false);
    let ended = wait::sleep(me, at, waiting, ends, &gate, leave);
    Ok(match ended {
        Ended::Woken | Ended::Spurious => FutexWait::Woken,
        Ended::Interrupted => {
            super::errno::set(libc::EINTR);
            FutexWait::Interrupted
        }
        Ended::TimedOut => {
            super::errno::set(libc::ETIMEDOUT);
            FutexWait::TimedOut
        }
    })
}

/// Wakes at most `count` of the threads that wait on `word`.
///
/// # Errors
/// None.
#[track_caller]
pub fn wake(word: &AtomicU32, count: u32) -> Result<usize, OsError> {
    let at = Location::caller();
    if gate().and_then(|gate| gate.enter(at, Ordering::Relaxed)).is_none() {
        return Ok(0);
    }
    let address = core::ptr::from_ref(word).addr();
    let woken = with(|w| {
        let queue = w.futexes.of(address);
        let woken: Vec<usize> = queue.drain(..queue.len().min(count as usize)).collect();
        w.record(at, || format!("futex wake: {} woken", woken.len()));
        woken
    })
    .unwrap_or_default();
    woken.iter().for_each(|who| wait::wake(*who));
    Ok(woken.len())
}

/// Whether this platform has a futex.
#[must_use]
pub const fn available() -> bool {
    true
}
