//! Counting semaphores by themselves: what lies below the semaphore notes.
//!
//! | window | what runs | the handler | the helper |
//! |---|---|---|---|
//! | `semaphore@sleep` | a sleep, to its return | adds one | adds one |
//! | `semaphore@wakeup` | adds one, no thread asleep | adds one | - |
//! | `semaphore@wakeup-sleeper` | adds one, the owner asleep in another thread | adds one | - |
//!
//! A counting semaphore may be added to any number of times, so the handler always does: then the way back
//! from a sleep is as vulnerable as the way into it, which a note hides.

use std::sync::mpsc;

use sigproof_osnote::notes::posix_sem;
use sigproof_osnote::semaphore::{PosixSemaphore, PthreadSemaphore, Semaphore, Slept};

use super::entry;
use sigproof_harness::failure::Failure;
use sigproof_harness::forked::{Entry, Stage, Window};
use sigproof_harness::inject::Fault;
use sigproof_harness::setup::Setup;
use sigproof_report::Outcome;

/// All of them.
pub(super) fn entries() -> Vec<Entry> {
    let posix = Setup::fixed().flavour("posix");
    let posix = posix_sem::BACKEND.available().then(|| of::<PosixSemaphore>(posix));
    let pthread = of::<PthreadSemaphore>(Setup::broken(Outcome::SelfDeadlock).flavour("pthread"));
    pthread.into_iter().chain(posix.into_iter().flatten()).collect()
}

fn of<S: Semaphore>(setup: Setup) -> Vec<Entry> {
    let windows = [
        Window::new("sleep", sleep::<S>),
        Window::new("wakeup", wakeup::<S>),
        Window::new("wakeup-sleeper", wakeup_sleeper::<S>),
    ];
    windows.into_iter().map(|window| entry("semaphore", &setup, window)).collect()
}

/// Takes what is left, and compares it with what is due.
fn take<S: Semaphore>(own: &S, due: usize) -> Result<(), Failure> {
    let mut taken = 0;
    while taken <= due && own.sleep(Some(core::time::Duration::ZERO))? == Slept::Acquired {
        taken += 1;
    }
    if taken == due {
        return Ok(());
    }
    Err(Failure::new(Outcome::CorruptRecord, format!("{due} were to be left in the semaphore, and there were {taken}")))
}

fn add<S: Semaphore>(stage: &mut Stage, to: &'static S) -> Result<(), Failure> {
    stage.handler(move |_| to.wakeup().map_err(Fault::from))
}

fn sleep<S: Semaphore>(stage: &mut Stage) -> Result<(), Failure> {
    let own = S::current()?;
    add(stage, own)?;
    stage.helper(move || Ok(own.wakeup()?))?;
    while stage.another()? {
        if stage.window(|| own.sleep(None))? != Slept::Acquired {
            return Err(Failure::new(
                Outcome::SpuriousWakeup,
                "a sleep without a time-out said that its time was over",
            ));
        }
        take(own, stage.acted() - 1)?;
    }
    Ok(())
}

fn wakeup<S: Semaphore>(stage: &mut Stage) -> Result<(), Failure> {
    let own = S::current()?;
    add(stage, own)?;
    while stage.another()? {
        stage.window(|| own.wakeup())?;
        take(own, stage.acted() + 1)?;
    }
    Ok(())
}

fn wakeup_sleeper<S: Semaphore>(stage: &mut Stage) -> Result<(), Failure> {
    let (give, given) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    stage.other("sleeper", move || {
        let own = S::current()?;
        // The receiver is dropped only while the process exits.
        let _ = give.send(own);
        loop {
            own.sleep(None)?;
            if tell.send(()).is_err() {
                return Ok(());
            }
        }
    })?;
    let gone = |_| Failure::new(Outcome::Crash, "the sleeper is gone");
    let sleeper = given.recv().map_err(gone)?;
    add(stage, sleeper)?;
    while stage.another()? {
        stage.window(|| sleeper.wakeup())?;
        for _ in 0..=stage.acted() {
            told.recv().map_err(gone)?;
        }
    }
    Ok(())
}
