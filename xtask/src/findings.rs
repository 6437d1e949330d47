//! What follows the table: the diagnoses, why something was skipped, and one line that says it all.

use std::collections::BTreeMap;
use std::fmt::Write;

use sigproof_harness::report::{Finding, Report, Run, Technique, Verdict};

use crate::units;

/// The diagnosis of every kind of bad outcome of every run, and the reason of every run that is not as expected.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    for run in &report.runs {
        let mut replayed = false;
        for finding in run.findings() {
            diagnosis(&mut text, run, finding);
            replayed |= finding.replay.is_some();
        }
        if let (Verdict::Unexpected | Verdict::Inconclusive, Some(reason)) = (run.verdict, &run.reason) {
            let _ = writeln!(text, "\n## {} {}: {}\n{reason}", run.case, run.setup(), run.verdict);
            if let (false, Some(replay)) = (replayed, &run.replay) {
                let _ = writeln!(text, "repeat with: {replay}");
            }
        }
    }
    skipped(&mut text, &report.runs);
    text
}

fn diagnosis(text: &mut String, run: &Run, finding: &Finding) {
    let grade = match run.forbidden().any(|(outcome, _)| outcome == finding.outcome) {
        true => "must never occur",
        false => "expected of this variant",
    };
    let after = finding.seconds.map(|s| format!(" after {}", units::seconds(s))).unwrap_or_default();
    let _ = writeln!(text, "\n## {} {}: {}{after} ({grade})", run.case, run.setup(), finding.outcome);
    // The text of a diagnosis begins with its sentence; one without a text is its sentence.
    if !finding.text.lines().next().is_some_and(|first| first.contains(&finding.sentence)) {
        let _ = writeln!(text, "{}", finding.sentence);
    }
    if !finding.text.is_empty() {
        let _ = writeln!(text, "{}", finding.text.trim_end());
    }
    if let Some(replay) = finding.replay.as_ref().or(run.replay.as_ref()) {
        let _ = writeln!(text, "repeat with: {replay}");
    }
}

/// What was skipped, by reason.
fn skipped(text: &mut String, runs: &[Run]) {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.verdict == Verdict::Skipped) {
        let reason = run.reason.as_deref().unwrap_or("no reason was given");
        reasons.entry(reason).or_default().push(format!("{} {}", run.case, run.setup()));
    }
    for (reason, setups) in reasons {
        let _ = writeln!(text, "\nskipped, {reason}:");
        for setup in setups {
            let _ = writeln!(text, "  {setup}");
        }
    }
}

/// All of it in one line.
pub fn summary(report: &Report) -> String {
    let of = |verdict: Verdict| report.runs.iter().filter(|run| run.verdict == verdict).count();
    let sum = |what: fn(&Run) -> u64| units::count(report.runs.iter().map(what).sum());
    let verdicts = [Verdict::AsExpected, Verdict::Unexpected, Verdict::Inconclusive, Verdict::Skipped];
    let told = verdicts.map(|v| (v, of(v))).into_iter().filter(|(v, n)| *n > 0 || *v == Verdict::AsExpected);
    let told: Vec<_> = told.map(|(v, n)| format!("{n} {}", v.as_str().replace('-', " "))).collect();
    let modelled = report.runs.iter().any(|run| run.technique == Technique::Model);
    let work = if modelled {
        let whole = report.runs.iter().filter(|run| run.more.get("exhausted").is_some_and(|v| *v == true)).count();
        format!("{} executions, {} signals; {whole} exhausted", sum(|r| r.attempts), sum(|r| r.signals))
    } else {
        let (signals, window) = (sum(|r| r.signals), sum(|r| r.signals_in_window));
        format!("{} attempts, {signals} signals, {window} of them in the window", sum(|r| r.attempts))
    };
    format!(
        "{}{}: {}; {work}; {}{}",
        if report.interrupted { "interrupted after " } else { "" },
        units::of(report.runs.len(), if modelled { "model" } else { "setup" }),
        told.join(", "),
        units::seconds(report.elapsed_seconds),
        report.seed.map(|seed| format!("; seed {seed}")).unwrap_or_default(),
    )
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use sigproof_harness::case::{Expected, Mode, Outcome, Variant};
    use sigproof_harness::report::{Host, SCHEMA};

    /// A report with each verdict in it.
    pub fn example() -> Report {
        let named = |variant, note: &str, mode, expected| Run {
            note: Some(note.to_owned()),
            mode: Some(mode),
            ..Run::new(Technique::Stress, "darwin-profbuf-read", variant, expected)
        };
        let mut broken = Run {
            observed: [(Outcome::SelfDeadlock, 12), (Outcome::Delivered, 1)].into(),
            verdict: Verdict::AsExpected,
            attempts: 13,
            signals: 1900,
            signals_in_window: 1012,
            first_seconds: Some(0.0052),
            ..named(Variant::Broken, "sema", Mode::Blocking, Expected::broken(Outcome::SelfDeadlock))
        };
        broken.add_finding(Finding {
            text: "thread 7 waits for itself\nthread 7 \"reader\"\n  futex_wait+0x12".to_owned(),
            seconds: Some(0.0052),
            replay: Some("cargo xtask stress darwin-profbuf-read --note sema --seed 7 --attempts 1".to_owned()),
            ..Finding::new(Outcome::SelfDeadlock, "thread 7 waits for itself")
        });
        let mut bad = Run {
            observed: [(Outcome::Crash, 1), (Outcome::Delivered, 3)].into(),
            verdict: Verdict::Unexpected,
            attempts: 4,
            reason: Some("crash was seen and must never occur".to_owned()),
            replay: Some("cargo xtask stress darwin-profbuf-read --note futex".to_owned()),
            flavour: Some("plain".to_owned()),
            ..named(Variant::Fixed, "futex", Mode::NonBlocking, Expected::delivered())
        };
        bad.add_finding(Finding::new(Outcome::Crash, "killed by signal 9"));
        let budget = Run {
            verdict: Verdict::Inconclusive,
            reason: Some("only 3 of 1,000 signals hit the window".to_owned()),
            replay: Some("cargo xtask stress darwin-profbuf-read --note pipe".to_owned()),
            ..named(Variant::Fixed, "pipe", Mode::Blocking, Expected::delivered())
        };
        let skipped = Run {
            reason: Some("note 'ulock' needs darwin; run it there".to_owned()),
            ..named(Variant::Fixed, "ulock", Mode::Blocking, Expected::delivered())
        };
        Report {
            schema: SCHEMA.to_owned(),
            host: Host::detect(),
            seed: Some(7),
            elapsed_seconds: 12.0,
            interrupted: false,
            runs: vec![broken, bad, budget, skipped],
        }
    }

    #[test]
    fn every_finding_and_every_reason() {
        insta::assert_snapshot!(render(&example()));
    }

    #[test]
    fn one_line_says_it_all() {
        let mut report = example();
        insta::assert_snapshot!(summary(&report), @"4 setups: 1 as expected, 1 unexpected, 1 inconclusive, 1 skipped; 17 attempts, 1,900 signals, 1,012 of them in the window; 12.0 s; seed 7");
        report.interrupted = true;
        report.runs.truncate(1);
        insta::assert_snapshot!(summary(&report), @"interrupted after 1 setup: 1 as expected; 13 attempts, 1,900 signals, 1,012 of them in the window; 12.0 s; seed 7");
    }
}
