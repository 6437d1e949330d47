//! The explorer: what it counts, where it stops, which failures it names and how it replays them.

use std::sync::Arc;
use std::time::Duration;

use sigproof_shim::atomic::Ordering;
use sigproof_shim::hint;
use sigproof_shim::model::{self, Body, Choices, End, FailureKind, Limits, Plan};
use sigproof_shim::os::pthread::Mutex;

use crate::support::{SIGNAL, calm, explored, failure, ignore, limits, set, signals, waits, word};

#[test]
fn this_build_has_models() {
    assert!(model::available());
    assert_eq!(model::lacking(), None);
}

#[test]
fn one_thread_has_one_execution() {
    let (explored, seen) = explored(&Plan::default(), || {
        let word = word(0);
        word.store(1, Ordering::Relaxed);
        word.load(Ordering::Relaxed)
    });
    assert_eq!((explored.executions, explored.carried_out, seen), (1, 1, set([1])));
}

/// Two threads that add to a word have two orders, however many executions that takes; with words of their
/// own there is nothing to try.
#[test]
fn threads_that_share_nothing_have_one_execution() {
    let (explored, seen) = explored(&Plan::default(), || {
        let (mine, theirs) = (word(0), word(0));
        let other = model::spawn("other", move || theirs.fetch_add(1, Ordering::Relaxed));
        (mine.fetch_add(1, Ordering::Relaxed), other.join())
    });
    assert_eq!((explored.executions, seen), (1, set([(0, 0)])));
}

/// Two threads take two numbers each; those of the first.
fn two_each() -> [u32; 2] {
    let next = word(0);
    let take = {
        let next = Arc::clone(&next);
        move || [(); 2].map(|()| next.fetch_add(1, Ordering::Relaxed))
    };
    let other = model::spawn("other", take.clone());
    let mine = take();
    other.join();
    mine
}

/// Without a preemption one thread runs first, then the other; each preemption permits more orders, of six in
/// all.
#[cfg(loom)]
#[test]
fn the_bound_of_preemptions() {
    let under = |preemptions| {
        let seen = Arc::new(std::sync::Mutex::new(std::collections::BTreeSet::new()));
        let add = Arc::clone(&seen);
        let body: Body = Arc::new(move || ignore(add.lock().unwrap().insert(two_each())));
        let (explored, _) = model::explore(&Plan::default(), &Limits { preemptions, ..limits() }, &body);
        assert!(matches!(explored.end, End::Exhausted), "{:?}", explored.end);
        seen.lock().unwrap().clone()
    };
    // The second thread is started first: that it begins before the first goes on is a preemption, too.
    let mut orders = set([[0, 1]]);
    assert_eq!(under(Some(0)), orders);
    orders.extend([[0, 3], [2, 3]]);
    assert_eq!(under(Some(1)), orders);
    orders.extend([[0, 2], [1, 2]]);
    assert_eq!(under(Some(2)), orders);
    orders.insert([1, 3]);
    assert_eq!(under(Some(3)), orders);
    assert_eq!(under(None), orders);
}

#[test]
fn more_branches_than_the_limit_is_too_large() {
    let body: Body = Arc::new(|| ignore(two_each()));
    let (explored, choices) = model::explore(&Plan::default(), &Limits { branches: 3, ..limits() }, &body);
    assert!(matches!(explored.end, End::TooLarge), "{:?}", explored.end);
    assert_eq!(choices, None);
}

#[test]
fn a_time_that_is_over_ends_it() {
    let until = Some(Duration::ZERO);
    let body: Body = Arc::new(|| unreachable!("the time is over"));
    let (explored, choices) = model::explore(&Plan::default(), &Limits { until, ..limits() }, &body);
    assert!(matches!(explored.end, End::OutOfTime), "{:?}", explored.end);
    assert_eq!((explored.executions, choices), (0, None));
}

