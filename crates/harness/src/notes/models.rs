//! Sleeps and wake-ups under a model checker, and what is seen after them.

use std::sync::Arc;

use sigproof_osnote::notes::futex;
use sigproof_osnote::{Note, NoteError};
use sigproof_shim::atomic::{AtomicBool, Ordering};
use sigproof_shim::cell::UnsafeCell;
use sigproof_shim::model::ghost::AtomicBool as Unmodelled;

use super::Make;
use crate::model::{self, Model, ensure, must};
use sigproof_report::Outcome;

/// A note that several threads share.
fn made(make: &Make) -> Arc<Box<dyn Note>> {
    Arc::new(must(make()))
}

/// What is written before a wake-up and read after the sleep. Not synchronised: that is the note's part.
#[derive(Default)]
pub struct Payload(UnsafeCell<u32>);

// SAFETY: the model checks that its accesses are ordered; under the checker an access that is not ends the
// execution first.
unsafe impl Sync for Payload {}

impl Payload {
    /// Writes it.
    pub fn put(&self, value: u32) {
        // SAFETY: as above.
        self.0.with_mut(|cell| unsafe { *cell = value });
    }

    /// Reads it: it must be this.
    #[track_caller]
    pub fn expect(&self, value: u32) {
        // SAFETY: as above.
        let found = self.0.with(|cell| unsafe { *cell });
        ensure(found == value, Outcome::SpuriousWakeup, || format!("found {found} after the sleep, expected {value}"));
    }
}

/// Wakes the note, after it has put 1 there; but only who calls it first. Who that is is not modelled: it
/// orders nothing.
pub fn once(note: &Arc<Box<dyn Note>>, payload: &Arc<Payload>) -> impl Fn() + Clone + Send + 'static {
    let (note, payload) = (note.clone(), payload.clone());
    let claimed = Arc::new(Unmodelled::new(false));
    move || {
        if !claimed.swap(true, Ordering::Relaxed) {
            payload.put(1);
            must(note.wakeup());
        }
    }
}

/// Two wake-ups there and one back: the wake-up comes before, during or after going to sleep, on both sides.
pub fn cycles(make: Make) -> Model {
    let model = Model::new(move || {
        let note = made(&make);
        // Another kind of note: a process may have only one of the sleeper's kind.
        let reply = Arc::new(must((futex::BACKEND.make)()));
        let (there, back) = (Arc::new(Payload::default()), Arc::new(Payload::default()));
        let waker = model::spawn("waker", {
            let (note, reply, there, back) = (note.clone(), reply.clone(), there.clone(), back.clone());
            move || {
                there.put(1);
                must(note.wakeup());
                must(reply.sleep());
                back.expect(2);
                reply.clear();
                there.put(3);
                must(note.wakeup());
            }
        });
        must(note.sleep());
        there.expect(1);
        note.clear();
        back.put(2);
        must(reply.wakeup());
        must(note.sleep());
        there.expect(3);
        note.clear();
        waker.join();
    });
    model.handlers(0).depth(0, Some(3))
}

/// The second wake-up is ordered after the clear by nothing but the note.
pub fn clear(make: Make) -> Model {
    let model = Model::new(move || {
        let note = made(&make);
        let (back, cleared) = (Arc::new(Payload::default()), Arc::new(AtomicBool::new(false)));
        let waker = model::spawn("waker", {
            let (note, back, cleared) = (note.clone(), back.clone(), cleared.clone());
            move || {
                must(note.wakeup());
                // Relaxed: tells that it is time, and orders nothing.
                let again = cleared.load(Ordering::Relaxed);
                if !again {
                    return false;
                }
                // The flag orders nothing, so the clear may still come after this wake-up, which then is
                // the second of one sleep, and is told so.
                match note.wakeup() {
                    Err(NoteError::DoubleWakeup) => return false,
                    woken => must(woken),
                }
                back.expect(2);
                true
            }
        });
        must(note.sleep());
        back.put(2);
        note.clear();
        cleared.store(true, Ordering::Relaxed);
        if !waker.join() {
            must(note.wakeup());
        }
        must(note.sleep());
        note.clear();
    });
    model.handlers(0).depth(0, None)
}

/// One wake-up for each of two sleeps: of another thread, or of a handler on the sleeper's own, whichever
/// comes first.
pub fn handler(make: Make) -> Model {
    let model = Model::new(move || {
        let note = made(&make);
        let payload = Arc::new(Payload::default());
        let wake = once(&note, &payload);
        model::handle("waker", model::SIGNAL, &[], wake.clone());
        let waker = model::spawn("other waker", wake);
        model::interruptible(|| {
            must(note.sleep());
            payload.expect(1);
            note.clear();
        });
        waker.join();
        // Nothing is left behind: the next sleep has a wake-up of its own.
        must(note.wakeup());
        must(note.sleep());
        note.clear();
    });
    model.depth(2, Some(3))
}
