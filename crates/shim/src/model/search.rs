//! Searches in a build without the explorer of execution graphs: there are none.

use alloc::vec::Vec;

use super::{Body, Chances, Choices, End, Environment, Exploration, Limits, Seen};

/// Gives [`End::Unsupported`].
pub fn search(
    _environment: Environment,
    _limits: &Limits,
    _body: &Body,
    _jobs: usize,
    _each: &mut (dyn FnMut(Seen<'_>) -> bool + Send),
) -> Exploration {
    NONE
}

/// Gives [`End::Unsupported`].
pub fn repeat(_environment: Environment, _limits: &Limits, _choices: &Choices, _body: &Body) -> Exploration {
    NONE
}

const NONE: Exploration = Exploration {
    executions: 0,
    carried_out: 0,
    deliveries: 0,
    chances: Chances { signals: 0, timeouts: 0, spurious: 0 },
    end: End::Unsupported,
    sites: Vec::new(),
    discarded: 0,
    weak_bound_met: false,
    distinct: None,
    left: 0,
    waiting: Vec::new(),
    remaining: None,
};
