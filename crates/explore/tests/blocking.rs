//! Objects that block: each with a wrong use that the explorer must find.

use std::collections::BTreeSet;
use std::rc::Rc;

use sigproof_explore::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use sigproof_explore::cell::Cell;
use sigproof_explore::futex::{Futex, Wait};
use sigproof_explore::sync::{Condvar, Mutex, Semaphore};
use sigproof_explore::{End, Explorer, Report, hint, signal, thread};

use Ordering::{Acquire, Relaxed, Release};

fn ends<T: Ord + 'static>(program: impl Fn() -> T + 'static) -> BTreeSet<End<T>> {
    let report = Explorer::new().distinct().run(program);
    assert!(report.is_complete());
    assert_eq!(Some(report.explored), report.distinct);
    report.ends.into_keys().collect()
}

fn done<T: Ord>(values: impl IntoIterator<Item = T>) -> BTreeSet<End<T>> {
    values.into_iter().map(End::Done).collect()
}

#[test]
fn a_mutex_orders_plain_memory_and_its_lack_is_a_race() {
    let counted = |locked: bool| {
        ends(move || {
            let (cell, mutex) = (Rc::new(Cell::new(0)), Rc::new(Mutex::new()));
            let threads = [(); 3].map(|()| {
                let (cell, mutex) = (Rc::clone(&cell), Rc::clone(&mutex));
                thread::spawn(move || {
                    if locked {
                        mutex.lock();
                    }
                    cell.set(cell.get() + 1);
                    if locked {
                        mutex.unlock();
                    }
                })
            });
            for thread in threads {
                thread.join();
            }
            cell.get()
        })
    };
    assert_eq!(counted(true), done([3]));
    assert!(counted(false).iter().any(|end| matches!(end, End::Race(_))));
}

/// A queue of one: the consumer waits for the flag. `again`: it looks at the flag again after it was woken.
fn notified(early: bool) -> BTreeSet<End<u32>> {
    ends(move || {
        let shared = Rc::new((Mutex::new(), Condvar::new(), Cell::new(0)));
        let other = Rc::clone(&shared);
        let producer = thread::spawn(move || {
            let (mutex, condvar, flag) = &*other;
            if early {
                condvar.notify_one();
            }
            mutex.lock();
            flag.set(1);
            mutex.unlock();
            if !early {
                condvar.notify_one();
            }
        });
        let (mutex, condvar, flag) = &*shared;
        mutex.lock();
        while flag.get() == 0 {
            condvar.wait(mutex);
        }
        let value = flag.get();
        mutex.unlock();
        producer.join();
        value
    })
}

#[test]
fn a_notification_before_the_change_is_lost() {
    assert_eq!(notified(false), done([1]));
    assert_eq!(notified(true), BTreeSet::from([End::Done(1), End::Deadlock]));
}

#[test]
fn notify_all_wakes_every_waiter_and_notify_one_does_not() {
    let woken = |all: bool| {
        ends(move || {
            let shared = Rc::new((Mutex::new(), Condvar::new(), Cell::new(false)));
            let waiters = [(); 2].map(|()| {
                let shared = Rc::clone(&shared);
                thread::spawn(move || {
                    shared.0.lock();
                    while !shared.2.get() {
                        shared.1.wait(&shared.0);
                    }
                    shared.0.unlock();
                })
            });
            shared.0.lock();
            shared.2.set(true);
            shared.0.unlock();
            if all {
                shared.1.notify_all()
            } else {
                shared.1.notify_one()
            }
            for thread in waiters {
                thread.join();
            }
        })
    };
    assert_eq!(woken(true), done([()]));
    assert_eq!(woken(false), BTreeSet::from([End::Done(()), End::Deadlock]));
}

#[test]
fn a_time_out_ends_a_wait_that_nobody_ends() {
    let ended = ends(|| {
        let (mutex, condvar) = (Mutex::new(), Condvar::new());
        mutex.lock();
        let notified = condvar.wait_timeout(&mutex);
        mutex.unlock();
        notified
    });
    assert_eq!(ended, BTreeSet::from([End::Done(false), End::Deadlock]));
}

#[test]
fn a_semaphore_counts_and_orders() {
    let taken = ends(|| {
        let (semaphore, data) = (Rc::new(Semaphore::new(0)), Rc::new(Cell::new(0)));
        let (other, inner) = (Rc::clone(&semaphore), Rc::clone(&data));
        let poster = thread::spawn(move || {
            inner.set(7);
            other.release();
            other.release();
        });
        semaphore.acquire();
        let value = data.get();
        semaphore.acquire();
        let more = semaphore.try_acquire();
        poster.join();
        (value, more)
    });
    assert_eq!(taken, done([(7, false)]));
}

#[test]
fn a_wake_up_of_a_futex_orders_nothing() {
    let ended = |order: Ordering| {
        ends(move || {
            let (futex, data) = (Rc::new(Futex::new(0)), Rc::new(Cell::new(0)));
            let (other, inner) = (Rc::clone(&futex), Rc::clone(&data));
            let waker = thread::spawn(move || {
                inner.set(7);
                other.store(1, Release);
                other.wake(1);
            });
            while futex.load(order) == 0 {
                futex.wait(0);
            }
            let value = data.get();
            waker.join();
            value
        })
    };
    assert_eq!(ended(Acquire), done([7]));
    assert!(ended(Relaxed).iter().any(|end| matches!(end, End::Race(_))));
}

