//! Judging litmus tests: the order and the answer.
//!
//! | engine | program | what runs a test |
//! |---|---|---|
//! | graph | `sigproof-litmus`, of the workbench | the explorer of execution graphs; it needs no build of its own |
//! | loom | `sigproof-model`, over loom | `interleaved`: the same interpreter, over the shim |

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sigproof_inspect::process::lines::Dialect;
use sigproof_report::Verdict;

#[cfg(loom)]
mod interleaved;
#[cfg(loom)]
pub use interleaved::judge;

/// A build over another engine runs no litmus tests.
#[cfg(not(loom))]
pub(super) fn judge(_order: &Order) -> Judgement {
    Judgement::refused("this build has no loom".to_owned())
}

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
    /// Of a test that does not give what it says; of others, the execution that answers the question.
    OfOthers,
    /// Never.
    Never,
}

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// Inconclusive where the test was not explored to its end, or was refused.
    pub verdict: Verdict,
    /// Why the test was not run: what of it the reader or the engine lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The names whose values an outcome has.
    pub names: Vec<String>,
    /// The outcomes: `0 1`, `deadlock`, with the number of executions.
    pub outcomes: BTreeMap<String, u64>,
    /// Why there may be more outcomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
    /// What of the test the engine is known to be inexact about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inexact: Vec<String>,
    /// The outcomes, and what the test says of them, for people.
    pub text: String,
}

impl Judgement {
    /// That of a test which was not run.
    pub fn refused(why: String) -> Self {
        Self {
            verdict: Verdict::Inconclusive,
            text: format!("refused: {why}\n"),
            refused: Some(why),
            names: Vec::new(),
            outcomes: BTreeMap::new(),
            cut: None,
            inexact: Vec::new(),
        }
    }
}

/// The dialect of the program of the workbench.
#[derive(Debug)]
pub enum Judging {}

impl Dialect for Judging {
    const NAME: &'static str = "litmus";
    const VERSION: u32 = 2;
    type Order = Order;
    type Event = Result<Judgement, String>;
}
