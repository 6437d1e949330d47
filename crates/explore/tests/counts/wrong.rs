//! Programs that are wrong, as GenMC's tests of these names (tests/wrong) are: each is found wrong, and a
//! control with the orders or the order of the steps mended is not.
//!
//! Not among them, because a Rust program of this crate cannot have the fault: accesses of memory that is
//! freed or was never allocated, barriers and mutexes that are destroyed or not initialised, a mutex that
//! another thread frees, errors of the file system.

use std::rc::Rc;

use sigproof_explore::atomic::{AtomicU32, Ordering};
use sigproof_explore::cell::Cell;
use sigproof_explore::{End, Explorer, Report, hint, thread};

use Ordering::{Acquire, Relaxed, Release, SeqCst};

fn races(program: &str) -> bool {
    super::explored(program).ends.keys().any(|end| matches!(end, End::Race(_)))
}

/// A thread publishes plain memory by y; further threads may add to y; another looks at y, and accesses the
/// memory.
#[test]
fn a_publication_without_release_or_acquire_is_a_race() {
    let families = [
        ("MP", "", 0, "p x"),
        ("S", "", 0, "x:=2"),
        ("MPU", " // y+=1", 1, "x:=2"),
        ("MPU2", " // cas y 2>3 // cas y 1>2", 2, "x:=2"),
    ];
    let publications = [("rel", "y=1.rel"), ("relf", "F.rel; y=1"), ("rels", "y=0.rel; y=1"), ("rlx", "y=1")];
    let looks = [("acq", ".acq", ""), ("acqf", "", "F.acq; "), ("rlx", "", "")];
    let (mut wrong, mut right) = (0, 0);
    for (family, others, least, access) in families {
        for (publication, stores) in publications {
            for (look, order, fence) in looks {
                let program = format!("x:=1; {stores}{others} // if y{order}>{least}; {fence}{access}");
                // A relaxed store behind the releasing one does not continue its release sequence in C++20.
                let is_wrong = publication == "rlx" || publication == "rels" || look == "rlx";
                assert_eq!(races(&program), is_wrong, "{family}+{publication}+{look}: {program}");
                wrong += usize::from(is_wrong);
                right += usize::from(!is_wrong);
            }
        }
    }
    assert_eq!((wrong, right), (32, 16));
}

/// var_names: two plain stores behind relaxed ones.
#[test]
fn relaxed_stores_order_no_plain_ones() {
    assert!(races("x=42; y=42; z:=42 // x=42; u=42; z:=17"));
    assert!(!races("x=42; y=42; z:=42 // x=42; u=42; v:=17"));
}

fn ends<T: Ord>(report: Report<T>) -> Vec<End<T>> {
    assert!(report.is_complete());
    report.ends.into_keys().collect()
}

fn is_panic(end: &End<()>) -> bool {
    matches!(end, End::Panic(_))
}

/// dekker_rlx: each raises its flag and looks at the other's; both may find it down.
#[test]
fn flags_that_are_relaxed_let_both_in() {
    let both = |order: Ordering| {
        ends(Explorer::new().run(move || {
            let words = Rc::new([(); 3].map(|()| AtomicU32::new(0)));
            let enter = |own: usize, value: u32| {
                let words = Rc::clone(&words);
                move || {
                    words[own].store(1, order);
                    if words[1 - own].load(order) == 0 {
                        words[2].store(value, Relaxed);
                        assert_eq!(words[2].load(Relaxed), value, "another is inside");
                    }
                }
            };
            let other = thread::spawn(enter(1, 7));
            enter(0, 8)();
            other.join();
        }))
    };
    assert!(both(Relaxed).iter().any(is_panic));
    assert_eq!(both(SeqCst), [End::Done(())]);
}

/// fib_bench: two threads add to each other's number; the bound is that of the fastest alternation.
#[test]
fn the_largest_fibonacci_number_is_reached() {
    let reaches = |turns: usize, bound: u32| {
        let found = ends(Explorer::new().run(move || {
            let words = Rc::new([AtomicU32::new(1), AtomicU32::new(1)]);
            let adds = |own: usize| {
                let words = Rc::clone(&words);
                move || {
                    for _ in 0..turns {
                        let sum = words[0].load(Relaxed) + words[1].load(Relaxed);
                        words[own].store(sum, Relaxed);
                    }
                }
            };
            let threads = [thread::spawn(adds(0)), thread::spawn(adds(1))];
            threads.into_iter().for_each(thread::JoinHandle::join);
            assert!(words.iter().all(|word| word.load(Relaxed) < bound), "the bound is reached");
        }));
        found.iter().any(is_panic)
    };
    // 1, 1, 2, 3, 5, 8: the sixth number after two turns of each.
    assert!(reaches(2, 8) && !reaches(2, 9));
}

