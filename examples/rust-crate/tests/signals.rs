//! What signal handlers may do with this crate.

use std::sync::Arc;

use rust_crate::{Counter, Names};
use sigproof::{Failure, Outcome, Stage};

/// Right: a signal at every instruction, and every event is counted.
#[test]
fn a_counter_bears_a_signal_at_every_instruction() {
    sigproof::sweep(|stage| {
        let counter = Arc::new(Counter::default());
        let in_handler = Arc::clone(&counter);
        stage.handler(move |_| {
            in_handler.add();
            Ok(())
        })?;
        while stage.another()? {
            let before = counter.get();
            stage.window(|| counter.add());
            let due = before + 1 + stage.acted() as u64;
            if counter.get() != due {
                let detail = format!("{due} events came, and {} were counted", counter.get());
                return Err(Failure::new(Outcome::CorruptRecord, detail));
            }
        }
        Ok(())
    });
}

fn names(stage: &mut Stage) -> Result<(), Failure> {
    let names = Arc::new(Names::default());
    let in_handler = Arc::clone(&names);
    stage.handler(move |_| {
        in_handler.add("in the handler");
        Ok(())
    })?;
    while stage.another()? {
        stage.window(|| names.add("in the window"));
    }
    Ok(())
}

/// Wrong, and expected to be: the handler waits for the lock that its own thread holds.
#[test]
fn names_deadlock_in_a_handler() {
    sigproof::sweep_expecting(Outcome::SelfDeadlock, names);
}

/// The same under signals at random times. The handler allocates, too.
#[test]
fn names_deadlock_under_stress() {
    sigproof::stress_expecting(Outcome::SelfDeadlock, |attempt| {
        let names = Arc::new(Names::default());
        let in_handler = Arc::clone(&names);
        let mut injector = attempt.injector(move || {
            in_handler.add("in the handler");
            Ok(())
        })?;
        for _ in attempt.rounds() {
            injector.round(|| (0..50).for_each(|_| names.add("in the window")))?;
            injector.settle();
        }
        Ok(())
    });
}
