//! The condition variable: it keeps no signal, wakes one waiter, and has the mutex released while it waits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sigproof_shim::atomic::{AtomicU32, Ordering};
use sigproof_shim::model::{self, End, FailureKind, Plan};
use sigproof_shim::os::clock;
use sigproof_shim::os::pthread::{CondWait, Condvar, Mutex};

use crate::support::{
    SIGNAL, calm, explored, failure, ignore, log, outcomes, set, signals, spurious, swept, timeout, waits, word,
};

const SECOND: Duration = Duration::from_secs(1);

/// A flag with what guards it and what tells of it.
struct Flag {
    mutex: Mutex,
    condvar: Condvar,
    raised: AtomicU32,
    /// How often a waiter went to sleep.
    sleeps: AtomicU32,
}

impl Flag {
    fn new() -> Arc<Self> {
        let (mutex, condvar) = (Mutex::new().unwrap(), Condvar::new().unwrap());
        Arc::new(Self { mutex, condvar, raised: AtomicU32::new(0), sleeps: AtomicU32::new(0) })
    }

    /// Waits until it is raised; how often it slept.
    fn wait(&self) -> u32 {
        let mut guard = self.mutex.lock().unwrap();
        while self.raised.load(Ordering::Relaxed) == 0 {
            self.sleeps.fetch_add(1, Ordering::Relaxed);
            self.condvar.wait(&mut guard).unwrap();
        }
        self.sleeps.load(Ordering::Relaxed)
    }

    /// Raises it under the mutex, and signals with the mutex (`inside`) or after it.
    fn raise(&self, inside: bool) {
        let guard = self.mutex.lock().unwrap();
        self.raised.store(1, Ordering::Relaxed);
        if inside {
            self.condvar.signal().unwrap();
        }
        drop(guard);
        if !inside {
            self.condvar.signal().unwrap();
        }
    }
}

/// The waiter sleeps or finds the flag raised. The predicate is relaxed: the mutex orders it.
#[test]
fn a_predicate_under_the_mutex_loses_no_signal() {
    for inside in [true, false] {
        let seen = calm(move || {
            let flag = Flag::new();
            let raiser = model::spawn("raiser", {
                let flag = Arc::clone(&flag);
                move || flag.raise(inside)
            });
            let sleeps = flag.wait();
            raiser.join();
            sleeps
        });
        assert_eq!(seen, set([0, 1]), "inside: {inside}");
    }
}

#[test]
fn control_a_signal_before_the_wait_is_lost() {
    let failure = failure(&Plan::default(), FailureKind::Deadlock, || {
        let flag = Flag::new();
        flag.condvar.signal().unwrap();
        let mut guard = flag.mutex.lock().unwrap();
        flag.condvar.wait(&mut guard).unwrap();
    });
    assert_eq!(waits(&failure), [("main", "condition variable 2".into())]);
    let waiting = failure.threads[0].waits_for.as_ref().unwrap();
    assert_eq!((waiting.owner, waiting.lock), (None, false));
}

#[test]
fn control_a_wait_without_a_predicate_loses_the_signal() {
    let failure = failure(&Plan::default(), FailureKind::Deadlock, || {
        let flag = Flag::new();
        let signaller = model::spawn("signaller", {
            let flag = Arc::clone(&flag);
            move || flag.condvar.signal().unwrap()
        });
        let mut guard = flag.mutex.lock().unwrap();
        flag.condvar.wait(&mut guard).unwrap();
        signaller.join();
    });
    assert_eq!(waits(&failure), [("main", "condition variable 2".into())]);
    assert!(failure.threads[1].ended);
}

/// The flag is raised between the waiter's look and its sleep.
#[test]
fn control_a_predicate_outside_of_the_mutex_loses_the_signal() {
    let failure = failure(&Plan::default(), FailureKind::Deadlock, || {
        let flag = Flag::new();
        let raiser = model::spawn("raiser", {
            let flag = Arc::clone(&flag);
            move || {
                flag.raised.store(1, Ordering::SeqCst);
                flag.condvar.signal().unwrap();
            }
        });
        flag.wait();
        raiser.join();
    });
    assert_eq!(waits(&failure), [("main", "condition variable 2".into())]);
}

/// Two threads take a ticket each. Two tickets are given out at once, with so many signals. The log of the
/// takers.
fn tickets(signals: u32) -> impl Fn() -> u32 + Send + Sync + 'static {
    move || {
        let (flag, order) = (Flag::new(), word(0));
        let take = |what| {
            let (flag, order) = (Arc::clone(&flag), Arc::clone(&order));
            move || {
                let mut guard = flag.mutex.lock().unwrap();
                while flag.raised.load(Ordering::Relaxed) == 0 {
                    flag.condvar.wait(&mut guard).unwrap();
                }
                flag.raised.fetch_sub(1, Ordering::Relaxed);
                log(&order, what);
            }
        };
        let (a, b) = (model::spawn("a", take(1)), model::spawn("b", take(2)));
        let guard = flag.mutex.lock().unwrap();
        flag.raised.store(2, Ordering::Relaxed);
        drop(guard);
        for _ in 0..signals {
            flag.condvar.signal().unwrap();
        }
        a.join();
        b.join();
        order.load(Ordering::Relaxed)
    }
}

#[test]
fn two_signals_wake_two() {
    assert_eq!(calm(tickets(2)), set([12, 21]));
}

#[test]
fn control_one_signal_does_not_wake_two() {
    let body = tickets(1);
    let failure = failure(&Plan::default(), FailureKind::Deadlock, move || ignore(body()));
    let asleep = waits(&failure).into_iter().filter(|(_, what)| what == "condition variable 2").count();
    assert_eq!(asleep, 1, "{:?}", waits(&failure));
}

