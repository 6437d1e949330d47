//! The examination of one runtime.

use std::io;
use std::path::Path;

use serde_json::json;
use sigproof_oracle::conform::comparing::{Comparison, Contestant, Finding as Found, Tally};
use sigproof_oracle::conform::decisions::{self, Shown};
use sigproof_oracle::conform::regressions::{self, RegressionError};
use sigproof_oracle::conform::rule::Rule;
use sigproof_oracle::conform::sequence::Sequence;
use sigproof_oracle::conform::single::{Compared, Disagreement, Single};
use sigproof_oracle::driver::Driver;
use sigproof_oracle::toolchain::Version;
use sigproof_report::seen::Conform;
use sigproof_report::{Expected, Finding, Looked, Outcome, Run, Seen, SetupId, Technique, Variant};
use sigproof_shim::native::atomic::AtomicBool;

use crate::trouble::Trouble;
use crate::workbench;

/// The case of the runs in reports.
const CASE: &str = "profbuf-conformance";

/// Sequences of the control. A wrong policy shows within the first few.
const CONTROL: u64 = 2000;

/// A runtime under examination.
pub struct Examiner<'a> {
    pub driver: &'a Driver,
    /// One sequence at a time.
    pub single: Single<'a>,
    /// The policy that it is compared with.
    pub rule: Rule,
}

pub struct Examined {
    /// The version of the runtime.
    pub version: Version,
    /// The policy that it was compared with.
    pub rule: Rule,
    /// Sequences of the regression file that disagree.
    pub regressed: Vec<Disagreement>,
    /// The differences by decision.
    pub decisions: Vec<Shown>,
    /// The random sequences.
    pub tally: Tally,
    /// The comparison with a wrong policy, which must disagree.
    pub control: Control,
}

/// The same comparison, by the same code, with a policy that the runtime does not have.
pub enum Control {
    /// Not tried.
    NotTried,
    /// It disagreed, as it must.
    Disagreed {
        with: Rule,
        /// The shortest sequence.
        shortest: String,
    },
    /// It did not disagree: the comparison is blind.
    Silent(Rule),
}

impl Examiner<'_> {
    /// Compares the kept sequences and the decisions.
    pub fn before(&mut self, kept: &[Sequence]) -> io::Result<Examined> {
        let mut regressed = Vec::new();
        for sequence in kept {
            if let Compared::Differs(found) = self.single.compare(sequence, self.rule)? {
                regressed.push(*found);
            }
        }
        Ok(Examined {
            version: self.driver.version.clone(),
            rule: self.rule,
            regressed,
            decisions: decisions::show(&mut self.single, self.rule)?,
            tally: Tally::default(),
            control: Control::NotTried,
        })
    }
}

/// Compares with a policy that the runtime does not have.
pub fn control(driver: &Driver, rule: Rule, seed: u64) -> Result<Control, Trouble> {
    let wrong = if rule == Rule::HalfFull { Rule::EveryRecord } else { Rule::HalfFull };
    let contestant = Contestant { driver: driver.clone(), rule: wrong, tries: 100 };
    let comparison = Comparison { contestants: vec![contestant], cases: CONTROL, seed };
    let tallies = workbench::compare(comparison, &AtomicBool::new(false), |_| {})?;
    Ok(match tallies.into_iter().find_map(|tally| tally.finding) {
        Some(Found::Shortest(found)) => Control::Disagreed { with: wrong, shortest: found.sequence.to_string() },
        _ => Control::Silent(wrong),
    })
}

impl Examined {
    /// How many decisions were confirmed.
    pub fn as_decided(&self) -> usize {
        self.decisions.iter().filter(|shown| shown.is_as_decided()).count()
    }

