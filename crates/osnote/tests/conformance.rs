//! The conformance suite, first part: what the contract of a note promises, for every registered backend.
//! Races and signals have files of their own.

mod support;

use std::thread;
use std::time::{Duration, Instant};

use sigproof_osnote::testing::{Provocation, provoke};
use sigproof_osnote::{Backend, Backends, Instances, Note, NoteError, Woken};
use sigproof_shim::atomic::{AtomicUsize, Ordering};
use sigproof_shim::os::errno;

use support::{Watched, each_backend, sleeper};

/// Longer than any test: who waits for it hangs, and the watchdog tells.
const FOREVER: Duration = Duration::from_secs(100_000);
const SHORT: Duration = Duration::from_millis(2);

/// A sleep that gives up soon, or what the backend says instead.
fn assert_not_woken(backend: &Backend, note: &dyn Note) {
    let start = Instant::now();
    match note.sleep_timeout(SHORT) {
        Ok(woken) => {
            assert!(backend.timed_sleep);
            assert_eq!(woken, Woken::ByTimeout);
            assert!(start.elapsed() >= SHORT, "a time-out must not be early");
        }
        Err(error) => assert!(!backend.timed_sleep && matches!(error, NoteError::Unsupported { .. }), "{error}"),
    }
}

/// A whole round with a sleeper that is known to sleep.
fn assert_works(note: &dyn Note) {
    let watched = Watched::new();
    thread::scope(|scope| {
        let sleeper = sleeper(scope, note, &watched);
        assert!(watched.asleep(), "returned unwoken");
        note.wakeup().unwrap();
        sleeper.join().unwrap().unwrap();
    });
    note.clear();
}

#[test]
fn a_wake_up_before_the_sleep_makes_it_return_at_once() {
    each_backend("wake before", |backend, note| {
        for _ in 0..20 {
            note.wakeup().unwrap();
            note.sleep().unwrap();
            note.sleep().expect("it stays woken until cleared");
            if backend.timed_sleep {
                assert_eq!(note.sleep_timeout(FOREVER), Ok(Woken::ByWakeup));
            }
            note.clear();
            assert_not_woken(backend, note);
        }
    });
}

#[test]
fn a_wake_up_after_the_sleep_ends_it() {
    each_backend("wake after", |backend, note| {
        for _ in 0..50 {
            assert_works(note);
            assert_not_woken(backend, note);
        }
    });
}

#[test]
fn a_timed_sleep_is_woken_or_times_out_or_is_refused() {
    each_backend("timed", |backend, note| {
        assert_not_woken(backend, note);
        if backend.timed_sleep {
            assert_eq!(note.sleep_timeout(Duration::ZERO), Ok(Woken::ByTimeout));
            for timeout in [FOREVER, Duration::MAX] {
                let watched = Watched::new();
                thread::scope(|scope| {
                    let sleeper = scope.spawn(|| watched.run(|| note.sleep_timeout(timeout)));
                    assert!(watched.asleep(), "returned unwoken");
                    note.wakeup().unwrap();
                    assert_eq!(sleeper.join().unwrap(), Ok(Woken::ByWakeup));
                });
                note.clear();
            }
        }
        assert_works(note);
    });
}

#[test]
fn a_clear_forgets_a_wake_up_that_no_thread_slept_for() {
    each_backend("clear", |backend, note| {
        for _ in 0..3 {
            note.wakeup().unwrap();
            note.clear();
            assert_not_woken(backend, note);
            assert_works(note);
        }
    });
}

#[test]
fn a_second_wake_up_is_reported() {
    each_backend("double wake-up", |_, note| {
        note.wakeup().unwrap();
        assert_eq!(note.wakeup(), Err(NoteError::DoubleWakeup));
        note.sleep().unwrap();
        assert_eq!(note.wakeup(), Err(NoteError::DoubleWakeup), "the sleep does not clear");
        note.clear();
        let watched = Watched::new();
        thread::scope(|scope| {
            let sleeper = sleeper(scope, note, &watched);
            assert!(watched.asleep());
            note.wakeup().unwrap();
            assert_eq!(note.wakeup(), Err(NoteError::DoubleWakeup));
            sleeper.join().unwrap().unwrap();
        });
        assert_eq!(note.wakeup(), Err(NoteError::DoubleWakeup));
        note.clear();
        assert_works(note);
    });
}

#[test]
fn a_second_sleeper_is_reported() {
    each_backend("two sleepers", |backend, note| {
        let watched = Watched::new();
        thread::scope(|scope| {
            let sleeper = sleeper(scope, note, &watched);
            assert!(watched.asleep());
            assert_eq!(note.sleep(), Err(NoteError::TwoSleepers));
            if backend.timed_sleep {
                assert_eq!(note.sleep_timeout(SHORT), Err(NoteError::TwoSleepers));
            }
            assert!(watched.asleep(), "the first sleeper must not notice");
            note.wakeup().unwrap();
            sleeper.join().unwrap().unwrap();
        });
        note.clear();
        assert_works(note);
    });
}

