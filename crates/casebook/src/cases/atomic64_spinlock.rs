//! **atomic64-spinlock**: on processors without 64-bit atomics a runtime emulates them with a spin lock. The
//! profiler's handler adds to a 64-bit counter while the code that it interrupted is inside the same
//! emulation: it spins for a lock that only the interrupted code can give back.
//!
//! Upstream: golang/go#20146. There the handler now drops the sample, and counts that it did, in a word of
//! natural size.
//!
//! ```text
//! cargo xtask stress atomic64-spinlock
//! ```
//!
//! | variant | the handler | must be seen |
//! |---|---|---|
//! | broken | spins for the lock | livelock |
//! | fixed | tries the lock; if it is held, counts a dropped sample | every sample counted once |
//!
//! Stepped, the window is one addition, and a second signal may interrupt the handler of the first.
//!
//! In the model a second thread's handler takes a sample, so that the lock is also met taken by somebody who
//! will give it back.

use sigproof_shim::atomic::{AtomicU32, AtomicU64, Ordering};
use sigproof_shim::cell::UnsafeCell;
use sigproof_shim::hint;
use sigproof_shim::sync::Arc;

use crate::records::Account;
use sigproof_harness::attempt::Attempt;
use sigproof_harness::case::Case;
use sigproof_harness::failure::Failure;
use sigproof_harness::forked::{Stage, Window};
use sigproof_harness::model::{self, Model, ensure};
use sigproof_harness::setup::Setup;
use sigproof_osnote::Backends;
use sigproof_report::{Outcome, Variant};

/// How often ordinary code adds in one window.
const ADDS: u64 = 16;

pub(super) static CASE: Atomic64Spinlock = Atomic64Spinlock;

pub(super) struct Atomic64Spinlock;

/// A 64-bit counter for a processor that has none.
#[derive(Default)]
struct Emulated {
    locked: AtomicU32,
    value: UnsafeCell<u64>,
}

// SAFETY: `value` is only touched by who holds `locked`.
unsafe impl Sync for Emulated {}

impl Emulated {
    fn add(&self, n: u64) {
        while !self.try_add(n) {
            hint::spin_loop();
        }
    }

    fn try_add(&self, n: u64) -> bool {
        // Acquire pairs with the release below: the last holder's value is seen.
        if self.locked.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        // SAFETY: the lock is held, so this access is the only one.
        self.value.with_mut(|value| unsafe { *value = (*value).wrapping_add(n) });
        self.locked.store(0, Ordering::Release);
        true
    }

    fn total(&self) -> u64 {
        // SAFETY: called after the last addition.
        self.value.with(|value| unsafe { *value })
    }
}

#[derive(Default)]
struct Counters {
    samples: Emulated,
    dropped: AtomicU32,
    taken: AtomicU64,
}

impl Counters {
    /// What the handler does.
    fn sample(&self, variant: Variant) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        match variant {
            Variant::Broken => self.samples.add(1),
            Variant::Fixed if self.samples.try_add(1) => {}
            Variant::Fixed => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Case for Atomic64Spinlock {
    fn name(&self) -> &'static str {
        "atomic64-spinlock"
    }

    fn summary(&self) -> &'static str {
        "64-bit atomics emulated by a spin lock are re-entered by the profiling signal"
    }

    fn upstream(&self) -> &'static [&'static str] {
        &["https://github.com/golang/go/issues/20146"]
    }

    fn fingerprints(&self) -> &'static [&'static str] {
        &["livelock/-/in:-/-"]
    }

    fn setups(&self, _notes: Backends) -> Vec<Setup> {
        vec![Setup::broken(Outcome::Livelock), Setup::fixed()]
    }

    fn attempt(&self, setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        let counters: &'static Counters = Box::leak(Box::default());
        let variant = setup.variant;
        let mut injector = attempt.injector(move || {
            counters.sample(variant);
            Ok(())
        })?;
        let mut added = 0;
        for _ in attempt.rounds() {
            injector.round(|| (0..ADDS).for_each(|_| counters.samples.add(1)))?;
            injector.settle();
            added += ADDS;
        }
        let mut account = Account::default();
        account.deliver_unseen(counters.samples.total());
        account.lose(u64::from(counters.dropped.load(Ordering::Relaxed)));
        account.close(added + counters.taken.load(Ordering::Relaxed))
    }

    fn windows(&self, setup: &Setup) -> Vec<Window> {
        let variant = setup.variant;
        vec![Window::new("add", move |stage| stepped(variant, stage)).nests()]
    }

    fn model(&self, setup: &Setup) -> Option<Model> {
        let variant = setup.variant;
        let model = Model::new(move || {
            let counters = Arc::new(Counters::default());
            let sample = || {
                let counters = Arc::clone(&counters);
                move || counters.sample(variant)
            };
            model::handle("sample", model::SIGNAL, &[], sample());
            let other = model::spawn("other", sample());
            model::interruptible(|| counters.samples.add(1));
            other.join();
            let dropped = u64::from(counters.dropped.load(Ordering::Relaxed));
            let (counted, given) = (counters.samples.total(), 1 + counters.taken.load(Ordering::Relaxed));
            ensure(counted + dropped == given, Outcome::CorruptRecord, || {
                format!("{given} were added, {counted} were counted and {dropped} dropped")
            });
        });
        Some(model.depth(2, None))
    }
}

/// The window is one addition; a second signal finds the first one's handler at its own.
fn stepped(variant: Variant, stage: &mut Stage) -> Result<(), Failure> {
    let counters: &'static Counters = Box::leak(Box::default());
    stage.handler(move |_| {
        counters.sample(variant);
        Ok(())
    })?;
    let mut added = 0;
    while stage.another()? {
        stage.window(|| counters.samples.add(1));
        added += 1;
        let mut account = Account::default();
        account.deliver_unseen(counters.samples.total());
        account.lose(u64::from(counters.dropped.load(Ordering::Relaxed)));
        account.close(added + counters.taken.load(Ordering::Relaxed))?;
    }
    Ok(())
}
