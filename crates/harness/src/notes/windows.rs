//! Real signals: the windows of a note, and an attempt of its stress.
//!
//! | window | what runs | the handler | the helper |
//! |---|---|---|---|
//! | [`sleep`] | a sleep, to its return | wakes the sleeper, if it is not woken yet | the same |
//! | [`wakeup`] | a wake-up | wakes again | - |
//! | [`clear`] | a clear, after a sleep | wakes | - |

use sigproof_osnote::{Note, NoteError};
use sigproof_report::Outcome;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};
use sigproof_shim::sync::Arc;

use super::Make;
use crate::attempt::Attempt;
use crate::failure::Failure;
use crate::forked::Stage;
use crate::inject::{Fault, Rescue};

/// A note that is woken by whoever comes first.
struct Bell {
    note: Box<dyn Note>,
    rung: AtomicBool,
}

impl Bell {
    fn new(make: &Make) -> Result<Arc<Self>, Failure> {
        Ok(Arc::new(Self { note: make()?, rung: AtomicBool::new(false) }))
    }

    /// Before an execution.
    fn arm(&self) {
        self.note.clear();
        self.rung.store(false, Ordering::Relaxed);
    }

    fn ring(&self) -> Result<(), NoteError> {
        if self.rung.swap(true, Ordering::Relaxed) { Ok(()) } else { self.note.wakeup() }
    }

    /// Wakes, whoever has.
    fn ring_again(&self) -> Result<(), NoteError> {
        match self.note.wakeup() {
            Err(NoteError::DoubleWakeup) => Ok(()),
            woken => woken,
        }
    }

    /// After a sleep.
    fn slept(&self) -> Result<(), Failure> {
        if self.rung.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(Failure::new(Outcome::SpuriousWakeup, "the sleep returned before anybody had called wakeup"))
    }
}

/// See the module.
///
/// # Errors
/// A bad outcome, or what the machine refuses.
pub fn sleep(make: &Make, stage: &mut Stage) -> Result<(), Failure> {
    let bell = Bell::new(make)?;
    stage.handler({
        let bell = Arc::clone(&bell);
        move |_| bell.ring().map_err(Fault::from)
    })?;
    stage.helper({
        let bell = Arc::clone(&bell);
        move || Ok(bell.ring()?)
    })?;
    while stage.another()? {
        bell.arm();
        stage.window(|| bell.note.sleep())?;
        bell.slept()?;
    }
    Ok(())
}

/// A bell whose handler wakes at every boundary.
fn woken_again(make: &Make, stage: &mut Stage) -> Result<Arc<Bell>, Failure> {
    let bell = Bell::new(make)?;
    let handler = Arc::clone(&bell);
    stage.handler(move |_| handler.ring_again().map_err(Fault::from))?;
    Ok(bell)
}

/// See the module.
///
/// # Errors
/// As [`sleep`].
pub fn wakeup(make: &Make, stage: &mut Stage) -> Result<(), Failure> {
    let bell = woken_again(make, stage)?;
    while stage.another()? {
        bell.arm();
        // The handler may have come first.
        stage.window(|| bell.ring_again())?;
        bell.note.sleep()?;
    }
    Ok(())
}

/// See the module.
///
/// # Errors
/// As [`sleep`].
pub fn clear(make: &Make, stage: &mut Stage) -> Result<(), Failure> {
    let bell = woken_again(make, stage)?;
    while stage.another()? {
        bell.arm();
        bell.note.wakeup()?;
        bell.note.sleep()?;
        stage.window(|| bell.note.clear());
        // A wake-up that interrupted it is forgotten now, and the note works.
        bell.note.clear();
        bell.note.wakeup()?;
        bell.note.sleep()?;
    }
    Ok(())
}

/// One attempt of a stress: a signal is aimed at each sleep.
///
/// # Errors
/// As [`sleep`].
pub fn attempt(make: &Make, attempt: &Attempt) -> Result<(), Failure> {
    let bell = Bell::new(make)?;
    let mut injector = attempt.injector({
        let bell = Arc::clone(&bell);
        move || bell.ring().map_err(Fault::from)
    })?;
    let mut rescue = Rescue::start({
        let bell = Arc::clone(&bell);
        move || if bell.rung.load(Ordering::Relaxed) { Ok(false) } else { Ok(bell.ring().map(|()| true)?) }
    })?;
    for _ in attempt.rounds() {
        bell.arm();
        rescue.around(attempt.page, || injector.round(|| bell.note.sleep()))???;
        bell.slept()?;
        injector.settle();
    }
    Ok(())
}
