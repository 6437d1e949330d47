//! Judging litmus tests: the order and the event of the program `sigproof-litmus`, which is in the workbench.
//! It explores execution graphs, and no other verb needs the explorer.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sigproof_inspect::process::lines::Dialect;
use sigproof_report::Verdict;

/// A litmus test.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// What its file holds.
    pub text: String,
    /// The exploration ends after so much time.
    pub budget: Duration,
    /// When an execution of each outcome is shown.
    pub executions: Shown,
}

/// When an execution of each outcome is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// Always.
    Always,
    /// Of a test that does not give what it says.
    OfOthers,
    /// Never.
    Never,
}

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// Inconclusive where the test was not explored to its end, or is outside of the subset that is read.
    pub verdict: Verdict,
    /// The outcomes, and what the test says of them.
    pub text: String,
}

/// The dialect of the program.
#[derive(Debug)]
pub enum Judging {}

impl Dialect for Judging {
    const NAME: &'static str = "litmus";
    const VERSION: u32 = 1;
    type Order = Order;
    type Event = Result<Judgement, String>;
}