#[test]
fn control_a_panic_in_a_thread_is_found() {
    let mine = failure(&Plan::default(), FailureKind::Panicked, || panic!("in the body"));
    assert_eq!(mine.message, "in the body");
    let theirs = failure(&Plan::default(), FailureKind::Panicked, || {
        model::spawn("other", || panic!("in a {}", "thread")).join()
    });
    assert_eq!(theirs.message, "in a thread");
    assert_eq!((theirs.threads.len(), theirs.threads[1].name, theirs.threads[1].ended), (2, "other", false));
}

/// In one of two orders only.
#[test]
fn control_a_panic_in_one_order_is_found() {
    let failure = failure(&Plan::default(), FailureKind::Panicked, || {
        let word = word(0);
        let other = model::spawn("other", {
            let word = Arc::clone(&word);
            move || ignore(word.swap(1, Ordering::Relaxed))
        });
        assert_eq!(word.swap(2, Ordering::Relaxed), 0, "the other was first");
        other.join();
    });
    assert!(failure.message.contains("the other was first"), "{}", failure.message);
}

#[test]
fn control_a_panic_in_a_handler_is_found() {
    let body = || {
        model::handle("handler", SIGNAL, &[], || panic!("in the handler"));
        model::interruptible(|| {});
    };
    calm(body);
    let failure = failure(&signals([(0, 0)]), FailureKind::Panicked, body);
    assert_eq!((failure.message.as_str(), &failure.threads[0].handlers[..]), ("in the handler", &["handler"][..]));
}

#[test]
fn control_a_reported_failure_is_found() {
    let failure = failure(&Plan::default(), FailureKind::Reported("lost"), || {
        model::spawn("other", || model::fail("lost", "a record is lost".into())).join()
    });
    assert_eq!(failure.message, "a record is lost");
    assert!(failure.steps.is_empty(), "steps are a replay's");
}

#[test]
fn control_two_threads_that_wait_for_nothing() {
    let failure = failure(&Plan::default(), FailureKind::Deadlock, || {
        let other = model::spawn("other", || {
            let mutex = Mutex::new().unwrap();
            std::mem::forget(mutex.lock().unwrap());
            ignore(sigproof_shim::os::sem::Semaphore::new().unwrap().wait());
        });
        other.join();
    });
    assert_eq!(waits(&failure), [("main", "the end of other".into()), ("other", "semaphore 2".into())]);
    let joins = failure.threads[0].waits_for.as_ref().unwrap();
    assert_eq!((joins.owner, joins.lock), (Some(1), false));
}

/// A thread that spins until another has stored goes on; one that no thread ends is found.
fn spin(stores: bool) -> impl Fn() -> u32 + Send + Sync + 'static {
    move || {
        let word = word(0);
        let other = model::spawn("other", {
            let word = Arc::clone(&word);
            move || {
                if stores {
                    word.store(1, Ordering::Release);
                }
            }
        });
        while word.load(Ordering::Acquire) == 0 {
            hint::spin_loop();
        }
        other.join();
        word.load(Ordering::Relaxed)
    }
}

#[test]
fn a_spin_that_another_ends() {
    assert_eq!(calm(spin(true)), set([1]));
}

#[test]
fn control_a_spin_without_an_end() {
    let body = spin(false);
    let failure = failure(&Plan::default(), FailureKind::Livelock, move || ignore(body()));
    assert_eq!(failure.message, "a thread spins, and no thread is left to end that");
}

/// A try that fails only reads: for the explorer of graphs one shows as much as two.
#[test]
fn a_loop_that_gives_up_tries_few_times() {
    let most = if cfg!(loom) { 2 } else { 1 };
    assert_eq!([0, 1, 2, 3, 100].map(hint::tries), [0, 1, 2, 3, 100].map(|tries: u32| tries.min(most)));
}

/// A loop that gives up is no loop that waits: both of its ends are seen. Loom lets the other threads end
/// first wherever one yields, so it does not show that both tries fail.
#[test]
fn a_loop_that_gives_up_does() {
    let seen = calm(|| {
        let lock = word(0);
        let take = {
            let lock = Arc::clone(&lock);
            move || {
                for _ in 0..hint::tries(100) {
                    if lock.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                        lock.store(0, Ordering::Release);
                        return true;
                    }
                    hint::spin_loop();
                }
                false
            }
        };
        let other = model::spawn("other", take.clone());
        (take(), other.join())
    });
    let all = set([(false, true), (true, false), (true, true)]);
    if cfg!(loom) {
        assert!(seen.contains(&(true, true)) && seen.is_subset(&all), "{seen:?}");
    } else {
        assert_eq!(seen, all);
    }
}

