//! The clock, time-outs and spurious ends: all of the plan, none by chance.

use std::sync::Arc;
use std::time::Duration;

use sigproof_shim::model::{self, FailureKind, Plan};
use sigproof_shim::os::clock;
use sigproof_shim::os::futex::{self, FutexWait};

use crate::support::{calm, explored, failure, ignore, outcomes, set, spurious, timeout, word};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_clock_stands_still() {
    let seen = calm(|| {
        let before = clock::now();
        futex::wake(&word(0), 1).unwrap();
        model::spawn("other", || {}).join();
        (before > Duration::ZERO, clock::now() - before)
    });
    assert_eq!(seen, set([(true, Duration::ZERO)]));
}

/// The target waits twice, one second and two; what each gave and the time after each.
fn two_waits() -> [(bool, Duration); 2] {
    let word = word(0);
    let begin = clock::now();
    model::interruptible(|| {
        [SECOND, SECOND * 2].map(|time| {
            let ended = futex::wait(&word, 0, Some(time)).unwrap();
            (ended == FutexWait::TimedOut, clock::now() - begin)
        })
    })
}

#[test]
fn each_time_out_takes_its_own_time() {
    let both = Plan { timeouts: vec![0, 1], ..Plan::default() };
    let (explored, seen) = explored(&both, two_waits);
    assert_eq!(seen, set([[(true, SECOND), (true, SECOND * 3)]]));
    assert_eq!((explored.chances.timeouts, explored.chances.spurious, explored.carried_out), (2, 0, 1));
}

/// A spurious end comes at the wait that the plan names, and takes more than half of its time.
#[test]
fn a_time_out_and_a_spurious_end_in_either_order() {
    let (passed, first) = (Duration::from_millis(600), Duration::from_millis(600));
    let plan = Plan { timeouts: vec![1], spurious: vec![0], ..Plan::default() };
    assert_eq!(outcomes(&plan, two_waits), set([[(false, first), (true, first + SECOND * 2)]]));
    // The wait that times out is no chance for a spurious end: the second wait is the first such chance.
    let plan = Plan { timeouts: vec![0], spurious: vec![0], ..Plan::default() };
    assert_eq!(outcomes(&plan, two_waits), set([[(true, SECOND), (false, SECOND + passed * 2)]]));
}

#[test]
fn control_only_the_waits_of_the_plan_end() {
    for plan in [timeout(0), timeout(1), timeout(2), spurious(0), spurious(1), Plan::default()] {
        failure(&plan, FailureKind::Deadlock, || ignore(two_waits()));
    }
}

/// The plan does not count the waits of another thread.
#[test]
fn control_no_other_thread_times_out() {
    for plan in [timeout(0), spurious(0)] {
        let failure = failure(&plan, FailureKind::Deadlock, || {
            let word = word(0);
            let other = model::spawn("other", {
                let word = Arc::clone(&word);
                move || ignore(futex::wait(&word, 0, Some(SECOND)))
            });
            model::interruptible(|| other.join());
        });
        assert_eq!(failure.threads[1].waits_for.as_ref().unwrap().what, "a wake of the futex 0x0");
    }
}

/// A plan whose perturbation never came is not carried out.
#[test]
fn what_is_not_carried_out_is_not_counted() {
    let body = || {
        let word = word(1);
        model::interruptible(|| futex::wait(&word, 0, Some(SECOND)).unwrap() == FutexWait::Changed)
    };
    for plan in [timeout(0), spurious(0)] {
        let (explored, seen) = explored(&plan, body);
        assert_eq!((explored.executions, explored.carried_out, explored.chances.timeouts), (1, 0, 0));
        assert_eq!(seen, set([true]));
    }
}
