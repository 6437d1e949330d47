//! What a run of sigproof found, as data: the types of the report, `sigproof.report/1`.
//!
//! | file | holds |
//! |---|---|
//! | this one | the report, its runs, what was found in each |
//! | [`host`] | the machine, without anything private |
//! | [`write`](mod@write) | where a report goes: `json=PATH`, `junit=PATH`, `-` |
//! | [`junit`] | the report in the words of JUnit |
//!
//! The schema may gain fields within its version; a reader ignores what it does not know. Fields that only one technique has
//! (boundaries of a stepper, executions of a model) go to [`Run::more`], which is flattened into the run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::case::{Expected, Mode, Outcome, Setup, Variant};

pub mod host;
pub mod junit;
pub mod write;

pub use host::Host;

/// The name and version of the report's schema.
pub const SCHEMA: &str = "sigproof.report/1";

/// Everything that one command found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// Where it ran.
    pub host: Host,
    /// The seed of everything random in it; the same seed aims the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Wall time of the whole, in seconds.
    #[serde(default)]
    pub elapsed_seconds: f64,
    /// Whether the user stopped it: the runs are then those up to that moment.
    #[serde(default)]
    pub interrupted: bool,
    /// One entry for each setup, in the order of the registry.
    pub runs: Vec<Run>,
}

impl Report {
    /// An empty report of this machine.
    pub fn new() -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            host: Host::detect(),
            seed: None,
            elapsed_seconds: 0.0,
            interrupted: false,
            runs: Vec::new(),
        }
    }

    /// Reads a report back.
    ///
    /// # Errors
    /// [`ReadError`] for what is not JSON, not a report, or a report of another version.
    pub fn from_json(text: &str) -> Result<Self, ReadError> {
        let report: Self = serde_json::from_str(text)?;
        if report.schema == SCHEMA { Ok(report) } else { Err(ReadError::Schema(report.schema)) }
    }

    /// As JSON, indented, with a newline at the end.
    ///
    /// # Errors
    /// None in practice: every key is a string; a float that is not finite is written as null.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

impl Default for Report {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a text is not a report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is not JSON, or not of the shape.
    #[error("not a report: {0}")]
    Shape(#[from] serde_json::Error),
    /// It is of a schema that this program does not know.
    #[error("a report of schema '{0}', this program reads '{SCHEMA}'")]
    Schema(String),
}

/// The means by which a case was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Technique {
    /// Real signals, real threads, many attempts.
    Stress,
    /// A real signal at every instruction boundary.
    Step,
    /// All interleavings of a model, up to its bounds.
    Model,
    /// The same operations on our buffer and on a real runtime's.
    Conform,
    /// Inside a real runtime, built from its own sources.
    Upstream,
}

impl Technique {
    /// The word for it, the same as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stress => "stress",
            Self::Step => "step",
            Self::Model => "model",
            Self::Conform => "conform",
            Self::Upstream => "upstream",
        }
    }
}

impl core::fmt::Display for Technique {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a run amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// What must occur did, what must never occur did not.
    AsExpected,
    /// Something occurred that must never, or a broken variant no longer shows its bug.
    Unexpected,
    /// A budget ran out before it could be told.
    Inconclusive,
    /// It did not run; the reason says why.
    Skipped,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: &'static [Self] = &[Self::AsExpected, Self::Unexpected, Self::Inconclusive, Self::Skipped];

    /// The word for it, the same as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AsExpected => "as-expected",
            Self::Unexpected => "unexpected",
            Self::Inconclusive => "inconclusive",
            Self::Skipped => "skipped",
        }
    }
}

impl core::fmt::Display for Verdict {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.as_str())
    }
}

