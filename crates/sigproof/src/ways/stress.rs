//! Real signals at random times.
//!
//! The test is the parent of its attempts: each is a child, which is the test again and runs `attempt` once.

use std::ffi::OsString;
use std::process::Command;

use sigproof_harness::stress::{self as by_signals, Options};
use sigproof_harness::{Case, Failure, Registry, Setup, worker};
use sigproof_osnote::Backends;
use sigproof_report::{Outcome, Selection};
use sigproof_shim::native::atomic::AtomicBool;
use sigproof_step::leave;

use crate::Attempt;
use crate::named::{Call, Order, Work};
use crate::told;

/// How many attempts a test has.
const ATTEMPTS: u64 = 5;

/// Runs `attempt` in five processes, and panics unless each ends well. In each, [`Attempt::injector`] aims a
/// signal at each of [`Attempt::rounds`].
///
/// # Panics
/// An outcome other than `delivered`; no signal came inside the window; see also the policy of the
/// [crate](crate).
pub fn stress(attempt: impl Fn(&Attempt) -> Result<(), Failure> + Send + Sync + 'static) {
    carry_out(attempt, None);
}

/// As [`stress`], of code in which `outcome` must occur.
///
/// # Panics
/// The outcome did not occur, or another one did; see also the policy of the [crate](crate).
pub fn stress_expecting(outcome: Outcome, attempt: impl Fn(&Attempt) -> Result<(), Failure> + Send + Sync + 'static) {
    carry_out(attempt, Some(outcome));
}

/// The test as a case.
struct Test<F> {
    name: &'static str,
    expected: Option<Outcome>,
    attempt: F,
}

impl<F: Fn(&Attempt) -> Result<(), Failure> + Send + Sync> Case for Test<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        "a test"
    }

    fn upstream(&self) -> &'static [&'static str] {
        &[]
    }

    fn setups(&self, _notes: Backends) -> Vec<Setup> {
        vec![super::setup(self.expected)]
    }

    fn attempt(&self, _setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        (self.attempt)(attempt)
    }
}

fn carry_out(attempt: impl Fn(&Attempt) -> Result<(), Failure> + Send + Sync + 'static, expected: Option<Outcome>) {
    let call = Call::this();
    let name: &'static str = call.name().leak();
    let case: &'static dyn Case = Box::leak(Box::new(Test { name, expected, attempt }));
    let registry = Registry::new(vec![case].leak(), Backends::BUILT_IN);
    match Order::of_parent() {
        // The turn of another call of this test, or of another function.
        Some(order) if order.call != call => {}
        Some(Order { work: Work::Attempt { order }, .. }) => {
            // The outcome is on the page.
            worker::main(&registry, [OsString::from(order)].into_iter());
            leave(0)
        }
        Some(_) => {}
        None => parent(&call, &registry),
    }
}

fn parent(call: &Call, registry: &Registry) {
    let of_call = call.clone();
    let start = move |order: &str| -> Result<Command, _> {
        let mut command = of_call.again()?;
        let work = Work::Attempt { order: order.to_owned() };
        Order { call: of_call.clone(), parent: std::process::id(), work }.give(&mut command);
        Ok(command)
    };
    worker::start_by(call.name(), Box::new(start));
    let selection = Selection { cases: vec![call.name()], ..Selection::default() };
    // One attempt again: the signals are aimed by the same numbers, though they come when they come.
    let seed = std::env::var("SIGPROOF_SEED")
        .ok()
        .map(|text| text.parse::<u64>().unwrap_or_else(|error| panic!("SIGPROOF_SEED is '{text}': {error}")));
    let attempts = if seed.is_some() { 1 } else { ATTEMPTS };
    let options = Options { selection, seed, attempts: Some(attempts), jobs: Some(1), ..Options::default() };
    match by_signals::run(registry, &options, &|_| (), &AtomicBool::new(false)) {
        Ok(report) => report.runs.iter().for_each(|run| told::tell(call, run)),
        Err(error) => told::skip(call, &error.to_string()),
    }
}
