//! Searches in which the environment chooses: they show what all plans together show, within the same number
//! of perturbations, and can be repeated and divided among threads. Of the explorer of graphs only.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sigproof_shim::atomic::Ordering;
use sigproof_shim::cell::UnsafeCell;
use sigproof_shim::model::{self, Body, End, Environment, Exploration, FailureKind, Limits, Plan, Seen, ghost};
use sigproof_shim::os::futex::{self, FutexWait};
use sigproof_shim::os::sem::Semaphore;

use crate::support::{SIGNAL, calm, explored, ignore, limits, outcomes, set, signals, word};

const ONE: Environment = Environment { most: 1, timeouts: true, spurious: true };

/// What the body returned in all executions, none of which may fail.
#[track_caller]
fn searched<T: Ord + Send + 'static>(
    environment: Environment,
    jobs: usize,
    body: impl Fn() -> T + Send + Sync + 'static,
) -> (Exploration, BTreeSet<T>) {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let add = Arc::clone(&seen);
    let whole: Body = Arc::new(move || {
        let outcome = body();
        add.lock().unwrap().insert(outcome);
    });
    let found = model::search(environment, &limits(), &whole, jobs, &mut |seen| match seen {
        Seen::Failed(failure, _) => panic!("{failure:?}"),
        Seen::Progress { .. } => true,
    });
    assert!(matches!(found.end, End::Exhausted), "{:?}", found.end);
    assert_eq!(found.left, 0);
    drop(whole);
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    (found, seen)
}

/// The outcomes of the plan without a perturbation, and of each plan with one.
fn planned<T: Ord + Send + 'static>(body: impl Fn() -> T + Send + Sync + 'static) -> BTreeSet<T> {
    let body = Arc::new(body);
    let again = || {
        let body = Arc::clone(&body);
        move || body()
    };
    let (calm, mut all) = explored(&Plan::default(), again());
    let plans = (0..calm.chances.signals).map(|point| signals([(point, 0)]));
    let timeouts = (0..calm.chances.timeouts).map(|n| Plan { timeouts: vec![n], ..Plan::default() });
    let spurious = (0..calm.chances.spurious).map(|n| Plan { spurious: vec![n], ..Plan::default() });
    for plan in plans.chain(timeouts).chain(spurious) {
        all.extend(outcomes(&plan, again()));
    }
    all
}

/// A load and a compare-and-exchange, with a handler that adds; another thread loads.
fn races() -> (u32, bool, u32, u32) {
    let word = word(0);
    let inner = Arc::clone(&word);
    model::handle("handler", SIGNAL, &[], move || ignore(inner.fetch_add(16, Ordering::Relaxed)));
    let other = model::spawn("other", {
        let word = Arc::clone(&word);
        move || word.load(Ordering::Relaxed)
    });
    let (old, swapped) = model::interruptible(|| {
        let old = word.load(Ordering::Relaxed);
        (old, word.compare_exchange(old, 1, Ordering::Relaxed, Ordering::Relaxed).is_ok())
    });
    (old, swapped, other.join(), word.load(Ordering::Relaxed))
}

/// A timed wait that a handler, the time, nothing at all, or another thread ends.
fn sleeps() -> (u32, u32) {
    let word = word(0);
    model::handle("handler", SIGNAL, &[], || {});
    let waker = model::spawn("waker", {
        let word = Arc::clone(&word);
        move || {
            word.store(1, Ordering::Relaxed);
            futex::wake(&word, 1).unwrap() as u32
        }
    });
    let ended = model::interruptible(|| futex::wait(&word, 0, Some(Duration::from_secs(1))).unwrap());
    let ended = match ended {
        FutexWait::Woken => 0,
        FutexWait::Changed => 1,
        FutexWait::Interrupted => 2,
        FutexWait::TimedOut => 3,
    };
    (ended, waker.join())
}

/// A handler that reads what its thread writes in two cells, between and after the accesses.
fn cells() -> Vec<u32> {
    let (cell, seen) = (Arc::new(Shared(UnsafeCell::new(0))), Arc::new(Mutex::new(Vec::new())));
    let marks = Arc::new(word(0));
    let (inner, log) = (Arc::clone(&marks), Arc::clone(&seen));
    model::handle("handler", SIGNAL, &[], move || log.lock().unwrap().push(inner.load(Ordering::Relaxed)));
    model::interruptible(|| {
        cell.0.with_mut(|value| {
            // SAFETY: no other code accesses the cell.
            unsafe { *value = 1 };
        });
        marks.store(1, Ordering::Relaxed);
        cell.0.with(|_| ());
        marks.store(2, Ordering::Relaxed);
    });
    std::mem::take(&mut *seen.lock().unwrap())
}

