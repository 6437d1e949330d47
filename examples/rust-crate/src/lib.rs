//! Two counters of events that a signal handler and ordinary code share: one that bears it, and one that does
//! not.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts with one atomic addition.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more. Async-signal-safe.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Keeps the names of events, behind a mutex: no signal handler may add one.
#[derive(Debug, Default)]
pub struct Names(Mutex<Vec<String>>);

impl Names {
    /// One more. Takes a lock and allocates.
    pub fn add(&self, name: &str) {
        self.0.lock().unwrap().push(name.to_owned());
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
