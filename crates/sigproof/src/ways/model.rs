//! Every execution, in a build with an engine for models.

use std::slice;
use std::time::Duration;

use sigproof_harness::model::driver::{self, Options};
use sigproof_harness::model::token::Token;
use sigproof_harness::model::{Engine, Entry, Model, available, counterexample};
use sigproof_report::Outcome;
use sigproof_shim::native::os::clock;

use crate::named::{Call, Order};
use crate::told;

/// How long the search of a model over execution graphs takes at most.
const TIME: Duration = Duration::from_secs(90);

/// Explores a model, and panics unless every execution ends well.
///
/// The model's body uses the atomics, cells and system calls of [`shim`](crate::shim). The build
/// `RUSTFLAGS="--cfg sigproof_graph" cargo test --release` simulates them over execution graphs. The search
/// explores each graph once, for at most 90 seconds; a search that the time ended says so on the standard
/// error. The build `RUSTFLAGS="--cfg loom" cargo test --release` simulates them over loom, within the
/// model's bound of preemptions. In any other build the test is skipped.
///
/// # Panics
/// An outcome other than `delivered`, or an exploration that was not decided; see also the policy of the
/// [crate](crate).
pub fn model(model: Model) {
    carry_out(model, None);
}

/// As [`model`], of code in which `outcome` must occur.
///
/// # Panics
/// The outcome did not occur, or another one did; see also the policy of the [crate](crate).
pub fn model_expecting(outcome: Outcome, model: Model) {
    carry_out(model, Some(outcome));
}

fn carry_out(model: Model, expected: Option<Outcome>) {
    let call = Call::this();
    // A child has another call to carry out.
    if Order::of_parent().is_some() {
        return;
    }
    if !available() {
        return told::skip(&call, "models need another build: RUSTFLAGS=\"--cfg sigproof_graph\" cargo test --release");
    }
    let entry = Entry { name: call.name().leak(), hidden: false, setup: super::setup(expected), model };
    if let Ok(text) = std::env::var("SIGPROOF_REPLAY") {
        let token: Token = text.parse().unwrap_or_else(|error| panic!("SIGPROOF_REPLAY: {error}"));
        if token.label != entry.label() {
            return told::skip(&call, &format!("SIGPROOF_REPLAY names another test: {}", token.label));
        }
        if Engine::own() != Some(token.engine()) {
            return told::skip(&call, "SIGPROOF_REPLAY names an execution of the other engine: another build has it");
        }
        return match counterexample::replay(slice::from_ref(&entry), &token) {
            Some(run) if run.observed.keys().all(|outcome| *outcome == Outcome::Delivered) && run.attempts > 0 => {}
            Some(run) => told::tell(&call, &run),
            None => told::skip(&call, "SIGPROOF_REPLAY names another test"),
        };
    }
    let until = (Engine::own() == Some(Engine::Graph)).then(|| clock::now() + TIME);
    let options = Options { jobs: 1, until, time_bounds: true, ..Options::default() };
    told::tell(&call, &driver::explore(&entry, &options, &()));
}
