//! Each operation of the atomics beside its value by the documentation of std.

use std::collections::BTreeSet;
use std::rc::Rc;

use sigproof_explore::atomic::{
    AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicPtr, AtomicU8, AtomicU16, AtomicU32,
    AtomicU64, AtomicUsize, Ordering,
};
use sigproof_explore::{End, Explorer, thread};

use Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

/// Runs a program that has one execution, which ends well.
#[track_caller]
fn alone(program: impl Fn() + 'static) {
    let report = Explorer::new().run(program);
    assert_eq!((report.explored, report.ends.keys().collect::<Vec<_>>()), (1, vec![&End::Done(())]));
}

macro_rules! operations {
    ($($name:ident $type:ty)*) => {$(
        alone(|| {
            let word = $name::new(6);
            assert_eq!((word.fetch_nand(3, Relaxed), word.load(Relaxed)), (6, !2));
            word.store(6, Release);
            assert_eq!((word.fetch_max(4, AcqRel), word.fetch_max(9, SeqCst), word.load(Acquire)), (6, 6, 9));
            assert_eq!((word.fetch_min(12, AcqRel), word.fetch_min(2, SeqCst), word.load(SeqCst)), (9, 9, 2));
            assert_eq!((word.fetch_and(3, Relaxed), word.fetch_or(5, Relaxed), word.fetch_xor(1, Relaxed)), (2, 2, 7));
            assert_eq!((word.swap(<$type>::MAX, Relaxed), word.fetch_add(1, Relaxed)), (6, <$type>::MAX));
            assert_eq!((word.fetch_sub(1, Relaxed), word.load(Relaxed)), (<$type>::MIN, <$type>::MAX));
            assert_eq!(word.fetch_max(<$type>::MIN, Relaxed), <$type>::MAX);
            assert_eq!(word.fetch_min(<$type>::MIN, Relaxed), <$type>::MAX);
            assert_eq!(word.compare_exchange(0, 1, Relaxed, Relaxed).is_ok(), <$type>::MIN == 0);
        });
    )*};
}

#[test]
fn operations_of_every_integer() {
    operations! {
        AtomicU8 u8 AtomicU16 u16 AtomicU32 u32 AtomicU64 u64 AtomicUsize usize
        AtomicI8 i8 AtomicI16 i16 AtomicI32 i32 AtomicI64 i64 AtomicIsize isize
    }
}

#[test]
fn operations_of_the_truth_value_and_of_the_pointer() {
    alone(|| {
        let flag = AtomicBool::new(true);
        assert!(flag.fetch_and(false, Relaxed) && !flag.fetch_or(true, Relaxed) && flag.fetch_xor(true, Relaxed));
        assert!(!flag.fetch_not(Relaxed) && flag.load(Relaxed));
        let mut value = 5;
        let pointer = AtomicPtr::new(&raw mut value);
        assert!(std::ptr::eq(pointer.swap(std::ptr::null_mut(), AcqRel), &raw const value));
        assert!(pointer.load(Acquire).is_null());
    });
}

/// An update is one read-modify-write: of two, one comes first.
#[test]
fn no_store_comes_between_the_load_and_the_store_of_an_update() {
    let report = Explorer::new().distinct().run(|| {
        let word = Rc::new(AtomicU32::new(0));
        let other = Rc::clone(&word);
        let storer = thread::spawn(move || other.store(5, Relaxed));
        let old = word.fetch_max(3, Relaxed);
        storer.join();
        (old, word.load(Relaxed))
    });
    assert_eq!(report.distinct, Some(report.explored));
    let ends: BTreeSet<_> = report.ends.into_keys().collect();
    assert_eq!(ends, BTreeSet::from([End::Done((0, 5)), End::Done((5, 5))]));
}

#[test]
fn orders_that_std_refuses_are_refused() {
    let programs: [fn(&AtomicU32) -> bool; 7] = [
        |word| word.load(Release) == 0,
        |word| word.load(AcqRel) == 0,
        |word| {
            word.store(1, Acquire);
            true
        },
        |word| {
            word.store(1, AcqRel);
            true
        },
        |word| word.compare_exchange(0, 1, Relaxed, Release).is_ok(),
        |word| word.compare_exchange(0, 1, Relaxed, AcqRel).is_ok(),
        |word| word.compare_exchange_weak(0, 1, Relaxed, Release).is_ok(),
    ];
    for (number, program) in programs.into_iter().enumerate() {
        let report = Explorer::new().run(move || program(&AtomicU32::new(0)));
        assert!(report.ends.keys().any(|end| matches!(end, End::Panic(_))), "program {number}: {:?}", report.ends);
    }
}

/// Threads make objects, one more where a load found a store: each object stays what it is in every run.
#[test]
fn objects_that_threads_make_are_not_taken_for_each_other() {
    let report = Explorer::new().distinct().run(|| {
        let word = Rc::new(AtomicU32::new(0));
        let [one, two] = [Rc::clone(&word), Rc::clone(&word)];
        let one = thread::spawn(move || {
            let more = (one.load(Relaxed) == 1).then(|| AtomicU32::new(10));
            let own = AtomicU32::new(20);
            (own.fetch_add(1, Relaxed), more.map(|more| more.load(Relaxed)))
        });
        let two = thread::spawn(move || {
            let own = [AtomicU32::new(30), AtomicU32::new(40)];
            let old = [own[0].swap(31, Relaxed), own[1].swap(41, Relaxed)];
            two.store(1, Relaxed);
            (old, [own[0].load(Relaxed), own[1].load(Relaxed)])
        });
        (one.join(), two.join(), word.load(Relaxed))
    });
    let end = |more| End::Done(((20, more), ([30, 40], [31, 41]), 1));
    assert_eq!(report.ends.into_keys().collect::<BTreeSet<_>>(), BTreeSet::from([end(None), end(Some(10))]));
    assert_eq!(report.distinct, Some(report.explored));
}
