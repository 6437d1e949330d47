//! Where the next record goes, if anywhere.
//!
//! Invariant: `at <= length`, and the `free` words are those from `at` on, around the end of the ring, at
//! most `length`. So each place lies in the ring, whatever the words made of it.

use crate::config::Layout;
use crate::word::Word;

/// What is free, as the writer sees it. The reader can only add to it meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    length: usize,
    at: usize,
    free: usize,
    tags: usize,
}

/// Where a record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Words left unused before the end of the ring. If any, the first of them gets the rewind marker; it is
    /// free like the rest of them, since they are part of what the record takes up.
    pub(crate) skip: usize,
    /// The index of the record's first word.
    pub(crate) at: usize,
    /// The words of the record: `at + words <= length`.
    pub(crate) words: usize,
}

impl Room {
    /// What is free between a write position and a read position. Nothing, if they make no sense.
    #[inline]
    pub(crate) fn between(layout: Layout, w: Word, r: Word) -> Self {
        let (data, tags) = w.since(r);
        Self {
            length: layout.words,
            at: w.data() as usize & layout.words.wrapping_sub(1),
            free: layout.words.saturating_sub(data),
            tags: layout.tags.saturating_sub(tags),
        }
    }

    /// Whether there is room for two records, in this order. If so, there is for the second alone, too: what
    /// it then skips, the two would have filled or skipped.
    #[inline]
    pub(crate) fn fits_both(mut self, first: usize, second: usize) -> bool {
        self.place(first).is_some() && self.place(second).is_some()
    }

    /// The place of a record of so many words before the end of the ring, not up to it, so that the count of
    /// words does not wrap; `None` if there is no room, or none there.
    #[inline]
    pub(crate) fn ahead(&self, words: usize) -> Option<Place> {
        let fits = words < self.length.wrapping_sub(self.at) && words <= self.free && self.tags > 0;
        fits.then_some(Place { skip: 0, at: self.at, words })
    }

    /// Takes room for a record of so many words, contiguous and with a tag; `None` if there is none.
    ///
    /// A record that does not fit before the end of the ring takes the words up to there, too: then at least
    /// one is left there for the marker, unless the record before it ended exactly at the end, when there is
    /// neither a skip nor a marker.
    #[inline]
    pub(crate) fn place(&mut self, words: usize) -> Option<Place> {
        // Not below zero, by the invariant.
        let tail = self.length.wrapping_sub(self.at);
        let (skip, at) = if words <= tail { (0, self.at) } else { (tail, 0) };
        let free = self.free.checked_sub(skip)?.checked_sub(words)?;
        let tags = self.tags.checked_sub(1)?;
        *self = Self { length: self.length, at: at.wrapping_add(words), free, tags };
        Some(Place { skip, at, words })
    }
}
