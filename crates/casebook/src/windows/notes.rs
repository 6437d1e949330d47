//! Notes by themselves, every backend.
//!
//! | window | what runs | the handler | the helper |
//! |---|---|---|---|
//! | `note-sleep@sleep` | a sleep, to its return | wakes the sleeper, if it is not woken yet | the same |
//! | `note-sleep@bystander` | the same | runs in another thread, the sleeper held at a boundary | the same |

use std::sync::Arc;

use sigproof_osnote::{Backend, Backends, SignalSafety};

use super::entry;
use sigproof_harness::forked::{Entry, Stage, Window};
use sigproof_harness::notes::{Make, windows};
use sigproof_harness::setup::Setup;
use sigproof_report::{Expected, Outcome};

/// All of them.
pub(super) fn entries(notes: Backends) -> Vec<Entry> {
    notes.iter().flat_map(of).collect()
}

fn of(backend: &'static Backend) -> Vec<Entry> {
    let setup = match backend.wakeup {
        SignalSafety::Safe => Setup::fixed(),
        SignalSafety::Unsafe => Setup::broken(Outcome::SelfDeadlock),
    };
    let setup = setup.note(backend);
    let make: Make = Arc::new(backend.make);
    let sleep = move |stage: &mut Stage| windows::sleep(&make, stage);
    let both = [
        Window::new("sleep", sleep.clone()),
        // The handler interrupts no thread that holds anything.
        Window::new("bystander", sleep).on_bystander().expect(Expected::delivered()),
    ];
    both.into_iter().map(|window| entry("note-sleep", &setup, window)).collect()
}
