//! Searches in a build without the explorer of execution graphs: there are none.

use alloc::vec::Vec;

use super::{Body, Chances, End, Environment, Exploration, Limits, Seen};

/// Gives [`End::Unsupported`].
pub fn search(
    _environment: Environment,
    _limits: &Limits,
    _body: &Body,
    _each: &mut dyn FnMut(Seen<'_>) -> bool,
) -> Exploration {
    Exploration {
        executions: 0,
        carried_out: 0,
        deliveries: 0,
        chances: Chances::default(),
        end: End::Unsupported,
        sites: Vec::new(),
        discarded: 0,
        left: 0,
    }
}
