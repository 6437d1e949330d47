//! The atomic truth value and the atomic pointer.

use std::marker::PhantomData;

use super::integer::AtomicU8;
use super::{Ordering, failure_order, modify, named, order, weak};
use crate::graph::Op;
use crate::run::{Access, Request, after, deliver, reorder, step};

/// As std's `AtomicBool`.
#[derive(Debug)]
pub struct AtomicBool(AtomicU8);

impl AtomicBool {
    /// A new atomic.
    pub fn new(value: bool) -> Self {
        Self(AtomicU8::new(value.into()))
    }

    /// As std's.
    pub fn load(&self, ordering: Ordering) -> bool {
        self.0.load(ordering) != 0
    }

    /// As std's.
    pub fn store(&self, value: bool, ordering: Ordering) {
        self.0.store(value.into(), ordering);
    }

    /// As std's.
    pub fn swap(&self, value: bool, ordering: Ordering) -> bool {
        self.0.swap(value.into(), ordering) != 0
    }

    /// As std's.
    pub fn fetch_and(&self, value: bool, ordering: Ordering) -> bool {
        self.0.fetch_and(value.into(), ordering) != 0
    }

    /// As std's.
    pub fn fetch_or(&self, value: bool, ordering: Ordering) -> bool {
        self.0.fetch_or(value.into(), ordering) != 0
    }

    /// As std's.
    pub fn fetch_xor(&self, value: bool, ordering: Ordering) -> bool {
        self.0.fetch_xor(value.into(), ordering) != 0
    }

    /// As std's.
    pub fn fetch_not(&self, ordering: Ordering) -> bool {
        self.fetch_xor(true, ordering)
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// With the value, if it is not `current`.
    pub fn compare_exchange(
        &self,
        current: bool,
        new: bool,
        success: Ordering,
        failure: Ordering,
    ) -> Result<bool, bool> {
        let exchanged = self.0.compare_exchange(current.into(), new.into(), success, failure);
        exchanged.map(|old| old != 0).map_err(|old| old != 0)
    }

    /// As std's: may fail though the value is `current`.
    ///
    /// # Errors
    ///
    /// With the value, if it is not `current`, or if the environment chooses so.
    pub fn compare_exchange_weak(
        &self,
        current: bool,
        new: bool,
        success: Ordering,
        failure: Ordering,
    ) -> Result<bool, bool> {
        let exchanged = self.0.compare_exchange_weak(current.into(), new.into(), success, failure);
        exchanged.map(|old| old != 0).map_err(|old| old != 0)
    }
}

/// As std's `AtomicPtr`. The addresses may differ from one run of an execution to the next; which of them are
/// equal may not.
#[derive(Debug)]
pub struct AtomicPtr<T> {
    location: u32,
    pointer: PhantomData<fn(*mut T) -> *mut T>,
}

impl<T> AtomicPtr<T> {
    /// A new atomic.
    pub fn new(value: *mut T) -> Self {
        Self { location: named(raw(value), true), pointer: PhantomData }
    }

    /// As std's.
    pub fn load(&self, ordering: Ordering) -> *mut T {
        cooked(modify(Access::load(self.location, order(ordering))))
    }

    /// As std's.
    pub fn store(&self, value: *mut T, ordering: Ordering) {
        deliver();
        if ordering == Ordering::Relaxed && reorder::delays(self.location, raw(value), false) {
            return;
        }
        step(Request::Store { loc: self.location, val: raw(value), ord: order(ordering), kernel: false });
        crate::cell::written_by_compiler(order(ordering));
        after();
    }

    /// As std's.
    pub fn swap(&self, value: *mut T, ordering: Ordering) -> *mut T {
        let ord = order(ordering);
        cooked(modify(Access::rmw(self.location, Op::Swap(raw(value)), ord, ord)))
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// With the value, if it is not `current`.
    pub fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        let op = Op::Cas(raw(current), raw(new));
        let old = cooked(modify(Access::rmw(self.location, op, order(success), failure_order(failure))));
        if old == current { Ok(old) } else { Err(old) }
    }

    /// As std's: may fail though the value is `current`.
    ///
    /// # Errors
    ///
    /// With the value, if it is not `current`, or if the environment chooses so.
    pub fn compare_exchange_weak(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        weak(self.location, [raw(current), raw(new)], success, failure).map(cooked).map_err(cooked)
    }
}

fn raw<T>(pointer: *mut T) -> u64 {
    pointer.expose_provenance() as u64
}

fn cooked<T>(address: u64) -> *mut T {
    std::ptr::with_exposed_provenance_mut(address as usize)
}
