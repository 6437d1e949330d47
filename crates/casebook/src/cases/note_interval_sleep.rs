//! **note-interval-sleep**: a runtime that has something to poll sleeps in intervals, and tests between them
//! whether it has been woken. The test "the key is clear" is wrong: the sleeper's own address stands there.
//! The sleep returns at once, unwoken.
//!
//! Upstream: found by reading the semaphore notes of Go 1.27 (`notesleep` with `cgo_yield` set).
//!
//! ```text
//! cargo xtask stress note-interval-sleep
//! ```
//!
//! | variant | sleeps on while | must be seen |
//! |---|---|---|
//! | broken | the key is clear | spurious wake-up |
//! | fixed | the key does not say woken | every sleep ends by its wake-up |
//!
//! The waker is a signal handler on a thread of its own, so the semaphore below may be the unsafe one: the
//! handler interrupts nothing that holds its mutex. A signal counts as inside if the sleeper is in its call
//! at the time.
//!
//! In the model intervals end by their time or for nothing as the plan says, and the wake-up comes at any
//! time.

use core::time::Duration;
use std::sync::mpsc;
use std::thread;

use sigproof_osnote::notes::sema::{Intervals, Key, SemaNote, SleepLoop};
use sigproof_osnote::semaphore::{PthreadSemaphore, Semaphore, WaitOnce};
use sigproof_osnote::{Backends, Note};
use sigproof_shim::atomic::AtomicBool as Payload;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};
use sigproof_shim::native::hint;
use sigproof_shim::sync::Arc;

use sigproof_harness::attempt::Attempt;
use sigproof_harness::case::Case;
use sigproof_harness::failure::Failure;
use sigproof_harness::forked::{Stage, Window};
use sigproof_harness::inject;
use sigproof_harness::model::{self, Model, ensure, must};
use sigproof_harness::setup::Setup;
use sigproof_inspect::refusal::Refusal;
use sigproof_report::{Outcome, Variant};

/// The length of an interval, in microseconds.
const INTERVAL: u64 = 50;

/// The waker waits up to so many turns of a spin before it wakes: none to a few intervals.
const SPIN: u32 = 4_000;

/// An interval that does not end by itself, in microseconds.
const HOUR: u64 = 3_600_000_000;

pub(super) static CASE: NoteIntervalSleep = NoteIntervalSleep;

pub(super) struct NoteIntervalSleep;

/// The loop with the wrong test.
enum WhileClear {}

impl SleepLoop for WhileClear {
    const INTERVAL: Option<Duration> = Intervals::<INTERVAL>::INTERVAL;

    fn keep_sleeping(key: Key) -> bool {
        key == Key::Clear
    }
}

/// The same, in intervals that do not end by themselves.
enum WhileClearAnHour {}

impl SleepLoop for WhileClearAnHour {
    const INTERVAL: Option<Duration> = Intervals::<HOUR>::INTERVAL;

    fn keep_sleeping(key: Key) -> bool {
        WhileClear::keep_sleeping(key)
    }
}

impl Case for NoteIntervalSleep {
    fn name(&self) -> &'static str {
        "note-interval-sleep"
    }

    fn summary(&self) -> &'static str {
        "a sleep in intervals takes its own address in the key for a wake-up and returns unwoken"
    }

    fn upstream(&self) -> &'static [&'static str] {
        &["https://github.com/golang/go/blob/go1.27.3/src/runtime/lock_sema.go"]
    }

    fn setups(&self, _notes: Backends) -> Vec<Setup> {
        vec![Setup::broken(Outcome::SpuriousWakeup), Setup::fixed()]
    }

    fn attempt(&self, setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        match setup.variant {
            Variant::Broken => run::<WhileClear>(attempt),
            Variant::Fixed => run::<Intervals<INTERVAL>>(attempt),
        }
    }

    fn windows(&self, setup: &Setup) -> Vec<Window> {
        let play = match setup.variant {
            Variant::Broken => stepped::<WhileClearAnHour>,
            Variant::Fixed => stepped::<Intervals<HOUR>>,
        };
        vec![Window::new("sleep", play).on_bystander()]
    }

    fn model(&self, setup: &Setup) -> Option<Model> {
        Some(match setup.variant {
            Variant::Broken => modelled::<WhileClear>(),
            Variant::Fixed => modelled::<Intervals<INTERVAL>>(),
        })
    }
}

