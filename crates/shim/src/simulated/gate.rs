//! The gate before a piece of the kernel's state (invariant 4 of `simulated`).

use std::panic::Location;

use core::sync::atomic::Ordering;

use super::below::{self, Made};
use super::point;
use super::world::switching;

/// See the module.
#[derive(Debug)]
pub(super) struct Gate {
    gate: below::Gate,
    made: Made,
}

impl Gate {
    /// That of a primitive which orders no memory.
    pub(super) fn new() -> Self {
        Self { gate: below::Gate::hidden(), made: Made::here() }
    }

    /// That of a primitive which orders memory.
    pub(super) fn ordering() -> Self {
        Self { gate: below::Gate::seen(), made: Made::here() }
    }

    /// The state is within the kernel: who makes it need not publish it.
    pub(super) fn of_kernel(self) -> Self {
        Self { made: Made::anywhere(), ..self }
    }

    /// Passes a signal point, then the gate. Who runs; `None` if no thread does.
    pub(super) fn enter(&self, at: &'static Location<'static>, ordering: Ordering) -> Option<usize> {
        let me = point::pass(at)?;
        self.made.check(at);
        self.again(me, ordering);
        Some(me)
    }

    /// As [`Gate::enter`]; `inside` is a part of the step: it looks at memory, and changes nothing.
    pub(super) fn enter_with<R>(
        &self,
        at: &'static Location<'static>,
        ordering: Ordering,
        inside: impl FnOnce(usize) -> R,
    ) -> Option<R> {
        let me = point::pass(at)?;
        self.made.check(at);
        Some(switching(me, || self.gate.during(ordering, || inside(me))))
    }

    /// Passes the gate once more within one call, without a signal point.
    pub(super) fn again(&self, me: usize, ordering: Ordering) {
        switching(me, || self.gate.pass(ordering));
    }
}