/// A loop whose turns store what they load waits like one that only loads.
#[test]
fn a_loop_of_idle_stores_ends() {
    let seen = calm(|| {
        let count = word(1);
        let other = model::spawn("other", {
            let count = Arc::clone(&count);
            move || ignore(count.fetch_sub(1, Ordering::Release))
        });
        while count.fetch_add(0, Ordering::AcqRel) != 0 {
            sigproof_shim::os::thread::yield_now();
        }
        other.join();
    });
    assert_eq!(seen, set([()]));
}

/// A body that fails in one of two orders.
fn second_fails() -> Body {
    Arc::new(|| {
        let word = word(0);
        let other = model::spawn("other", {
            let word = Arc::clone(&word);
            move || ignore(word.swap(1, Ordering::Relaxed))
        });
        if word.load(Ordering::Relaxed) == 1 {
            model::fail("late", "the load was late".into());
        }
        other.join();
    })
}

#[test]
fn a_replay_fails_in_the_same_way_and_tells_its_steps() {
    let plan = Plan::default();
    let (explored, choices) = model::explore(&plan, &limits(), &second_fails());
    let End::Failed(found) = explored.end else { panic!("{:?}", explored.end) };
    let choices = choices.expect("a failure has its choices");
    assert!(choices.readable(limits().branches) || choices.is_graph(2 * limits().branches));

    let replayed = model::replay(&plan, &limits(), &choices, &second_fails());
    let End::Failed(again) = replayed.end else { panic!("{:?}", replayed.end) };
    assert_eq!((again.kind, &again.message), (found.kind, &found.message));
    assert_eq!(replayed.executions, 1);
    let steps: Vec<_> = again.steps.iter().map(|s| (s.thread, s.depth, s.what.as_str())).collect();
    assert_eq!(steps, [(1, 0, "swap Relaxed 0x0 -> 0x1"), (0, 0, "load Relaxed = 0x1")]);
    assert!(again.steps.iter().all(|s| s.file.ends_with("explorer.rs") && s.line > 0 && s.column > 0));
}

/// Replays of the fifth letter's choices: the signal is told with its depth.
#[test]
fn a_replay_tells_of_handlers() {
    let plan = signals([(0, 0)]);
    let body: Body = Arc::new(|| {
        let word = word(0);
        let inner = Arc::clone(&word);
        model::handle("handler", SIGNAL, &[], move || inner.store(1, Ordering::Relaxed));
        model::interruptible(|| ignore(word.load(Ordering::Relaxed)));
        model::fail("end", "at the end".into());
    });
    let (_, choices) = model::explore(&plan, &limits(), &body);
    let replayed = model::replay(&plan, &limits(), &choices.unwrap(), &body);
    let End::Failed(failure) = replayed.end else { panic!("{:?}", replayed.end) };
    let steps: Vec<_> = failure.steps.iter().map(|s| (s.depth, s.what.as_str())).collect();
    let expected = [
        (0, "signal: handler interrupts"),
        (1, "store Relaxed 0x1"),
        (1, "handler returns"),
        (0, "load Relaxed = 0x1"),
    ];
    assert_eq!(steps, expected);
}

#[test]
fn choices_that_cannot_be_read_replay_nothing() {
    let replayed = model::replay(&Plan::default(), &limits(), &Choices("?".into()), &second_fails());
    assert!(matches!(replayed.end, End::Unsupported), "{:?}", replayed.end);
    assert_eq!(replayed.executions, 0);
}

#[test]
fn what_does_not_fail_has_no_choices() {
    let body: Body = Arc::new(|| drop(word(0)));
    let (explored, choices) = model::explore(&Plan::default(), &limits(), &body);
    assert!(matches!(explored.end, End::Exhausted));
    assert_eq!(choices, None);
}
