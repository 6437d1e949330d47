//! Explorations, and what a test asks of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use sigproof_shim::atomic::{AtomicU32, Ordering};
use sigproof_shim::model::{self, Body, End, Exploration, Failure, FailureKind, Limits, Plan};

/// The signal of every handler that needs no other.
pub const SIGNAL: i32 = libc::SIGPROF;

/// Every interleaving: any number of preemptions.
pub fn limits() -> Limits {
    Limits { preemptions: None, estimate: true, ..Limits::default() }
}

/// Signals at these points, each with the number of its handler.
pub fn signals<const N: usize>(signals: [(u32, u32); N]) -> Plan {
    Plan { signals: signals.to_vec(), ..Plan::default() }
}

/// The n-th timed wait of the target times out.
pub fn timeout(n: u32) -> Plan {
    Plan { timeouts: vec![n], ..Plan::default() }
}

/// The n-th wait of the target ends spuriously.
pub fn spurious(n: u32) -> Plan {
    Plan { spurious: vec![n], ..Plan::default() }
}

/// Explores all of it, and gives what the body returned in each execution, as a set.
pub fn explored<T: Ord + Send + 'static>(
    plan: &Plan,
    body: impl Fn() -> T + Send + Sync + 'static,
) -> (Exploration, BTreeSet<T>) {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let add = Arc::clone(&seen);
    let whole: Body = Arc::new(move || {
        let outcome = body();
        add.lock().unwrap().insert(outcome);
    });
    let (explored, _) = model::explore(plan, &limits(), &whole);
    drop(whole);
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    (explored, seen)
}

/// The outcomes of all executions under `plan`. None may fail.
#[track_caller]
pub fn outcomes<T: Ord + Send + 'static>(plan: &Plan, body: impl Fn() -> T + Send + Sync + 'static) -> BTreeSet<T> {
    let (explored, seen) = explored(plan, body);
    assert!(matches!(explored.end, End::Exhausted), "{:?}", explored.end);
    assert!(explored.executions > 0);
    seen
}

/// As [`outcomes`], without perturbations.
#[track_caller]
pub fn calm<T: Ord + Send + 'static>(body: impl Fn() -> T + Send + Sync + 'static) -> BTreeSet<T> {
    outcomes(&Plan::default(), body)
}

/// As [`outcomes`], with handler 0 at each signal point in turn, alone. In every execution that has the
/// point, the handler runs once.
#[track_caller]
pub fn swept<T: Ord + Send + 'static>(body: impl Fn() -> T + Send + Sync + 'static) -> BTreeSet<T> {
    let body = Arc::new(body);
    let mut all = BTreeSet::new();
    for point in 0.. {
        let body = Arc::clone(&body);
        let (explored, seen) = explored(&signals([(point, 0)]), move || body());
        assert!(matches!(explored.end, End::Exhausted), "point {point}: {:?}", explored.end);
        assert_eq!(explored.deliveries, explored.carried_out, "point {point}: one delivery for one signal");
        if explored.carried_out == 0 {
            assert!(point > 0, "no signal point at all");
            return all;
        }
        all.extend(seen);
    }
    unreachable!("the loop ends at the last point")
}

/// The failure that the exploration under `plan` must find.
#[track_caller]
pub fn failure(plan: &Plan, kind: FailureKind, body: impl Fn() + Send + Sync + 'static) -> Failure {
    let (explored, _) = explored(plan, body);
    match explored.end {
        End::Failed(failure) => {
            assert_eq!(failure.kind, kind, "{failure:?}");
            failure
        }
        end => panic!("{kind:?} was not found: {end:?}"),
    }
}

/// As [`failure`], with the handler 0 at each signal point in turn: the first failure. An exploration without
/// the signal must not fail, or the signal would not be the reason.
#[track_caller]
pub fn failure_by_signal(kind: FailureKind, body: impl Fn() + Send + Sync + 'static) -> Failure {
    let body = Arc::new(body);
    let calm = Arc::clone(&body);
    let (explored, _) = explored(&Plan::default(), move || calm());
    assert!(matches!(explored.end, End::Exhausted), "without a signal: {:?}", explored.end);
    for point in 0..explored.chances.signals {
        let body = Arc::clone(&body);
        let (explored, _) = self::explored(&signals([(point, 0)]), move || body());
        if let End::Failed(failure) = explored.end {
            assert_eq!(failure.kind, kind, "point {point}: {failure:?}");
            return failure;
        }
    }
    panic!("{kind:?} was not found at any of {} points", explored.chances.signals)
}

/// What the threads of a failure wait for, by their names; threads that wait for nothing are left out.
pub fn waits(failure: &Failure) -> Vec<(&'static str, String)> {
    let waits = failure.threads.iter().filter_map(|t| t.waits_for.as_ref().map(|w| (t.name, w.what.clone())));
    waits.collect()
}

/// Drops what does not matter.
pub fn ignore<T>(_: T) {}

/// A set, from an array.
pub fn set<T: Ord, const N: usize>(values: [T; N]) -> BTreeSet<T> {
    BTreeSet::from(values)
}

/// A word that threads share.
pub fn word(value: u32) -> Arc<AtomicU32> {
    Arc::new(AtomicU32::new(value))
}

/// Adds `what` as the last digit of a log that several threads write: read-modify-write would order them, so
/// the caller excludes the others.
pub fn log(word: &AtomicU32, what: u32) {
    let before = word.load(Ordering::Relaxed);
    word.store(before * 10 + what, Ordering::Relaxed);
}
