//! Judges litmus tests for `cargo xtask litmus`. For each order it tells an event.

use sigproof_harness::model::litmus::Judging;
use sigproof_workbench::{answer, litmus::judge};

fn main() {
    answer::<Judging, _>(|order| Ok(judge(&order)));
}
