//! The report in the words of JUnit: a case is a test suite, a technique with a setup (and its window, if it
//! has one) is a test.
//!
//! | verdict | test |
//! |---|---|
//! | as expected | success |
//! | unexpected | failure, with the findings as its text |
//! | inconclusive | error |
//! | skipped | skipped |

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, SerializeError, TestCase, TestCaseStatus, TestSuite};

use crate::{Report, Run, Verdict};

/// The report as XML.
///
/// # Errors
/// What the XML writer reports.
pub fn render(report: &Report) -> Result<String, SerializeError> {
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for run in &report.runs {
        suites.entry(&run.setup.case).or_insert_with(|| TestSuite::new(&run.setup.case)).add_test_case(test(run));
    }
    let mut out = quick_junit::Report::new("sigproof");
    out.set_time(seconds(report.elapsed_seconds));
    out.add_test_suites(suites.into_values());
    out.to_string()
}

/// A test of a verb that has no setups.
#[derive(Clone, Debug)]
pub struct Plain {
    /// What is tested.
    pub class: String,
    /// The name of the test case.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
    /// The verdict of the run.
    pub verdict: Verdict,
    /// What was found, unless that is as expected.
    pub text: String,
}

/// These tests as XML, in one suite.
///
/// # Errors
/// What the XML writer reports.
pub fn render_plain(suite: &str, tests: impl IntoIterator<Item = Plain>) -> Result<String, SerializeError> {
    let mut all = TestSuite::new(suite);
    for Plain { class, name, seconds: time, verdict, text } in tests {
        let mut status = of_verdict(verdict);
        if verdict != Verdict::AsExpected {
            status.set_message(text.lines().next().unwrap_or(verdict.as_str()));
            status.set_type(verdict.as_str());
            status.set_description(text);
        }
        let mut test = TestCase::new(name, status);
        test.set_classname(class).set_time(seconds(time));
        all.add_test_case(test);
    }
    let mut out = quick_junit::Report::new("sigproof");
    out.add_test_suite(all);
    out.to_string()
}

fn of_verdict(verdict: Verdict) -> TestCaseStatus {
    match verdict {
        Verdict::AsExpected => TestCaseStatus::success(),
        Verdict::Unexpected => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::Skipped => TestCaseStatus::skipped(),
    }
}

/// One run as a test.
fn test(run: &Run) -> TestCase {
    let mut status = of_verdict(run.verdict);
    if run.verdict != Verdict::AsExpected {
        status.set_message(run.reason.as_deref().unwrap_or(run.verdict.as_str()));
        status.set_type(run.verdict.as_str());
        let text = findings(run);
        if !text.is_empty() {
            status.set_description(text);
        }
    }
    let mut test = TestCase::new(format!("{} {}", run.technique(), run.title()), status);
    test.set_classname(&run.setup.case).set_time(seconds(run.elapsed_seconds));
    test.add_property(Property::new("attempts", run.attempts.to_string()));
    test.add_property(Property::new("signals", run.signals.to_string()));
    test.add_property(Property::new("signals-in-window", run.signals_in_window.to_string()));
    for (outcome, count) in &run.observed {
        test.add_property(Property::new(format!("observed: {outcome}"), count.to_string()));
    }
    test
}

/// Every finding with the command that repeats it.
fn findings(run: &Run) -> String {
    let mut text = String::new();
    for finding in run.findings() {
        let _ = writeln!(text, "{}: {}", finding.outcome, finding.sentence);
        if !finding.text.is_empty() {
            let _ = writeln!(text, "{}", finding.text.trim_end());
        }
        if let Some(replay) = finding.replay.as_ref().or(run.replay.as_ref()) {
            let _ = writeln!(text, "repeat with: {replay}");
        }
    }
    text
}

/// A duration from seconds that may be anything.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
