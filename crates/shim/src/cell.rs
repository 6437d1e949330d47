//! A cell whose accesses have a beginning and an end.
//!
//! The closures are the point: a model checker can tell that two accesses overlap, or that a signal handler
//! re-entered one, only if it sees both ends. The shape is loom's `UnsafeCell`. Memory that is copied as a
//! whole has [`Marks`] instead.

use core::ops::Range;

/// Interior mutability without synchronisation; the caller brings it.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// Runs `f` with a pointer for shared reading. Dereferencing it is the caller's obligation.
    #[inline(always)]
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Runs `f` with a pointer for exclusive access. Dereferencing it is the caller's obligation.
    #[inline(always)]
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// Tells a model checker of accesses to an array that is no array of cells: one that is copied, or lent as a
/// slice. Here nothing at all.
#[derive(Debug)]
pub struct Marks(());

impl Marks {
    /// Those of an array of so many elements.
    pub const fn new(_length: usize) -> Self {
        Self(())
    }

    /// These elements are being read.
    #[inline(always)]
    pub fn read(&self, _elements: Range<usize>) {}

    /// These elements are being written.
    #[inline(always)]
    pub fn write(&self, _elements: Range<usize>) {}
}
