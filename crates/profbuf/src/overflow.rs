//! The pending overflow: how many records were dropped since the last report, and when the first of them was.
//!
//! | state of the word | count | time | next |
//! |---|---|---|---|
//! | none | 0 | may be written by the writer | `add`: 1, new generation |
//! | pending | 1..=2^32-1 | fixed | `add`: count + 1, up to the top; `take`: none |
//!
//! The word holds the count in its low half, a generation in its high half.
//!
//! Invariants:
//! 1. Only the writer leaves "none"; writer and reader race for leaving "pending", and the compare-and-swap
//!    has one winner.
//! 2. Each overflow has a generation of its own, from its first record on, and its count grows until it is
//!    taken. So a pending word occurs once in 2^32 overflows, and a compare-and-swap from a pending word that
//!    was seen succeeds only if the overflow was neither taken nor added to since.
//! 3. The time is written only in state "none", so a time read after a pending word belongs to it if the
//!    compare-and-swap from that very word succeeds.

use sigproof_shim::atomic::{AtomicI64, AtomicU64, Ordering};

/// The shared pair.
#[derive(Debug)]
pub(crate) struct Overflow {
    word: AtomicU64,
    time: AtomicI64,
}

/// A look at the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen(u64);

/// A taken overflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Records dropped; at least 1.
    pub(crate) count: u32,
    /// Time of the first.
    pub(crate) time: i64,
}

impl Seen {
    #[inline]
    fn count(self) -> u32 {
        self.0 as u32
    }

    /// Whether anything is pending.
    #[inline]
    pub(crate) fn pending(self) -> bool {
        self.count() != 0
    }

    /// The next generation, with this count.
    #[inline]
    fn turned(self, count: u32) -> u64 {
        let generation = ((self.0 >> 32) as u32).wrapping_add(1);
        u64::from(generation) << 32 | u64::from(count)
    }

    /// The same generation, and nothing pending.
    #[inline]
    fn taken(self) -> u64 {
        self.0 & !u64::from(u32::MAX)
    }
}

impl Overflow {
    /// None pending.
    pub(crate) fn new() -> Self {
        Self { word: AtomicU64::new(0), time: AtomicI64::new(0) }
    }

    /// Looks.
    #[inline]
    pub(crate) fn look(&self) -> Seen {
        // Acquire: pairs with the Release store in `add`, through the read-modify-writes after it, so that
        // the time of a pending overflow is visible; and, in the writer, with the Release of the reader's
        // `take`, so that the writer's store of the next time cannot reach the reader's load of this one.
        Seen(self.word.load(Ordering::Acquire))
    }

    /// Counts one dropped record. Writer only. Retries at most once: the reader changes a pending word only
    /// by taking it.
    #[inline]
    pub(crate) fn add(&self, now: i64) {
        let mut seen = self.look();
        loop {
            if !seen.pending() {
                // Relaxed: published by the store below. The reader does not touch the word now (invariant
                // 1), so a store will do.
                self.time.store(now, Ordering::Relaxed);
                // Release: pairs with `look`.
                self.word.store(seen.turned(1), Ordering::Release);
                return;
            }
            if seen.count() == u32::MAX {
                return;
            }
            // Success Relaxed: nothing new to publish, and the release sequence of the store above goes on.
            // Failure Acquire: as `look`.
            match self.word.compare_exchange(seen.0, seen.0.wrapping_add(1), Ordering::Relaxed, Ordering::Acquire) {
                Ok(_) => return,
                Err(now) => seen = Seen(now),
            }
        }
    }

    /// Takes the overflow that was seen, if it is still the same.
    #[inline]
    pub(crate) fn take(&self, seen: Seen) -> Option<Lost> {
        if !seen.pending() {
            return None;
        }
        // Relaxed: `look` acquired it. It cannot be that of a later overflow, if the exchange succeeds: see
        // there.
        let time = self.time.load(Ordering::Relaxed);
        // Success Release: pairs with the Acquire of `look` in the writer's `add`, whose store to `time` so
        // comes after our load. Acquire is not needed: all that is used was acquired by `look`.
        self.word.compare_exchange(seen.0, seen.taken(), Ordering::Release, Ordering::Relaxed).ok()?;
        Some(Lost { count: seen.count(), time })
    }

    /// As if so many records had been dropped, the first at `time`. Before the writer and the reader begin.
    pub(crate) fn preset(&self, count: u32, time: i64) {
        // Relaxed, both: no other thread uses the buffer yet, and whoever hands its ends on orders that.
        self.time.store(time, Ordering::Relaxed);
        self.word.store(self.look().turned(count), Ordering::Relaxed);
    }
}
