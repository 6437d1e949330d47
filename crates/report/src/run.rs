//! One setup under one technique: what must happen, what happened, and what the two amount to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::grade::{self, Looked, Verdict, grade};
use crate::outcome::{Expected, Outcome};
use crate::seen::{self, Seen, Technique};
use crate::setup::SetupId;

/// One setup of one case under one technique.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Which setup.
    #[serde(flatten)]
    pub setup: SetupId,
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
    /// The technique, and what it alone reports.
    #[serde(flatten)]
    pub seen: Seen,
}

impl Run {
    /// A run in which nothing was seen yet: no attempts, skipped, and no reason.
    pub fn new(technique: Technique, setup: SetupId, expected: Expected) -> Self {
        Self {
            setup,
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
            seen: technique.into(),
        }
    }

    /// By which technique.
    pub const fn technique(&self) -> Technique {
        self.seen.technique()
    }

    /// The verdict on what was observed so far, for a search that went as far as this.
    pub fn grade(&mut self, looked: Looked) {
        (self.verdict, self.reason) = grade(&self.expected, &self.observed, looked);
    }

    /// Adds a finding, unless one of its outcome is there already; the first one becomes [`Run::diagnosis`].
    /// Whether it was added.
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

    /// What a sweep reported, if this is one.
    pub fn step(&self) -> Option<&seen::Step> {
        if let Seen::Step(step) = &self.seen { Some(step) } else { None }
    }

    /// What a sweep reports, if this is one.
    pub fn step_mut(&mut self) -> Option<&mut seen::Step> {
        if let Seen::Step(step) = &mut self.seen { Some(step) } else { None }
    }

    /// What a model reported, if this is one.
    pub fn model(&self) -> Option<&seen::Model> {
        if let Seen::Model(model) = &self.seen { Some(model) } else { None }
    }

    /// The window that was swept, if one was.
    pub fn window(&self) -> Option<&str> {
        self.step()?.window.as_deref()
    }

    /// The setup without its case and, if one was swept, the window: `broken/sema@receive`.
    pub fn title(&self) -> String {
        let setup = self.setup.setup();
        self.window().map_or_else(|| setup.clone(), |window| format!("{setup}@{window}"))
    }

    /// What was seen that must never occur, and how often.
    pub fn forbidden(&self) -> impl Iterator<Item = (Outcome, u64)> {
        grade::forbidden(&self.expected, &self.observed)
    }

    /// What must occur and was not seen.
    pub fn missing(&self) -> impl Iterator<Item = Outcome> {
        grade::missing(&self.expected, &self.observed)
    }
}