/// While one waits the mutex is free, and when it has waited the mutex is its own again.
#[test]
fn a_wait_releases_the_mutex_and_takes_it_again() {
    let failure = failure(&Plan::default(), FailureKind::Deadlock, || {
        let flag = Flag::new();
        let raiser = model::spawn("raiser", {
            let flag = Arc::clone(&flag);
            move || flag.raise(true)
        });
        let mut guard = flag.mutex.lock().unwrap();
        while flag.raised.load(Ordering::Relaxed) == 0 {
            flag.condvar.wait(&mut guard).unwrap();
        }
        // Deadlocks because this thread holds it.
        let _again = flag.mutex.lock().unwrap();
        raiser.join();
    });
    let waiting = failure.threads[0].waits_for.as_ref().unwrap();
    assert_eq!((waiting.what.as_str(), waiting.owner), ("mutex 1", Some(0)));
}

/// What a timed wait of the target gives, how far the clock went, and whether the mutex is held then.
fn timed_wait(plan: &Plan, time: Duration) -> BTreeSet<(bool, Duration, bool)> {
    outcomes(plan, move || {
        let flag = Flag::new();
        let mut guard = flag.mutex.lock().unwrap();
        let before = clock::now();
        let ended = model::interruptible(|| flag.condvar.wait_for(&mut guard, time).unwrap());
        let passed = clock::now() - before;
        let got = model::spawn("other", {
            let flag = Arc::clone(&flag);
            move || {
                let _guard = flag.mutex.lock().unwrap();
                flag.raised.load(Ordering::Relaxed)
            }
        });
        flag.raised.store(1, Ordering::Relaxed);
        drop(guard);
        (ended == CondWait::TimedOut, passed, got.join() == 1)
    })
}

#[test]
fn time_outs_and_spurious_ends() {
    assert_eq!(timed_wait(&timeout(0), SECOND), set([(true, SECOND, true)]));
    assert_eq!(timed_wait(&spurious(0), SECOND), set([(false, Duration::from_millis(600), true)]));
    assert_eq!(timed_wait(&Plan::default(), Duration::ZERO), set([(true, Duration::ZERO, true)]));
}

#[test]
fn control_without_a_time_out_in_the_plan_a_timed_wait_is_for_ever() {
    failure(&Plan::default(), FailureKind::Deadlock, || {
        let flag = Flag::new();
        let mut guard = flag.mutex.lock().unwrap();
        model::interruptible(|| ignore(flag.condvar.wait_for(&mut guard, SECOND)));
    });
}

#[test]
fn a_spurious_end_is_found_by_who_does_not_look_again() {
    let seen = outcomes(&spurious(0), || {
        let flag = Flag::new();
        let raiser = model::spawn("raiser", {
            let flag = Arc::clone(&flag);
            move || flag.raise(true)
        });
        let raised = model::interruptible(|| {
            let mut guard = flag.mutex.lock().unwrap();
            if flag.raised.load(Ordering::Relaxed) == 0 {
                flag.condvar.wait(&mut guard).unwrap();
            }
            flag.raised.load(Ordering::Relaxed)
        });
        raiser.join();
        raised
    });
    assert_eq!(seen, set([0, 1]));
}

/// A handler that runs while its thread waits does not end the wait, at whatever point it comes.
#[test]
fn a_wait_goes_on_after_a_handler() {
    let seen = swept(|| {
        let (flag, ran) = (Flag::new(), word(0));
        let raiser = model::spawn("raiser", {
            let flag = Arc::clone(&flag);
            move || flag.raise(true)
        });
        model::handle("handler", SIGNAL, &[], {
            let ran = Arc::clone(&ran);
            move || ignore(ran.fetch_add(1, Ordering::Relaxed))
        });
        let sleeps = model::interruptible(|| flag.wait());
        raiser.join();
        (sleeps, ran.load(Ordering::Relaxed))
    });
    // The last points are passed only by a thread that waits for the mutex, too.
    assert_eq!(seen, set([(0, 0), (0, 1), (1, 0), (1, 1)]));
}

/// A handler that signals, of a thread that is in the queue and has not released the mutex, wakes that
/// thread.
#[test]
fn a_handler_may_signal_between_queue_and_sleep() {
    let failing = std::cell::RefCell::new(Vec::new());
    for point in 0..6 {
        let (explored, _) = explored(&signals([(point, 0)]), || {
            let flag = Flag::new();
            let inner = Arc::clone(&flag);
            model::handle("handler", SIGNAL, &[], move || inner.condvar.signal().unwrap());
            model::interruptible(|| {
                let mut guard = flag.mutex.lock().unwrap();
                flag.condvar.wait(&mut guard).unwrap();
            });
        });
        failing.borrow_mut().push(matches!(explored.end, End::Failed(_)));
    }
    // Before the lock, before the queue: lost. Before the release, asleep: not. Later points are not reached.
    assert_eq!(*failing.borrow(), [true, true, false, false, true, true]);
}

/// A wait that timed out has left the queue: the signal is for the thread that still waits.
#[test]
fn a_wait_that_ended_has_left_the_queue() {
    let seen = outcomes(&timeout(0), || {
        let flag = Flag::new();
        let mut guard = flag.mutex.lock().unwrap();
        let ended = model::interruptible(|| flag.condvar.wait_for(&mut guard, SECOND).unwrap());
        drop(guard);
        let other = model::spawn("other", {
            let flag = Arc::clone(&flag);
            move || flag.wait()
        });
        flag.raise(true);
        (ended == CondWait::TimedOut, other.join())
    });
    assert_eq!(seen, set([(true, 0), (true, 1)]));
}