struct Shared(UnsafeCell<u32>);

// SAFETY: one thread of a model accesses the cell.
unsafe impl Sync for Shared {}

#[test]
fn choices_show_what_plans_show() {
    assert_eq!(searched(ONE, 1, races).1, planned(races));
    assert_eq!(searched(ONE, 1, sleeps).1, planned(sleeps));
    assert_eq!(searched(ONE, 1, cells).1, planned(cells));
}

#[test]
fn the_environment_does_no_more_than_it_may() {
    let none = Environment::default();
    assert_eq!(searched(none, 1, races).1, calm(races));
    let signals_only = Environment { most: 1, timeouts: false, spurious: false };
    let ends: BTreeSet<u32> = searched(signals_only, 1, sleeps).1.into_iter().map(|(ended, _)| ended).collect();
    assert_eq!(ends, set([0, 1, 2]));
    let deliveries = |most| {
        let environment = Environment { most, ..Environment::default() };
        let seen = searched(environment, 1, cells).1;
        seen.into_iter().map(|seen| seen.len()).max()
    };
    assert_eq!([0, 1, 2].map(deliveries), [0, 1, 2].map(Some));
}

#[test]
fn threads_share_a_search() {
    let (alone, seen) = searched(ONE, 1, sleeps);
    for jobs in [2, 3] {
        let (shared, same) = searched(ONE, jobs, sleeps);
        assert_eq!((shared.executions, shared.discarded), (alone.executions, alone.discarded));
        assert_eq!((shared.deliveries, same), (alone.deliveries, seen.clone()));
        assert!(shared.left == 0 && shared.remaining.is_none());
    }
}

#[test]
fn a_failure_is_repeated_from_its_choices() {
    let body: Body = Arc::new(|| {
        let word = word(0);
        let inner = Arc::clone(&word);
        model::handle("handler", SIGNAL, &[], move || ignore(inner.fetch_add(16, Ordering::Relaxed)));
        let late = model::interruptible(|| {
            let old = word.load(Ordering::Relaxed);
            word.load(Ordering::Relaxed) != old
        });
        if late {
            model::fail("late", "the second load was later".into());
        }
    });
    let mut found = None;
    let explored = model::search(ONE, &limits(), &body, 1, &mut |seen| match seen {
        Seen::Failed(failure, choices) => {
            assert_eq!(failure.kind, FailureKind::Reported("late"));
            found = Some(choices());
            false
        }
        Seen::Progress { .. } => true,
    });
    assert!(explored.executions > 1);
    let choices = found.expect("the failure");
    assert!(choices.is_graph(100) && !choices.is_graph(1));
    let again = model::repeat(ONE, &limits(), &choices, &body);
    let End::Failed(failure) = again.end else { panic!("{:?}", again.end) };
    let steps: Vec<_> = failure.steps.iter().map(|step| (step.depth, step.what.as_str())).collect();
    let expected = [
        (0, "load Relaxed = 0x0"),
        (0, "signal: handler interrupts"),
        (1, "fetch_add Relaxed 0x10, was 0x0"),
        (1, "handler returns"),
        (0, "load Relaxed = 0x10"),
    ];
    assert_eq!(steps, expected);
    let store_first: Body = Arc::new(|| word(0).store(1, Ordering::Relaxed));
    let other = model::repeat(ONE, &limits(), &choices, &store_first);
    assert!(matches!(other.end, End::Unsupported), "another body: {:?}", other.end);
}

