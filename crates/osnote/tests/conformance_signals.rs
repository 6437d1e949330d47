//! The conformance suite, third part: real signals at the sleeper, and real handlers that wake, for every
//! registered backend.

mod support;

use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use sigproof_osnote::{Note, Woken};
use sigproof_shim::atomic::{AtomicPtr, AtomicUsize, Ordering};

use support::{COUNTED, Gate, Jitter, Storm, Watched, count, each_backend, on_signal, sleeper, spin};

#[test]
fn a_sleep_outlasts_signals_until_it_is_woken() {
    on_signal(libc::SIGUSR1, count);
    each_backend("EINTR", |_, note| {
        let watched = Watched::new();
        thread::scope(|scope| {
            let sleeper = sleeper(scope, note, &watched);
            for _ in 0..300 {
                assert!(watched.asleep(), "returned unwoken");
                let before = COUNTED.load(Ordering::SeqCst);
                watched.id().kill(libc::SIGUSR1);
                while COUNTED.load(Ordering::SeqCst) == before {
                    thread::yield_now();
                }
            }
            assert!(watched.asleep(), "returned unwoken");
            note.wakeup().unwrap();
            sleeper.join().unwrap().unwrap();
        });
    });
}

#[test]
fn a_timed_sleep_in_a_storm_of_signals_sleeps_its_time_and_no_more() {
    on_signal(libc::SIGPROF, count);
    each_backend("EINTR storm, timed", |backend, note| {
        if !backend.timed_sleep {
            return;
        }
        let timeout = Duration::from_millis(30);
        let watched = Watched::new();
        let before = COUNTED.load(Ordering::SeqCst);
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                let start = Instant::now();
                let woken = watched.run(|| note.sleep_timeout(timeout));
                (woken, start.elapsed())
            });
            let _storm = Storm::start(watched.id());
            while !watched.returned() {
                let signals = COUNTED.load(Ordering::SeqCst) - before;
                assert!(signals < 50_000, "{}: it starts anew each time", backend.name);
                thread::yield_now();
            }
            let (woken, elapsed) = sleeper.join().unwrap();
            assert_eq!(woken, Ok(Woken::ByTimeout));
            assert!(elapsed >= timeout);
        });
        assert!(COUNTED.load(Ordering::SeqCst) > before, "no storm");
    });
}

#[test]
fn wake_ups_arrive_in_a_storm_of_signals() {
    on_signal(libc::SIGPROF, count);
    each_backend("EINTR storm", |backend, note| {
        let (start, done, over) = (&Gate::new(), &Gate::new(), &Gate::new());
        let watched = &Watched::new();
        thread::scope(|scope| {
            scope.spawn(move || {
                watched.run(|| {
                    for round in 1..=1000 {
                        start.open(round);
                        if backend.timed_sleep && round % 2 == 0 {
                            let woken = note.sleep_timeout(Duration::from_secs(100_000));
                            assert_eq!(woken, Ok(Woken::ByWakeup));
                        } else {
                            note.sleep().unwrap();
                        }
                        done.wait(round);
                        note.clear();
                    }
                    over.wait(1);
                });
            });
            let storm = Storm::start(watched.id());
            let mut jitter = Jitter(3);
            for round in 1..=1000 {
                start.wait(round);
                spin(Duration::from_nanos(jitter.below(50_000)));
                note.wakeup().unwrap();
                done.open(round);
            }
            drop(storm);
            over.open(1);
        });
    });
}

/// The note that [`wake`] wakes.
static NOTE: AtomicPtr<&dyn Note> = AtomicPtr::new(ptr::null_mut());
static FAILED: AtomicUsize = AtomicUsize::new(0);

/// Only for notes whose `wakeup` is async-signal-safe.
extern "C" fn wake(_signo: libc::c_int) {
    let note = NOTE.load(Ordering::SeqCst);
    // SAFETY: null or a reference that outlives the rounds in which the signal is sent.
    if let Some(note) = unsafe { note.as_ref() }
        && note.wakeup().is_err()
    {
        FAILED.fetch_add(1, Ordering::SeqCst);
    }
}

/// The situation of golang/go#61768: the handler that wakes has interrupted the sleeper itself, at any point
/// of its sleep.
#[test]
fn a_handler_wakes_the_sleeper_that_it_has_interrupted() {
    on_signal(libc::SIGUSR2, wake);
    each_backend("handler", |backend, mut note| {
        if !backend.wakes_from_handler() {
            return;
        }
        NOTE.store((&raw mut note).cast(), Ordering::SeqCst);
        let (start, done) = (&Gate::new(), &Gate::new());
        let watched = &Watched::new();
        thread::scope(|scope| {
            scope.spawn(move || {
                watched.run(|| {
                    for round in 1..=2000 {
                        start.open(round);
                        if backend.timed_sleep && round % 2 == 0 {
                            let woken = note.sleep_timeout(Duration::from_secs(100_000));
                            assert_eq!(woken, Ok(Woken::ByWakeup));
                        } else {
                            note.sleep().unwrap();
                        }
                        note.clear();
                        done.open(round);
                    }
                    start.wait(3000);
                });
            });
            let mut jitter = Jitter(4);
            for round in 1..=2000 {
                start.wait(round);
                spin(Duration::from_nanos(jitter.below(20_000)));
                watched.id().kill(libc::SIGUSR2);
                done.wait(round);
            }
            start.open(3000);
        });
        NOTE.store(ptr::null_mut(), Ordering::SeqCst);
        assert_eq!(FAILED.load(Ordering::SeqCst), 0, "a handler's wake-up failed");
    });
}
