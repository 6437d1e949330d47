//! Handlers: masks, nesting, coalescing, sending, and plain memory shared with a handler. Each test has a
//! control.

use std::collections::BTreeSet;
use std::rc::Rc;

use sigproof_explore::atomic::{AtomicU32, Ordering, compiler_fence};
use sigproof_explore::cell::Cell;
use sigproof_explore::{End, Explorer, Report, signal, thread};

use Ordering::{Acquire, Relaxed, Release};

/// The ends, after a check that no graph was explored twice.
fn ends<T: Ord + 'static>(program: impl Fn() -> T + 'static) -> BTreeSet<End<T>> {
    let report: Report<T> = Explorer::new().distinct().run(program);
    assert!(report.is_complete());
    assert_eq!(Some(report.explored), report.distinct);
    report.ends.into_keys().collect()
}

fn done<T: Ord>(values: impl IntoIterator<Item = T>) -> BTreeSet<End<T>> {
    values.into_iter().map(End::Done).collect()
}

fn races<T: Ord>(ends: &BTreeSet<End<T>>) -> bool {
    ends.iter().any(|end| matches!(end, End::Race(_)))
}

/// Two handlers that append their number; each runs at most once.
fn two_handlers(mask: bool) -> BTreeSet<End<Vec<u32>>> {
    ends(move || {
        let log = Rc::new(std::cell::RefCell::new(Vec::new()));
        let word = Rc::new(AtomicU32::new(0));
        for number in [1, 2] {
            let (log, word) = (Rc::clone(&log), Rc::clone(&word));
            let handler = move || {
                log.borrow_mut().push(number);
                word.load(Relaxed);
                log.borrow_mut().push(number + 10);
            };
            if mask {
                signal::action_masking(number, &[1, 2], handler)
            } else {
                signal::action(number, handler)
            }
            signal::allow(number, 1);
        }
        word.store(1, Relaxed);
        signal::mask(&[1, 2]);
        log.take()
    })
}

#[test]
fn handlers_nest_unless_they_mask_each_other() {
    let apart: Vec<Vec<u32>> = vec![vec![], vec![1, 11], vec![2, 12], vec![1, 11, 2, 12], vec![2, 12, 1, 11]];
    let nested = vec![vec![1, 2, 12, 11], vec![2, 1, 11, 12]];
    assert_eq!(two_handlers(true), done(apart.clone()));
    assert_eq!(two_handlers(false), done(apart.into_iter().chain(nested)));
}

#[test]
fn a_handler_is_not_interrupted_by_its_own_signal() {
    let depths = ends(|| {
        let depth = Rc::new(std::cell::Cell::new((0, 0)));
        let word = Rc::new(AtomicU32::new(0));
        let (inner, inner_word) = (Rc::clone(&depth), Rc::clone(&word));
        signal::action(1, move || {
            let (now, most) = inner.get();
            inner.set((now + 1, most.max(now + 1)));
            inner_word.load(Relaxed);
            let (now, most) = inner.get();
            inner.set((now - 1, most));
        });
        signal::allow(1, 2);
        word.load(Relaxed);
        signal::mask(&[1]);
        depth.get().1
    });
    assert_eq!(depths, done([0, 1]));
}

#[test]
fn signals_that_are_pending_together_are_one() {
    let raised = |masked: bool| {
        ends(move || {
            let count = Rc::new(std::cell::Cell::new(0));
            let inner = Rc::clone(&count);
            signal::action(1, move || inner.set(inner.get() + 1));
            if masked {
                signal::mask(&[1]);
            }
            signal::raise(1);
            signal::raise(1);
            let before = count.get();
            signal::unmask(&[1]);
            (before, count.get())
        })
    };
    assert_eq!(raised(true), done([(0, 1)]));
    assert_eq!(raised(false), done([(2, 2)]));
}

