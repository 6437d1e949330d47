//! A cell whose accesses are checked, with a signal point at both ends.
//!
//! The engine is asked at the beginning and at the end, and not for the whole of it: the closure may switch
//! threads, and its stack may be unwound, which the guards of loom do not survive. That two accesses overlap
//! is noted here.

use core::ops::Range;
use std::boxed::Box;
use std::format;
use std::panic::Location;
use std::string::String;
use std::sync::atomic::{AtomicI32, Ordering};

use super::below;
use super::point;
use super::world::{fail, with};
use crate::model::FailureKind;

/// Interior mutability without synchronisation; the caller brings it.
#[derive(Debug)]
pub struct UnsafeCell<T> {
    value: core::cell::UnsafeCell<T>,
    modelled: below::Plain,
    /// How many read it now; -1: one writes it. A plain number: all threads of a model are one thread of the
    /// system.
    users: AtomicI32,
}

impl<T> UnsafeCell<T> {
    /// Wraps `value`. Inside of a model only.
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self { value: core::cell::UnsafeCell::new(value), modelled: below::Plain::new(), users: AtomicI32::new(0) }
    }

    /// Runs `f` with a pointer for shared reading. Dereferencing it is the caller's obligation.
    #[track_caller]
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        let at = Location::caller();
        if point::pass_before_cell(at).is_none() {
            return f(self.value.get());
        }
        let before = self.users.load(Ordering::Relaxed);
        if before < 0 {
            fail(FailureKind::Race, String::from("a cell is read while it is being written"));
        }
        self.users.store(before + 1, Ordering::Relaxed);
        self.record(at, "reads plain memory");
        self.modelled.read();
        let result = f(self.value.get());
        point::pass_within_cell(at);
        if live() {
            self.modelled.read();
        }
        self.users.fetch_sub(1, Ordering::Relaxed);
        result
    }

    /// Runs `f` with a pointer for exclusive access. Dereferencing it is the caller's obligation.
    #[track_caller]
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        let at = Location::caller();
        if point::pass_before_cell(at).is_none() {
            return f(self.value.get());
        }
        let before = self.users.load(Ordering::Relaxed);
        if before != 0 {
            let other = if before < 0 { "written" } else { "read" };
            fail(FailureKind::Race, format!("a cell is written while it is being {other}"));
        }
        self.users.store(-1, Ordering::Relaxed);
        self.record(at, "writes plain memory");
        self.modelled.write();
        let result = f(self.value.get());
        point::pass_within_cell(at);
        if live() {
            self.modelled.write();
        }
        self.users.store(0, Ordering::Relaxed);
        result
    }
}

impl<T> UnsafeCell<T> {
    fn record(&self, at: &'static Location<'static>, what: &'static str) {
        let address = core::ptr::from_ref(&self.users).addr();
        with(|w| w.record_plain(at, address, what));
    }
}

impl<T: Default> Default for UnsafeCell<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// The accesses to an array that is no array of cells: a cell of nothing for each element.
#[derive(Debug)]
pub struct Marks(Box<[UnsafeCell<()>]>);

impl Marks {
    /// Those of an array of so many elements. Inside of a model only.
    #[track_caller]
    pub fn new(length: usize) -> Self {
        Self((0..length).map(|_| UnsafeCell::new(())).collect())
    }

    /// These elements are being read.
    #[track_caller]
    pub fn read(&self, elements: Range<usize>) {
        for element in &self.0[elements] {
            element.with(|_| ());
        }
    }

    /// These elements are being written.
    #[track_caller]
    pub fn write(&self, elements: Range<usize>) {
        for element in &self.0[elements] {
            element.with_mut(|_| ());
        }
    }
}

fn live() -> bool {
    with(|_| ()).is_some()
}
