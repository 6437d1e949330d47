//! How large a buffer is, and where its counts start.

use crate::error::ConfigError;

/// What a buffer is made for. Both rings are rounded up to a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Header words of each record, `H`. A write may give fewer; the rest is zero.
    pub header: usize,
    /// At least this many data words. Raised to `2 + H + 1`, the size of an overflow record; then less than
    /// 2^28.
    pub words: usize,
    /// At least this many tags, so at most this many records (rounded up) unread at a time. Less than 2^28.
    pub tags: usize,
}

/// A position in both rings: how many data words and how many tags have passed through, ever, modulo their
/// wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Data words, modulo 2^32.
    pub data: u32,
    /// Tags, modulo 2^30; the two high bits are ignored.
    pub tags: u32,
}

/// The sizes that a valid [`Config`] comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Header words of each record.
    pub(crate) header: usize,
    /// Length of the data ring, a power of two, at most 2^28.
    pub(crate) words: usize,
    /// Length of the tag ring, a power of two, at most 2^28.
    pub(crate) tags: usize,
}

/// Sizes stay below this, so that a difference of counts, sign-extended from 30 bits, is never ambiguous.
pub(crate) const LIMIT: usize = 1 << 28;

impl Config {
    /// Checks and rounds.
    pub(crate) fn layout(self) -> Result<Layout, ConfigError> {
        let words = self.words.max(self.header.saturating_add(3));
        if words >= LIMIT {
            return Err(ConfigError::TooManyWords { words, limit: LIMIT });
        }
        if self.tags >= LIMIT {
            return Err(ConfigError::TooManyTags { tags: self.tags, limit: LIMIT });
        }
        Ok(Layout { header: self.header, words: words.next_power_of_two(), tags: self.tags.next_power_of_two() })
    }
}

impl Layout {
    /// Words of a record with `stack` stack words; of a stack that lies in memory: fewer than 2^60, and a
    /// header has fewer than 2^28.
    #[inline]
    pub(crate) fn record(self, stack: usize) -> usize {
        self.header.wrapping_add(2).wrapping_add(stack)
    }
}
