//! The model's API in a build without loom: nothing can be explored.

use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::marker::PhantomData;

use super::{Body, Chances, Choices, End, Exploration, Limits, Plan};

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

/// Whether this build has models: it has not.
#[must_use]
pub const fn available() -> bool {
    false
}

/// What this machine lacks for counterexamples: nothing is asked of it.
#[must_use]
pub const fn lacking() -> Option<String> {
    None
}

/// Gives [`End::Unsupported`].
pub fn explore(_plan: &Plan, _limits: &Limits, _body: &Body) -> (Exploration, Option<Choices>) {
    (NONE, None)
}

/// Gives [`End::Unsupported`].
pub fn replay(_plan: &Plan, _limits: &Limits, _choices: &Choices, _body: &Body) -> Exploration {
    NONE
}

/// A started thread; none can be.
#[derive(Debug)]
pub struct Joiner<R>(Infallible, PhantomData<fn() -> R>);

impl<R> Joiner<R> {
    /// Cannot be called.
    pub fn join(self) -> R {
        match self.0 {}
    }
}

const WITHOUT: &str = "a model's body runs in a build with models only";

/// Only inside [`explore`].
///
/// # Panics
/// Always.
pub fn spawn<R: Send + 'static>(_name: &'static str, _body: impl FnOnce() -> R + Send + 'static) -> Joiner<R> {
    panic!("{WITHOUT}")
}

/// Only inside [`explore`].
///
/// # Panics
/// Always.
pub fn handle(_name: &'static str, _signal: i32, _masks: &[i32], _handler: impl Fn() + 'static) {
    panic!("{WITHOUT}")
}

/// Only inside [`explore`].
///
/// # Panics
/// Always.
pub fn interruptible<R>(_target: impl FnOnce() -> R) -> R {
    panic!("{WITHOUT}")
}

/// Only inside [`explore`].
///
/// # Panics
/// Always.
pub fn fail(_outcome: &'static str, message: String) -> ! {
    panic!("{WITHOUT}: {message}")
}

/// Only inside [`explore`].
///
/// # Panics
/// Always.
pub fn fork_and_exec() -> Vec<i32> {
    panic!("{WITHOUT}")
}
