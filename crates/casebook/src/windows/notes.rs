//! Notes by themselves, every backend.
//!
//! | window | what runs | the handler | the helper |
//! |---|---|---|---|
//! | `note-sleep@sleep` | a sleep, to its return | wakes the sleeper, if it is not woken yet | the same |
//! | `note-sleep@bystander` | the same | runs in another thread, the sleeper held at a boundary | the same |

use sigproof_osnote::{Backend, Backends, Note, SignalSafety};
use sigproof_shim::native::atomic::{AtomicBool, Ordering};
use sigproof_shim::sync::Arc;

use super::entry;
use sigproof_harness::failure::Failure;
use sigproof_harness::forked::{Entry, Stage, Window};
use sigproof_harness::inject::Fault;
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
    let sleep = move |stage: &mut Stage| sleep(backend, stage);
    let windows = [
        Window::new("sleep", sleep),
        // The handler interrupts no thread that holds anything.
        Window::new("bystander", sleep).on_bystander().expect(Expected::delivered()),
    ];
    windows.into_iter().map(|window| entry("note-sleep", &setup, window)).collect()
}

/// A note that is woken by whoever comes first.
struct Bell {
    note: Box<dyn Note>,
    rung: AtomicBool,
}

impl Bell {
    fn ring(&self) -> Result<(), sigproof_osnote::NoteError> {
        if self.rung.swap(true, Ordering::Relaxed) { Ok(()) } else { self.note.wakeup() }
    }
}

fn sleep(backend: &'static Backend, stage: &mut Stage) -> Result<(), Failure> {
    let bell = Arc::new(Bell { note: (backend.make)()?, rung: AtomicBool::new(false) });
    stage.handler({
        let bell = Arc::clone(&bell);
        move |_| bell.ring().map_err(Fault::from)
    })?;
    stage.helper({
        let bell = Arc::clone(&bell);
        move || Ok(bell.ring()?)
    })?;
    while stage.another()? {
        bell.note.clear();
        bell.rung.store(false, Ordering::Relaxed);
        stage.window(|| bell.note.sleep())?;
        if !bell.rung.load(Ordering::Relaxed) {
            return Err(Failure::new(Outcome::SpuriousWakeup, "the sleep returned before anybody had called wakeup"));
        }
    }
    Ok(())
}
