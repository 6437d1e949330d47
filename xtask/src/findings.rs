//! What follows the table: the diagnoses, why something was skipped, and one line that says it all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use sigproof_report::seen::Counts;
use sigproof_report::{Finding, Report, Run, Technique, Verdict};

use crate::units;

/// Which maps of windows are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maps {
    /// Those with vulnerable boundaries, of runs that are not as expected.
    Unexpected,
    /// All.
    All,
}

/// The diagnosis of every kind of bad outcome of every run, the reason of every run that is not as expected, and maps of windows. Of many windows
/// only the sentences are shown where all is as expected: `replay` shows the rest.
pub fn render(report: &Report, maps: Maps) -> String {
    let mut text = String::new();
    for run in &report.runs {
        let mut replayed = false;
        for finding in run.findings() {
            let brief = run.technique() == Technique::Step && maps != Maps::All && run.verdict == Verdict::AsExpected;
            diagnosis(&mut text, run, finding, brief);
            replayed |= finding.replay.is_some();
        }
        let told = |reason: &&String| run.findings().any(|finding| finding.sentence == **reason);
        if let (Verdict::Unexpected | Verdict::Inconclusive, Some(reason)) =
            (run.verdict, run.reason.as_ref().filter(|reason| !told(reason)))
        {
            let _ = writeln!(text, "\n## {} {}: {}\n{reason}", run.setup.case, run.title(), run.verdict);
            if let (false, Some(replay)) = (replayed, &run.replay) {
                let _ = writeln!(text, "repeat with: {replay}");
            }
        }
        swept(&mut text, run, maps);
    }
    skipped(&mut text, &report.runs);
    text
}

fn diagnosis(text: &mut String, run: &Run, finding: &Finding, brief: bool) {
    let grade = match run.forbidden().any(|(outcome, _)| outcome == finding.outcome) {
        true => "must never occur",
        false => "expected of this variant",
    };
    let after = finding.seconds.map(|s| format!(" after {}", units::seconds(s))).unwrap_or_default();
    let _ = writeln!(text, "\n## {} {}: {}{after} ({grade})", run.setup.case, run.title(), finding.outcome);
    // The text of a diagnosis begins with its sentence; one without a text is its sentence.
    if brief || !finding.text.lines().next().is_some_and(|first| first.contains(&finding.sentence)) {
        let _ = writeln!(text, "{}", finding.sentence);
    }
    if !finding.text.is_empty() && !brief {
        let _ = writeln!(text, "{}", finding.text.trim_end());
    }
    if let Some(replay) = finding.replay.as_ref().or(run.replay.as_ref()) {
        let _ = writeln!(text, "repeat with: {replay}");
    }
}

/// What else is to be said of a swept window: what there is to know of a run that is as expected, and the map.
fn swept(text: &mut String, run: &Run, maps: Maps) {
    let Some(step) = run.step() else { return };
    let remark = run.reason.as_deref().filter(|_| run.verdict == Verdict::AsExpected);
    let remarks: Vec<_> = [remark, step.moved.as_deref()].into_iter().flatten().collect();
    let vulnerable = step.counts.as_ref().is_some_and(|counts| counts.vulnerable > 0);
    let wanted = maps == Maps::All || run.verdict == Verdict::Unexpected && vulnerable;
    let map = step.map.as_deref().filter(|map| wanted && !map.is_empty());
    if remarks.is_empty() && map.is_none() {
        return;
    }
    let _ = writeln!(text, "\n## {} {}: the window", run.setup.case, run.title());
    for part in remarks.into_iter().chain(map) {
        let _ = writeln!(text, "{}", part.trim_end());
    }
}

/// What was skipped, by reason.
fn skipped(text: &mut String, runs: &[Run]) {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.verdict == Verdict::Skipped) {
        let reason = run.reason.as_deref().unwrap_or("no reason was given");
        reasons.entry(reason).or_default().push(format!("{} {}", run.setup.case, run.title()));
    }
    for (reason, setups) in reasons {
        let _ = writeln!(text, "\nskipped, {reason}:");
        for setup in setups {
            let _ = writeln!(text, "  {setup}");
        }
    }
}

