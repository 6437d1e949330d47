//! The gate before a piece of the kernel's state (invariant 4 of `simulated`).

use std::panic::Location;

use core::sync::atomic::Ordering;

use super::point;
use super::world::switching;

/// See the module.
#[derive(Debug)]
pub(super) struct Gate(loom::sync::atomic::AtomicU32);

impl Gate {
    pub(super) fn new() -> Self {
        Self(loom::sync::atomic::AtomicU32::new(0))
    }

    /// Passes a signal point, then the gate. Who runs; `None` if no thread does.
    pub(super) fn enter(&self, at: &'static Location<'static>, ordering: Ordering) -> Option<usize> {
        let me = point::pass(at)?;
        self.again(me, ordering);
        Some(me)
    }

    /// Passes the gate once more within one call, without a signal point.
    pub(super) fn again(&self, me: usize, ordering: Ordering) {
        switching(me, || self.0.fetch_add(0, ordering));
    }
}