#[test]
fn a_spurious_wake_up_never_surfaces() {
    let provoked_backends = AtomicUsize::new(0);
    each_backend("spurious", |backend, note| {
        let watched = Watched::new();
        let mut provoked = 0;
        thread::scope(|scope| {
            let sleeper = sleeper(scope, note, &watched);
            for _ in 0..100 {
                assert!(watched.asleep(), "returned unwoken");
                match provoke(note, Provocation::SpuriousWake) {
                    Ok(()) => provoked += 1,
                    Err(error) => assert!(matches!(error, NoteError::Unsupported { .. }), "{error}"),
                }
            }
            assert!(watched.asleep(), "returned unwoken");
            note.wakeup().unwrap();
            sleeper.join().unwrap().unwrap();
        });
        // A backend that cannot be provoked says so each time.
        assert!(provoked == 0 || provoked == 100, "{}: {provoked}", backend.name);
        provoked_backends.fetch_add(usize::from(provoked > 0), Ordering::Relaxed);
        note.clear();
        assert_works(note);
    });
    // A platform may have a backend that cannot be provoked. One where none can be shows nothing.
    assert!(provoked_backends.into_inner() > 1, "the test has shown nothing");
}

#[test]
fn a_timed_sleep_that_is_woken_for_nothing_sleeps_only_for_the_rest() {
    each_backend("spurious, timed", |backend, note| {
        if !backend.timed_sleep || provoke(note, Provocation::SpuriousWake).is_err() {
            return;
        }
        let timeout = Duration::from_millis(20);
        let watched = Watched::new();
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                let start = Instant::now();
                let woken = watched.run(|| note.sleep_timeout(timeout));
                (woken, start.elapsed())
            });
            let mut provocations = 0;
            while watched.asleep() {
                provoke(note, Provocation::SpuriousWake).unwrap();
                provocations += 1;
                assert!(provocations < 500_000, "{}: it starts anew each time", backend.name);
            }
            let (woken, elapsed) = sleeper.join().unwrap();
            assert_eq!(woken, Ok(Woken::ByTimeout));
            assert!(elapsed >= timeout && provocations > 0);
        });
        note.clear();
        assert_works(note);
    });
}

#[test]
fn a_full_doorbell_is_a_pending_wake_up() {
    each_backend("full", |backend, note| {
        let filled = provoke(note, Provocation::FullDoorbell);
        if backend.descriptors == 0 {
            assert!(matches!(filled, Err(NoteError::Unsupported { .. })));
            return;
        }
        filled.unwrap();
        errno::set(4242);
        note.wakeup().expect("full is no error");
        assert_eq!(errno::get(), 4242);
        assert_eq!(note.wakeup(), Err(NoteError::DoubleWakeup));
        note.sleep().unwrap();
        note.clear();
        assert_not_woken(backend, note);
        assert_works(note);
        // Full, but unwoken: the sleeper must see through it.
        provoke(note, Provocation::FullDoorbell).unwrap();
        assert_not_woken(backend, note);
        assert_works(note);
        // Full, woken, and cleared without a sleep.
        provoke(note, Provocation::FullDoorbell).unwrap();
        note.wakeup().unwrap();
        note.clear();
        assert_works(note);
    });
}

#[test]
fn a_wake_up_keeps_errno() {
    each_backend("errno", |_, note| {
        let wakeup = |expected| {
            errno::set(4242);
            let result = note.wakeup();
            assert_eq!(errno::get(), 4242);
            assert_eq!(result, expected);
        };
        wakeup(Ok(()));
        wakeup(Err(NoteError::DoubleWakeup));
        note.clear();
        let watched = Watched::new();
        thread::scope(|scope| {
            let sleeper = sleeper(scope, note, &watched);
            assert!(watched.asleep());
            wakeup(Ok(()));
            sleeper.join().unwrap().unwrap();
        });
        wakeup(Err(NoteError::DoubleWakeup));
    });
}

#[test]
fn instances_are_one_or_many_and_a_dropped_one_makes_room() {
    each_backend("instances", |backend, first| match backend.instances {
        Instances::One => {
            assert_eq!((backend.make)().err(), Some(NoteError::DuplicateSetup));
            assert_works(first);
        }
        Instances::Many => {
            let others: Vec<_> = (0..8).map(|_| (backend.make)().unwrap()).collect();
            others[3].wakeup().unwrap();
            assert_not_woken(backend, first);
            assert_not_woken(backend, &*others[4]);
            others[3].sleep().unwrap();
        }
    });
    let _exclusive = support::exclusive("instances, dropped");
    for backend in Backends::BUILT_IN.available() {
        for _ in 0..3 {
            assert_works(&*(backend.make)().unwrap());
        }
    }
}
