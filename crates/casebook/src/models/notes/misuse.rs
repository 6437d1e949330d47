//! Two wakers, two sleepers; and the semaphores of threads that come and go.

use std::time::Duration;

use sigproof_osnote::semaphore::{PosixSemaphore, PthreadSemaphore, Semaphore, WaitOnce};
use sigproof_osnote::testing::Disturb;
use sigproof_osnote::{Backends, NoteError};
use sigproof_shim::cell::UnsafeCell;

use super::cycles::{make, over};
use sigproof_harness::model::{self, Model, ensure, must};
use sigproof_harness::setup::Setup;
use sigproof_report::Outcome;

/// The second waker is told; the second sleeper is told, unless the first is gone.
pub(super) fn misuse(notes: Backends) -> Vec<(Setup, Model)> {
    let wakers = over(notes, |backend| {
        let model = Model::new(move || {
            let note = make(backend);
            let waker = model::spawn("waker", {
                let note = note.clone();
                move || note.wakeup()
            });
            let here = note.wakeup();
            let there = waker.join();
            let once = matches!(
                (here, there),
                (Ok(()), Err(NoteError::DoubleWakeup)) | (Err(NoteError::DoubleWakeup), Ok(()))
            );
            ensure(once, Outcome::DoubleWakeup, || format!("two wakers were told {here:?} and {there:?}"));
            // It counts as one.
            must(note.sleep());
            note.clear();
        });
        Some(model.handlers(0).depth(0, None))
    });
    let sleepers = over(notes, |backend| {
        let model = Model::new(move || {
            let note = make(backend);
            let sleepers = ["sleeper", "other sleeper"].map(|name| {
                let note = note.clone();
                model::spawn(name, move || note.sleep())
            });
            must(note.wakeup());
            let told = sleepers.map(model_join);
            let well = told.contains(&Ok(())) && told.iter().all(|t| matches!(t, Ok(()) | Err(NoteError::TwoSleepers)));
            ensure(well, Outcome::Crash, || format!("two sleepers were told {told:?}"));
        });
        Some(model.handlers(0).depth(0, Some(3)))
    });
    let name = |flavour, all: Vec<(Setup, Model)>| all.into_iter().map(move |(s, m)| (s.flavour(flavour), m));
    name("two-wakers", wakers).chain(name("two-sleepers", sleepers)).collect()
}

fn model_join<R>(thread: sigproof_shim::model::Joiner<R>) -> R {
    thread.join()
}

/// A semaphore that is only a cell: its owner's accesses are not synchronised by it.
struct Plain(UnsafeCell<u32>);

// SAFETY: only the owner of the lease touches the cell; the model checks that this is so.
unsafe impl Sync for Plain {}

impl Disturb for Plain {}

impl Semaphore for Plain {
    fn create() -> Result<Self, NoteError> {
        Ok(Self(UnsafeCell::new(0)))
    }

    fn wait_once(&self, _timeout: Option<Duration>) -> Result<WaitOnce, NoteError> {
        self.0.with_mut(|_| ());
        Ok(WaitOnce::Acquired)
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        Ok(())
    }
}

/// Two threads at once, one of which ends while the other looks for a semaphore; then the first thread, which
/// may get one of theirs.
pub(super) fn leases() -> Vec<(Setup, Model)> {
    fn model<S: Semaphore>(wakes: bool) -> Model {
        Model::new(move || {
            let threads = ["sleeper", "other sleeper"].map(|name| {
                model::spawn(name, move || {
                    let own = must(S::current());
                    if wakes {
                        must(own.wakeup());
                    }
                    must(own.sleep(None));
                    let again = must(S::current());
                    ensure(core::ptr::eq(own, again), Outcome::Crash, || "a thread has two semaphores".to_owned());
                })
            });
            let own = must(S::current());
            if wakes {
                must(own.wakeup());
            }
            must(own.sleep(None));
            threads.into_iter().for_each(model_join);
        })
        .handlers(0)
        .depth(0, Some(2))
    }
    let setup = |flavour| Setup::fixed().flavour(flavour);
    vec![
        (setup("used-again"), used_again()),
        (setup("plain"), model::<Plain>(false)),
        (setup("pthread"), model::<PthreadSemaphore>(true)),
        (setup("posix"), model::<PosixSemaphore>(true)),
    ]
}

/// Two threads at once make two semaphores, one push of which may be retried. Then two threads at once get
/// those two: the list has lost neither.
fn used_again() -> Model {
    fn semaphore() -> usize {
        core::ptr::from_ref(must(Plain::current())).addr()
    }
    Model::new(|| {
        let begin = |name| {
            model::spawn(name, || {
                let own = semaphore();
                sigproof_osnote::testing::give_back();
                own
            })
        };
        let threads = ["sleeper", "other sleeper"].map(begin);
        let made = threads.map(model_join);
        if made[0] == made[1] {
            // The second thread began when the first had ended.
            return;
        }
        // Main keeps its semaphore while the later thread looks for one.
        let later = [semaphore(), model::spawn("later", semaphore).join()];
        let known = later.iter().all(|semaphore| made.contains(semaphore));
        ensure(known, Outcome::Crash, || "the list of semaphores has lost one".to_owned());
    })
    .handlers(0)
    .depth(0, Some(2))
}
