//! Cells and marks: an access that is not ordered is a race, and so is one that overlaps.

use std::sync::Arc;

use sigproof_shim::atomic::Ordering;
use sigproof_shim::cell::{Marks, UnsafeCell};
use sigproof_shim::model::{self, FailureKind, Plan};

use crate::support::{SIGNAL, calm, failure, failure_by_signal, ignore, outcomes, set, signals, swept, word};

/// A cell that threads share.
struct Shared(UnsafeCell<u32>);

// SAFETY: the threads of a model are coroutines of one thread; whether the accesses are ordered is what is
// tested.
unsafe impl Sync for Shared {}

impl Shared {
    fn new(value: u32) -> Arc<Self> {
        Arc::new(Self(UnsafeCell::new(value)))
    }

    fn get(&self) -> u32 {
        // SAFETY: no thread of the system writes it meanwhile.
        self.0.with(|value| unsafe { *value })
    }

    fn put(&self, to: u32) {
        // SAFETY: as in `get`.
        self.0.with_mut(|value| unsafe { *value = to });
    }
}

/// Two threads, each with the cell.
fn together(mine: fn(&Shared), theirs: fn(&Shared)) -> impl Fn() + Send + Sync + 'static {
    move || {
        let cell = Shared::new(0);
        let other = model::spawn("other", {
            let cell = Arc::clone(&cell);
            move || theirs(&cell)
        });
        mine(&cell);
        other.join();
    }
}

fn reads(cell: &Shared) {
    cell.get();
}

fn writes(cell: &Shared) {
    cell.put(1);
}

#[test]
fn control_unordered_accesses_race() {
    failure(&Plan::default(), FailureKind::Race, together(writes, writes));
    failure(&Plan::default(), FailureKind::Race, together(reads, writes));
    failure(&Plan::default(), FailureKind::Race, together(writes, reads));
}

#[test]
fn two_reads_do_not_race() {
    calm(together(reads, reads));
}

#[test]
fn a_join_and_a_start_order_accesses() {
    let seen = calm(|| {
        let cell = Shared::new(0);
        cell.put(1);
        let theirs = model::spawn("other", {
            let cell = Arc::clone(&cell);
            move || {
                let found = cell.get();
                cell.put(2);
                found
            }
        });
        let found = theirs.join();
        (found, cell.get())
    });
    assert_eq!(seen, set([(1, 2)]));
}

/// One thread writes the cell and raises a flag; the other reads it if it sees the flag.
fn published(store: Ordering, load: Ordering) -> impl Fn() -> Option<u32> + Send + Sync + 'static {
    move || {
        let (cell, flag) = (Shared::new(0), word(0));
        let writer = model::spawn("writer", {
            let (cell, flag) = (Arc::clone(&cell), Arc::clone(&flag));
            move || {
                cell.put(1);
                flag.store(1, store);
            }
        });
        let seen = (flag.load(load) == 1).then(|| cell.get());
        writer.join();
        seen
    }
}

#[test]
fn release_and_acquire_publish_a_cell() {
    assert_eq!(calm(published(Ordering::Release, Ordering::Acquire)), set([None, Some(1)]));
}

#[test]
fn control_a_weaker_ordering_does_not_publish() {
    for (store, load) in [(Ordering::Relaxed, Ordering::Acquire), (Ordering::Release, Ordering::Relaxed)] {
        let body = published(store, load);
        failure(&Plan::default(), FailureKind::Race, move || ignore(body()));
    }
}

/// The handler runs between the two ends of the thread's access: point 1 of 3.
fn interrupted(access: fn(&Shared), handler: fn(&Shared)) -> impl Fn() + Send + Sync + 'static {
    move || {
        let cell = Shared::new(0);
        let inner = Arc::clone(&cell);
        model::handle("handler", SIGNAL, &[], move || handler(&inner));
        model::interruptible(|| access(&cell));
    }
}

#[test]
fn control_a_handler_that_overlaps_an_access_races() {
    let message = |access, handler| {
        let failure = failure_by_signal(FailureKind::Race, interrupted(access, handler));
        assert_eq!(failure.threads[0].handlers, ["handler"]);
        failure.message
    };
    assert_eq!(message(writes, reads), "a cell is read while it is being written");
    assert_eq!(message(writes, writes), "a cell is written while it is being written");
    assert_eq!(message(reads, writes), "a cell is written while it is being read");
}

#[test]
fn a_handler_before_or_after_an_access_does_not_race() {
    for point in [0, 2] {
        outcomes(&signals([(point, 0)]), interrupted(writes, writes));
    }
    swept(interrupted(reads, reads));
}

/// Once all reads of a cell have ended, a write is in order again.
#[test]
fn an_access_that_has_ended_overlaps_nothing() {
    let seen = calm(|| {
        let cell = Shared::new(0);
        // SAFETY: two shared readings.
        let inner = cell.0.with(|_| cell.get());
        cell.put(3);
        (inner, cell.get())
    });
    assert_eq!(seen, set([(0, 3)]));
}

/// Two threads write these elements of an array.
fn marked(mine: core::ops::Range<usize>, theirs: core::ops::Range<usize>) -> impl Fn() + Send + Sync + 'static {
    /// The marks, shared.
    struct All(Marks);
    // SAFETY: as for `Shared`.
    unsafe impl Sync for All {}
    impl All {
        fn write(&self, elements: core::ops::Range<usize>) {
            self.0.write(elements);
        }
    }
    move || {
        let all = Arc::new(All(Marks::new(4)));
        let other = model::spawn("other", {
            let (all, theirs) = (Arc::clone(&all), theirs.clone());
            move || all.write(theirs)
        });
        all.write(mine.clone());
        other.join();
        all.0.read(0..4);
    }
}

#[test]
fn marks_of_different_elements_do_not_race() {
    calm(marked(0..2, 2..4));
}

#[test]
fn control_marks_of_one_element_race() {
    failure(&Plan::default(), FailureKind::Race, marked(0..3, 2..4));
}