/// One setup of one case under one technique.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// How it was run.
    pub technique: Technique,
    /// The case's name.
    pub case: String,
    /// Broken or fixed.
    pub variant: Variant,
    /// What tells apart setups that agree in variant, note and mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flavour: Option<String>,
    /// The note that it ran over, if the case runs over several.
    pub note: Option<String>,
    /// The read mode, if the case has one.
    pub mode: Option<Mode>,
    /// The graded outcomes; what is not listed must never occur.
    pub expected: Expected,
    /// How often each outcome was seen. What is not listed was not seen.
    pub observed: BTreeMap<Outcome, u64>,
    /// What it amounts to.
    pub verdict: Verdict,
    /// Attempts made, each in a state of its own.
    pub attempts: u64,
    /// Signals delivered.
    pub signals: u64,
    /// Those of them that hit the window that the case is about: the coverage.
    pub signals_in_window: u64,
    /// Seconds from the start of the run to its first bad outcome.
    pub first_seconds: Option<f64>,
    /// Of the attempts that ended badly: the median time to it, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seconds_median: Option<f64>,
    /// Of the attempts that ended badly: the 95th percentile of the time to it, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seconds_p95: Option<f64>,
    /// Wall time of this run, in seconds.
    #[serde(default)]
    pub elapsed_seconds: f64,
    /// What was found, for the first bad outcome that was seen.
    pub diagnosis: Option<Finding>,
    /// The same for every further *kind* of bad outcome.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_diagnoses: Vec<Finding>,
    /// The command that repeats this run.
    pub replay: Option<String>,
    /// Why it was skipped, is inconclusive, or is unexpected.
    pub reason: Option<String>,
    /// Whether it was skipped because this machine *refused* something, as opposed to what the platform
    /// lacks: exit code 4.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub refused: bool,
    /// What only one technique has to say. Its keys must not be those of the fields above.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Run {
    /// A run of nothing yet: no attempts, skipped for no reason. The caller fills it in.
    pub fn new(technique: Technique, case: impl Into<String>, variant: Variant, expected: Expected) -> Self {
        Self {
            technique,
            case: case.into(),
            variant,
            flavour: None,
            note: None,
            mode: None,
            expected,
            observed: BTreeMap::new(),
            verdict: Verdict::Skipped,
            attempts: 0,
            signals: 0,
            signals_in_window: 0,
            first_seconds: None,
            first_seconds_median: None,
            first_seconds_p95: None,
            elapsed_seconds: 0.0,
            diagnosis: None,
            more_diagnoses: Vec::new(),
            replay: None,
            reason: None,
            refused: false,
            more: Map::new(),
        }
    }

    /// The same for a setup of a case, or of what else has setups.
    pub fn of(technique: Technique, case: impl Into<String>, setup: &Setup, expected: &Expected) -> Self {
        Self {
            flavour: setup.flavour.map(str::to_owned),
            note: setup.note_name().map(str::to_owned),
            mode: setup.mode,
            ..Self::new(technique, case, setup.variant, expected.clone())
        }
    }

    /// Adds a finding, unless one of its outcome is there already; the first one becomes [`Run::diagnosis`]. Whether it was added.
    pub fn add_finding(&mut self, finding: Finding) -> bool {
        if self.findings().any(|f| f.outcome == finding.outcome) {
            return false;
        }
        match self.diagnosis {
            None => self.diagnosis = Some(finding),
            Some(_) => self.more_diagnoses.push(finding),
        }
        true
    }

    /// All findings, the first one first.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.diagnosis.iter().chain(&self.more_diagnoses)
    }

    /// The setup in one word: `broken/sema/blocking`.
    pub fn setup(&self) -> String {
        let rest = [self.flavour.as_deref(), self.note.as_deref(), self.mode.map(Mode::as_str)];
        rest.into_iter().flatten().fold(self.variant.to_string(), |label, part| label + "/" + part)
    }

    /// The window that was swept, if one was.
    pub fn window(&self) -> Option<&str> {
        self.more.get("window").and_then(Value::as_str)
    }

    /// The setup and, if one was swept, its window: `broken/sema@receive`.
    pub fn title(&self) -> String {
        self.window().map_or_else(|| self.setup(), |window| format!("{}@{window}", self.setup()))
    }

    /// What was seen that must never occur.
    pub fn forbidden(&self) -> impl Iterator<Item = (Outcome, u64)> {
        let seen = self.observed.iter().map(|(o, n)| (*o, *n)).filter(|(_, n)| *n > 0);
        seen.filter(|(o, _)| self.expected.grade(*o) == crate::case::Grade::Never)
    }

    /// What must occur and was not seen.
    pub fn missing(&self) -> impl Iterator<Item = Outcome> {
        self.expected.must_occur().filter(|o| self.observed.get(o).is_none_or(|n| *n == 0))
    }
}

/// What was found out about one bad outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The outcome.
    pub outcome: Outcome,
    /// What happened, in one sentence.
    pub sentence: String,
    /// The same for a human, over several lines: every thread's stack. Empty where a sentence says all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The same for a program; null where a sentence says all.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
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
            seconds: None,
            replay: None,
        }
    }
}

#[cfg(test)]
mod tests;
