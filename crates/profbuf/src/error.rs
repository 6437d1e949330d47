//! What can go wrong, per operation. All `Copy`: some are made inside a signal handler.

use core::error::Error;
use core::fmt;

/// A buffer that cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The data ring would be too large.
    TooManyWords {
        /// Words asked for, the room for one overflow record included.
        words: usize,
        /// The first size that is too large.
        limit: usize,
    },
    /// The tag ring would be too large.
    TooManyTags {
        /// Tags asked for.
        tags: usize,
        /// The first size that is too large.
        limit: usize,
    },
    /// The allocator refused.
    OutOfMemory,
}

/// A record that was not written, or a reader that could not be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError<E> {
    /// Misuse: more header words than the buffer's records have. Nothing was stored or counted.
    HeaderTooLong {
        /// Words given.
        given: usize,
        /// Words of the buffer's headers.
        limit: usize,
    },
    /// Misuse: the buffer is closed. Nothing was stored or counted.
    Closed,
    /// The record is in the buffer, or counted as dropped, but the wake-up of the reader failed.
    Wake(E),
}

/// A close that did not go well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseError<E> {
    /// Misuse: it was closed before.
    AlreadyClosed,
    /// The buffer is closed, but the wake-up of the reader failed.
    Wake(E),
}

/// A read that gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError<E> {
    /// The sleep failed. The buffer is as it was; another read may follow.
    Wake(E),
    /// The rings make no sense: somebody wrote over them, or two writers wrote at a time. Every further read
    /// says so again.
    Malformed {
        /// What is wrong.
        fault: Malformed,
        /// At which index of the data ring.
        index: usize,
    },
}

/// How a ring is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// There are unread words, but no unread tag, or the other way round.
    TagsOutOfStep,
    /// More words or tags are unread than the rings are long, or fewer than none.
    CountsOutOfRange,
    /// A record's length is less than its fixed part, or goes past the unread words.
    Length {
        /// The length found.
        length: u64,
    },
    /// A rewind marker with nothing after it.
    RewindToNothing,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyWords { words, limit } => write!(f, "{words} data words: a buffer has fewer than {limit}"),
            Self::TooManyTags { tags, limit } => write!(f, "{tags} tags: a buffer has fewer than {limit}"),
            Self::OutOfMemory => f.write_str("no memory for the buffer"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for WriteError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderTooLong { given, limit } => {
                write!(f, "{given} header words, but a record of this buffer has {limit}")
            }
            Self::Closed => f.write_str("write after close"),
            Self::Wake(e) => write!(f, "waking the reader: {e}"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for CloseError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyClosed => f.write_str("closed twice"),
            Self::Wake(e) => write!(f, "waking the reader: {e}"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for ReadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wake(e) => write!(f, "sleeping: {e}"),
            Self::Malformed { fault, index } => write!(f, "malformed buffer at data index {index}: {fault}"),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TagsOutOfStep => f.write_str("tags and data are out of step"),
            Self::CountsOutOfRange => f.write_str("the counts are further apart than the rings are long"),
            Self::Length { length } => write!(f, "a record of {length} words"),
            Self::RewindToNothing => f.write_str("a rewind marker with no record after it"),
        }
    }
}

impl Error for ConfigError {}
impl Error for Malformed {}
impl<E: fmt::Debug + fmt::Display> Error for WriteError<E> {}
impl<E: fmt::Debug + fmt::Display> Error for CloseError<E> {}
impl<E: fmt::Debug + fmt::Display> Error for ReadError<E> {}
