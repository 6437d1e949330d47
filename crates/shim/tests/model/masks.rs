//! Blocked signals: they wait, and come when the last guard is gone.

use std::sync::Arc;

use sigproof_shim::atomic::{AtomicU32, Ordering};
use sigproof_shim::model::{self, FailureKind};
use sigproof_shim::os::OsError;
use sigproof_shim::os::sigmask::{block, is_blocked};

use crate::support::{SIGNAL, calm, explored, failure_by_signal, ignore, log, outcomes, set, signals, word};

/// A signal that differs from [`SIGNAL`].
const OTHER: i32 = libc::SIGUSR1;

/// A word, and a handler of [`SIGNAL`] that logs 9.
fn logged() -> Arc<AtomicU32> {
    let order = word(0);
    let inner = Arc::clone(&order);
    model::handle("handler", SIGNAL, &[], move || log(&inner, 9));
    order
}

/// The points before the block and after the unblocking; while all handlers are blocked there is none.
#[test]
fn there_is_no_point_while_all_is_blocked() {
    let body = || {
        let order = logged();
        model::interruptible(|| {
            let guard = block(SIGNAL).unwrap();
            log(&order, 1);
            log(&order, 2);
            drop(guard);
        });
        order.load(Ordering::Relaxed)
    };
    let (calm, _) = explored(&signals([]), body);
    assert_eq!(calm.chances.signals, 2);
    assert_eq!(outcomes(&signals([(0, 0)]), body), set([912]));
    assert_eq!(outcomes(&signals([(1, 0)]), body), set([129]));
}

/// The handlers of two signals, one of which is blocked: it is sent at a point of the other, and comes at the
/// drop.
#[test]
fn a_blocked_signal_comes_at_the_drop_of_the_guard_that_blocked_it() {
    let body = || {
        let order = logged();
        model::handle("other", OTHER, &[], || {});
        model::interruptible(|| {
            let outer = block(SIGNAL).unwrap();
            let inner = block(SIGNAL).unwrap();
            log(&order, 1);
            drop(inner);
            assert!(is_blocked(SIGNAL).unwrap());
            log(&order, 2);
            drop(outer);
            assert!(!is_blocked(SIGNAL).unwrap());
            log(&order, 3);
        });
        order.load(Ordering::Relaxed)
    };
    // Points 0 and 1: the blocks; 2 and 3, 4 and 5, 6 and 7: the logs; 8: the end.
    for point in 1..=5 {
        assert_eq!(outcomes(&signals([(point, 0)]), body), set([1293]), "point {point}");
    }
    assert_eq!(outcomes(&signals([(0, 0)]), body), set([9123]));
    assert_eq!(outcomes(&signals([(6, 0)]), body), set([1293]));
    assert_eq!(outcomes(&signals([(7, 0)]), body), set([123]), "lost in the middle of the log");
    assert_eq!(outcomes(&signals([(8, 0)]), body), set([1239]));
}

/// Without the block a handler falls between the load and the store, and what it logged is lost.
#[test]
fn control_without_the_block_an_entry_is_lost() {
    for blocks in [true, false] {
        let body = move || {
            let order = logged();
            model::interruptible(|| {
                let guard = blocks.then(|| block(SIGNAL).unwrap());
                log(&order, 1);
                drop(guard);
            });
            order.load(Ordering::Relaxed)
        };
        let (calm, _) = explored(&signals([]), body);
        let all = (0..calm.chances.signals).flat_map(|point| outcomes(&signals([(point, 0)]), body));
        let all: std::collections::BTreeSet<u32> = all.collect();
        assert_eq!(all, if blocks { set([19, 91]) } else { set([1, 19, 91]) });
    }
}

/// In a handler its own signal and those that it masks are blocked, and no other; afterwards none of them.
#[test]
fn the_mask_of_a_handler() {
    let asked = || [SIGNAL, OTHER, libc::SIGUSR2].map(|signal| is_blocked(signal).unwrap());
    let seen = outcomes(&signals([(0, 0)]), move || {
        let inside = Arc::new(std::sync::Mutex::new([false; 3]));
        let tells = Arc::clone(&inside);
        model::handle("handler", SIGNAL, &[OTHER], move || {
            *tells.lock().unwrap() = asked();
            // What a handler blocks is undone when it returns.
            std::mem::forget(block(libc::SIGUSR2).unwrap());
        });
        model::interruptible(|| {});
        let inside = *inside.lock().unwrap();
        (inside, asked())
    });
    assert_eq!(seen, set([([true, true, false], [false; 3])]));
}

/// A mask is of one thread, and a guard unblocks no more than its own signal.
#[test]
fn a_mask_is_of_one_thread_and_a_guard_of_one_signal() {
    let seen = calm(|| {
        let (first, second) = (block(SIGNAL).unwrap(), block(OTHER).unwrap());
        let theirs = model::spawn("other", || is_blocked(SIGNAL).unwrap()).join();
        let both = (is_blocked(SIGNAL).unwrap(), is_blocked(OTHER).unwrap());
        drop(first);
        let one = (is_blocked(SIGNAL).unwrap(), is_blocked(OTHER).unwrap());
        drop(second);
        (theirs, both, one, is_blocked(OTHER).unwrap())
    });
    assert_eq!(seen, set([(false, (true, true), (false, true), false)]));
}

#[test]
fn a_number_that_is_no_signal_is_refused() {
    calm(|| {
        let refused = OsError::Failed { call: "sigaddset", errno: libc::EINVAL };
        for number in [0, -1, 65] {
            assert_eq!(block(number).map(drop), Err(refused));
            assert_eq!(is_blocked(number), Err(refused));
        }
        assert_eq!((is_blocked(1), is_blocked(64)), (Ok(false), Ok(false)));
    });
}

/// The block is what keeps a handler out that takes the same lock.
#[test]
fn control_a_handler_is_kept_out_of_a_lock() {
    let body = |blocks: bool| {
        move || {
            let mutex = Arc::new(sigproof_shim::os::pthread::Mutex::new().unwrap());
            let inner = Arc::clone(&mutex);
            model::handle("handler", SIGNAL, &[], move || drop(inner.lock().unwrap()));
            model::interruptible(|| {
                let mask = blocks.then(|| block(SIGNAL).unwrap());
                drop(mutex.lock().unwrap());
                drop(mask);
            });
        }
    };
    crate::support::swept(body(true));
    failure_by_signal(FailureKind::Deadlock, body(false));
}

/// The handler has run when the drop is over, before the next point. A count of the system has no point of
/// its own.
#[test]
fn a_pending_signal_comes_within_the_drop() {
    let seen = outcomes(&signals([(1, 0)]), || {
        let runs = Arc::new(sigproof_shim::native::atomic::AtomicU32::new(0));
        let inner = Arc::clone(&runs);
        model::handle("handler", SIGNAL, &[], move || ignore(inner.fetch_add(1, Ordering::Relaxed)));
        model::handle("other", OTHER, &[], || {});
        let word = word(0);
        model::interruptible(|| {
            let guard = block(SIGNAL).unwrap();
            word.store(1, Ordering::Relaxed);
            let before = runs.load(Ordering::Relaxed);
            drop(guard);
            (before, runs.load(Ordering::Relaxed))
        })
    });
    assert_eq!(seen, set([(0, 1)]));
}
