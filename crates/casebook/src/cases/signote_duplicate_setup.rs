//! **signote-duplicate-setup**: the pipe of Go's signal note exists once in a process. A second set-up that
//! silently replaces its descriptors leaves the first sleeper on a pipe that is never written to.
//!
//! Upstream: the comment in the fix of golang/go#61768, "a single, there-can-only-be-one, async-signal-safe
//! note".
//!
//! ```text
//! cargo xtask stress signote-duplicate-setup
//! ```
//!
//! | variant | a second set-up | must be seen |
//! |---|---|---|
//! | broken | replaces the descriptors | lost wake-up |
//! | fixed | is refused | every wake-up arrives |
//!
//! In each round a thread sleeps on the note, a second set-up comes by, and a signal handler wakes the
//! sleeper. A signal counts as inside if the sleeper is in its call at the time.
//!
//! In the model the second set-up itself is what the signal interrupts, and the sleeper sleeps in another
//! thread; what no signal has woken is woken after.

use std::sync::{Barrier, mpsc};
use std::thread;

use sigproof_osnote::notes::signote::{SigNote, Slot, set_up_in};
use sigproof_osnote::testing;
use sigproof_osnote::{Backends, Note, NoteError};
use sigproof_shim::native::atomic::{AtomicBool, AtomicPtr, Ordering};
use sigproof_shim::native::hint;
use sigproof_shim::sync::Arc;

use sigproof_harness::attempt::Attempt;
use sigproof_harness::case::Case;
use sigproof_harness::failure::Failure;
use sigproof_harness::forked::{Stage, Window};
use sigproof_harness::inject;
use sigproof_harness::model::{self, Model, must};
use sigproof_harness::setup::Setup;
use sigproof_inspect::refusal::Refusal;
use sigproof_report::{Outcome, Variant};

/// The second set-up comes after up to so many turns of a spin.
const SPIN: u32 = 4_000;

/// A round starts a thread, which is long; so many rounds make one.
const ROUNDS_A_SLEEP: usize = 2;

pub(super) static CASE: SignoteDuplicateSetup = SignoteDuplicateSetup;

pub(super) struct SignoteDuplicateSetup;

sigproof_shim::process_static! {
    fn slot() -> Slot = Slot::new();
}

/// How a note is set up in the slot of this file.
type SetUp = fn() -> Result<SigNote, NoteError>;

fn how(setup: &Setup) -> SetUp {
    match setup.variant {
        // SAFETY: each second note of this file lives until the sleeper has ended and every waker has
        // returned. After a failure it may end earlier: the sleeper then is in a read of its own pipe, and
        // the process ends.
        Variant::Broken => || unsafe { testing::set_up_replacing(slot()) },
        Variant::Fixed => || set_up_in(slot()),
    }
}

impl Case for SignoteDuplicateSetup {
    fn name(&self) -> &'static str {
        "signote-duplicate-setup"
    }

    fn summary(&self) -> &'static str {
        "a second set-up of the one pipe note silently replaces its descriptors under the first one's sleeper"
    }

    fn upstream(&self) -> &'static [&'static str] {
        &["https://github.com/golang/go/issues/61768", "https://go.dev/cl/518836"]
    }

    fn fingerprints(&self) -> &'static [&'static str] {
        &["lost-wakeup/input/in:read/-"]
    }

    fn setups(&self, _notes: Backends) -> Vec<Setup> {
        vec![Setup::broken(Outcome::LostWakeup), Setup::fixed()]
    }

    fn attempt(&self, setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        static NOTE: AtomicPtr<SigNote> = AtomicPtr::new(core::ptr::null_mut());
        let how = how(setup);
        attempt.handler(|| {
            // SAFETY: set before the signal is raised, in the same thread, and alive until the round is over.
            let note = unsafe { &*NOTE.load(Ordering::Relaxed) };
            Ok(note.wakeup()?)
        })?;
        let mut random = fastrand::Rng::with_seed(attempt.seed);
        for _ in attempt.rounds().step_by(ROUNDS_A_SLEEP) {
            let mut first = how()?;
            NOTE.store(&raw mut first, Ordering::Relaxed);
            let ready = Barrier::new(2);
            thread::scope(|scope| -> Result<(), Failure> {
                let sleeper = thread::Builder::new().spawn_scoped(scope, || {
                    inject::shield().map_err(|_| NoteError::Unsupported { what: "a signal mask" })?;
                    ready.wait();
                    inject::window(|| first.sleep())
                });
                let sleeper = sleeper.map_err(|error| Refusal::thread(&error))?;
                ready.wait();
                (0..random.u32(..SPIN)).for_each(|_| hint::spin_loop());
                // Kept, if there is one, until the round is over. That it is refused is not what is judged:
                // that the sleeper wakes is.
                let _second = how();
                inject::raise(attempt.page);
                sleeper.join().unwrap_or(Err(NoteError::Unsupported { what: "a sleeper that panics" }))?;
                Ok(())
            })?;
            attempt.page.rounds.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn windows(&self, setup: &Setup) -> Vec<Window> {
        let how = how(setup);
        vec![Window::new("set-up", move |stage| stepped(how, stage))]
    }

    fn model(&self, setup: &Setup) -> Option<Model> {
        let how = how(setup);
        let model = Model::new(move || {
            let first = Arc::new(must(how()));
            // Not modelled: the thread asks that sets it, in its handler.
            let woken = Arc::new(AtomicBool::new(false));
            let wake = || {
                let (first, woken) = (Arc::clone(&first), Arc::clone(&woken));
                move || {
                    if !woken.swap(true, Ordering::Relaxed) {
                        must(first.wakeup());
                    }
                }
            };
            model::handle("waker", model::SIGNAL, &[], wake());
            let sleeper = model::spawn("sleeper", {
                let first = Arc::clone(&first);
                move || must(first.sleep())
            });
            // Kept, if there is one, until all is over, as above.
            let _second = model::interruptible(how);
            wake()();
            sleeper.join();
        });
        Some(model.depth(1, None))
    }
}

/// The window is the second set-up, while another thread sleeps on the note; who has not been woken by the
/// handler is woken after.
fn stepped(how: SetUp, stage: &mut Stage) -> Result<(), Failure> {
    let (order, orders) = mpsc::channel::<Arc<SigNote>>();
    let (tell, told) = mpsc::channel();
    stage.other("sleeper", move || {
        for note in orders {
            let slept = note.sleep();
            drop(note);
            // The receiver is dropped only while the process exits.
            if tell.send(slept).is_err() {
                break;
            }
        }
        Ok(())
    })?;
    let present: &'static AtomicPtr<SigNote> = Box::leak(Box::default());
    let woken: &'static AtomicBool = Box::leak(Box::default());
    let wake = move || {
        if woken.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        // SAFETY: set before the window, and alive until the execution is over.
        unsafe { &*present.load(Ordering::Relaxed) }.wakeup()
    };
    stage.handler(move |_| Ok(wake()?))?;
    let gone = |_| Failure::new(Outcome::Crash, "the sleeper is gone");
    while stage.another()? {
        let first = Arc::new(how()?);
        present.store(Arc::as_ptr(&first).cast_mut(), Ordering::Relaxed);
        woken.store(false, Ordering::Relaxed);
        order.send(Arc::clone(&first)).map_err(|_| Failure::new(Outcome::Crash, "the sleeper is gone"))?;
        // Kept, if there is one, until all is over, as above.
        let _second = stage.window(how);
        wake()?;
        told.recv().map_err(gone)??;
    }
    Ok(())
}
