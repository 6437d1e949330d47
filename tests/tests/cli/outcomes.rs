//! What children do is an outcome, never the end of the harness; and the exit codes that follow.

use std::process::Stdio;

use rstest::rstest;
use serde_json::Value;
pub use sigproof_tests::json;
use sigproof_tests::{finish, xtask};

use crate::interrupt::assert_none_started_by;

#[rstest]
#[case("selftest-crash", "crash", "exited with code 101")]
#[case("selftest-kill", "crash", "SIGILL")]
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

/// Somebody else ended the child, or holds it: that is no outcome of its case.
#[rstest]
#[case("selftest-killed-from-outside", &["SIGKILL", "from outside", "3 times", "memory"])]
#[case("selftest-out-of-memory", &["memory allocation of 8 bytes failed", "3 times"])]
#[case("selftest-stopped", &["stopped", "SIGSTOP", "debugger"])]
fn a_child_that_others_ended_or_hold_is_no_outcome(#[case] case: &str, #[case] words: &[&str]) {
    let (ran, report) = json(&["stress", case, "--attempts", "2"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let run = &report["runs"][0];
    assert_eq!((&run["verdict"], &run["observed"]), (&"skipped".into(), &serde_json::json!({})), "{run:#}");
    let reason = run["reason"].as_str().unwrap();
    words.iter().for_each(|word| assert!(reason.contains(word), "{word}: {reason}"));
}

/// Takes the whole patience of a minute: there is nothing else by which it could be known.
#[test]
fn a_child_that_stands_still_for_an_unknown_reason_ends() {
    let (ran, report) = json(&["stress", "selftest-unknown-sleep", "--attempts", "1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let sentence = report["runs"][0]["diagnosis"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("no progress for 60 s; not understood why"), "{sentence}");
}

/// The coverage that a fixed variant has to reach rests on these numbers. The child compares them with its
/// own, signal by signal.
#[test]
fn signals_are_counted_once_and_where_they_hit() {
    let (ran, report) = json(&["stress", "selftest-counts", "--attempts", "4", "--rounds", "50"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let run = &report["runs"][0];
    assert_eq!(run["observed"], serde_json::json!({"delivered": 4}), "{run:#}");
    // A signal before, one inside and one behind the window in each round; some of those inside may hit a
    // system call.
    assert_eq!(run["signals"], 3 * 50 * 4, "{run:#}");
    let inside = run["signals_in_window"].as_u64().unwrap();
    assert!(0 < inside && inside <= 50 * 4, "{run:#}");
}

/// No hang is looked for before the attempt begins, and an unexpected spin is looked at for long; a child
/// that was killed from outside is made again; signals that a case raises itself are counted where they hit.
#[rstest]
#[case("selftest-slow-start")]
#[case("selftest-long-work")]
#[case("selftest-phased-work")]
#[case("selftest-killed-once")]
#[case("selftest-window-counts")]
fn supervision_takes_nothing_for_what_it_is_not(#[case] case: &str) {
    let (ran, report) = json(&["stress", case, "--attempts", "3", "--rounds", "20"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(report["runs"][0]["observed"], serde_json::json!({"delivered": 3}), "{report:#}");
}

/// The child says which seed it was given; that is the one that is told, and the one with which the attempt
/// is repeated.
#[test]
fn the_seed_that_is_told_is_the_one_that_was_used() {
    let (_, report) = json(&["stress", "selftest-seed", "--attempts", "4", "--seed", "40"]);
    let run = &report["runs"][0];
    assert_eq!(run["observed"], serde_json::json!({"late": 2, "corrupt record": 2}), "{run:#}");
    for (finding, seed) in [(&run["diagnosis"], 40), (&run["more_diagnoses"][0], 41)] {
        assert_eq!(finding["sentence"], format!("the seed is {seed}"));
        let replay = finding["replay"].as_str().unwrap();
        let words: Vec<_> = replay.strip_prefix("cargo xtask ").unwrap().split(' ').collect();
        assert!(replay.contains(&format!("--seed {seed} ")), "{replay}");
        let (_, again) = json(&words);
        assert_eq!(again["runs"][0]["diagnosis"]["sentence"], finding["sentence"], "{replay}");
    }
}

/// A budget is a bound of the time: a child finishes its round, and one that does not is ended.
#[rstest]
#[case::it_finishes("selftest-slow", Some(0), serde_json::json!({"delivered": 1}))]
#[case::it_does_not("selftest-deaf", Some(3), serde_json::json!({}))]
fn a_duration_ends_an_attempt_of_many_rounds(#[case] case: &str, #[case] code: Option<i32>, #[case] observed: Value) {
    let (ran, report) = json(&["stress", case, "--duration", "300ms", "--rounds", "1000000000"]);
    assert_eq!((ran.code, &report["runs"][0]["observed"]), (code, &observed), "{}", ran.stderr);
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
    // Children inherit it, and their children: other runs of this machine do not have it.
    let mark = std::process::id().to_string();
    let mut command = xtask(&["stress", "selftest-grandchild", "--attempts", "1"]);
    command.env("SIGPROOF_TEST_OF_GRANDCHILD", &mark).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = finish(command.spawn().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("1 as expected"), "{}", ran.stdout);
    assert_none_started_by(&format!("SIGPROOF_TEST_OF_GRANDCHILD={mark}"));
}

/// Attempts that never met their window are no honest effort.
#[test]
fn a_broken_variant_whose_window_was_not_hit_has_not_stopped_reproducing() {
    let arguments = ["stress", "atomic64-spinlock", "--variant", "broken", "--rounds", "1", "--attempts", "12"];
    let (ran, report) = json(&arguments);
    let run = &report["runs"][0];
    assert_eq!((ran.code, &run["verdict"]), (Some(3), &"inconclusive".into()), "{run:#}");
    assert!(run["reason"].as_str().unwrap().contains("hit the window"), "{run:#}");
}