#[test]
fn a_wait_is_interrupted_and_a_wake_up_in_the_handler_is_its_own() {
    let ended = ends(|| {
        let futex = Rc::new(Futex::new(0));
        let inner = Rc::clone(&futex);
        signal::action(1, move || {
            inner.store(1, Relaxed);
            inner.wake(1);
        });
        signal::allow(1, 1);
        futex.wait(0)
    });
    assert_eq!(ended, BTreeSet::from([End::Done(Wait::Changed), End::Done(Wait::Interrupted), End::Deadlock]));
}

#[test]
fn a_token_is_kept_and_is_one() {
    let parked = |times: usize| {
        ends(move || {
            let sleeper = thread::spawn(move || (0..times).for_each(|_| thread::park()));
            sleeper.thread().unpark();
            sleeper.thread().unpark();
            sleeper.join();
        })
    };
    assert_eq!(parked(1), done([()]));
    assert_eq!(parked(2), BTreeSet::from([End::Done(()), End::Deadlock]));
}

#[test]
fn a_loop_that_waits_ends_or_is_a_livelock_and_one_that_stores_is_bounded() {
    let spun = |stores: bool, wakes: bool| {
        let report = Explorer::new().turns(3).run(move || {
            let (flag, count) = (Rc::new(AtomicU32::new(0)), AtomicU32::new(0));
            let other = Rc::clone(&flag);
            let waker = thread::spawn(move || {
                if wakes {
                    other.store(1, Relaxed);
                }
            });
            while flag.load(Relaxed) == 0 {
                if stores {
                    count.fetch_add(1, Relaxed);
                }
                hint::spin_loop();
            }
            waker.join();
        });
        (report.is_complete(), report.ends.into_keys().collect::<BTreeSet<_>>())
    };
    assert_eq!(spun(false, true), (true, done([()])));
    assert_eq!(spun(false, false), (true, BTreeSet::from([End::Livelock])));
    assert!(!spun(true, true).0, "a bound is told");
}

/// Two threads each take a lock of one word by a weak exchange, and give it back.
fn locks_by_weak_exchanges(failures: u32) -> Report<u32> {
    Explorer::new().weak_failures(failures).distinct().run(move || {
        let shared = Rc::new((AtomicU32::new(0), Cell::new(0)));
        let other = Rc::clone(&shared);
        let adds = move |shared: &(AtomicU32, Cell<u32>)| {
            while shared.0.compare_exchange_weak(0, 1, Acquire, Relaxed).is_err() {
                hint::spin_loop();
            }
            shared.1.set(shared.1.get() + 1);
            shared.0.store(0, Release);
        };
        let adder = thread::spawn(move || adds(&other));
        adds(&shared);
        adder.join();
        shared.1.get()
    })
}

/// A failure in a turn that only reads adds nothing: it is left out, and no bound is needed. What is before
/// the loop counts as its first turn, so that one failure is explored.
#[test]
fn weak_exchanges_of_a_spinning_loop_need_no_bound() {
    let [one, two, all] = [1, 2, u32::MAX].map(|failures| {
        let weak = locks_by_weak_exchanges(failures);
        assert_eq!(weak.ends.keys().collect::<Vec<_>>(), [&End::Done(2)]);
        assert!(weak.is_complete() && weak.distinct == Some(weak.explored));
        (weak.explored, weak.weak_bound_met)
    });
    assert_eq!((two, all), ((one.0, false), (one.0, false)));
}

/// A loop that counts its tries shows why the bound is told: the third failure is beyond it.
#[test]
fn a_bound_of_failures_is_told_where_it_matters() {
    let gives_up = |failures| {
        let report = Explorer::new().weak_failures(failures).distinct().run(|| {
            let word = AtomicU32::new(0);
            (0..3).any(|_| word.compare_exchange_weak(0, 1, Relaxed, Relaxed).is_ok())
        });
        assert_eq!(report.distinct, Some(report.explored));
        (report.explored, report.has(&End::Done(false)), report.weak_bound_met)
    };
    assert_eq!(
        [0, 1, 2, 3, u32::MAX].map(gives_up),
        [(1, false, true), (2, false, true), (3, false, true), (4, true, false), (4, true, false)]
    );
}

/// The bound is one of each thread.
#[test]
fn each_thread_has_failures_of_its_own() {
    let report = Explorer::new().distinct().run(|| {
        let word = Rc::new(AtomicU32::new(0));
        let other = Rc::clone(&word);
        let second = thread::spawn(move || other.compare_exchange_weak(0, 2, Relaxed, Relaxed));
        let first = word.compare_exchange_weak(0, 1, Relaxed, Relaxed);
        (first, second.join())
    });
    let wanted = [(Err(0), Err(0)), (Err(0), Ok(0)), (Err(2), Ok(0)), (Ok(0), Err(0)), (Ok(0), Err(1))];
    assert_eq!(report.ends.keys().cloned().collect::<BTreeSet<_>>(), wanted.map(End::Done).into());
    assert!(!report.weak_bound_met && report.distinct == Some(report.explored));
}

