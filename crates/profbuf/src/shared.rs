//! What writer and reader share, and the operations on the write word.
//!
//! | operation | by | on `w` | in mode [`Polled`](crate::Polled) |
//! |---|---|---|---|
//! | `commit` | writer | advances the counts; READER_SLEEPING as the policy decides | a store |
//! | `publish` | writer | sets WRITE_EXTRA; READER_SLEEPING as the policy decides | nothing |
//! | `settle` | reader | clears WRITE_EXTRA | never called |
//! | `announce`, `withdraw` | reader | sets, clears READER_SLEEPING | never called |
//!
//! All are read-modify-writes where the reader may sleep, so every Release among them is seen by every
//! Acquire that comes later on `w`. Where it polls, `w` is written by the writer alone, each time with
//! Release: the same holds.
//!
//! What the writer writes lies on other cache lines than what the reader writes.

use core::ops::Deref;

use sigproof_shim::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::config::{Counts, Layout};
use crate::error::ConfigError;
use crate::mode::Mode;
use crate::overflow::Overflow;
use crate::record::Tag;
use crate::ring::Ring;
use crate::wake::{Decision, Wake};
use crate::word::{READER_SLEEPING, WRITE_EXTRA, Word};

/// The buffer proper.
pub(crate) struct Shared<W> {
    pub(crate) layout: Layout,
    pub(crate) data: Ring<u64>,
    pub(crate) tags: Ring<Tag>,
    pub(crate) wake: W,
    written: Apart<WriterSide>,
    r: Apart<AtomicU64>,
}

/// What the writer writes; the reader but rarely.
struct WriterSide {
    w: AtomicU64,
    closed: AtomicBool,
    overflow: Overflow,
}

/// On cache lines of its own: two of 64 bytes, since processors fetch them in pairs; one of Apple's.
#[repr(align(128))]
struct Apart<T>(T);

impl<T> Deref for Apart<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<W: Wake> Shared<W> {
    /// An empty, open buffer.
    pub(crate) fn new(layout: Layout, counts: Counts, wake: W) -> Result<Self, ConfigError> {
        let start = Word::at(counts).0;
        Ok(Self {
            layout,
            data: Ring::new(layout.words, 0)?,
            tags: Ring::new(layout.tags, Tag::NONE)?,
            wake,
            written: Apart(WriterSide {
                w: AtomicU64::new(start),
                closed: AtomicBool::new(false),
                overflow: Overflow::new(),
            }),
            r: Apart(AtomicU64::new(start)),
        })
    }

    /// The pending overflow.
    #[inline]
    pub(crate) fn overflow(&self) -> &Overflow {
        &self.written.overflow
    }

    // The writer's side.

    /// Where the writer is.
    #[inline]
    pub(crate) fn position(&self) -> Word {
        // Relaxed: the counts are the writer's own, and its flags are not looked at here.
        Word(self.written.w.load(Ordering::Relaxed))
    }

    /// Up to where the reader has released.
    #[inline]
    pub(crate) fn released(&self) -> Word {
        // Acquire: pairs with the Release of `release`: the reader is done with what it gave back before we
        // write over it.
        Word(self.r.load(Ordering::Acquire))
    }

    /// Hands the words and tags just written to the reader: all up to position `next`. The error is that of
    /// the wake-up.
    #[inline]
    pub(crate) fn commit<M: Mode>(&self, next: Word) -> Result<(), W::Error> {
        if !M::SLEEPS {
            // Release: pairs with the Acquire of `reader_view`, for the words and tags written before. A
            // store: no other thread writes `w`.
            self.written.w.store(next.0, Ordering::Release);
            return Ok(());
        }
        self.update(
            // The reader changes nothing but flags.
            |old| next.flagged_as(old),
            |new| {
                // Relaxed: the reader stored `r` before it announced its sleep, which `update` has acquired;
                // it sleeps, so this is exact.
                let r = Word(self.r.load(Ordering::Relaxed));
                M::on_commit(usize::try_from(new.ahead_of(r).0).unwrap_or(0), self.layout.words)
            },
        )
    }

