//! Delivery: where a handler may run, how often, nested in what, and on which stack.

use std::sync::Arc;

use sigproof_shim::atomic::Ordering;
use sigproof_shim::model::{self, FailureKind, Plan};
use sigproof_shim::os::sigstack::on_signal_stack;

use crate::support::{SIGNAL, calm, explored, failure, ignore, log, outcomes, set, signals, word};

/// A signal that differs from [`SIGNAL`].
const OTHER: i32 = libc::SIGUSR1;

/// The target stores 1, then 2; the handler says what it finds.
fn two_stores() -> u32 {
    let (word, found) = (word(0), word(9));
    let (inner, tells) = (Arc::clone(&word), Arc::clone(&found));
    model::handle("handler", SIGNAL, &[], move || {
        tells.store(inner.load(Ordering::Relaxed), Ordering::Relaxed);
    });
    model::interruptible(|| {
        word.store(1, Ordering::Relaxed);
        word.store(2, Ordering::Relaxed);
    });
    found.load(Ordering::Relaxed)
}

/// There is a point before each operation and one at the end, and at each the handler runs once.
#[test]
fn a_signal_at_each_point() {
    let (calm, seen) = explored(&Plan::default(), two_stores);
    assert_eq!((calm.chances.signals, calm.deliveries, calm.carried_out), (3, 0, 1));
    assert_eq!(seen, set([9]), "no handler runs without a signal");
    for (point, found) in [(0, 0), (1, 1), (2, 2)] {
        let (explored, seen) = explored(&signals([(point, 0)]), two_stores);
        assert_eq!((explored.executions, explored.deliveries, explored.carried_out), (1, 1, 1), "point {point}");
        assert_eq!(seen, set([found]), "point {point}");
    }
    let (none, seen) = explored(&signals([(3, 0)]), two_stores);
    assert_eq!((none.executions, none.deliveries, none.carried_out), (1, 0, 0), "there is no such point");
    assert_eq!(seen, set([9]));
}

/// A handler that must run once, and one signal or two.
fn once() {
    let (word, runs) = (word(0), word(0));
    model::handle("handler", SIGNAL, &[], move || {
        if runs.fetch_add(1, Ordering::Relaxed) == 1 {
            model::fail("twice", "the handler ran twice".into());
        }
    });
    model::interruptible(|| {
        word.store(1, Ordering::Relaxed);
        word.store(2, Ordering::Relaxed);
    });
}

#[test]
fn control_a_double_delivery_is_found() {
    for point in 0..3 {
        outcomes(&signals([(point, 0)]), once);
    }
    for points in [[(0, 0), (1, 0)], [(0, 0), (2, 0)], [(1, 0), (2, 0)]] {
        let failure = failure(&signals(points), FailureKind::Reported("twice"), once);
        assert_eq!(failure.message, "the handler ran twice");
        assert_eq!(failure.threads[0].handlers, ["handler"]);
    }
}