#[test]
fn a_panic_is_an_end_with_its_text() {
    let ended = ends(|| {
        let word = Rc::new(AtomicU32::new(0));
        let other = Rc::clone(&word);
        let writer = thread::spawn(move || other.store(1, Relaxed));
        assert_eq!(word.load(Relaxed), 0, "the store came first");
        writer.join();
    });
    assert!(ended.contains(&End::Done(())));
    assert!(
        ended.iter().any(|end| matches!(end, End::Panic(text) if text.contains("the store came first"))),
        "{ended:?}"
    );
}

/// One thread waits for a flag, once or until it is set; another sets it and notifies.
fn waits_for_flag(again: bool, spurious: u32) -> BTreeSet<End<u32>> {
    let report = Explorer::new().spurious(spurious).distinct().run(move || {
        let shared = Rc::new((Mutex::new(), Condvar::new(), AtomicU32::new(0)));
        let other = Rc::clone(&shared);
        let setter = thread::spawn(move || {
            other.0.lock();
            other.2.store(1, Relaxed);
            other.1.notify_one();
            other.0.unlock();
        });
        let (mutex, condvar, flag) = &*shared;
        mutex.lock();
        if flag.load(Relaxed) == 0 {
            condvar.wait(mutex);
        }
        while again && flag.load(Relaxed) == 0 {
            condvar.wait(mutex);
        }
        let seen = flag.load(Relaxed);
        mutex.unlock();
        setter.join();
        seen
    });
    assert!(report.is_complete() && report.distinct == Some(report.explored));
    report.ends.into_keys().collect()
}

#[test]
fn a_spurious_wake_up_of_a_condition_variable_is_found_where_it_is_asked_for() {
    assert_eq!(waits_for_flag(false, 0), done([1]));
    assert_eq!(waits_for_flag(false, 1), done([0, 1]));
    assert_eq!(waits_for_flag(true, 2), done([1]), "a loop around the wait");
}

#[test]
fn spurious_wake_ups_of_a_futex_and_of_park_are_bounded() {
    let waits = |spurious, twice: bool| {
        let report = Explorer::new().spurious(spurious).run(move || {
            let futex = Futex::new(0);
            (futex.wait(0), twice.then(|| futex.wait(0)))
        });
        assert!(report.is_complete());
        report.ends.into_keys().collect::<BTreeSet<_>>()
    };
    let woken = |second| BTreeSet::from([End::Done((Wait::Woken, second)), End::Deadlock]);
    assert_eq!(waits(0, false), BTreeSet::from([End::Deadlock]));
    assert_eq!(waits(1, false), woken(None));
    assert_eq!(waits(1, true), BTreeSet::from([End::Deadlock]), "one of each thread");
    assert_eq!(waits(2, true), woken(Some(Wait::Woken)));
    let parks = |spurious| Explorer::new().spurious(spurious).run(thread::park).has(&End::Done(()));
    assert!(!parks(0) && parks(1));
}

/// A spurious wake-up and a real one may meet: then the real one wakes the next thread.
#[test]
fn a_spurious_wake_up_takes_no_wake_up_of_another() {
    let report = Explorer::new().spurious(1).distinct().run(|| {
        let futex = Rc::new(Futex::new(0));
        let other = Rc::clone(&futex);
        let sleeper = thread::spawn(move || other.wait(0));
        let woken = futex.wake(1);
        (woken, sleeper.join())
    });
    let (slept, early) = (End::Done((1, Wait::Woken)), End::Done((0, Wait::Woken)));
    assert_eq!(report.distinct, Some(report.explored));
    assert_eq!(report.ends.into_keys().collect::<BTreeSet<_>>(), BTreeSet::from([slept, early, End::Deadlock]));
}

#[test]
fn a_weak_exchange_of_every_type_may_fail_though_the_value_is_the_expected_one() {
    let report = Explorer::new().weak_failures(3).run(|| {
        let (flag, mut value) = (AtomicBool::new(false), 5);
        let pointer = AtomicPtr::new(std::ptr::null_mut());
        let word = AtomicU32::new(0);
        (
            flag.compare_exchange_weak(false, true, Relaxed, Relaxed),
            pointer.compare_exchange_weak(std::ptr::null_mut(), &raw mut value, Relaxed, Relaxed).is_ok(),
            word.compare_exchange_weak(0, 1, Relaxed, Relaxed),
            word.compare_exchange_weak(7, 1, Relaxed, Relaxed).is_err(),
        )
    });
    let all = [Ok(false), Err(false)].into_iter().flat_map(|flag| {
        let words = move |pointer| [Ok(0), Err(0)].map(|word| (flag, pointer, word, true));
        [true, false].into_iter().flat_map(words)
    });
    assert_eq!(report.ends.into_keys().collect::<BTreeSet<_>>(), done(all));
}