/// The load that makes the difference is marked.
#[test]
fn an_old_value_is_told() {
    let body: Body = Arc::new(|| {
        let (data, flag) = (word(0), word(0));
        let writer = model::spawn("writer", {
            let (data, flag) = (Arc::clone(&data), Arc::clone(&flag));
            move || {
                data.store(1, Ordering::Relaxed);
                flag.store(1, Ordering::Relaxed);
            }
        });
        if flag.load(Ordering::Relaxed) == 1 && data.load(Ordering::Relaxed) == 0 {
            model::fail("old", "the data is old".into());
        }
        writer.join();
    });
    let mut found = None;
    ignore(model::search(Environment::default(), &limits(), &body, 1, &mut |seen| match seen {
        Seen::Failed(_, choices) => {
            found = Some(choices());
            false
        }
        Seen::Progress { .. } => true,
    }));
    let again = model::repeat(Environment::default(), &limits(), &found.unwrap(), &body);
    let End::Failed(failure) = again.end else { panic!("{:?}", again.end) };
    let loads: Vec<_> =
        failure.steps.iter().map(|step| step.what.as_str()).filter(|what| what.contains("load")).collect();
    assert_eq!(loads, ["load Relaxed = 0x1", "load Relaxed = 0x0, not the newest"]);
}

/// Bookkeeping that several threads share takes every order, and orders nothing.
#[test]
fn ghosts_take_every_order_and_order_nothing() {
    let seen = calm(|| {
        let (next, data) = (Arc::new(ghost::AtomicU32::new(0)), word(0));
        let other = model::spawn("other", {
            let (next, data) = (Arc::clone(&next), Arc::clone(&data));
            move || {
                data.store(1, Ordering::Relaxed);
                next.fetch_add(1, Ordering::Relaxed)
            }
        });
        let mine = next.fetch_add(1, Ordering::Relaxed);
        let data = data.load(Ordering::Relaxed);
        (mine, data, other.join())
    });
    assert_eq!(seen, set([(0, 0, 1), (0, 1, 1), (1, 0, 0), (1, 1, 0)]));
}

#[test]
fn a_search_can_be_stopped_and_says_what_is_left() {
    let body: Body = Arc::new(|| ignore(sleeps()));
    let stopped = model::search(ONE, &limits(), &body, 1, &mut |_| false);
    assert!(matches!(stopped.end, End::OutOfTime), "{:?}", stopped.end);
    assert!(stopped.left > 0 && stopped.remaining.is_some_and(|left| left.about > 1.0));
    let unasked = model::search(ONE, &Limits { estimate: false, ..limits() }, &body, 1, &mut |_| false);
    assert!(unasked.left > 0 && unasked.remaining.is_none(), "an estimate takes time");
    let late = Limits { until: Some(Duration::ZERO), ..limits() };
    let late = model::search(ONE, &late, &body, 1, &mut |_| true);
    assert!(matches!(late.end, End::OutOfTime) && late.executions == 0);
}

/// Two threads add to one word, and a handler of the first: some hundred executions.
fn adds() -> Body {
    Arc::new(|| {
        let word = word(0);
        let (inner, other) = (Arc::clone(&word), Arc::clone(&word));
        let add =
            |word: &sigproof_shim::atomic::AtomicU32| (0..4).for_each(|_| ignore(word.fetch_add(1, Ordering::Relaxed)));
        model::handle("handler", SIGNAL, &[], move || ignore(inner.fetch_add(16, Ordering::Relaxed)));
        let thread = model::spawn("other", move || add(&other));
        model::interruptible(|| add(&word));
        thread.join();
    })
}

#[test]
fn a_search_goes_on_from_what_it_was_left_with() {
    let whole = model::search(ONE, &limits(), &adds(), 1, &mut |_| true);
    assert!(matches!(whole.end, End::Exhausted) && whole.executions > 300, "{}", whole.executions);
    for jobs in [1, 2] {
        let (mut from, mut parts) = (Vec::new(), Vec::new());
        loop {
            let part = Limits { from, keep: true, ..limits() };
            let part = model::search(ONE, &part, &adds(), jobs, &mut |seen| match seen {
                Seen::Progress { executions, .. } => executions < 64,
                Seen::Failed(failure, _) => panic!("{failure:?}"),
            });
            parts.push((part.executions, part.discarded, part.deliveries));
            assert_eq!(part.waiting.len(), part.left);
            match part.end {
                End::OutOfTime => from = part.waiting,
                End::Exhausted => break,
                other => panic!("{other:?}"),
            }
        }
        let sum = parts.iter().fold((0, 0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1, sum.2 + part.2));
        assert_eq!(sum, (whole.executions, whole.discarded, whole.deliveries), "{parts:?}");
        assert!(parts.len() > 3, "{parts:?}");
    }
}

