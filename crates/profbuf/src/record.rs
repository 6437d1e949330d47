//! What comes out: records with typed fields, borrowed from the ring.

use core::fmt;
use core::iter::FusedIterator;

use sigproof_shim::native::atomic::{AtomicUsize, Ordering};

use crate::ring::Ring;

/// A word that travels with a record: a pointer's bits, by convention. Opaque to the buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Tag(pub usize);

impl Tag {
    /// No tag.
    pub const NONE: Self = Self(0);
}

/// The records of one read, at least one. An invalid record ends the iteration; later reads return
/// [`Malformed`](crate::Malformed). Only a buffer that was overwritten from outside has one. Valid until the
/// next read, which the borrow checker enforces:
///
/// ```compile_fail,E0499
/// # use sigproof_profbuf::{Read, ReadMode, Reader, Wake};
/// fn keep<W: Wake>(reader: &mut Reader<W>) {
///     let first = reader.read(ReadMode::Blocking);
///     let second = reader.read(ReadMode::Blocking);
///     drop(first);
/// }
/// ```
///
/// ```compile_fail,E0505
/// # use sigproof_profbuf::{Read, ReadMode, Reader, Wake};
/// fn outlive<W: Wake>(mut reader: Reader<W>) {
///     let Ok(Read::Records(mut records)) = reader.read(ReadMode::Blocking) else { return };
///     let record = records.next();
///     drop(reader);
///     let _ = record.map(|r| r.time());
/// }
/// ```
#[derive(Clone)]
pub struct Records<'a> {
    /// Whole records of at least `2 + header` words each, if the buffer is sound.
    words: &'a [u64],
    /// The index in the ring of what comes after them.
    end: usize,
    header: usize,
    /// `None` for the reader's own overflow record, which has no slot.
    tags: Option<&'a Ring<Tag>>,
    /// The count of the first record's tag.
    tag: u32,
    left: usize,
    /// Tells the reader the index in the ring of an invalid record.
    fault: &'a AtomicUsize,
}

impl<'a> Records<'a> {
    /// That all records have been some: no index of a ring.
    pub(crate) const SOUND: usize = usize::MAX;

    /// `left` whole records, the first of them at index `first` of the ring.
    ///
    /// # Safety
    /// The tag slots of `[tag, tag + left)` belong to the reader while `'a` lasts (invariant 2 of the crate).
    #[inline]
    pub(crate) unsafe fn new(
        words: &'a [u64],
        first: usize,
        header: usize,
        tags: Option<&'a Ring<Tag>>,
        tag: u32,
        left: usize,
        fault: &'a AtomicUsize,
    ) -> Self {
        Self { words, end: first.wrapping_add(words.len()), header, tags, tag, left, fault }
    }

    /// The words of the records not yet iterated over, as they lie in the ring.
    #[inline]
    pub fn words(&self) -> &'a [u64] {
        self.words
    }

    /// How many records the read announced and the iteration has not given yet. An invalid record ends the
    /// iteration sooner, so that this is no promise: `ExactSizeIterator` would make one.
    #[inline]
    pub fn len(&self) -> usize {
        self.left
    }

    /// Whether the iteration is over.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// The record that begins with the words left, and those after it, if it is one: of a length that it can
    /// have, and with nothing after the last.
    #[inline]
    fn split(&self, left: usize) -> Option<(&'a [u64], &'a [u64])> {
        let length = usize::try_from(*self.words.first()?).ok()?;
        let (words, rest) = self.words.split_at_checked(length)?;
        (words.len() >= self.header.wrapping_add(2) && (left > 0 || rest.is_empty())).then_some((words, rest))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        let left = self.left.checked_sub(1)?;
        let Some((words, rest)) = self.split(left) else {
            // Relaxed: the reader is borrowed until the last user of this is gone.
            self.fault.store(self.end.wrapping_sub(self.words.len()), Ordering::Relaxed);
            self.left = 0;
            return None;
        };
        // SAFETY: the slot is among those of `new`'s contract: `left` was at least 1, and goes down as `tag`
        // goes up.
        let tag = self.tags.map_or(Tag::NONE, |tags| unsafe { tags.get(self.tag) });
        self.words = rest;
        self.tag = self.tag.wrapping_add(1);
        self.left = left;
        Some(Record { words, header: self.header, tag })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        // A malformed record ends the iteration early.
        (0, Some(self.left))
    }
}

impl FusedIterator for Records<'_> {}

impl fmt::Debug for Records<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// One record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    words: &'a [u64],
    header: usize,
    tag: Tag,
}

impl<'a> Record<'a> {
    /// When, as the writer said; of an overflow record, when the first record was dropped.
    #[inline]
    pub fn time(&self) -> i64 {
        self.words.get(1).copied().unwrap_or_default() as i64
    }

    /// The tag, [`Tag::NONE`] if it had none.
    #[inline]
    pub fn tag(&self) -> Tag {
        self.tag
    }

    /// All `H` header words.
    #[inline]
    pub fn header(&self) -> &'a [u64] {
        self.words.get(2..self.header + 2).unwrap_or_default()
    }

    /// The stack words.
    #[inline]
    pub fn stack(&self) -> &'a [u64] {
        self.words.get(self.header + 2..).unwrap_or_default()
    }

    /// The record as it lies in the ring: length, time, header, stack.
    #[inline]
    pub fn words(&self) -> &'a [u64] {
        self.words
    }

    /// How many records were dropped here, if this is an overflow record; at least 1, and 2^32-1 means "that
    /// many, or more".
    ///
    /// An overflow record is told by its look: no tag, a header of zeros (an empty one included), one stack
    /// word. A writer whose own records could look like that cannot be told apart: let it put something other
    /// than zero into a header word or the tag, or never write one-word stacks.
    pub fn overflow(&self) -> Option<u32> {
        match self.stack() {
            &[count] if self.tag == Tag::NONE && self.header().iter().all(|&word| word == 0) => {
                u32::try_from(count).ok().filter(|&count| count > 0)
            }
            _ => None,
        }
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("time", &self.time())
            .field("tag", &self.tag.0)
            .field("header", &self.header())
            .field("stack", &self.stack())
            .finish()
    }
}
