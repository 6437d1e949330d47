//! The storage of the two rings, and who may touch which part of it.
//!
//! Plain memory behind a pointer, so that what is written and cleared together is copied as a whole, and the
//! reader can hand words out as slices. [`Marks`] beside it tell a model checker below the shim of each
//! access; otherwise they are nothing.
//!
//! No index is trusted: what is not inside a [`Place`], which is in bounds by the invariant of `room`, is
//! reduced by the ring's length, a power of two. So no access is out of bounds, and none can panic.
//!
//! A signal handler may copy: `memcpy` and `memset`, which the compiler may call for it, are
//! async-signal-safe in POSIX.1-2024, and were so in POSIX.1-2008 from its second corrigendum on
//! (signal-safety(7)).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr::NonNull;

use sigproof_shim::cell::Marks;

use crate::error::ConfigError;
use crate::record::Tag;
use crate::room::Place;

/// `length` values, or an error instead of an abort.
pub(crate) fn filled<T: Copy>(length: usize, value: T) -> Result<Box<[T]>, ConfigError> {
    let mut all = Vec::new();
    all.try_reserve_exact(length).map_err(|_| ConfigError::OutOfMemory)?;
    all.resize(length, value);
    Ok(all.into_boxed_slice())
}

/// A ring of plain values: data words or tags.
///
/// Invariant: `base` points to `length` values, which it owns; `length` is a power of two.
pub(crate) struct Ring<T> {
    base: NonNull<T>,
    length: usize,
    marks: Marks,
}

// SAFETY: it owns its values, which have no affinity to a thread; who may access which is the contract of its
// methods.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above; every access through `&self` is `unsafe`.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T: Copy> Ring<T> {
    /// A ring of `length` times the value; a power of two.
    pub(crate) fn new(length: usize, value: T) -> Result<Self, ConfigError> {
        let values: &mut [T] = Box::leak(filled(length, value)?);
        Ok(Self { base: NonNull::from(values).cast(), length, marks: Marks::new(length) })
    }

    /// The index for a count.
    #[inline]
    pub(crate) fn index(&self, count: u32) -> usize {
        count as usize & self.length.wrapping_sub(1)
    }

    /// Stores one value.
    ///
    /// # Safety
    /// It belongs to the caller's side (invariant 2 of the crate).
    #[inline]
    pub(crate) unsafe fn put(&self, count: u32, value: T) {
        let index = self.index(count);
        self.marks.write(index..index.wrapping_add(1));
        // SAFETY: in bounds by `index`; exclusive by this function's contract.
        unsafe { self.base.add(index).write(value) }
    }

    /// The value there.
    ///
    /// # Safety
    /// It belongs to the caller's side (invariant 2 of the crate).
    #[inline]
    pub(crate) unsafe fn get(&self, count: u32) -> T {
        let index = self.index(count);
        self.marks.read(index..index.wrapping_add(1));
        // SAFETY: in bounds by `index`; no thread writes there by this function's contract.
        unsafe { self.base.add(index).read() }
    }

    /// The values `[index, index + length)`, cut at the end of the ring.
    ///
    /// # Safety
    /// They belong to the reader (invariant 2 of the crate) for as long as the result lives.
    #[inline]
    pub(crate) unsafe fn slice(&self, index: usize, length: usize) -> &[T] {
        let (index, length) = self.cut(index, length);
        self.marks.read(index..index.wrapping_add(length));
        // SAFETY: in bounds by `cut`; no thread writes there by this function's contract.
        unsafe { core::slice::from_raw_parts(self.base.add(index).as_ptr(), length) }
    }

    /// Tells a checker that what `slice` gave is still being read.
    #[inline]
    pub(crate) fn touch(&self, index: usize, length: usize) {
        let (index, length) = self.cut(index, length);
        self.marks.read(index..index.wrapping_add(length));
    }

    /// An index and a length that are in bounds.
    #[inline]
    fn cut(&self, index: usize, length: usize) -> (usize, usize) {
        let index = index & self.length.wrapping_sub(1);
        (index, length.min(self.length.wrapping_sub(index)))
    }
}

impl Ring<u64> {
    /// Stores a record: its length, its time, a header of `header` words, of which those not given are zero,
    /// and its stack.
    ///
    /// # Safety
    /// The place is what `Room` gives in a ring of this length for a record of exactly so many words (so at
    /// least as many header words as are given); it belongs to the writer (invariant 2 of the crate), and the
    /// caller is it.
    #[inline]
    pub(crate) unsafe fn record(&self, place: Place, time: i64, header: usize, given: &[u64], stack: &[u64]) {
        self.marks.write(place.at..place.at.wrapping_add(place.words));
        // SAFETY: `[at, at + words)` is in bounds by the invariant of `room`, and 2 + header + stack words
        // long by this function's contract; exclusive by it, too, so that what is copied from lies elsewhere.
        unsafe {
            let base = self.base.add(place.at);
            base.write(place.words as u64);
            base.add(1).write(time as u64);
            let fields = base.add(2);
            match *given {
                // Profiles of the processor have one.
                [word] => fields.write(word),
                _ => fields.copy_from_nonoverlapping(NonNull::from(given).cast(), given.len()),
            }
            let padding = header.wrapping_sub(given.len());
            if padding > 0 {
                fields.add(given.len()).write_bytes(0, padding);
            }
            copy(stack, fields.add(header));
        }
    }
}

impl Ring<Tag> {
    /// Clears the slots `[count, count + tags)`, which do not go past the end of the ring.
    ///
    /// # Safety
    /// They belong to the reader (invariant 2 of the crate).
    #[inline]
    pub(crate) unsafe fn clear(&self, count: u32, tags: usize) {
        let (index, tags) = self.cut(self.index(count), tags);
        self.marks.write(index..index.wrapping_add(tags));
        // SAFETY: in bounds by `cut`, exclusive by this function's contract; zero is `Tag::NONE`.
        unsafe { self.base.add(index).write_bytes(0, tags) }
    }
}

/// Copies words: few of them without a call of `memcpy`, which would be the larger part of the work.
///
/// # Safety
/// There is room for them, and they lie elsewhere.
#[inline(always)]
unsafe fn copy(from: &[u64], to: NonNull<u64>) {
    let (length, from) = (from.len(), NonNull::from(from).cast::<u64>());
    // Copies so many words from `at` on, as a whole.
    macro_rules! block {
        ($words:literal at $at:expr) => {
            to.add($at).cast::<[u64; $words]>().write(from.add($at).cast::<[u64; $words]>().read())
        };
    }
    // SAFETY: by this function's contract; each block is one of the `length` words. The second of two may
    // overlap the first.
    unsafe {
        match length {
            0 => {}
            1 => block!(1 at 0),
            2..=4 => {
                block!(2 at 0);
                block!(2 at length.wrapping_sub(2));
            }
            5..=8 => {
                block!(4 at 0);
                block!(4 at length.wrapping_sub(4));
            }
            9..=16 => {
                block!(8 at 0);
                block!(8 at length.wrapping_sub(8));
            }
            17..=32 => {
                block!(16 at 0);
                block!(16 at length.wrapping_sub(16));
            }
            _ => to.copy_from_nonoverlapping(from, length),
        }
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        let values = core::ptr::slice_from_raw_parts_mut(self.base.as_ptr(), self.length);
        // SAFETY: `new` leaked a box of exactly this slice, and nothing borrows from it any more.
        drop(unsafe { Box::from_raw(values) });
    }
}