#[test]
fn what_happens_before_a_sending_happens_before_the_handler() {
    let seen = ends(|| {
        let (data, word) = (Rc::new(AtomicU32::new(0)), Rc::new(AtomicU32::new(0)));
        let seen = Rc::new(std::cell::Cell::new(None));
        let (inner_data, inner_seen) = (Rc::clone(&data), Rc::clone(&seen));
        signal::action(1, move || inner_seen.set(Some(inner_data.load(Relaxed))));
        let this = signal::receive(1);
        let other = thread::spawn(move || {
            data.store(1, Relaxed);
            signal::send(&this, 1);
        });
        word.load(Relaxed);
        signal::mask(&[1]);
        other.join();
        seen.get()
    });
    assert_eq!(seen, done([None, Some(1)]));
}

/// The thread writes a cell and sets a flag; its handler reads the cell if the flag is set.
fn published_to_the_handler(fences: bool, orders: (Ordering, Ordering)) -> bool {
    races(&ends(move || {
        let (cell, flag) = (Rc::new(Cell::new(0)), Rc::new(AtomicU32::new(0)));
        let (inner_cell, inner_flag) = (Rc::clone(&cell), Rc::clone(&flag));
        signal::action(1, move || {
            if inner_flag.load(orders.1) == 1 {
                if fences {
                    compiler_fence(Acquire);
                }
                assert_eq!(inner_cell.get(), 5);
            }
        });
        signal::allow(1, 1);
        cell.set(5);
        if fences {
            compiler_fence(Release);
        }
        flag.store(1, orders.0);
    }))
}

#[test]
fn a_compiler_fence_orders_a_thread_and_its_handler() {
    assert!(!published_to_the_handler(true, (Relaxed, Relaxed)), "fences on both sides");
    assert!(published_to_the_handler(false, (Relaxed, Relaxed)), "no fence");
    assert!(!published_to_the_handler(false, (Release, Acquire)), "orders in the place of fences");
    assert!(published_to_the_handler(false, (Release, Relaxed)), "no acquire");
    assert!(published_to_the_handler(false, (Relaxed, Acquire)), "no release");
}

#[test]
fn a_compiler_fence_does_not_order_threads() {
    let published = |compiler: bool| {
        races(&ends(move || {
            let (cell, flag) = (Rc::new(Cell::new(0)), Rc::new(AtomicU32::new(0)));
            let (inner_cell, inner_flag) = (Rc::clone(&cell), Rc::clone(&flag));
            let other = thread::spawn(move || {
                if inner_flag.load(if compiler { Relaxed } else { Acquire }) == 1 {
                    compiler_fence(Acquire);
                    inner_cell.get();
                }
            });
            cell.set(5);
            compiler_fence(Release);
            flag.store(1, if compiler { Relaxed } else { Release });
            other.join();
            cell.set(6);
        }))
    };
    assert!(published(true), "compiler fences only");
    assert!(!published(false), "release and acquire; the join orders the last write");
}

#[test]
fn a_mask_orders_a_thread_and_its_handler() {
    let masked = |mask: bool| {
        races(&ends(move || {
            let cell = Rc::new(Cell::new(0));
            let inner = Rc::clone(&cell);
            signal::action(1, move || inner.set(1));
            signal::allow(1, 1);
            if mask {
                signal::mask(&[1]);
            }
            cell.set(2);
            if mask {
                signal::unmask(&[1]);
            }
        }))
    };
    assert!(!masked(true));
    assert!(masked(false));
}

#[test]
fn a_handler_inside_of_an_access_is_a_race() {
    let text = ends(|| {
        let cell = Rc::new(Cell::new(0));
        let inner = Rc::clone(&cell);
        signal::action(1, move || inner.set(1));
        signal::allow(1, 1);
        cell.with_mut(|_| ());
    });
    assert!(
        text.iter().any(|end| matches!(end, End::Race(text) if text.contains("within another access"))),
        "{text:?}"
    );
}
