//! The futex: it compares, sleeps and wakes in the order of its queue; it keeps no wake and orders no memory.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sigproof_shim::atomic::Ordering;
use sigproof_shim::model::{self, FailureKind, Plan};
use sigproof_shim::native::atomic::AtomicBool;
use sigproof_shim::os::futex::{self, FutexWait};
use sigproof_shim::os::{clock, errno};

use crate::support::{SIGNAL, calm, failure, ignore, outcomes, set, signals, spurious, timeout, waits, word};

const SECOND: Duration = Duration::from_secs(1);

/// What a wait gave, as something that can be sorted.
fn name(ended: FutexWait) -> &'static str {
    match ended {
        FutexWait::Woken => "woken",
        FutexWait::Changed => "changed",
        FutexWait::Interrupted => "interrupted",
        FutexWait::TimedOut => "timed out",
    }
}

#[test]
fn a_wait_for_another_value_does_not_sleep() {
    let seen = calm(|| (name(futex::wait(&word(1), 0, None).unwrap()), errno::get()));
    assert_eq!(seen, set([("changed", libc::EAGAIN)]));
}

/// The waker changes the word or not, then wakes. What the waiter got, and how many were woken.
fn wait_and_wake(changes: bool) -> impl Fn() -> (&'static str, usize) + Send + Sync + 'static {
    move || {
        let word = word(0);
        let waker = model::spawn("waker", {
            let word = Arc::clone(&word);
            move || {
                if changes {
                    word.store(1, Ordering::Relaxed);
                }
                futex::wake(&word, 1).unwrap()
            }
        });
        let ended = futex::wait(&word, 0, None).unwrap();
        (name(ended), waker.join())
    }
}

/// To look at the word and to join the queue are one step: no wake falls between.
#[test]
fn a_wake_after_a_change_is_not_lost() {
    assert_eq!(calm(wait_and_wake(true)), set([("changed", 0), ("woken", 1)]));
}

#[test]
fn control_a_wake_without_a_change_is_lost() {
    let body = wait_and_wake(false);
    let failure = failure(&Plan::default(), FailureKind::Deadlock, move || ignore(body()));
    assert_eq!(waits(&failure), [("main", "a wake of the futex 0x0".into())]);
    assert!(failure.threads[1].ended);
}

#[test]
fn control_a_change_without_a_wake_wakes_no_thread() {
    let failure = failure(&Plan::default(), FailureKind::Deadlock, || {
        let word = word(0);
        let changer = model::spawn("changer", {
            let word = Arc::clone(&word);
            move || word.store(1, Ordering::Relaxed)
        });
        futex::wait(&word, 0, None).unwrap();
        changer.join();
    });
    assert_eq!(waits(&failure), [("main", "a wake of the futex 0x0".into())]);
}

#[test]
fn control_a_wake_of_another_word_wakes_no_thread() {
    failure(&Plan::default(), FailureKind::Deadlock, || {
        let words = [word(0), word(0)];
        let waker = model::spawn("waker", {
            let words = words.clone();
            move || {
                words[0].store(1, Ordering::Relaxed);
                futex::wake(&words[1], 1).unwrap();
            }
        });
        futex::wait(&words[0], 0, None).unwrap();
        waker.join();
    });
}

/// Two threads wait; the word changes and so many are woken, once. Who was woken, and how many.
fn two_waiters(count: u32) -> impl Fn() -> (usize, u32) + Send + Sync + 'static {
    move || {
        let word = word(0);
        let wait = |bit: u32| {
            let word = Arc::clone(&word);
            move || if futex::wait(&word, 0, None).unwrap() == FutexWait::Woken { bit } else { 0 }
        };
        let (a, b) = (model::spawn("a", wait(1)), model::spawn("b", wait(2)));
        word.store(1, Ordering::Relaxed);
        let woken = futex::wake(&word, count).unwrap();
        (woken, a.join() | b.join())
    }
}

#[test]
fn a_wake_of_all_wakes_each_that_waits() {
    assert_eq!(calm(two_waiters(u32::MAX)), set([(0, 0), (1, 1), (1, 2), (2, 3)]));
}

#[test]
fn control_a_wake_of_one_leaves_the_other() {
    let body = two_waiters(1);
    let failure = failure(&Plan::default(), FailureKind::Deadlock, move || ignore(body()));
    let asleep = waits(&failure).into_iter().filter(|(_, what)| what.starts_with("a wake of")).count();
    assert_eq!(asleep, 1);
}

#[test]
fn a_wake_of_none_wakes_none() {
    assert_eq!(calm(|| futex::wake(&word(0), 1).unwrap()), set([0]));
    let body = two_waiters(0);
    failure(&Plan::default(), FailureKind::Deadlock, move || ignore(body()));
}

