//! What children do is an outcome, never the end of the harness; and the exit codes that follow.

use rstest::rstest;
pub use sigproof_tests::json;

#[rstest]
#[case("selftest-crash", "crash", "exited with code 101")]
#[case("selftest-kill", "crash", "SIGKILL")]
#[case("selftest-exit", "crash", "in the midst")]
#[case("selftest-garbage", "crash", "nonsense")]
#[case("selftest-cross-deadlock", "cross deadlock", "thread")]
#[case("selftest-lost-wakeup", "lost wake-up", "thread")]
#[case("selftest-errno", "errno spoiled", "errno")]
fn a_child_that_misbehaves_is_an_outcome(#[case] case: &str, #[case] outcome: &str, #[case] sentence: &str) {
    let (ran, report) = json(&["stress", case, "--attempts", "2"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(report["schema"], "sigproof.report/1");
    let run = &report["runs"][0];
    assert_eq!((&run["case"], &run["verdict"]), (&case.into(), &"as-expected".into()));
    assert_eq!(run["observed"], serde_json::json!({outcome: 2}), "{run:#}");
    let said = run["diagnosis"]["sentence"].as_str().unwrap();
    assert!(said.contains(sentence), "{said}");
    assert!(ran.stderr.contains(said), "people are told the same: {}", ran.stderr);
}

#[test]
fn a_slow_child_is_not_called_stuck() {
    let (ran, report) = json(&["stress", "selftest-slow", "--attempts", "3", "--rounds", "8"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(report["runs"][0]["observed"], serde_json::json!({"delivered": 3}));
}

#[test]
fn a_bug_and_its_mending_side_by_side() {
    let (ran, report) = json(&["stress", "semasleep-spurious-timeout", "--attempts", "3"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let runs = report["runs"].as_array().unwrap();
    let by_variant = |variant: &str| runs.iter().find(|r| r["variant"] == variant).unwrap();
    let (broken, fixed) = (by_variant("broken"), by_variant("fixed"));
    assert!(broken["observed"]["late"].as_u64().unwrap() >= 1, "{broken:#}");
    assert_eq!(fixed["observed"], serde_json::json!({"delivered": 3}), "{fixed:#}");
    assert!(broken["first_seconds"].as_f64().unwrap() > 0.0 && fixed["first_seconds"].is_null());
    assert!(broken["diagnosis"]["sentence"].is_string() && fixed["diagnosis"].is_null());
}

#[rstest]
#[case::a_bug_where_none_may_be("selftest-unexpected-crash", 1, 1, "unexpected")]
#[case::a_broken_variant_that_shows_none("selftest-mended", 10, 1, "unexpected")]
#[case::a_broken_variant_not_tried_often_enough("selftest-mended", 9, 3, "inconclusive")]
fn what_is_not_as_expected_is_an_exit_code(
    #[case] case: &str,
    #[case] attempts: u64,
    #[case] code: i32,
    #[case] verdict: &str,
) {
    let (ran, report) = json(&["stress", case, "--attempts", &attempts.to_string()]);
    assert_eq!(ran.code, Some(code), "{}", ran.stderr);
    let run = &report["runs"][0];
    assert_eq!((&run["verdict"], &run["attempts"]), (&verdict.into(), &attempts.into()));
    assert!(run["reason"].is_string(), "{run:#}");
}

#[test]
fn a_budget_that_runs_out_is_inconclusive() {
    let arguments =
        ["stress", "note-interval-sleep", "--variant", "fixed", "--duration", "200ms", "--coverage", "1000000000"];
    let (ran, report) = json(&arguments);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(report["runs"][0]["verdict"], "inconclusive");
    assert!(report["runs"][0]["reason"].is_string());
}

#[test]
fn what_is_printed_to_repeat_a_run_can_be_typed() {
    let (_, report) =
        json(&["stress", "semasleep-spurious-timeout", "--variant", "broken", "--attempts", "2", "--seed", "5"]);
    let run = &report["runs"][0];
    let of_finding = run["diagnosis"]["replay"].as_str().unwrap();
    assert!(of_finding.contains("--seed 5 "), "{of_finding}");
    for command in [of_finding, run["replay"].as_str().unwrap()] {
        let words: Vec<_> = command.strip_prefix("cargo xtask ").unwrap().split(' ').collect();
        let (ran, again) = json(&[&words[..], &["--duration", "2s"]].concat());
        assert!(matches!(ran.code, Some(0 | 3)), "{command}: {}", ran.stderr);
        let again = &again["runs"][0];
        for key in ["case", "variant", "note", "mode"] {
            assert_eq!(again[key], run[key], "{key} of {command}");
        }
    }
}

#[test]
fn a_child_leaves_no_process_behind() {
    let (ran, report) = json(&["stress", "selftest-grandchild", "--attempts", "1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(report["runs"][0]["verdict"], "as-expected");
    crate::interrupt::assert_nothing_runs(&["sleep", "3600"]);
}