    /// The control, for the table.
    pub fn control_word(&self) -> &'static str {
        match self.control {
            Control::NotTried => "-",
            Control::Disagreed { .. } => "disagrees",
            Control::Silent(_) => "SILENT",
        }
    }

    /// Every disagreement: its sequence, and its text.
    fn disagreements(&self) -> Vec<(String, String)> {
        let shortest = |found: &Disagreement| (found.sequence.to_string(), found.to_string());
        let mut all: Vec<_> = self.regressed.iter().map(shortest).collect();
        match &self.tally.finding {
            None => {}
            Some(Found::Shortest(found)) => all.push(shortest(found)),
            Some(Found::Once { sequence, said }) => {
                all.push((sequence.to_string(), format!("  {sequence}\n  {said}; and not when it was tried alone\n")));
            }
        }
        all
    }

    /// As an entry of a report.
    pub fn run(&self, seed: u64, interrupted: bool) -> Run {
        let flavour = Some(self.version.to_string());
        let setup = SetupId { flavour, ..SetupId::new(CASE, Variant::Fixed) };
        let mut run = Run::new(Technique::Conform, setup, Expected::delivered());
        run.attempts = self.tally.sequences;
        run.elapsed_seconds = self.tally.elapsed.as_secs_f64();
        run.observed.insert(Outcome::Delivered, self.tally.sequences);
        for (sequence, text) in self.disagreements() {
            *run.observed.entry(Outcome::Disagreement).or_insert(0) += 1;
            let replay = Some(format!("cargo xtask conform --policy {} --sequence '{sequence}'", self.rule));
            run.add_finding(Finding { text, replay, ..Finding::new(Outcome::Disagreement, sequence) });
        }
        run.replay = Some(format!("cargo xtask conform --cases {} --seed {seed}", self.tally.sequences.max(1)));
        let control = match &self.control {
            Control::Disagreed { with, shortest } => json!({ "wake_policy": with.as_str(), "shortest": shortest }),
            Control::NotTried | Control::Silent(_) => json!(null),
        };
        let decided = |shown: &Shown| json!({ "name": shown.decision.name, "ours": shown.ours, "theirs": shown.theirs, "why": shown.decision.why });
        run.seen = Seen::Conform(Box::new(Conform {
            wake_policy: self.rule.as_str().to_owned(),
            operations: self.tally.operations,
            deaths_foreseen: self.tally.deaths_expected,
            deaths_tried: self.tally.deaths_tried,
            deaths_seen: self.tally.deaths_seen,
            control,
            decisions: self.decisions.iter().map(decided).collect(),
        }));
        run.grade(self.looked(interrupted));
        run
    }

    /// How far the comparison went, and whether it could see anything.
    fn looked(&self, interrupted: bool) -> Looked {
        let decision = self.decisions.iter().find(|shown| !shown.is_as_decided());
        let undecided =
            decision.map(|shown| format!("'{}' is not as the list of decisions has it", shown.decision.name));
        let blind = match &self.control {
            Control::Silent(rule) => Some(format!(
                "compared with the policy {rule}, which it does not have, nothing differs: the comparison is blind"
            )),
            _ => None,
        };
        let cut = match self.tally.sequences {
            _ if interrupted => Some("interrupted"),
            0 => Some("no sequence was compared"),
            _ => None,
        };
        Looked { void: undecided.or(blind), cut: cut.map(str::to_owned), ..Looked::default() }
    }

    /// The text below the table; disagreements are kept in the file.
    pub fn told(&self, keep: Option<&Path>) -> Result<String, RegressionError> {
        let mut text = String::new();
        for (sequence, told) in self.disagreements() {
            text += &format!("\n## {} {}: disagreement\n{told}", self.version, self.rule);
            text += &format!("repeat with: cargo xtask conform --sequence '{sequence}'\n");
        }
        if let Some(Found::Shortest(found)) = &self.tally.finding {
            text += &format!("as a test:\n{}", found.as_test(&self.version));
            if let Some(file) = keep {
                regressions::keep(file, &found.sequence, &self.version.to_string())?;
                text += &format!("kept in {}\n", file.display());
            }
        }
        for shown in self.decisions.iter().filter(|shown| !shown.is_as_decided()) {
            let decision = shown.decision;
            text += &format!(
                "\n## {} {}: not as decided: {}\n  {}\n",
                self.version, self.rule, decision.name, decision.sequence
            );
            text += &format!(
                "  ours: {}\n    listed: {}\n  theirs: {}\n    listed: {}\n",
                shown.ours, decision.ours, shown.theirs, decision.theirs
            );
        }
        Ok(text)
    }
}