/// Data that is stored before the word, all relaxed. A wait promises nothing of the data. Under loom one that
/// slept is ordered after its waker (see the limits of the model).
#[test]
fn a_futex_orders_no_memory() {
    let seen = calm(|| {
        let (data, flag) = (word(0), word(0));
        let waker = model::spawn("waker", {
            let (data, flag) = (Arc::clone(&data), Arc::clone(&flag));
            move || {
                data.store(1, Ordering::Relaxed);
                flag.store(1, Ordering::Relaxed);
                futex::wake(&flag, 1).unwrap();
            }
        });
        let ended = futex::wait(&flag, 0, None).unwrap();
        let seen = (name(ended), data.load(Ordering::Relaxed));
        waker.join();
        seen
    });
    let mut expected = set([("changed", 0), ("changed", 1), ("woken", 1)]);
    if cfg!(not(loom)) {
        expected.insert(("woken", 0));
    }
    assert_eq!(seen, expected);
}

/// What a wait of the target gives that no thread wakes, with `errno` and the time that passed.
fn alone(plan: &Plan, timeout: Option<Duration>) -> BTreeSet<(&'static str, i32, Duration)> {
    outcomes(plan, move || {
        let word = word(0);
        let before = clock::now();
        model::handle("handler", SIGNAL, &[], || {});
        let ended = model::interruptible(|| futex::wait(&word, 0, timeout).unwrap());
        (name(ended), errno::get(), clock::now() - before)
    })
}

#[test]
fn every_end_of_a_wait() {
    let zero = Duration::ZERO;
    assert_eq!(alone(&timeout(0), Some(SECOND)), set([("timed out", libc::ETIMEDOUT, SECOND)]));
    assert_eq!(alone(&Plan::default(), Some(zero)), set([("timed out", libc::ETIMEDOUT, zero)]));
    // Point 0 is before the call, 1 is asleep.
    assert_eq!(alone(&signals([(1, 0)]), None), set([("interrupted", libc::EINTR, zero)]));
    assert_eq!(alone(&spurious(0), None), set([("woken", 0, zero)]));
    assert_eq!(alone(&spurious(0), Some(SECOND)), set([("woken", 0, Duration::from_millis(600))]));
}

#[test]
fn control_a_handler_before_the_call_does_not_end_it() {
    failure(&signals([(0, 0)]), FailureKind::Deadlock, || {
        let word = word(0);
        model::handle("handler", SIGNAL, &[], || {});
        model::interruptible(|| ignore(futex::wait(&word, 0, None)));
    });
}

/// A wait that was interrupted has left the queue: a later wake does not count it.
#[test]
fn an_ended_wait_has_left_the_queue() {
    for plan in [signals([(1, 0)]), timeout(0), spurious(0)] {
        let seen = outcomes(&plan, || {
            let word = word(0);
            model::handle("handler", SIGNAL, &[], || {});
            model::interruptible(|| ignore(futex::wait(&word, 0, Some(SECOND))));
            futex::wake(&word, 1).unwrap()
        });
        assert_eq!(seen, set([0]), "{plan:?}");
    }
}

/// Before the call and asleep: a handler that changes the word and wakes does so for its own thread.
#[test]
fn a_handler_wakes_its_own_thread() {
    let at = |point| {
        outcomes(&signals([(point, 0)]), || {
            let (word, woken) = (word(0), word(9));
            let (inner, count) = (Arc::clone(&word), Arc::clone(&woken));
            model::handle("handler", SIGNAL, &[], move || {
                inner.store(1, Ordering::Relaxed);
                count.store(futex::wake(&inner, 1).unwrap() as u32, Ordering::Relaxed);
            });
            let ended = model::interruptible(|| name(futex::wait(&word, 0, None).unwrap()));
            (ended, woken.load(Ordering::Relaxed))
        })
    };
    assert_eq!(at(0), set([("changed", 0)]));
    assert_eq!(at(1), set([("woken", 1)]));
}

/// Two calls on futexes follow each other, and no memory is ordered by that: a flag of the system, which loom
/// does not see, tells that the other call came first.
#[test]
fn calls_that_follow_each_other_order_no_memory() {
    let seen = calm(|| {
        let (data, first) = (word(0), Arc::new(AtomicBool::new(false)));
        let other = model::spawn("other", {
            let (data, first) = (Arc::clone(&data), Arc::clone(&first));
            move || {
                data.store(1, Ordering::Relaxed);
                futex::wake(&word(0), 1).unwrap();
                first.store(true, Ordering::Relaxed);
            }
        });
        futex::wake(&word(0), 1).unwrap();
        let other_was_first = first.load(Ordering::Relaxed);
        let seen = (other_was_first, data.load(Ordering::Relaxed));
        other.join();
        seen
    });
    assert_eq!(seen, set([(false, 0), (false, 1), (true, 0), (true, 1)]));
}