    /// Tells the reader of an overflow or of the end of the file, if it may sleep; one that polls finds
    /// either by itself. The error is that of the wake-up.
    ///
    /// Writes `w` even if WRITE_EXTRA is set already: the reader that clears it, or that announces its sleep,
    /// must come either before this, and is woken, or after, and acquires what was published.
    #[inline]
    pub(crate) fn publish<M: Mode>(&self) -> Result<(), W::Error> {
        if !M::SLEEPS {
            return Ok(());
        }
        self.update(|old| old.with(WRITE_EXTRA), |_| M::on_publish())
    }

    /// Changes `w`, and with it deals with a reader that has announced its sleep.
    ///
    /// Tries at most thrice in a row: between two changes by the writer the reader can clear WRITE_EXTRA once
    /// and announce its sleep once. (Once more if its sleep fails and it withdraws.)
    #[inline]
    fn update(&self, change: impl Fn(Word) -> Word, decide: impl Fn(Word) -> Decision) -> Result<(), W::Error> {
        // Acquire, here and at failure: pairs with the Release of `announce`, for the policy's look at `r`,
        // and so that the note's `clear` comes before our `wakeup`.
        let mut old = Word(self.written.w.load(Ordering::Acquire));
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
            // Success Release: pairs with the Acquire loads of `reader_view` and `settle`, for the words,
            // tags, overflow or end of file written before. What was read is what the load before has
            // acquired.
            match self.written.w.compare_exchange(old.0, new.0, Ordering::Release, Ordering::Acquire) {
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
        if self.written.closed.load(Ordering::Relaxed) {
            return false;
        }
        // Release: pairs with the Acquire of `ended`: who sees the end sees all that was written or counted
        // before it.
        self.written.closed.store(true, Ordering::Release);
        true
    }

    /// Whether the end of the file was marked, for the writer.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        // Relaxed: only the writer's side stores it.
        self.written.closed.load(Ordering::Relaxed)
    }

    // The reader's side.

    /// Whether the end of the file was marked, for the reader.
    #[inline]
    pub(crate) fn ended(&self) -> bool {
        // Acquire: pairs with the Release of `end`.
        self.written.closed.load(Ordering::Acquire)
    }

    /// Where the writer is.
    #[inline]
    pub(crate) fn reader_view(&self) -> Word {
        // Acquire: pairs with the Release of `commit` and `update`: the words and tags up to there are
        // visible.
        Word(self.written.w.load(Ordering::Acquire))
    }

    /// Gives back all up to `next`.
    #[inline]
    pub(crate) fn release(&self, next: Word) {
        // Release: pairs with the Acquire of `released`: our reads of the words and our clearing of the tags
        // come before the writer's next use of them.
        self.r.store(next.0, Ordering::Release);
    }

    /// Clears WRITE_EXTRA, if nothing else has happened since `seen`.
    pub(crate) fn settle(&self, seen: Word) {
        // Acquire: pairs with the Release of `update` in every `publish` before it. The caller looks again
        // either way, so a failure needs no ordering.
        let _ =
            self.written.w.compare_exchange(seen.0, seen.without(WRITE_EXTRA).0, Ordering::Acquire, Ordering::Relaxed);
    }

    /// Announces the reader's sleep, if nothing has happened since `seen`.
    pub(crate) fn announce(&self, seen: Word) -> bool {
        let announced = seen.with(READER_SLEEPING);
        // Release: pairs with the Acquire of `update`, for the note's `clear` and the store of `r`. At
        // failure the caller looks again.
        self.written.w.compare_exchange(seen.0, announced.0, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Withdraws the announcement; false if the writer has seen it, so that a wake-up has come or will come.
    pub(crate) fn withdraw(&self) -> bool {
        // Relaxed: whoever wins, nothing but the flag itself is passed on.
        let before = self.written.w.fetch_and(!READER_SLEEPING, Ordering::Relaxed);
        Word(before).has(READER_SLEEPING)
    }

    /// The raw write word.
    #[cfg(test)]
    pub(crate) fn write_word(&self) -> &AtomicU64 {
        &self.written.w
    }
}
