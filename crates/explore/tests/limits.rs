//! Every limit ends an execution with its name, and never with a wrong result; and so does a program that is
//! not a function of what it reads.

use std::cell::Cell;
use std::rc::Rc;

use sigproof_explore::atomic::{AtomicPtr, AtomicU32, Ordering::Relaxed, Ordering::SeqCst};
use sigproof_explore::{End, Explorer, Limit, thread};

/// The only end of a program, and whether the exploration is complete.
fn end<T: Ord + 'static>(explorer: &Explorer, program: impl Fn() -> T + 'static) -> (End<T>, bool) {
    let report = explorer.run(program);
    let is_complete = report.is_complete();
    let mut ends = report.ends.into_keys();
    let only = ends.next().expect("an end");
    assert!(ends.next().is_none(), "one end");
    (only, is_complete)
}

fn deep(levels: u32) -> u32 {
    if levels == 0 { 0 } else { 1 + thread::spawn(move || deep(levels - 1)).join() }
}

#[test]
fn eight_threads_and_no_more() {
    let spawns = |count: u32, one_after_another: bool| {
        let explorer = Explorer::new();
        end(&explorer, move || {
            let mut threads = Vec::new();
            for _ in 0..count {
                threads.push(thread::spawn(|| ()));
                if one_after_another {
                    threads.drain(..).for_each(thread::JoinHandle::join);
                }
            }
            threads.into_iter().for_each(thread::JoinHandle::join);
        })
    };
    for one_after_another in [false, true] {
        assert_eq!(spawns(7, one_after_another), (End::Done(()), true));
        assert_eq!(spawns(8, one_after_another), (End::Limit(Limit::Threads), false));
    }
    assert_eq!(end(&Explorer::new(), || deep(7)), (End::Done(7), true));
    assert_eq!(end(&Explorer::new(), || deep(8)), (End::Limit(Limit::Threads), false));
}

/// The first and the last object of a thread are not taken for each other.
#[test]
fn as_many_objects_as_have_a_name_and_no_more() {
    let makes = |count: u32| {
        let explorer = Explorer::new();
        end(&explorer, move || {
            let first = AtomicU32::new(1);
            (1..count).for_each(|_| {
                AtomicU32::new(0);
            });
            AtomicU32::new(2).store(3, Relaxed);
            first.load(Relaxed)
        })
    };
    assert_eq!(makes(65_534), (End::Done(1), true));
    assert_eq!(makes(65_535), (End::Limit(Limit::Objects), false));
}

#[test]
fn as_many_events_as_are_allowed_and_no_more() {
    let stores = |most: usize| {
        end(&Explorer::new().events(most), || {
            let word = AtomicU32::new(0);
            (0..10).for_each(|n| word.store(n, Relaxed));
        })
    };
    // The end of the thread is an event as well.
    assert_eq!(stores(11), (End::Done(()), true));
    assert_eq!(stores(10), (End::Limit(Limit::Events), false));
}

#[test]
fn as_many_sequentially_consistent_events_as_can_be_ordered_and_no_more() {
    let stores = |count: u32| {
        end(&Explorer::new(), move || {
            let word = AtomicU32::new(0);
            (0..count).for_each(|n| word.store(n, SeqCst));
        })
    };
    assert_eq!(stores(127), (End::Done(()), true));
    assert_eq!(stores(128), (End::Limit(Limit::SeqCst), false));
}

/// Runs a program that is given the number of its run, which no program may depend on, beside a thread that
/// stores 9.
fn numbered(program: impl Fn(u32, &AtomicU32) -> u32 + 'static) -> (Vec<End<u32>>, bool) {
    let runs = Cell::new(0);
    let report = Explorer::new().runs(1000).run(move || {
        let run = runs.replace(runs.get() + 1);
        let word = Rc::new(AtomicU32::new(0));
        let other = Rc::clone(&word);
        let storer = thread::spawn(move || other.store(9, Relaxed));
        let value = program(run, &word);
        storer.join();
        value
    });
    let is_complete = report.is_complete();
    let told = report.ends.iter().filter(|(end, _)| matches!(end, End::Unrepeatable(_)));
    assert!(told.map(|(_, found)| found.count).sum::<u64>() <= 1, "the search ends with the first one");
    (report.ends.into_keys().collect(), is_complete)
}

#[test]
fn a_program_that_is_no_function_of_what_it_reads_has_no_result() {
    let programs: [fn(u32, &AtomicU32) -> u32; 8] = [
        // Another value, more operations, fewer operations, another operation.
        |run, word| {
            word.store(run, Relaxed);
            word.load(Relaxed)
        },
        |run, word| (0..run).map(|_| word.fetch_add(1, Relaxed)).sum::<u32>() + word.load(Relaxed),
        |run, word| (run..3).map(|_| word.fetch_add(1, Relaxed)).sum(),
        |run, word| if run == 0 { word.swap(1, Relaxed) } else { word.load(Relaxed) },
        |run, word| word.compare_exchange(run, 1, Relaxed, Relaxed).unwrap_or(7),
        |run, word| if run.is_multiple_of(2) { word.load(Relaxed) } else { AtomicU32::new(0).load(Relaxed) },
        // A load that waits for a store of a thread that is not started any more.
        |run, word| {
            let other = Rc::new(AtomicU32::new(0));
            let inner = Rc::clone(&other);
            if run == 0 {
                thread::spawn(move || inner.store(1, Relaxed));
            }
            word.load(Relaxed) + other.load(Relaxed)
        },
        // Addresses that are equal in the first run only.
        |run, word| {
            let (mut one, mut two) = (1_u32, 2_u32);
            let pointer = AtomicPtr::new(&raw mut one);
            let expected = if run == 0 { &raw mut one } else { &raw mut two };
            let is_one = pointer.compare_exchange(expected, &raw mut two, Relaxed, Relaxed).is_ok();
            word.load(Relaxed) + u32::from(is_one)
        },
    ];
    for (number, program) in programs.into_iter().enumerate() {
        let (ends, is_complete) = numbered(program);
        let told = ends.iter().filter(|end| matches!(end, End::Unrepeatable(_))).count();
        assert!(told == 1 && !is_complete, "program {number}: {ends:?}");
    }
    let (ends, is_complete) = numbered(|_, word| word.load(Relaxed));
    assert!(is_complete && ends == [End::Done(0), End::Done(9)], "control: {ends:?}");
}
