//! The techniques, one a file.

pub(crate) mod model;
pub(crate) mod note;
pub(crate) mod stress;
pub(crate) mod sweep;

use sigproof_harness::Setup;
use sigproof_report::Outcome;

/// The setup of a test: all goes well, or this outcome must occur.
fn setup(expected: Option<Outcome>) -> Setup {
    expected.map_or_else(Setup::fixed, Setup::broken)
}
