//! The storage of the two rings, and who may touch which part of it.
//!
//! The data words are plain memory behind a pointer, so that the reader can hand them out as slices. Beside each word is a cell of
//! size zero: it costs nothing, but every access goes through it, so a model checker below the shim sees each one.
//!
//! Every index is reduced by the ring's length, a power of two, so no access is out of bounds, and none can panic.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr::NonNull;

use sigproof_shim::cell::UnsafeCell;

use crate::error::ConfigError;
use crate::record::Tag;

/// `length` values, or an error instead of an abort.
pub(crate) fn filled<T>(length: usize, mut value: impl FnMut() -> T) -> Result<Box<[T]>, ConfigError> {
    let mut all = Vec::new();
    all.try_reserve_exact(length).map_err(|_| ConfigError::OutOfMemory)?;
    all.resize_with(length, &mut value);
    Ok(all.into_boxed_slice())
}

/// The data ring.
pub(crate) struct DataRing {
    base: NonNull<u64>,
    length: usize,
    accesses: Box<[UnsafeCell<()>]>,
}

// SAFETY: it owns its words, which have no affinity to a thread; who may access which is the contract of `put` and `slice`.
unsafe impl Send for DataRing {}
// SAFETY: as above; every access through `&self` is `unsafe`.
unsafe impl Sync for DataRing {}

impl DataRing {
    /// A ring of `length` zero words; a power of two.
    pub(crate) fn new(length: usize) -> Result<Self, ConfigError> {
        let accesses = filled(length, || UnsafeCell::new(()))?;
        let words: &mut [u64] = Box::leak(filled(length, || 0)?);
        Ok(Self { base: NonNull::from(words).cast(), length, accesses })
    }

    /// Stores one word.
    ///
    /// # Safety
    /// The word belongs to the writer (invariant 2 of the crate), and the caller is it.
    #[inline]
    pub(crate) unsafe fn put(&self, index: usize, value: u64) {
        let index = index & self.length.wrapping_sub(1);
        let store = || {
            // SAFETY: in bounds by the mask; exclusive by this function's contract.
            unsafe { self.base.add(index).write(value) }
        };
        match self.accesses.get(index) {
            Some(access) => access.with_mut(|_| store()),
            None => store(),
        }
    }

    /// The words `[index, index + length)`, cut at the end of the ring.
    ///
    /// # Safety
    /// They belong to the reader (invariant 2 of the crate) for as long as the result lives.
    #[inline]
    pub(crate) unsafe fn slice(&self, index: usize, length: usize) -> &[u64] {
        let index = index & self.length.wrapping_sub(1);
        let length = length.min(self.length.wrapping_sub(index));
        // SAFETY: in bounds by the two lines above; nobody writes there by this function's contract.
        let words = unsafe { core::slice::from_raw_parts(self.base.add(index).as_ptr(), length) };
        self.touch(index, length);
        words
    }

    /// Tells a checker that the words are still being read. Does nothing otherwise.
    #[inline]
    pub(crate) fn touch(&self, index: usize, length: usize) {
        let mask = self.length.wrapping_sub(1);
        for offset in 0..length {
            if let Some(access) = self.accesses.get(index.wrapping_add(offset) & mask) {
                access.with(|_| ());
            }
        }
    }
}

impl Drop for DataRing {
    fn drop(&mut self) {
        let words = core::ptr::slice_from_raw_parts_mut(self.base.as_ptr(), self.length);
        // SAFETY: `new` leaked a box of exactly this slice, and nothing borrows from it any more.
        drop(unsafe { Box::from_raw(words) });
    }
}

/// The tag ring.
pub(crate) struct TagRing(Box<[UnsafeCell<Tag>]>);

// SAFETY: a tag is a plain word; who may access which slot is the contract of `put` and `get`.
unsafe impl Sync for TagRing {}

impl TagRing {
    /// A ring of `length` empty slots; a power of two.
    pub(crate) fn new(length: usize) -> Result<Self, ConfigError> {
        Ok(Self(filled(length, || UnsafeCell::new(Tag::NONE))?))
    }

    /// The slot of that count.
    #[inline]
    fn slot(&self, count: u32) -> Option<&UnsafeCell<Tag>> {
        self.0.get(count as usize & self.0.len().wrapping_sub(1))
    }

    /// Fills or clears the slot of that count.
    ///
    /// # Safety
    /// The slot belongs to the caller's side (invariant 2 of the crate).
    #[inline]
    pub(crate) unsafe fn put(&self, count: u32, tag: Tag) {
        if let Some(slot) = self.slot(count) {
            // SAFETY: exclusive by this function's contract.
            slot.with_mut(|slot| unsafe { slot.write(tag) });
        }
    }

    /// The tag in the slot of that count.
    ///
    /// # Safety
    /// The slot belongs to the caller's side (invariant 2 of the crate).
    #[inline]
    pub(crate) unsafe fn get(&self, count: u32) -> Tag {
        // SAFETY: nobody writes by this function's contract.
        self.slot(count).map_or(Tag::NONE, |slot| slot.with(|slot| unsafe { slot.read() }))
    }
}
