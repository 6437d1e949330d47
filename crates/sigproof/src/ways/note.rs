//! A note, under every technique that this build has.

use std::sync::Arc;

use sigproof_harness::model::available;
use sigproof_harness::notes::{Make, models, windows};
use sigproof_osnote::{Note, NoteError};
use sigproof_report::Outcome;

use super::{model, stress, sweep};

/// Tests a wake-up primitive that says that a signal handler may wake it, and panics unless all goes well.
///
/// In an ordinary build a signal comes at every instruction of `sleep`, `wakeup` and `clear`, and at random
/// times of `sleep`. In a build for [models](crate::model()) the same test explores three models instead; the
/// note then has to be written over [`shim`](crate::shim).
///
/// # Panics
/// An outcome other than `delivered`; a test that was not decided; see also the policy of the
/// [crate](crate).
pub fn note<N: Note + 'static>(make: impl Fn() -> Result<N, NoteError> + Send + Sync + 'static) {
    let make = boxed(make);
    if available() {
        for of in [models::cycles, models::clear, models::handler] {
            model::model(of(Arc::clone(&make)));
        }
        return;
    }
    for window in [windows::sleep, windows::wakeup, windows::clear] {
        let make = Arc::clone(&make);
        sweep::sweep(move |stage| window(&make, stage));
    }
    stress::stress(move |attempt| windows::attempt(&make, attempt));
}

/// As [`note`], of a note that no handler may wake: `outcome` must occur where a handler wakes it in its
/// sleep, and no other bad one.
///
/// # Panics
/// The outcome did not occur, or another one did; see also the policy of the [crate](crate).
pub fn note_expecting<N: Note + 'static>(
    outcome: Outcome,
    make: impl Fn() -> Result<N, NoteError> + Send + Sync + 'static,
) {
    let make = boxed(make);
    if available() {
        return model::model_expecting(outcome, models::handler(make));
    }
    sweep::sweep_expecting(outcome, move |stage| windows::sleep(&make, stage));
}

fn boxed<N: Note + 'static>(make: impl Fn() -> Result<N, NoteError> + Send + Sync + 'static) -> Make {
    Arc::new(move || Ok(Box::new(make()?)))
}
