//! The packed word: two counts and two flags in 64 bits.
//!
//! | bits | holds |
//! |---|---|
//! | 0..32 | data words, modulo 2^32 |
//! | 32 | READER_SLEEPING (write word only) |
//! | 33 | WRITE_EXTRA (write word only) |
//! | 34..64 | tags, modulo 2^30 |
//!
//! The tags are on top so that their carry falls out; a carry out of the data would run into the flags, so
//! the data are added apart.

use crate::config::Counts;

/// A read or write position, with the flags of the write word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) u64);

/// The reader has announced that it sleeps.
pub(crate) const READER_SLEEPING: u64 = 1 << 32;
/// An overflow or the end of the file was published outside the data ring.
pub(crate) const WRITE_EXTRA: u64 = 1 << 33;
/// Where the tags begin.
const TAG_SHIFT: u32 = 34;
/// The width of the tags.
const TAG_MASK: u32 = (1 << 30) - 1;
/// The data half.
const DATA_MASK: u64 = 0xffff_ffff;

impl Word {
    /// These counts, no flags.
    pub(crate) fn at(counts: Counts) -> Self {
        Self(u64::from(counts.tags) << TAG_SHIFT | u64::from(counts.data))
    }

    /// The count of data words.
    #[inline]
    pub(crate) fn data(self) -> u32 {
        (self.0 & DATA_MASK) as u32
    }

    /// The count of tags, 30 bits.
    #[inline]
    pub(crate) fn tags(self) -> u32 {
        (self.0 >> TAG_SHIFT) as u32
    }

    /// Further on by so many words and tags, each wrapping in its own width; the flags stay.
    #[inline]
    pub(crate) fn advanced(self, data: usize, tags: usize) -> Self {
        let low = u64::from(self.data().wrapping_add(data as u32));
        let high = (self.0 & !DATA_MASK).wrapping_add((tags as u64) << TAG_SHIFT);
        Self(high | low)
    }

    /// The same for one tag and so many words that the count of words does not wrap: one addition.
    #[inline]
    pub(crate) fn stepped(self, data: usize) -> Self {
        Self(self.0.wrapping_add((1_u64 << TAG_SHIFT).wrapping_add(data as u64)))
    }

    /// These counts with the flags of another.
    #[inline]
    pub(crate) fn flagged_as(self, other: Self) -> Self {
        const FLAGS: u64 = READER_SLEEPING | WRITE_EXTRA;
        Self(self.0 & !FLAGS | other.0 & FLAGS)
    }

    /// Whether the flag is set.
    #[inline]
    pub(crate) fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    /// With the flag.
    #[inline]
    pub(crate) fn with(self, flag: u64) -> Self {
        Self(self.0 | flag)
    }

    /// Without the flag.
    #[inline]
    pub(crate) fn without(self, flag: u64) -> Self {
        Self(self.0 & !flag)
    }

    /// How many data words and tags lie between `earlier` and `self`, which is not before it; if it is, more
    /// than any ring has.
    #[inline]
    pub(crate) fn since(self, earlier: Self) -> (usize, usize) {
        let data = self.data().wrapping_sub(earlier.data());
        let tags = self.tags().wrapping_sub(earlier.tags()) & TAG_MASK;
        (data as usize, tags as usize)
    }

    /// How far `self` is ahead of `earlier`: (data words, tags).
    #[inline]
    pub(crate) fn ahead_of(self, earlier: Self) -> (isize, isize) {
        (difference(self.data(), earlier.data()), difference(self.tags(), earlier.tags()))
    }
}

/// `x - y` of two counts, sign-extended from 30 bits: exact for both widths as long as they are less than
/// 2^29 apart.
#[inline]
fn difference(x: u32, y: u32) -> isize {
    (((x.wrapping_sub(y) << 2) as i32) >> 2) as isize
}