/// One sleep in intervals, and its wake-up.
fn modelled<L: SleepLoop>() -> Model {
    Model::new(|| {
        let note = Arc::new(SemaNote::<PthreadSemaphore, L>::new());
        let woken = Arc::new(Payload::new(false));
        let waker = model::spawn("waker", {
            let (note, woken) = (Arc::clone(&note), Arc::clone(&woken));
            move || {
                // Relaxed, here and below: it is the wake-up that orders them.
                woken.store(true, Ordering::Relaxed);
                must(note.wakeup());
            }
        });
        must(model::interruptible(|| note.sleep()));
        ensure(woken.load(Ordering::Relaxed), Outcome::SpuriousWakeup, || {
            "the sleep returned before anybody had called wakeup".to_owned()
        });
        waker.join();
        let left = must(PthreadSemaphore::current().and_then(|own| own.wait_once(Some(Duration::ZERO))));
        ensure(left != WaitOnce::Acquired, Outcome::SpuriousWakeup, || {
            "a wake-up was left behind in the semaphore".to_owned()
        });
    })
    .handlers(0)
    .timeouts()
    .spurious()
    .depth(2, Some(5))
}

fn run<L: SleepLoop>(attempt: &Attempt) -> Result<(), Failure> {
    static WOKEN: AtomicBool = AtomicBool::new(false);
    let page = attempt.page;
    let note: &'static SemaNote<PthreadSemaphore, L> = Box::leak(Box::default());
    attempt.handler(move || {
        // Before the wake-up: a sleeper that returns without seeing this was not woken. Release pairs with
        // the acquire below.
        WOKEN.store(true, Ordering::Release);
        Ok(note.wakeup()?)
    })?;
    let (ask, asked) = mpsc::channel();
    let mut random = fastrand::Rng::with_seed(attempt.seed);
    let waker = thread::Builder::new().spawn(move || {
        for spin in asked {
            (0..spin).for_each(|_| hint::spin_loop());
            inject::raise(page);
        }
    });
    waker.map_err(|error| Refusal::thread(&error))?;
    inject::shield()?;
    for (round, _) in (1..).zip(attempt.rounds()) {
        note.clear();
        WOKEN.store(false, Ordering::Relaxed);
        // The channel orders all of the above before the wake-up. It closes only if the waker panics.
        ask.send(random.u32(..SPIN)).map_err(|_| Failure::new(Outcome::Crash, "the waker is gone"))?;
        inject::window(|| note.sleep())?;
        if !WOKEN.load(Ordering::Acquire) {
            return Err(Failure::new(
                Outcome::SpuriousWakeup,
                format!("sleep number {round} returned before anybody had called wakeup"),
            ));
        }
        // The handler may still be inside `wakeup`, and a note is cleared only when it is not.
        while page.ended.load(Ordering::Acquire) < round {
            hint::spin_loop();
        }
        page.rounds.store(round, Ordering::Relaxed);
    }
    Ok(())
}

/// The window is a sleep; its waker is another thread's handler, or a helper. The interval is so long that
/// none ends: the wrong test is made before the first one.
fn stepped<L: SleepLoop>(stage: &mut Stage) -> Result<(), Failure> {
    let note = Arc::new(SemaNote::<PthreadSemaphore, L>::new());
    let woken = Arc::new(AtomicBool::new(false));
    let wake = || {
        let (note, woken) = (Arc::clone(&note), Arc::clone(&woken));
        move || if woken.swap(true, Ordering::AcqRel) { Ok(()) } else { note.wakeup() }
    };
    let (in_handler, in_helper) = (wake(), wake());
    stage.handler(move |_| Ok(in_handler()?))?;
    stage.helper(move || Ok(in_helper()?))?;
    // Made before, so that the first sleep is as any other.
    PthreadSemaphore::current()?;
    while stage.another()? {
        note.clear();
        woken.store(false, Ordering::Relaxed);
        // Asked in the window: the signal may come later.
        let in_time = stage.window(|| note.sleep().map(|()| woken.load(Ordering::Acquire)))?;
        if !in_time {
            return Err(Failure::new(Outcome::SpuriousWakeup, "the sleep returned before anybody had called wakeup"));
        }
    }
    Ok(())
}
