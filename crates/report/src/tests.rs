//! The report's shape, its way there and back, and the ways in which writing it can fail.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

use rstest::rstest;
use serde_json::{Value, json};

use super::seen::{Counts, Exhaustion, Explored, Folded, Model, Step, Upstream, Weakened};
use super::write::{Format, Target, TargetError};
use super::*;

/// A report with each verdict in it, and the same on every machine.
fn example() -> Report {
    let mut broken = Run {
        observed: [(Outcome::SelfDeadlock, 3), (Outcome::Delivered, 1), (Outcome::CrossDeadlock, 1)].into(),
        verdict: Verdict::AsExpected,
        attempts: 5,
        signals: 700,
        signals_in_window: 41,
        first_seconds: Some(0.005),
        first_seconds_median: Some(0.006),
        first_seconds_p95: Some(0.008),
        elapsed_seconds: 0.25,
        replay: Some("cargo xtask stress a-case --note sema --mode blocking --variant broken --seed 7".to_owned()),
        ..Run::new(
            Technique::Stress,
            SetupId {
                note: Some("sema".to_owned()),
                mode: Some(Mode::Blocking),
                ..SetupId::new("a-case", Variant::Broken)
            },
            Expected::broken(Outcome::SelfDeadlock).with(Outcome::CrossDeadlock, Grade::MayOccur),
        )
    };
    broken.add_finding(Finding {
        text: "thread 5103 \"reader\"\n  #0 futex_wait".to_owned(),
        details: json!({"kind": "self-deadlock", "threads": []}),
        seconds: Some(0.005),
        ..Finding::new(Outcome::SelfDeadlock, "thread 5103 waits in a signal handler for mutex S.m, which it owns")
    });
    broken.add_finding(Finding::new(Outcome::CrossDeadlock, "threads 1 and 2 wait for each other"));
    let bad = Run {
        observed: [(Outcome::Crash, 1)].into(),
        verdict: Verdict::Unexpected,
        attempts: 1,
        diagnosis: Some(Finding::new(Outcome::Crash, "killed by signal 9 <&>")),
        reason: Some("crash was seen and must never occur".to_owned()),
        seen: Seen::Step(Box::new(Step {
            window: Some("write".to_owned()),
            counts: Some(Counts { boundaries: 167, microseconds_per_execution: 12.5, ..Counts::default() }),
            ..Step::default()
        })),
        ..Run::new(
            Technique::Step,
            SetupId { flavour: Some("fork-lock".to_owned()), ..SetupId::new("a-case", Variant::Fixed) },
            Expected::delivered(),
        )
    };
    let budget = Run {
        verdict: Verdict::Inconclusive,
        reason: Some("the budget of 1 s ran out".to_owned()),
        ..Run::new(Technique::Model, SetupId::new("b-case", Variant::Fixed), Expected::delivered())
    };
    let skipped = Run {
        reason: Some("needs macOS".to_owned()),
        ..Run::new(Technique::Stress, SetupId::new("b-case", Variant::Fixed), Expected::delivered())
    };
    Report {
        schema: SCHEMA.to_owned(),
        host: Host {
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            kernel: "6.1.0".to_owned(),
            libc: "glibc 2.36".to_owned(),
            cpus: 2,
        },
        seed: Some(7),
        elapsed_seconds: 0.5,
        interrupted: false,
        runs: vec![broken, bad, budget, skipped],
    }
}

#[test]
fn the_schema_is_what_it_was() {
    insta::assert_snapshot!(example().to_json().unwrap());
}

#[test]
fn every_field_of_the_schema_is_always_there() {
    let json: Value = serde_json::from_str(&example().to_json().unwrap()).unwrap();
    let promised = [
        "technique",
        "case",
        "variant",
        "note",
        "mode",
        "expected",
        "observed",
        "verdict",
        "attempts",
        "signals",
        "signals_in_window",
        "first_seconds",
        "diagnosis",
        "replay",
        "reason",
    ];
    assert_eq!(json["schema"], "sigproof.report/1");
    for run in json["runs"].as_array().unwrap() {
        for field in promised {
            assert!(run.get(field).is_some(), "{field} is missing in {run}");
        }
    }
}

#[test]
fn what_is_written_is_read_back() {
    let report = example();
    let text = report.to_json().unwrap();
    assert_eq!(Report::from_json(&text).unwrap(), report);
    let read = Report::from_json(&text).unwrap();
    assert_eq!(read.runs[1].step().unwrap().counts.as_ref().unwrap().boundaries, 167);
}

#[test]
fn a_reader_ignores_new_fields_but_not_another_version() {
    let mut json: Value = serde_json::to_value(example()).unwrap();
    json["later"] = json!("a field of a later day");
    json["host"]["later"] = json!(1);
    assert_eq!(Report::from_json(&json.to_string()).unwrap(), example());
    json["schema"] = json!("sigproof.report/2");
    assert!(matches!(Report::from_json(&json.to_string()), Err(ReadError::Schema(s)) if s == "sigproof.report/2"));
    assert!(matches!(Report::from_json("{}"), Err(ReadError::Shape(_))));
}

#[test]
fn junit_is_what_it_was() {
    insta::assert_snapshot!(junit::render(&example()).unwrap());
}

