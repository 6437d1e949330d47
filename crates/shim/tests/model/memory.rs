//! Atomics and their orderings: what each permits, all of it and nothing else.

use std::sync::Arc;

use sigproof_shim::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use sigproof_shim::model::{self, End, Instead, Limits, Plan, Role};
use sigproof_shim::os::futex;
use sigproof_shim::os::thread::yield_now;

use crate::support::{calm, limits, set, word};

/// The second load, by the writer itself, hides the first from loom.
#[test]
fn a_load_that_is_hidden_by_another_still_sees_the_store() {
    let seen = calm(|| {
        let word = word(0);
        let writer = model::spawn("writer", {
            let word = Arc::clone(&word);
            move || {
                let old = word.load(Ordering::Relaxed);
                word.store(old + 1, Ordering::Relaxed);
            }
        });
        let seen = word.load(Ordering::Relaxed);
        writer.join();
        seen
    });
    assert_eq!(seen, set([0, 1]));
}

/// A wake that wrote the word, if only what it held, could bring back what another thread has just stored
/// over.
#[test]
fn a_wake_leaves_the_word_alone() {
    let seen = calm(|| {
        let word = word(1);
        let waker = model::spawn("waker", {
            let word = Arc::clone(&word);
            move || {
                word.swap(2, Ordering::AcqRel);
                futex::wake(&word, 1).unwrap();
            }
        });
        let after = (word.load(Ordering::Acquire) == 2).then(|| {
            word.store(0, Ordering::Release);
            word.swap(3, Ordering::AcqRel)
        });
        waker.join();
        after
    });
    assert_eq!(seen, set([None, Some(0)]));
}

/// Each of two threads stores to its word, then loads that of the other. Relaxed: both may miss the other's
/// store.
#[test]
fn store_buffering() {
    let seen = calm(|| {
        let words = [word(0), word(0)];
        let other = model::spawn("other", {
            let words = words.clone();
            move || {
                words[1].store(1, Ordering::Relaxed);
                words[0].load(Ordering::Relaxed)
            }
        });
        words[0].store(1, Ordering::Relaxed);
        let mine = words[1].load(Ordering::Relaxed);
        (mine, other.join())
    });
    assert_eq!(seen, set([(0, 0), (0, 1), (1, 0), (1, 1)]));
}

/// One thread writes data, then a flag. What the other finds in (flag, data), read in this order.
fn message_passing(store: Ordering, load: Ordering) -> std::collections::BTreeSet<(u32, u32)> {
    calm(move || {
        let (data, flag) = (word(0), word(0));
        let writer = model::spawn("writer", {
            let (data, flag) = (Arc::clone(&data), Arc::clone(&flag));
            move || {
                data.store(1, Ordering::Relaxed);
                flag.store(1, store);
            }
        });
        let seen = (flag.load(load), data.load(Ordering::Relaxed));
        writer.join();
        seen
    })
}