/// All of it in one line.
pub fn summary(technique: Technique, report: &Report) -> String {
    let of = |verdict: Verdict| report.runs.iter().filter(|run| run.verdict == verdict).count();
    let sum = |what: fn(&Run) -> u64| units::count(report.runs.iter().map(what).sum());
    let verdicts = [Verdict::AsExpected, Verdict::Unexpected, Verdict::Inconclusive, Verdict::Skipped];
    let told = verdicts.map(|v| (v, of(v))).into_iter().filter(|(v, n)| *n > 0 || *v == Verdict::AsExpected);
    let told: Vec<_> = told.map(|(v, n)| format!("{n} {}", v.as_str().replace('-', " "))).collect();
    let (thing, work) = match technique {
        Technique::Model => {
            let whole = report.runs.iter().filter(|run| is_exhausted(run)).count();
            let (executions, signals) = (sum(|r| r.attempts), sum(|r| r.signals));
            ("model", format!("{executions} executions, {signals} signals; {whole} exhausted"))
        }
        Technique::Step => ("window", boundaries(&report.runs)),
        Technique::Upstream => ("reproducer", format!("{} runs", sum(|r| r.attempts))),
        _ => {
            let (attempts, signals, window) = (sum(|r| r.attempts), sum(|r| r.signals), sum(|r| r.signals_in_window));
            ("setup", format!("{attempts} attempts, {signals} signals, {window} of them in the window"))
        }
    };
    format!(
        "{}{}: {}; {work}; {}{}",
        if report.interrupted { "interrupted after " } else { "" },
        units::of(report.runs.len(), thing),
        told.join(", "),
        units::seconds(report.elapsed_seconds),
        report.seed.map(|seed| format!("; seed {seed}")).unwrap_or_default(),
    )
}

fn is_exhausted(run: &Run) -> bool {
    run.model().and_then(|model| model.end.as_ref()).is_some_and(|end| end.exhausted)
}