/// liveness/simple and spinloop: a loop that nobody, or not in every execution, ends.
#[test]
fn a_loop_that_nobody_ends_is_a_livelock() {
    let waits = |sets: bool| {
        ends(Explorer::new().run(move || {
            let words = Rc::new([AtomicU32::new(0), AtomicU32::new(0)]);
            let other = Rc::clone(&words);
            thread::spawn(move || {
                if sets || other[1].load(SeqCst) != 0 {
                    other[0].store(1, SeqCst);
                }
            });
            words[1].store(1, SeqCst);
            while words[0].load(SeqCst) == 0 {
                hint::spin_loop();
            }
        }))
    };
    assert_eq!(waits(false), [End::Done(()), End::Livelock]);
    assert_eq!(waits(true), [End::Done(())]);
}

/// liveness/lamport-deadlock: each raises its flag, and waits for the other's to go down.
#[test]
fn two_flags_that_wait_for_each_other_are_a_livelock() {
    let enters = |yields: bool| {
        ends(Explorer::new().run(move || {
            let flags = Rc::new([AtomicU32::new(0), AtomicU32::new(0)]);
            let enter = |own: usize| {
                let flags = Rc::clone(&flags);
                move || {
                    flags[own].store(1, SeqCst);
                    // The control: one of the two takes its flag back, and does not wait.
                    while !(yields && own == 1) && flags[1 - own].load(SeqCst) == 1 {
                        hint::spin_loop();
                    }
                    flags[own].store(0, SeqCst);
                }
            };
            let other = thread::spawn(enter(1));
            enter(0)();
            other.join();
        }))
    };
    assert_eq!(enters(false), [End::Done(()), End::Livelock]);
    assert_eq!(enters(true), [End::Done(())]);
}

/// liveness/lock-deadlock: two spin locks, taken in two orders.
#[test]
fn two_spin_locks_in_two_orders_are_a_livelock() {
    let locks = |same: bool| {
        ends(Explorer::new().run(move || {
            let shared = Rc::new(([AtomicU32::new(0), AtomicU32::new(0)], Cell::new(0)));
            let body = |first: usize, value: u32| {
                let shared = Rc::clone(&shared);
                move || {
                    let (locks, data) = &*shared;
                    for lock in [first, 1 - first] {
                        while locks[lock].compare_exchange(0, 1, Acquire, Acquire).is_err() {
                            hint::spin_loop();
                        }
                    }
                    data.set(value);
                    locks[1 - first].store(0, Release);
                    locks[first].store(0, Release);
                }
            };
            let other = thread::spawn(body(usize::from(!same), 42));
            body(0, 17)();
            other.join();
        }))
    };
    assert_eq!(locks(false), [End::Done(()), End::Livelock]);
    assert_eq!(locks(true), [End::Done(())]);
}

/// safety/cks: a sequence lock whose reader does not look whether a write is under way.
#[test]
fn a_sequence_lock_that_is_read_too_simply_is_torn() {
    let reads = |looks: bool| {
        ends(Explorer::new().run(move || {
            let words = Rc::new([(); 3].map(|()| AtomicU32::new(0)));
            let other = Rc::clone(&words);
            let writer = thread::spawn(move || {
                let [sequence, x, y] = &*other;
                sequence.store(1, SeqCst);
                x.store(1, SeqCst);
                y.store(1, SeqCst);
                sequence.store(2, SeqCst);
            });
            let [sequence, x, y] = &*words;
            let before = sequence.load(SeqCst);
            let copy = (x.load(SeqCst), y.load(SeqCst));
            let is_whole = sequence.load(SeqCst) == before && (!looks || before & 1 == 0);
            assert!(!is_whole || copy.0 == copy.1, "a torn copy");
            writer.join();
        }))
    };
    assert!(reads(false).iter().any(is_panic));
    assert_eq!(reads(true), [End::Done(())]);
}
