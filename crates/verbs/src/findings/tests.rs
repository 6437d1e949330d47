//! Tests of the findings, and the reports that the tests of other files use too.

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

/// A report of sweeps: vulnerable as it must be, and as it must not; one that was not swept, and one that
/// died.
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
        replay: Some("cargo xtask replay darwin-sigqueue-note/broken/sema@receive@k46@libc.so.6+0x9@lock+0x4#1".into()),
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

/// The text as a stream without colours gets it.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn line(technique: Technique, report: &Report) -> String {
    plain(&summary(technique, report))
}

#[test]
fn what_sweeps_found() {
    insta::assert_snapshot!("sweeps", plain(&render(&swept(), View { maps: Maps::All, ..View::WHOLE })));
    insta::assert_snapshot!(
        "sweeps_with_few_maps",
        plain(&render(&swept(), View { stacks: Stacks::First, ..View::WHOLE }))
    );
}

#[test]
fn every_finding_and_every_reason() {
    insta::assert_snapshot!(plain(&render(&example(), View::WHOLE)));
}

/// Expected findings with stacks: two outcomes in two cases each, and one in two setups that say the same;
/// and one unexpected.
fn many() -> Report {
    let mut report = example();
    let (broken, bad) = (report.runs[0].clone(), report.runs[1].clone());
    let again = |case: &str, note: &str, outcome: Outcome, sentence: &str| {
        let setup = SetupId { case: case.to_owned(), note: Some(note.to_owned()), ..broken.setup.clone() };
        let mut run = Run { setup, diagnosis: None, ..broken.clone() };
        let text = format!("{sentence}\n  frames of {case}");
        run.add_finding(Finding { text, ..Finding::new(outcome, sentence) });
        run
    };
    report.runs = vec![
        again("one", "sema", Outcome::SelfDeadlock, "thread 1 waits"),
        again("two", "sema", Outcome::SelfDeadlock, "thread 2 waits"),
        again("two", "futex", Outcome::LostWakeup, "thread 3 sleeps"),
        again("two", "pipe", Outcome::LostWakeup, "thread 3 sleeps"),
        again("two", "eventfd", Outcome::LostWakeup, "thread 3 sleeps"),
        Run { observed: [(Outcome::SelfDeadlock, 1)].into(), ..bad },
    ];
    let unexpected = report.runs.last_mut().unwrap();
    unexpected.diagnosis = None;
    let text = "thread 4 waits\n  frames of the unexpected one".to_owned();
    unexpected.add_finding(Finding { text, ..Finding::new(Outcome::SelfDeadlock, "thread 4 waits") });
    report
}

#[test]
fn of_many_expected_findings_the_first_of_each_kind_has_stacks() {
    let shown = |verbose| plain(&render(&many(), View::of(ShownArgs { verbose }, many().runs.len())));
    let count = |text: &str, word: &str| text.matches(word).count();
    let text = shown(false);
    insta::assert_snapshot!("many_findings", text);
    assert_eq!((count(&text, "frames of"), count(&text, "frames of two")), (3, 1), "{text}");
    let all = shown(true);
    assert_eq!((count(&all, "frames of"), count(&all, "\n## ")), (6, 7), "--verbose prints each: {all}");
}

#[test]
fn an_expected_finding_of_a_fixed_variant_is_printed_only_of_few_setups() {
    let mut report = many();
    let run = &mut report.runs[0];
    (run.setup.variant, run.verdict) = (Variant::Fixed, Verdict::AsExpected);
    let told = |report: &Report| plain(&render(report, View::of(ShownArgs::default(), report.runs.len())));
    assert!(!told(&report).contains("thread 1 waits"), "{}", told(&report));
    report.runs[0].verdict = Verdict::Inconclusive;
    assert!(told(&report).contains("thread 1 waits"));
    report.runs[0].verdict = Verdict::AsExpected;
    report.runs.truncate(FEW);
    assert!(told(&report).contains("thread 1 waits"));
}

#[test]
fn of_few_findings_each_has_stacks() {
    let mut report = many();
    report.runs.truncate(FEW);
    let view = View::of(ShownArgs::default(), report.runs.len());
    assert_eq!(view.stacks, Stacks::Each);
    assert_eq!(plain(&render(&report, view)).matches("frames of").count(), FEW);
}

#[test]
fn verdicts_and_outcomes_are_painted() {
    let (red, magenta, yellow) = ("\u{1b}[91m", "\u{1b}[95m", "\u{1b}[93m");
    let text = render(&example(), View::WHOLE);
    for painted in [format!("{magenta}self-deadlock"), format!("{red}crash"), format!("{yellow}inconclusive")] {
        assert!(text.contains(&painted), "{painted:?}: {text:?}");
    }
    let line = summary(Technique::Stress, &example());
    assert!(line.contains(&format!("{red}1 unexpected\u{1b}[0m")), "{line:?}");
}

#[test]
fn one_line_says_it_all() {
    let mut report = example();
    insta::assert_snapshot!(line(Technique::Stress, &report), @"4 setups: 1 as expected, 1 unexpected, 1 inconclusive, 1 skipped; 17 attempts, 1,900 signals, 1,012 of them in the window; 12.0 s; seed 7");
    insta::assert_snapshot!(line(Technique::Step, &swept()), @"5 windows: 2 as expected, 2 unexpected, 1 skipped; 1,416 boundaries, 7 of them without a signal, 63 vulnerable; engine breakpoint; 14.2 s");
    report.interrupted = true;
    report.runs.truncate(1);
    insta::assert_snapshot!(line(Technique::Stress, &report), @"interrupted after 1 setup: 1 as expected; 13 attempts, 1,900 signals, 1,012 of them in the window; 12.0 s; seed 7");
    report.runs.clear();
    let early = [Technique::Stress, Technique::Model, Technique::Step, Technique::Upstream].map(|t| line(t, &report));
    for (said, thing) in early.iter().zip(["setups", "models", "windows", "reproducers"]) {
        assert!(said.starts_with(&format!("interrupted after 0 {thing}: 0 as expected; ")), "{said}");
    }
}
