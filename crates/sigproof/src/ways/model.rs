//! Every interleaving, in a build with `--cfg loom`.

use sigproof_harness::model::driver::{self, Options};
use sigproof_harness::model::{Entry, Model, available};
use sigproof_report::Outcome;

use crate::named::{Call, Order};
use crate::told;

/// Explores a model, and panics unless every execution ends well.
///
/// The model's body uses the atomics, cells and system calls of [`shim`](crate::shim), which the build
/// `RUSTFLAGS="--cfg loom" cargo test --profile loom` simulates. In any other build the test is skipped.
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
        return told::skip(&call, "models need another build: RUSTFLAGS=\"--cfg loom\" cargo test");
    }
    let entry = Entry { name: call.name().leak(), hidden: false, setup: super::setup(expected), model };
    let options = Options { jobs: 1, ..Options::default() };
    told::tell(&call, &driver::explore(&entry, &options, &()));
}