/// What was done at how many boundaries, and by which means.
fn boundaries(runs: &[Run]) -> String {
    let steps = || runs.iter().filter_map(Run::step);
    let sum =
        |what: fn(&Counts) -> usize| steps().filter_map(|step| step.counts.as_ref()).map(what).sum::<usize>() as u64;
    let missed = match sum(|counts| counts.boundaries.saturating_sub(counts.injected)) {
        0 => String::new(),
        n => format!(", {} of them without a signal", units::count(n)),
    };
    let engines: BTreeSet<&str> = steps().filter_map(|step| step.engine.as_deref()).collect();
    let engines = match engines.len() {
        0 => String::new(),
        _ => format!("; engine {}", engines.into_iter().collect::<Vec<_>>().join(", ")),
    };
    let (all, vulnerable) =
        (units::count(sum(|counts| counts.boundaries)), units::count(sum(|counts| counts.vulnerable)));
    format!("{all} boundaries{missed}, {vulnerable} vulnerable{engines}")
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use sigproof_report::{Expected, Host, Mode, Outcome, SCHEMA, SetupId, Variant};

    /// A report with each verdict in it.
    pub fn example() -> Report {
        let named = |variant, note: &str, mode, expected| {
            let setup = SetupId::new("darwin-profbuf-read", variant);
            Run::new(Technique::Stress, SetupId { note: Some(note.to_owned()), mode: Some(mode), ..setup }, expected)
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
            ..named(Variant::Fixed, "futex", Mode::NonBlocking, Expected::delivered())
        };
        bad.setup.flavour = Some("plain".to_owned());
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

    /// A report of sweeps: vulnerable as it must be, and as it must not; one that was not swept, and one that died.
    pub fn swept() -> Report {
        let named = |variant, window: &str, expected| {
            let setup = SetupId::new("darwin-sigqueue-note", variant);
            let mut run = Run::new(Technique::Step, SetupId { note: Some("sema".to_owned()), ..setup }, expected);
            run.step_mut().unwrap().window = Some(window.to_owned());
            run
        };
        let told = |run: &mut Run, boundaries, injected, vulnerable| {
            let step = run.step_mut().unwrap();
            step.map = Some(format!("{vulnerable} of {boundaries}\n  [....VVVV..]  lock+0x4"));
            step.engine = Some("breakpoint".to_owned());
            step.counts = Some(Counts { boundaries, injected, vulnerable, ..Counts::default() });
            run.elapsed_seconds = 0.31;
        };
        let mut broken = named(Variant::Broken, "receive", Expected::broken(Outcome::SelfDeadlock));
        broken.verdict = Verdict::AsExpected;
        broken.observed = [(Outcome::SelfDeadlock, 62), (Outcome::Delivered, 105)].into();
        told(&mut broken, 167, 167, 62);
        broken.step_mut().unwrap().moved = Some("found by its symbol, 4 bytes from where it was".to_owned());
        broken.add_finding(Finding {
            replay: Some(
                "cargo xtask replay darwin-sigqueue-note/broken/sema@receive@k46@libc.so.6+0x9@lock+0x4#1".into(),
            ),
            ..Finding::new(Outcome::SelfDeadlock, "thread 7 waits for itself")
        });
        let mut bad = named(Variant::Fixed, "send", Expected::delivered());
        bad.verdict = Verdict::Unexpected;
        bad.observed = [(Outcome::LostWakeup, 1), (Outcome::Delivered, 1_232)].into();
        bad.reason = Some("lost wake-up was seen and must never occur".to_owned());
        told(&mut bad, 1_240, 1_233, 1);
        let mut died = named(Variant::Fixed, "receive", Expected::delivered());
        died.verdict = Verdict::Unexpected;
        died.observed = [(Outcome::Crash, 1)].into();
        died.step_mut().unwrap().engine = Some("breakpoint".to_owned());
        died.add_finding(Finding::new(Outcome::Crash, "the process that sweeps exited with code 101"));
        died.reason = Some("the process that sweeps exited with code 101".to_owned());
        died.replay = Some("cargo xtask step darwin-sigqueue-note/fixed/sema@receive".to_owned());
        let mut quiet = named(Variant::Fixed, "close", Expected::delivered());
        quiet.verdict = Verdict::AsExpected;
        quiet.observed = [(Outcome::Delivered, 9)].into();
        told(&mut quiet, 9, 9, 0);
        let mut skipped = named(Variant::Fixed, "wake", Expected::delivered());
        skipped.reason = Some("note 'ulock' needs darwin; run it there".to_owned());
        Report { seed: None, elapsed_seconds: 14.2, runs: vec![broken, bad, died, quiet, skipped], ..example() }
    }

    #[test]
    fn what_sweeps_found() {
        insta::assert_snapshot!("sweeps", render(&swept(), Maps::All));
        insta::assert_snapshot!("sweeps_with_few_maps", render(&swept(), Maps::Unexpected));
    }

    #[test]
    fn every_finding_and_every_reason() {
        insta::assert_snapshot!(render(&example(), Maps::All));
    }

    #[test]
    fn one_line_says_it_all() {
        let mut report = example();
        insta::assert_snapshot!(summary(Technique::Stress, &report), @"4 setups: 1 as expected, 1 unexpected, 1 inconclusive, 1 skipped; 17 attempts, 1,900 signals, 1,012 of them in the window; 12.0 s; seed 7");
        insta::assert_snapshot!(summary(Technique::Step, &swept()), @"5 windows: 2 as expected, 2 unexpected, 1 skipped; 1,416 boundaries, 7 of them without a signal, 63 vulnerable; engine breakpoint; 14.2 s");
        report.interrupted = true;
        report.runs.truncate(1);
        insta::assert_snapshot!(summary(Technique::Stress, &report), @"interrupted after 1 setup: 1 as expected; 13 attempts, 1,900 signals, 1,012 of them in the window; 12.0 s; seed 7");
        report.runs.clear();
        let early =
            [Technique::Stress, Technique::Model, Technique::Step, Technique::Upstream].map(|t| summary(t, &report));
        for (said, thing) in early.iter().zip(["setups", "models", "windows", "reproducers"]) {
            assert!(said.starts_with(&format!("interrupted after 0 {thing}: 0 as expected; ")), "{said}");
        }
    }
}
