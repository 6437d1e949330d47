//! What the checker finds, and does not make up. For the build with `--cfg loom` only:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --profile loom --target-dir target/loom -p sigproof-shim --test model
//! ```

#![cfg(loom)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use sigproof_shim::atomic::{AtomicU32, Ordering};
use sigproof_shim::model::{self, End, Limits, Plan};
use sigproof_shim::os::futex;

/// Every execution of the body within any number of preemptions.
fn explore(body: impl Fn() + Send + Sync + 'static) {
    let limits = Limits { preemptions: None, ..Limits::default() };
    let (explored, _) = model::explore(&Plan::default(), &limits, &(Arc::new(body) as model::Body));
    assert!(matches!(explored.end, End::Exhausted), "{:?}", explored.end);
}

/// The second load, by the writer itself, hides the first from loom.
#[test]
fn a_load_that_is_hidden_by_another_still_sees_the_store() {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    explore({
        let seen = Arc::clone(&seen);
        move || {
            let word = Arc::new(AtomicU32::new(0));
            let writer = model::spawn("writer", {
                let word = Arc::clone(&word);
                move || {
                    let old = word.load(Ordering::Relaxed);
                    word.store(old + 1, Ordering::Relaxed);
                }
            });
            seen.lock().unwrap().insert(word.load(Ordering::Relaxed));
            writer.join();
        }
    });
    assert_eq!(*seen.lock().unwrap(), BTreeSet::from([0, 1]));
}

/// A wake that wrote the word, if only what it held, could bring back what another thread has just stored over.
#[test]
fn a_wake_leaves_the_word_alone() {
    explore(|| {
        let word = Arc::new(AtomicU32::new(1));
        let waker = model::spawn("waker", {
            let word = Arc::clone(&word);
            move || {
                word.swap(2, Ordering::AcqRel);
                futex::wake(&word, 1).unwrap();
            }
        });
        if word.load(Ordering::Acquire) == 2 {
            word.store(0, Ordering::Release);
            assert_eq!(word.swap(3, Ordering::AcqRel), 0);
        }
        waker.join();
    });
}
