//! The mutex: exclusion, every order of its takers, memory; and deadlocks, which must be found.

use std::sync::Arc;

use sigproof_shim::atomic::Ordering;
use sigproof_shim::model::{self, Failure, FailureKind, Plan};
use sigproof_shim::os::pthread::Mutex;

use crate::support::{SIGNAL, calm, failure, failure_by_signal, ignore, log, set, swept, waits, word};

fn mutex() -> Arc<Mutex> {
    Arc::new(Mutex::new().unwrap())
}

/// Three threads write a log of two steps each; `locked`: under a mutex.
fn logs(locked: bool) -> impl Fn() -> u32 + Send + Sync + 'static {
    move || {
        let (mutex, order) = (mutex(), word(0));
        let enter = |what| {
            let (mutex, order) = (Arc::clone(&mutex), Arc::clone(&order));
            move || {
                let guard = locked.then(|| mutex.lock().unwrap());
                log(&order, what);
                drop(guard);
            }
        };
        let (a, b) = (model::spawn("a", enter(1)), model::spawn("b", enter(2)));
        enter(3)();
        a.join();
        b.join();
        order.load(Ordering::Relaxed)
    }
}

/// The loads and stores are relaxed: that each sees the last one is the mutex's doing.
#[test]
fn takers_follow_each_other_in_every_order() {
    assert_eq!(calm(logs(true)), set([123, 132, 213, 231, 312, 321]));
}

#[test]
fn control_without_the_mutex_entries_are_lost() {
    let seen = calm(logs(false));
    assert!(seen.is_superset(&set([123, 132, 213, 231, 312, 321, 1, 2, 3, 12, 31])), "{seen:?}");
}

/// Whoever is in has left before another is in.
#[test]
fn a_holder_is_alone() {
    let seen = calm(|| {
        let (mutex, inside) = (mutex(), word(0));
        let visit = {
            let (mutex, inside) = (Arc::clone(&mutex), Arc::clone(&inside));
            move || {
                let _guard = mutex.lock().unwrap();
                let found = inside.swap(1, Ordering::Relaxed);
                inside.store(0, Ordering::Relaxed);
                found
            }
        };
        let other = model::spawn("other", visit.clone());
        (visit(), other.join())
    });
    assert_eq!(seen, set([(0, 0)]));
}

/// A failure by a wait for a lock: who waits for what, and whose it is.
#[track_caller]
fn assert_waits_for_lock(failure: &Failure, thread: usize, mutex: &str, owner: usize) {
    let waiting = failure.threads[thread].waits_for.as_ref().expect("it waits");
    assert_eq!((waiting.what.as_str(), waiting.owner, waiting.lock), (mutex, Some(owner), true));
}

#[test]
fn control_a_thread_that_locks_what_it_holds_is_stuck() {
    let failure = failure(&Plan::default(), FailureKind::Deadlock, || {
        let mutex = mutex();
        let _first = mutex.lock().unwrap();
        let _second = mutex.lock().unwrap();
    });
    assert_eq!(failure.message, "a thread waits for what it holds");
    assert_waits_for_lock(&failure, 0, "mutex 1", 0);
}

#[test]
fn control_locks_in_opposite_orders() {
    let failure = failure(&Plan::default(), FailureKind::Deadlock, || {
        let mutexes = [mutex(), mutex()];
        let other = model::spawn("other", {
            let [a, b] = mutexes.clone();
            move || {
                let _b = b.lock().unwrap();
                let _a = a.lock().unwrap();
            }
        });
        let [a, b] = mutexes;
        {
            let _a = a.lock().unwrap();
            let _b = b.lock().unwrap();
        }
        other.join();
    });
    assert_waits_for_lock(&failure, 0, "mutex 2", 1);
    assert_waits_for_lock(&failure, 1, "mutex 1", 0);
}

#[test]
fn locks_in_one_order_do_not_deadlock() {
    let seen = calm(|| {
        let (mutexes, order) = ([mutex(), mutex()], word(0));
        let both = |what| {
            let ([a, b], order) = (mutexes.clone(), Arc::clone(&order));
            move || {
                let _a = a.lock().unwrap();
                let _b = b.lock().unwrap();
                log(&order, what);
            }
        };
        let other = model::spawn("other", both(1));
        both(2)();
        other.join();
        order.load(Ordering::Relaxed)
    });
    assert_eq!(seen, set([12, 21]));
}

#[test]
fn control_a_thread_that_ends_with_the_mutex_leaves_it_locked() {
    let failure = failure(&Plan::default(), FailureKind::Deadlock, || {
        let mutex = mutex();
        let other = model::spawn("other", {
            let mutex = Arc::clone(&mutex);
            move || std::mem::forget(mutex.lock().unwrap())
        });
        other.join();
        let _guard = mutex.lock().unwrap();
    });
    assert_waits_for_lock(&failure, 0, "mutex 1", 1);
    assert!(failure.threads[1].ended && !failure.threads[0].ended);
}

/// The bug of the issue: the handler locks what the code holds that it interrupts.
#[test]
fn control_a_handler_that_locks_what_its_thread_holds() {
    let failure = failure_by_signal(FailureKind::Deadlock, || {
        let mutex = mutex();
        let inner = Arc::clone(&mutex);
        model::handle("handler", SIGNAL, &[], move || drop(inner.lock().unwrap()));
        model::interruptible(|| drop(mutex.lock().unwrap()));
    });
    assert_eq!(failure.threads[0].handlers, ["handler"]);
    assert_waits_for_lock(&failure, 0, "mutex 1", 0);
}

/// The lock has no `EINTR`: the thread that was asleep takes it after all, at every point of the signal.
#[test]
fn a_wait_goes_on_after_a_handler() {
    let seen = swept(|| {
        let (mutex, order) = (mutex(), word(0));
        let (holder, ran) = (Arc::clone(&mutex), word(0));
        let log_of = Arc::clone(&order);
        let other = model::spawn("other", move || {
            let _guard = holder.lock().unwrap();
            log(&log_of, 1);
        });
        model::handle("handler", SIGNAL, &[], {
            let ran = Arc::clone(&ran);
            move || ignore(ran.fetch_add(1, Ordering::Relaxed))
        });
        model::interruptible(|| {
            let _guard = mutex.lock().unwrap();
            log(&order, 2);
        });
        other.join();
        (order.load(Ordering::Relaxed), ran.load(Ordering::Relaxed))
    });
    // The last point is passed only by a thread that had to sleep.
    assert_eq!(seen, set([(12, 0), (12, 1), (21, 0), (21, 1)]));
}

#[test]
fn the_waiter_says_whose_the_mutex_is() {
    let failure = failure(&Plan::default(), FailureKind::Deadlock, || {
        let mutex = mutex();
        let guard = mutex.lock().unwrap();
        let other = model::spawn("other", {
            let mutex = Arc::clone(&mutex);
            move || drop(mutex.lock().unwrap())
        });
        other.join();
        drop(guard);
    });
    assert_eq!(waits(&failure), [("main", "the end of other".into()), ("other", "mutex 1".into())]);
    assert_waits_for_lock(&failure, 1, "mutex 1", 0);
}