/// The report of each technique is read back unchanged, with its own type.
#[rstest]
#[case::a_window_that_was_not_swept(Seen::Step(Box::new(Step { engine: Some("trap-flag".to_owned()), ..Step::default() })))]
#[case::one_boundary(Seen::Step(Box::new(Step {
    counts: Some(Counts { boundaries: 3, without_signal: Some(Outcome::Late), not_visited: Some(2), ..Counts::default() }),
    map: Some("k 1".to_owned()),
    moved: Some("4 bytes".to_owned()),
    ..Step::default()
})))]
#[case::a_sweep(Seen::Step(Box::new(Step { counts: Some(Counts::default()), folded: Some(Folded::default()), ..Step::default() })))]
#[case::a_model(Seen::Model(Box::new(Model {
    explored: Some(Explored { executions: 7, preemptions: None, ..Explored::default() }),
    end: Some(Exhaustion { exhausted: true, not_exhausted: None }),
    weakened: None,
})))]
#[case::a_model_that_died(Seen::Model(Box::new(Model { end: Some(Exhaustion::cut("it died")), ..Model::default() })))]
#[case::a_weakening(Seen::Model(Box::new(Model { weakened: Some(Weakened::default()), ..Model::default() })))]
#[case::nothing(Seen::Model(Box::default()))]
#[case::conform(Seen::Conform(Box::default()))]
#[case::upstream(Seen::Upstream(Upstream { lost: Some(0), ..Upstream::default() }))]
fn each_technique_s_own_fields_are_read_back(#[case] seen: Seen) {
    let setup = SetupId::new("a", Variant::Broken);
    let run = Run { seen, ..Run::new(Technique::Stress, setup, Expected::broken(Outcome::Late)) };
    let text = serde_json::to_string(&run).unwrap();
    assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), run, "{text}");
}

#[test]
fn one_finding_for_each_kind_of_outcome() {
    let mut run = Run::new(Technique::Stress, SetupId::new("a", Variant::Broken), Expected::broken(Outcome::Late));
    assert!(run.add_finding(Finding::new(Outcome::Late, "first")));
    assert!(run.add_finding(Finding::new(Outcome::Crash, "second")));
    assert!(!run.add_finding(Finding::new(Outcome::Late, "third")));
    assert!(!run.add_finding(Finding::new(Outcome::Crash, "fourth")));
    let sentences: Vec<_> = run.findings().map(|f| f.sentence.as_str()).collect();
    assert_eq!(sentences, ["first", "second"]);
}

#[test]
fn words_are_those_of_the_json() {
    for verdict in Verdict::ALL {
        assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.as_str());
    }
    let techniques = [Technique::Stress, Technique::Step, Technique::Model, Technique::Conform, Technique::Upstream];
    for technique in techniques {
        assert_eq!(serde_json::to_value(Seen::from(technique)).unwrap()["technique"], technique.as_str());
    }
}

#[test]
fn forbidden_and_missing_outcomes_are_told() {
    let report = example();
    assert_eq!(report.runs[0].forbidden().count(), 0);
    assert_eq!(report.runs[0].missing().count(), 0);
    assert_eq!(report.runs[1].forbidden().collect::<Vec<_>>(), [(Outcome::Crash, 1)]);
    assert_eq!(report.runs[1].missing().collect::<Vec<_>>(), [Outcome::Delivered]);
    assert_eq!(report.runs[0].setup.setup(), "broken/sema/blocking");
    assert_eq!(report.runs[1].setup.setup(), "fixed/fork-lock");
    assert_eq!((report.runs[0].title().as_str(), report.runs[0].window()), ("broken/sema/blocking", None));
    assert_eq!((report.runs[1].title().as_str(), report.runs[1].window()), ("fixed/fork-lock@write", Some("write")));
}

#[rstest]
#[case::json("json=a/b.json", Ok(Target { format: Format::Json, path: Some("a/b.json".into()) }))]
#[case::equals_in_path("json=a=b", Ok(Target { format: Format::Json, path: Some("a=b".into()) }))]
#[case::stdout("junit=-", Ok(Target { format: Format::Junit, path: None }))]
#[case::no_format("out.json", Err(TargetError::NoFormat("out.json".into())))]
#[case::unknown("yaml=x", Err(TargetError::UnknownFormat { word: "yaml".into(), known: "json, junit".into() }))]
#[case::page("html=x", Err(TargetError::UnknownFormat { word: "html".into(), known: "json, junit".into() }))]
#[case::no_path("json=", Err(TargetError::NoPath("json".into())))]
fn targets_are_parsed(#[case] text: &str, #[case] expected: Result<Target, TargetError>) {
    assert_eq!(text.parse::<Target>(), expected);
}

fn json_at(path: &std::path::Path) -> Target {
    Target { format: Format::Json, path: Some(path.to_owned()) }
}

#[test]
fn a_file_is_replaced_whole_and_nothing_stays_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.json");
    fs::write(&path, "x".repeat(100_000)).unwrap();
    json_at(&path).write(&example()).unwrap();
    assert_eq!(Report::from_json(&fs::read_to_string(&path).unwrap()).unwrap(), example());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    assert_eq!(mode, fs::metadata(plain).unwrap().permissions().mode(), "as any new file, by the umask");
}

#[test]
fn a_link_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    fs::write(&real, "").unwrap();
    symlink(&real, &link).unwrap();
    json_at(&link).write(&example()).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(Report::from_json(&fs::read_to_string(&real).unwrap()).is_ok());
}

#[test]
fn a_path_that_does_not_take_it_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("no/such/folder/r.json"), folder.path().to_owned()] {
        let error = json_at(&path).write(&example()).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert!(!error.contains(".sigproof-report"), "the message does not name the temporary file: {error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_full_device_is_an_error_and_stays_a_device() {
    let full = std::path::Path::new("/dev/full");
    if !full.exists() {
        eprintln!("skipped: this platform has no /dev/full");
        return;
    }
    let error = json_at(full).write(&example()).unwrap_err().to_string();
    assert!(error.contains("/dev/full") && error.contains("No space left"), "{error}");
    assert!(fs::metadata(full).unwrap().file_type().is_char_device());
}
