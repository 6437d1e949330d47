//! What writer and reader share, and the operations on the write word.
//!
//! | operation | by | on `w` |
//! |---|---|---|
//! | `commit` | writer | advances the counts; READER_SLEEPING as the policy decides |
//! | `publish` | writer | sets WRITE_EXTRA; READER_SLEEPING as the policy decides |
//! | `settle` | reader | clears WRITE_EXTRA |
//! | `announce`, `withdraw` | reader | sets, clears READER_SLEEPING |
//!
//! All are read-modify-writes, so every Release among them is seen by every Acquire that comes later on `w`.

use sigproof_shim::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::config::{Counts, Layout};
use crate::error::ConfigError;
use crate::overflow::Overflow;
use crate::ring::{DataRing, TagRing};
use crate::wake::{Decision, Wake, WakePolicy};
use crate::word::{READER_SLEEPING, WRITE_EXTRA, Word};

/// The buffer proper.
pub(crate) struct Shared<W> {
    pub(crate) layout: Layout,
    pub(crate) data: DataRing,
    pub(crate) tags: TagRing,
    pub(crate) overflow: Overflow,
    pub(crate) wake: W,
    w: AtomicU64,
    r: AtomicU64,
    closed: AtomicBool,
}

impl<W: Wake> Shared<W> {
    /// An empty, open buffer.
    pub(crate) fn new(layout: Layout, counts: Counts, wake: W) -> Result<Self, ConfigError> {
        let start = Word::at(counts).0;
        Ok(Self {
            layout,
            data: DataRing::new(layout.words)?,
            tags: TagRing::new(layout.tags)?,
            overflow: Overflow::new(),
            wake,
            w: AtomicU64::new(start),
            r: AtomicU64::new(start),
            closed: AtomicBool::new(false),
        })
    }

    // The writer's side.

    /// Where the writer is, and up to where the reader has released.
    #[inline]
    pub(crate) fn writer_view(&self) -> (Word, Word) {
        // Relaxed: the counts are the writer's own, and its flags are not looked at here.
        let w = Word(self.w.load(Ordering::Relaxed));
        // Acquire: pairs with the Release of `release`: the reader is done with what it gave back before we write over it.
        let r = Word(self.r.load(Ordering::Acquire));
        (w, r)
    }

    /// Hands the words and tags just written to the reader. The error is that of the wake-up.
    #[inline]
    pub(crate) fn commit<P: WakePolicy>(&self, data: usize, tags: usize) -> Result<(), W::Error> {
        self.update(
            |old| old.advanced(data, tags),
            |new| {
                // Relaxed: the reader stored `r` before it announced its sleep, which `update` has acquired; it sleeps, so this is exact.
                let r = Word(self.r.load(Ordering::Relaxed));
                P::on_commit(usize::try_from(new.ahead_of(r).0).unwrap_or(0), self.layout.words)
            },
        )
    }

    /// Tells the reader of an overflow or of the end of the file. The error is that of the wake-up.
    ///
    /// Writes `w` even if WRITE_EXTRA is set already: the reader that clears it, or that announces its sleep, must come either before
    /// this, and is woken, or after, and acquires what was published.
    #[inline]
    pub(crate) fn publish<P: WakePolicy>(&self) -> Result<(), W::Error> {
        self.update(|old| old.with(WRITE_EXTRA), |_| P::on_publish())
    }

    /// Changes `w`, and with it deals with a reader that has announced its sleep.
    ///
    /// Tries at most thrice in a row: between two changes by the writer the reader can clear WRITE_EXTRA once and announce its sleep
    /// once. (Once more if its sleep fails and it withdraws.)
    #[inline]
    fn update(&self, change: impl Fn(Word) -> Word, decide: impl Fn(Word) -> Decision) -> Result<(), W::Error> {
        // Acquire, here and at failure: pairs with the Release of `announce`, for the policy's look at `r`, and so that the note's
        // `clear` comes before our `wakeup`.
        let mut old = Word(self.w.load(Ordering::Acquire));
        loop {
            let mut new = change(old);
            let mut wake = false;
            if old.has(READER_SLEEPING) {
                let decision = decide(new);
                wake = decision.wake;
                if decision.clear {
                    new = new.without(READER_SLEEPING);
                }
            }
            // Success Release: pairs with the Acquire loads of `reader_view` and `settle`, for the words, tags, overflow or end of
            // file written before. What was read is what the load before has acquired.
            match self.w.compare_exchange(old.0, new.0, Ordering::Release, Ordering::Acquire) {
                Ok(_) if wake => return self.wake.wakeup(),
                Ok(_) => return Ok(()),
                Err(now) => old = Word(now),
            }
        }
    }

    /// Marks the end of the file; false if it was marked before. The caller publishes it.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        // Relaxed: only the writer's side stores it.
        if self.closed.load(Ordering::Relaxed) {
            return false;
        }
        // Release: pairs with the Acquire of `ended`: who sees the end sees all that was written or counted before it.
        self.closed.store(true, Ordering::Release);
        true
    }

    /// Whether the end of the file was marked, for the writer.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        // Relaxed: only the writer's side stores it.
        self.closed.load(Ordering::Relaxed)
    }

    // The reader's side.

    /// Whether the end of the file was marked, for the reader.
    pub(crate) fn ended(&self) -> bool {
        // Acquire: pairs with the Release of `end`.
        self.closed.load(Ordering::Acquire)
    }

    /// Where the writer is.
    pub(crate) fn reader_view(&self) -> Word {
        // Acquire: pairs with the Release of `update`: the words and tags up to there are visible.
        Word(self.w.load(Ordering::Acquire))
    }

    /// Gives back all up to `next`.
    pub(crate) fn release(&self, next: Word) {
        // Release: pairs with the Acquire of `writer_view`: our reads of the words and our clearing of the tags come before the
        // writer's next use of them.
        self.r.store(next.0, Ordering::Release);
    }

    /// Clears WRITE_EXTRA, if nothing else has happened since `seen`.
    pub(crate) fn settle(&self, seen: Word) {
        // Acquire: pairs with the Release of `update` in every `publish` before it. The caller looks again either way, so a failure
        // needs no ordering.
        let _ = self.w.compare_exchange(seen.0, seen.without(WRITE_EXTRA).0, Ordering::Acquire, Ordering::Relaxed);
    }

    /// Announces the reader's sleep, if nothing has happened since `seen`.
    pub(crate) fn announce(&self, seen: Word) -> bool {
        // Release: pairs with the Acquire of `update`, for the note's `clear` and the store of `r`. At failure the caller looks again.
        self.w.compare_exchange(seen.0, seen.with(READER_SLEEPING).0, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Withdraws the announcement; false if the writer has seen it, so that a wake-up has come or will come.
    pub(crate) fn withdraw(&self) -> bool {
        // Relaxed: whoever wins, nothing but the flag itself is passed on.
        let before = self.w.fetch_and(!READER_SLEEPING, Ordering::Relaxed);
        Word(before).has(READER_SLEEPING)
    }

    /// The raw write word.
    #[cfg(test)]
    pub(crate) fn write_word(&self) -> &AtomicU64 {
        &self.w
    }
}
