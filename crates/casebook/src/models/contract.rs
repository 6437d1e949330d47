//! A note that checks how it is used: what the clients of the notes have promised.
//!
//! | rule | else |
//! |---|---|
//! | one wake-up between two clears, none during a clear | double wake-up |
//! | one sleeper | double wake-up, of the other kind: two sleepers make no sense to any note |
//! | a clear after each sleep that has returned, and at no other time | crash |
//! | a sleep returns only if it was woken | spurious wake-up |
//! | a wake-up happens after the clear before it, the clear after the wake-up before it | data race, by a cell that both write |
//!
//! The bookkeeping is not modelled: it orders nothing.

use sigproof_osnote::notes::futex;
use sigproof_osnote::{Note, NoteError, Woken};
use sigproof_shim::cell::UnsafeCell;
use sigproof_shim::model::ghost;
use sigproof_shim::native::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::time::Duration;

use sigproof_harness::model::{self, must};
use sigproof_report::Outcome;

const IDLE: u32 = 0;
const ASLEEP: u32 = 1;
const SLEPT: u32 = 2;
const CLEARING: u32 = 3;

/// What is known of a [`Contract`] from outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch(Arc<Book>);

#[derive(Debug, Default)]
struct Book {
    /// Of the sleeper.
    phase: AtomicU32,
    woken: ghost::AtomicBool,
    /// Whether a clear is under way.
    clearing: ghost::AtomicBool,
    wakeups: AtomicU32,
    /// When the next sleep fails; 0: not at all.
    failing: AtomicU32,
}

/// When a sleep fails.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fails {
    AtOnce = 1,
    WhenWoken = 2,
}

impl Watch {
    /// Wake-ups so far.
    pub(super) fn wakeups(&self) -> u32 {
        self.0.wakeups.load(Ordering::Relaxed)
    }

    fn phase(&self) -> u32 {
        self.0.phase.load(Ordering::Relaxed)
    }

    fn enter(&self, phase: u32) {
        self.0.phase.store(phase, Ordering::Relaxed);
    }
}

/// A note in its place, with the rules checked.
pub(super) struct Contract {
    inner: Box<dyn Note>,
    watch: Watch,
    written: UnsafeCell<()>,
}

// SAFETY: nothing is in the cell; the model checks that its accesses are ordered.
unsafe impl Sync for Contract {}

impl Contract {
    /// Over the note that costs the fewest steps.
    pub(super) fn over_any() -> (Box<dyn Note>, Watch) {
        Self::over(must((futex::BACKEND.make)()))
    }

    /// Over this note.
    pub(super) fn over(inner: Box<dyn Note>) -> (Box<dyn Note>, Watch) {
        let watch = Watch::default();
        (Box::new(Self { inner, watch: watch.clone(), written: UnsafeCell::new(()) }), watch)
    }

    /// One whose first sleep fails: at once, or when it is woken.
    pub(super) fn failing_once(when: Fails) -> (Box<dyn Note>, Watch) {
        let (note, watch) = Self::over_any();
        watch.0.failing.store(when as u32, Ordering::Relaxed);
        (note, watch)
    }
}

/// As [`model::ensure`]; but an execution that has failed is being unwound, and what is dropped then keeps no
/// contract.
fn ensure(holds: bool, outcome: Outcome, detail: impl FnOnce() -> String) {
    model::ensure(holds || std::thread::panicking(), outcome, detail);
}

impl Note for Contract {
    fn clear(&self) {
        let phase = self.watch.phase();
        ensure(phase == SLEPT, Outcome::Crash, || format!("a clear in phase {phase}: no sleep has returned"));
        self.watch.enter(CLEARING);
        self.watch.0.clearing.store(true, Ordering::Relaxed);
        self.written.with_mut(|_| ());
        self.watch.0.woken.store(false, Ordering::Relaxed);
        self.inner.clear();
        self.watch.0.clearing.store(false, Ordering::Relaxed);
        self.watch.enter(IDLE);
    }

    fn sleep(&self) -> Result<(), NoteError> {
        let phase = self.watch.phase();
        ensure(phase == IDLE, Outcome::DoubleWakeup, || format!("a sleep in phase {phase}: two sleepers, or no clear"));
        let failing = self.watch.0.failing.swap(0, Ordering::Relaxed);
        if failing == Fails::WhenWoken as u32 {
            self.inner.sleep()?;
        }
        if failing != 0 {
            return Err(NoteError::Closed);
        }
        self.watch.enter(ASLEEP);
        self.inner.sleep()?;
        let woken = self.watch.0.woken.load(Ordering::Relaxed);
        ensure(woken, Outcome::SpuriousWakeup, || "a sleep has returned unwoken".to_owned());
        self.watch.enter(SLEPT);
        Ok(())
    }

    fn sleep_timeout(&self, _timeout: Duration) -> Result<Woken, NoteError> {
        Err(NoteError::Unsupported { what: "a timed sleep in a model of a client" })
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        let clearing = self.watch.0.clearing.load(Ordering::Relaxed);
        let again = self.watch.0.woken.swap(true, Ordering::Relaxed);
        ensure(!again && !clearing, Outcome::DoubleWakeup, || {
            format!("a wake-up {}", if again { "though the note is woken" } else { "during a clear" })
        });
        self.watch.0.wakeups.fetch_add(1, Ordering::Relaxed);
        self.written.with_mut(|_| ());
        self.inner.wakeup()
    }
}
