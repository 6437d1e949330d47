//! What loom needs to see every order of loads and stores.
//!
//! Loom remembers one access of each atomic, the last, to find out which orders of two operations matter. A
//! load hides the loads before it: of a load by one thread, and a load and a store by another, loom tries
//! only the order that it came to first. So each thread has a gate of its own at each atomic, passed by the
//! thread before it loads, and by others before they write.

use core::sync::atomic::AtomicU8;
use core::sync::atomic::Ordering::Relaxed;

use crate::simulated::gate::Gate;

/// The gates between those who load an atomic and those who write it.
pub(in crate::simulated) struct Readers {
    gates: [Gate; loom::MAX_THREADS],
    /// The bits of the threads that have loaded it since it was written.
    loaded: AtomicU8,
    /// Who has accessed it last: that access is the one that loom remembers.
    last: AtomicU8,
}

impl Readers {
    pub(in crate::simulated) fn new() -> Self {
        let gates = core::array::from_fn(|_| Gate::new());
        Self { gates, loaded: AtomicU8::new(0), last: AtomicU8::new(0) }
    }

    /// `me` is about to load.
    pub(in crate::simulated) fn before_load(&self, me: usize) {
        self.gates[me].again(me, Relaxed);
    }

    /// `me` has loaded.
    pub(in crate::simulated) fn after_load(&self, me: usize) {
        self.loaded.fetch_or(1 << me, Relaxed);
        self.last.store(me as u8, Relaxed);
    }

    /// `me` is about to write. Loads that loom remembers, or that come while `me` waits for its turn, it sees
    /// itself.
    pub(in crate::simulated) fn before_write(&self, me: usize) {
        let remembered = 1 << self.last.load(Relaxed);
        let hidden = self.loaded.load(Relaxed) & !(1 << me) & !remembered;
        for (_, gate) in self.gates.iter().enumerate().filter(|(n, _)| hidden & (1 << n) != 0) {
            gate.again(me, Relaxed);
        }
    }

    /// `me` has written.
    pub(in crate::simulated) fn after_write(&self, me: usize) {
        self.loaded.store(0, Relaxed);
        self.last.store(me as u8, Relaxed);
    }
}