/// Two handlers that log their beginning and their end, and a target that logs 5.
fn two_handlers(masks: &'static [i32], same: bool) -> impl Fn() -> u32 + Send + Sync + 'static {
    move || {
        let order = word(0);
        let both = |first| {
            let order = Arc::clone(&order);
            move || {
                log(&order, first);
                log(&order, first + 1);
            }
        };
        model::handle("first", SIGNAL, masks, both(1));
        model::handle("second", if same { SIGNAL } else { OTHER }, &[], both(3));
        model::interruptible(|| log(&order, 5));
        order.load(Ordering::Relaxed)
    }
}

/// A handler is made of points, too, for a signal that it does not block.
#[test]
fn a_handler_interrupts_a_handler() {
    // Point 0 is before the target's load, 1 to 4 are before the loads and stores of the first handler.
    let nested = |point| outcomes(&signals([(0, 0), (point, 1)]), two_handlers(&[], false));
    assert_eq!(nested(1), set([34_125]));
    assert_eq!(nested(3), set([13_425]));
    // Between the load and the store of a log: what the second has logged is lost.
    assert_eq!(nested(2), set([125]));
    assert_eq!(nested(4), set([125]));
    // The same in the target, and after all.
    assert_eq!(nested(5), set([125]));
    assert_eq!(nested(6), set([12_534]));
}

/// A handler whose signal is blocked waits until the running one returns: that one blocks its own signal, and
/// those that it masks.
#[test]
fn a_masked_handler_waits_for_the_running_one() {
    for masked in [two_handlers(&[OTHER], false), two_handlers(&[], true)] {
        // Sent together: the second is pending all the while.
        assert_eq!(outcomes(&signals([(0, 0), (0, 1)]), masked), set([12_345]));
    }
    // Sent together, but not masked: the second comes at the first point of the first.
    assert_eq!(outcomes(&signals([(0, 0), (0, 1)]), two_handlers(&[], false)), set([34_125]));
}

/// Only what runs between the beginning and the end of `interruptible`, in that thread, is interrupted.
#[test]
fn no_other_thread_is_interrupted() {
    let body = || {
        let (mine, theirs, ran_in) = (word(0), word(0), word(0));
        let (theirs_too, tells) = (Arc::clone(&theirs), Arc::clone(&ran_in));
        mine.store(1, Ordering::Relaxed);
        model::handle("handler", SIGNAL, &[], move || ignore(tells.fetch_add(1, Ordering::Relaxed)));
        let other = model::spawn("other", move || {
            for n in 1..4 {
                theirs_too.store(n, Ordering::Relaxed);
            }
        });
        model::interruptible(|| mine.store(2, Ordering::Relaxed));
        other.join();
        mine.store(3, Ordering::Relaxed);
        (ran_in.load(Ordering::Relaxed), theirs.load(Ordering::Relaxed))
    };
    let (calm, seen) = explored(&Plan::default(), body);
    assert_eq!((calm.chances.signals, seen), (2, set([(0, 3)])));
    for point in [0, 1] {
        let (explored, seen) = explored(&signals([(point, 0)]), body);
        assert_eq!((explored.deliveries, seen), (explored.executions, set([(1, 3)])), "point {point}");
    }
}

/// While a handler runs, other threads do too: it is no single step.
#[test]
fn a_handler_is_interleaved_with_other_threads() {
    let seen = outcomes(&signals([(0, 0)]), || {
        let word = word(0);
        let (inner, outer) = (Arc::clone(&word), Arc::clone(&word));
        let other = model::spawn("other", move || outer.fetch_add(10, Ordering::Relaxed));
        model::handle("handler", SIGNAL, &[], move || {
            inner.fetch_add(1, Ordering::Relaxed);
            inner.fetch_add(1, Ordering::Relaxed);
        });
        model::interruptible(|| {});
        other.join()
    });
    assert_eq!(seen, set([0, 1, 2]));
}

/// A handler is on the alternate stack, and nothing else is: no thread beside it, and not its own thread
/// afterwards.
#[test]
fn only_a_handler_is_on_the_signal_stack() {
    let asked = || on_signal_stack().unwrap();
    assert_eq!(calm(move || (asked(), model::spawn("other", asked).join())), set([(false, false)]));
    let seen = outcomes(&signals([(0, 0), (1, 1)]), move || {
        let inside = word(0);
        let note = |value| {
            let inside = Arc::clone(&inside);
            move || {
                let on_it = u32::from(asked());
                inside.fetch_add(on_it * value, Ordering::Relaxed);
            }
        };
        let other = model::spawn("other", note(100));
        model::handle("outer", SIGNAL, &[], note(1));
        model::handle("inner", OTHER, &[], note(10));
        let after = model::interruptible(|| {
            inside.load(Ordering::Relaxed);
            asked()
        });
        other.join();
        (inside.load(Ordering::Relaxed), after)
    });
    assert_eq!(seen, set([(11, false)]));
}
