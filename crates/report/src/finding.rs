//! What was found out about one bad outcome.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::outcome::Outcome;

/// What was found out about one bad outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The outcome that the finding explains.
    pub outcome: Outcome,
    /// What happened, in one sentence.
    pub sentence: String,
    /// The same for a human, over several lines: every thread's stack. Empty where a sentence says all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The same for a program; null where a sentence says all.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
    /// Equal for equal hangs, over runs, builds and addresses; null where no stacks were seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Seconds from the start of the attempt to the outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// The command that repeats it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
}

impl Finding {
    /// A finding of which a sentence says all.
    pub fn new(outcome: Outcome, sentence: impl Into<String>) -> Self {
        Self {
            outcome,
            sentence: sentence.into(),
            text: String::new(),
            details: Value::Null,
            fingerprint: None,
            seconds: None,
            replay: None,
        }
    }
}
