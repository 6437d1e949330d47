//! The read-write lock: readers together, a writer alone.

use std::sync::Arc;

use sigproof_shim::atomic::Ordering;
use sigproof_shim::model::{self, FailureKind, Plan};
use sigproof_shim::sync::RwLock;

use crate::support::{calm, failure, set, waits, word};

/// Two threads lock, each as told; the most that were inside at once.
fn visits(writes: [bool; 2]) -> impl Fn() -> u32 + Send + Sync + 'static {
    move || {
        let (lock, inside, most) = (Arc::new(RwLock::new(())), word(0), word(0));
        let visit = |writes: bool| {
            let (lock, inside, most) = (Arc::clone(&lock), Arc::clone(&inside), Arc::clone(&most));
            move || {
                let read = (!writes).then(|| lock.read().unwrap());
                let write = writes.then(|| lock.write().unwrap());
                let now = inside.fetch_add(1, Ordering::Relaxed) + 1;
                if now == 2 {
                    most.store(2, Ordering::Relaxed);
                }
                inside.fetch_sub(1, Ordering::Relaxed);
                drop((read, write));
            }
        };
        let other = model::spawn("other", visit(writes[0]));
        visit(writes[1])();
        other.join();
        most.load(Ordering::Relaxed)
    }
}

#[test]
fn readers_may_be_inside_together() {
    assert_eq!(calm(visits([false, false])), set([0, 2]));
}

#[test]
fn a_writer_is_alone() {
    for writes in [[true, false], [false, true], [true, true]] {
        assert_eq!(calm(visits(writes)), set([0]), "{writes:?}");
    }
}

/// What a writer has written the reader finds, though the accesses are relaxed; either may come first.
#[test]
fn the_lock_synchronises_memory() {
    let seen = calm(|| {
        let (lock, a, b) = (Arc::new(RwLock::new(())), word(0), word(0));
        let writer = model::spawn("writer", {
            let (lock, a, b) = (Arc::clone(&lock), Arc::clone(&a), Arc::clone(&b));
            move || {
                let _guard = lock.write().unwrap();
                a.store(1, Ordering::Relaxed);
                b.store(1, Ordering::Relaxed);
            }
        });
        let guard = lock.read().unwrap();
        let seen = (b.load(Ordering::Relaxed), a.load(Ordering::Relaxed));
        drop(guard);
        writer.join();
        seen
    });
    assert_eq!(seen, set([(0, 0), (1, 1)]));
}

/// One of two readers that leaves lets no writer in.
#[test]
fn every_reader_keeps_a_writer_out() {
    let failure = failure(&Plan::default(), FailureKind::Deadlock, || {
        let lock = RwLock::new(());
        let first = lock.read().unwrap();
        let _second = lock.read().unwrap();
        drop(first);
        let _writer = lock.write().unwrap();
    });
    assert_eq!(waits(&failure), [("main", "read-write lock 1".into())]);
    let waiting = failure.threads[0].waits_for.as_ref().unwrap();
    assert_eq!((waiting.owner, waiting.lock), (Some(0), true));
}

#[test]
fn control_a_thread_that_writes_and_then_reads_is_stuck() {
    failure(&Plan::default(), FailureKind::Deadlock, || {
        let lock = RwLock::new(());
        let _writer = lock.write().unwrap();
        let _reader = lock.read().unwrap();
    });
}