#[test]
fn a_search_goes_on_from_graphs_of_its_own_body_only() {
    let keep = Limits { keep: true, ..limits() };
    let stopped = model::search(ONE, &keep, &adds(), 1, &mut |seen| match seen {
        Seen::Progress { executions, .. } => executions < 64,
        Seen::Failed(failure, _) => panic!("{failure:?}"),
    });
    let goes_on = |from: Vec<String>, body: &Body| {
        let limits = Limits { from, ..limits() };
        model::search(ONE, &limits, body, 1, &mut |_| true).end
    };
    let store_first: Body = Arc::new(|| word(0).store(1, Ordering::Relaxed));
    assert!(matches!(goes_on(stopped.waiting.clone(), &store_first), End::Misfit), "another body");
    for text in ["", "nonsense", "T.o!1!x", "T.o3!1!0"] {
        assert!(matches!(goes_on(vec![text.into()], &adds()), End::Misfit), "{text}");
    }
    assert!(matches!(goes_on(stopped.waiting, &adds()), End::Exhausted));
}

#[test]
fn each_graph_is_explored_once() {
    let limits = Limits { distinct: true, ..limits() };
    for jobs in [1, 2] {
        let found = model::search(ONE, &limits, &adds(), jobs, &mut |_| true);
        assert_eq!(found.distinct, Some(found.executions));
    }
}

/// What is left of a search that ends, where it is stopped: the estimate beside the truth.
#[test]
fn the_estimate_is_within_a_factor_of_two() {
    let whole = model::search(ONE, &limits(), &adds(), 1, &mut |_| true).executions;
    for stop in [0, 64, 192] {
        let stopped = model::search(ONE, &limits(), &adds(), 1, &mut |seen| match seen {
            Seen::Progress { executions, .. } => executions < stop,
            Seen::Failed(failure, _) => panic!("{failure:?}"),
        });
        let (left, said) = ((whole - stopped.executions) as f64, stopped.remaining.unwrap());
        assert!((left / 2.0..left * 2.0).contains(&said.about), "{left} left, {said:?}");
        assert!((said.low..=said.high).contains(&left), "{left} left, {said:?}");
    }
}

/// A post wakes a sleeper that the environment has just made give up: the wake-up is had, not lost.
#[test]
fn a_wait_that_gives_up_late_is_woken() {
    let (_, seen) = searched(ONE, 1, || {
        let semaphore = Arc::new(Semaphore::new().unwrap());
        let poster = model::spawn("poster", {
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.post().unwrap()
        });
        let first = model::interruptible(|| semaphore.wait_for(Duration::from_secs(1)).unwrap());
        poster.join();
        let left = semaphore.wait_for(Duration::ZERO).unwrap();
        (format!("{first:?}"), format!("{left:?}"))
    });
    let both = |first: &str, left: &str| (first.to_owned(), left.to_owned());
    let expected = [both("Acquired", "TimedOut"), both("TimedOut", "Acquired"), both("Interrupted", "Acquired")];
    assert_eq!(seen, set(expected));
}

/// Three weak exchanges in a row fail, within a bound that allows it; the bound that does not is told. The
/// choices of the failure need no bound.
#[test]
fn a_weak_exchange_fails_as_often_as_the_bound_allows() {
    let body: Body = Arc::new(|| {
        let word = word(0);
        let try_once = || word.compare_exchange_weak(0, 1, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !(0..3).any(|_| try_once()) {
            model::fail("weak", String::new());
        }
    });
    let search = |weak_failures| {
        let mut choices = None;
        let limits = Limits { weak_failures, ..limits() };
        let found = model::search(ONE, &limits, &body, 1, &mut |seen| {
            if let Seen::Failed(_, of) = seen {
                choices = Some(of());
            }
            true
        });
        (found.executions, found.weak_bound_met, choices)
    };
    assert_eq!(search(1), (2, true, None));
    let (executions, met, choices) = search(3);
    assert_eq!((executions, met), (4, false));
    let again = model::repeat(ONE, &limits(), &choices.unwrap(), &body);
    let End::Failed(failure) = again.end else { panic!("{:?}", again.end) };
    let told = failure.steps.iter().filter(|step| step.what.contains("a weak one may fail though it is 0x0"));
    assert_eq!(told.count(), 3, "{:?}", failure.steps);
}
