//! Models: their verdicts, what bounds and budgets do to them, and counterexamples that come back.

use rstest::rstest;
use serde_json::Value;
use sigproof_tests::{Ran, run};

const BROKEN: &[&str] =
    &["model", "darwin-profbuf-blocking-read", "--note", "sema", "--mode", "blocking", "--variant", "broken"];

/// A run with its JSON on the standard output.
fn json(arguments: &[&str]) -> (Ran, Value) {
    let ran = run(&[arguments, &["--report", "json=-"]].concat());
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:#?}"));
    (ran, report)
}

/// The words of a printed command, behind `cargo xtask`.
fn words(command: &str) -> Vec<&str> {
    command.strip_prefix("cargo xtask ").unwrap().split(' ').collect()
}

#[test]
fn a_bug_is_found_told_and_replayed() {
    let (ran, report) = json(BROKEN);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let run_of = &report["runs"][0];
    assert_eq!((&run_of["technique"], &run_of["verdict"]), (&"model".into(), &"as-expected".into()));
    assert_eq!(run_of["exhausted"], false, "a search that ends at a failure is not exhausted");
    let finding = &run_of["diagnosis"];
    assert_eq!(finding["outcome"], "self-deadlock");
    let steps = finding["details"]["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["depth"] == 1), "the handler's steps are among them");
    let text = finding["text"].as_str().unwrap();
    assert!(text.contains("thread main") && text.contains("locks mutex "), "{text}");
    assert!(text.contains("crates/") || text.contains("osnote/src/"), "{text}");

    let replay = finding["replay"].as_str().unwrap();
    let (again, repeated) = json(&words(replay));
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    let same = &repeated["runs"][0]["diagnosis"];
    for key in ["outcome", "sentence", "replay"] {
        assert_eq!(same[key], finding[key], "{key}");
    }
    // Addresses differ from run to run; everything else is the same execution.
    let plain = |finding: &Value| {
        let steps = finding["details"]["steps"].as_array().unwrap().iter();
        steps.map(|s| (s["thread"].clone(), s["depth"].clone(), s["line"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(plain(same), plain(finding));
}

#[test]
fn a_fix_holds_in_every_execution() {
    let arguments =
        ["model", "darwin-profbuf-blocking-read", "--note", "sema", "--variant", "fixed", "--preemptions", "unbounded"];
    let (ran, report) = json(&arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let run_of = &report["runs"][0];
    assert_eq!((&run_of["verdict"], &run_of["exhausted"]), (&"as-expected".into(), &true.into()), "{run_of:#}");
    assert!(run_of["signals"].as_u64().unwrap() > 0, "signals were delivered");
    assert!(run_of["tuples"].as_u64().unwrap() > 1 && run_of["not_exhausted"].is_null(), "{run_of:#}");
}

#[test]
fn a_bound_is_told_and_is_no_proof() {
    let arguments =
        ["model", "darwin-profbuf-blocking-read", "--note", "pipe", "--mode", "blocking", "--preemptions", "1"];
    let (ran, report) = json(&arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(report["runs"][0]["not_exhausted"], "preemption bound 1");
    assert!(ran.stderr.contains("no: preemption bound 1"), "{}", ran.stderr);
}

#[test]
fn a_budget_that_runs_out_is_inconclusive() {
    let arguments = ["model", "darwin-profbuf-blocking-read", "--note", "futex", "--mode", "blocking"];
    let (ran, report) = json(&[&arguments[..], &["--preemptions", "unbounded", "--budget", "300ms"]].concat());
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let run_of = &report["runs"][0];
    assert_eq!((&run_of["verdict"], &run_of["exhausted"]), (&"inconclusive".into(), &false.into()));
    assert_eq!(run_of["not_exhausted"], "time budget");
}

#[test]
fn a_bug_that_lies_deeper_than_asked_is_inconclusive() {
    let (ran, report) = json(&[BROKEN, &["--deliveries", "0"]].concat());
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(report["runs"][0]["verdict"], "inconclusive");
}

#[rstest]
#[case::model(&["model", "darwin-profbuf-blocking-red"], "'darwin-profbuf-blocking-read'")]
#[case::note(&["model", "--note", "futx"], "'futex'")]
#[case::preemptions(&["model", "--preemptions", "many"], "'unbounded'")]
#[case::nothing(&["model", "darwin-profbuf-blocking-read", "--note", "futex", "--variant", "broken"], "no chosen model")]
#[case::exclusive(&["model", "--deep", "--deliveries", "1"], "cannot be used with")]
#[case::no_token(&["replay", "nonsense"], "not a replay token")]
#[case::no_such_model(&["replay", "a-model/broken@none@A"], "no model is called 'a-model/broken'")]
fn wrong_usage_is_told_before_anything_is_built(#[case] arguments: &[&str], #[case] said: &str) {
    let ran = run(arguments);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
}

#[test]
fn choices_of_another_source_are_inconclusive() {
    // The first choice is of a kind that does not come there.
    let ran = run(&["replay", "darwin-profbuf-blocking-read/broken/sema/blocking@s29h0@ppppp"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stdout.contains("does not fit this source"), "{}", ran.stdout);
    let ran = run(&["replay", "darwin-profbuf-blocking-read/broken/sema/blocking@none@A"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stdout.contains("does not fail"), "{}", ran.stdout);
}