#[test]
fn release_and_acquire_order_a_message_and_less_does_not() {
    let ordered = set([(0, 0), (0, 1), (1, 1)]);
    let unordered = set([(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(message_passing(Ordering::Release, Ordering::Acquire), ordered);
    assert_eq!(message_passing(Ordering::Relaxed, Ordering::Acquire), unordered);
    assert_eq!(message_passing(Ordering::Release, Ordering::Relaxed), unordered);
}

/// The orderings that a survey finds, and what treating one of them as a weaker one does.
#[test]
fn a_survey_finds_every_ordering_and_a_weakening_changes_only_its_own() {
    let explore = |survey, instead| {
        let (seen, body) = gather(|| {
            let (data, flag) = (word(0), word(0));
            let writer = model::spawn("writer", {
                let (data, flag) = (Arc::clone(&data), Arc::clone(&flag));
                move || {
                    data.store(1, Ordering::Relaxed);
                    flag.store(1, Ordering::Release);
                }
            });
            let seen = (flag.load(Ordering::Acquire), data.load(Ordering::Relaxed));
            writer.join();
            seen
        });
        let limits = Limits { survey, instead, ..limits() };
        let (explored, _) = model::explore(&Plan::default(), &limits, &body);
        assert!(matches!(explored.end, End::Exhausted), "{:?}", explored.end);
        let seen = seen.lock().unwrap().clone();
        (explored.sites, seen)
    };
    let ordered = set([(0, 0), (0, 1), (1, 1)]);
    let unordered = set([(0, 0), (0, 1), (1, 0), (1, 1)]);

    let (sites, seen) = explore(true, Vec::new());
    assert_eq!(seen, ordered);
    let mut orderings: Vec<_> = sites.iter().map(|(_, ordering)| format!("{ordering:?}")).collect();
    orderings.sort();
    assert_eq!(orderings, ["Acquire", "Relaxed", "Relaxed", "Release"]);
    for (site, ordering) in sites {
        assert!(site.file.ends_with("memory.rs") && site.role == Role::Success, "{site:?}");
        let (none, seen) = explore(false, vec![Instead { site, to: Ordering::Relaxed }]);
        assert!(none.is_empty(), "no survey was asked for");
        assert_eq!(seen, if ordering == Ordering::Relaxed { ordered.clone() } else { unordered.clone() }, "{site:?}");
    }
}

type Seen<T> = Arc<std::sync::Mutex<std::collections::BTreeSet<T>>>;

/// A body that adds what it returns to a set.
fn gather<T: Ord + Send + 'static>(body: impl Fn() -> T + Send + Sync + 'static) -> (Seen<T>, model::Body) {
    let seen = Seen::default();
    let add = Arc::clone(&seen);
    let whole = Arc::new(move || {
        let outcome = body();
        add.lock().unwrap().insert(outcome);
    });
    (seen, whole)
}

/// An ordering for a failure is a site of its own.
#[test]
fn both_orderings_of_an_exchange_are_sites() {
    let (_, body) = gather(|| word(0).compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire));
    let (explored, _) = model::explore(&Plan::default(), &Limits { survey: true, ..limits() }, &body);
    let sites: Vec<_> = explored.sites.iter().map(|(site, ordering)| (site.role, *ordering)).collect();
    assert_eq!(sites, [(Role::Success, Ordering::AcqRel), (Role::Failure, Ordering::Acquire)]);
}

/// A load and a store are two steps, a read-modify-write is one.
#[test]
fn an_addition_is_lost_between_a_load_and_a_store_only() {
    let add = |atomically: bool| {
        move |word: &AtomicU32| match atomically {
            true => word.fetch_add(1, Ordering::Relaxed),
            false => {
                let old = word.load(Ordering::Relaxed);
                word.store(old + 1, Ordering::Relaxed);
                old
            }
        }
    };
    let total = |atomically| {
        calm(move || {
            let word = word(0);
            let other = model::spawn("other", {
                let word = Arc::clone(&word);
                move || add(atomically)(&word)
            });
            let mine = add(atomically)(&word);
            let theirs = other.join();
            (mine, theirs, word.load(Ordering::Relaxed))
        })
    };
    assert_eq!(total(true), set([(0, 1, 2), (1, 0, 2)]));
    assert_eq!(total(false), set([(0, 0, 1), (0, 1, 2), (1, 0, 2)]));
}

#[test]
fn one_of_two_exchanges_wins() {
    let seen = calm(|| {
        let word = word(0);
        let try_to =
            |word: &AtomicU32, value| word.compare_exchange_weak(0, value, Ordering::Relaxed, Ordering::Relaxed);
        let other = model::spawn("other", {
            let word = Arc::clone(&word);
            move || try_to(&word, 2)
        });
        let mine = try_to(&word, 1);
        let theirs = other.join();
        (mine, theirs, word.load(Ordering::Relaxed))
    });
    let strong = set([(Ok(0), Err(1), 1), (Err(2), Ok(0), 2)]);
    // Loom's weak exchange is the strong one.
    let spurious = [(Err(0), Ok(0), 2), (Ok(0), Err(0), 1), (Err(0), Err(0), 0)];
    let is_weak = model::Engine::own() == Some(model::Engine::Graph);
    assert_eq!(seen, if is_weak { &strong | &set(spurious) } else { strong });
}

/// Three threads take a number each: every one of the six orders, and no other.
#[test]
fn every_order_of_three_threads() {
    let seen = calm(|| {
        let next = word(0);
        let take = |name| {
            let next = Arc::clone(&next);
            model::spawn(name, move || next.fetch_add(1, Ordering::Relaxed))
        };
        let (a, b) = (take("a"), take("b"));
        let mine = next.fetch_add(1, Ordering::Relaxed);
        (mine, a.join(), b.join())
    });
    assert_eq!(seen, set([(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]));
}

/// Each type and each operation, on one thread.
#[test]
fn operations_give_what_those_of_core_give() {
    use Ordering::{Acquire, Relaxed, SeqCst};
    calm(|| {
        let flag = AtomicBool::new(false);
        assert!(!flag.swap(true, SeqCst) && flag.load(Acquire));
        let signed = AtomicI64::new(-1);
        assert_eq!((signed.swap(i64::MIN, Relaxed), signed.load(Relaxed)), (-1, i64::MIN));
        let mut target = 5_u8;
        let pointer = AtomicPtr::new(core::ptr::null_mut());
        pointer.store(&raw mut target, Relaxed);
        assert_eq!(pointer.load(Relaxed), &raw mut target);
        let word = AtomicU32::default();
        assert_eq!(word.fetch_sub(1, Relaxed), 0);
        assert_eq!((word.fetch_and(0xF0, Relaxed), word.fetch_or(1, Relaxed)), (u32::MAX, 0xF0));
        assert_eq!(word.load(Relaxed), 0xF1);
        assert_eq!(format!("{word:?}"), "241", "the shadow has followed");
        let (long, size) = (AtomicU64::new(u64::MAX), AtomicUsize::new(7));
        assert_eq!((long.fetch_add(2, Relaxed), long.load(Relaxed)), (u64::MAX, 1));
        assert_eq!((size.compare_exchange(7, 8, Relaxed, Relaxed), size.load(Relaxed)), (Ok(7), 8));
        assert_eq!(size.compare_exchange(7, 9, Relaxed, Relaxed), Err(8));
    });
}

sigproof_shim::process_static! {
    /// A value of the process.
    fn shared() -> AtomicU32 = AtomicU32::new(0);
}

sigproof_shim::per_thread! {
    /// A value of each thread.
    static OWN: AtomicU32 = const { AtomicU32::new(0) };
}

/// A static of the process is one for all threads, a static of a thread is not, and an execution begins with
/// new ones.
#[test]
fn statics() {
    let seen = calm(|| {
        let visit = || (shared().fetch_add(1, Ordering::Relaxed), OWN.with(|own| own.fetch_add(1, Ordering::Relaxed)));
        let first = visit();
        let theirs = model::spawn("other", visit).join();
        (first, theirs, visit())
    });
    assert_eq!(seen, set([((0, 0), (1, 0), (2, 1))]));
}

/// To yield is no more than to let another thread run.
#[test]
fn a_yield_lets_either_run() {
    let seen = calm(|| {
        let word = word(0);
        let other = model::spawn("other", {
            let word = Arc::clone(&word);
            move || word.swap(1, Ordering::Relaxed)
        });
        yield_now();
        let seen = word.load(Ordering::Relaxed);
        other.join();
        seen
    });
    assert_eq!(seen, set([0, 1]));
}
