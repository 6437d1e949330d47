//! The benchmarks, in runs so short that nothing but the ways of the numbers is tried; and what is said where
//! there is no Go.

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use rstest::rstest;
use serde_json::Value;
use sigproof_oracle::bench::{DEPTHS, Reader};
use sigproof_tests::run;

use crate::interrupt::{assert_none_started_by, command_interrupted_after};
use crate::outcomes::json;

/// The elements of an array in a report.
fn all<'a>(report: &'a Value, key: &str) -> &'a [Value] {
    report[key].as_array().unwrap()
}

#[test]
fn what_is_no_toolchain_is_said_with_a_remedy() {
    let ran = run(&["bench", "--go", "not-a-goroot"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{}", ran.stderr);
    for word in ["not-a-goroot is no GOROOT", "https://go.dev/dl", "--without-go"] {
        assert!(ran.stderr.contains(word), "{}", ran.stderr);
    }
}

#[rstest]
#[case::flag(&["--fast"], "--fast")]
#[case::group(&["speed"], "speed")]
#[case::passes(&["--passes", "0"], "--passes")]
#[case::go_or_not(&["--without-go", "--go", "there"], "--without-go")]
#[case::part_of_a_page(&["record", "--write"], "--write")]
#[case::goals_of_nothing(&["latency", "--check"], "--check")]
#[case::no_test(&["--report", "junit=-"], "json=PATH")]
fn what_makes_no_sense_is_wrong_usage(#[case] arguments: &[&str], #[case] word: &str) {
    let ran = run(&[&["bench"], arguments].concat());
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains(word), "{}", ran.stderr);
}

#[test]
fn a_run_without_go_has_all_the_others() {
    let (ran, report) = json(&["bench", "--without-go", "--tiny", "--passes", "2"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(report["schema"], "sigproof.bench/1");
    // Ours twice, rtrb and memcpy.
    assert_eq!(all(&report, "costs").len(), 4 * DEPTHS.len() * 2, "{report:#}");
    assert!(all(&report, "costs").iter().all(|cost| cost["nanoseconds"].as_f64().unwrap() > 0.0), "{report:#}");
    for seen in all(&report, "traffic").iter().map(|traffic| &traffic["seen"]) {
        let number = |key: &str| seen[key].as_u64().unwrap();
        assert!(number("records") > 0 && number("lost") <= number("records"), "{seen:#}");
        assert!(number("writing_ns") <= number("wall_ns"), "{seen:#}");
    }
    for reader in [Reader::Blocking, Reader::Polling].map(Reader::as_str) {
        assert!(all(&report, "traffic").iter().any(|traffic| traffic["reader"] == reader), "{report:#}");
    }
    for note in sigproof_casebook::REGISTRY.notes().wakes_from_handler().filter(|note| note.available()) {
        let of_note: Vec<_> = all(&report, "latencies").iter().filter(|one| one["note"] == note.name).collect();
        assert!(of_note.len() == 2 && of_note.iter().all(|one| one["in_handler"] == true), "{}: {report:#}", note.name);
    }
    assert_eq!(report["skipped"], serde_json::json!(["Go: left out, as asked for"]));
    let goals = all(&report, "goals");
    assert!(!goals.is_empty() && goals.iter().all(|goal| goal["theirs"] == "rtrb"), "{goals:#?}");
    for word in ["goals met; 2 passes", "memcpy", "paced", "in a handler"] {
        assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
    }
}

#[rstest]
#[case::key_in_a_terminal("a", |pid| killpg(pid, Signal::SIGINT).unwrap(), Some(130))]
#[case::to_the_parent_alone("b", |pid| kill(pid, Signal::SIGTERM).unwrap(), Some(130))]
#[case::killed("c", |pid| kill(pid, Signal::SIGKILL).unwrap(), None)]
fn an_interruption_prints_what_was_measured(#[case] mark: &str, #[case] send: fn(Pid), #[case] code: Option<i32>) {
    let mut command = sigproof_tests::xtask(&["bench", "record", "--without-go", "--tiny", "--passes", "100000"]);
    command.env("SIGPROOF_TEST_BENCH", mark);
    let (found, stdout, stderr) = command_interrupted_after("record, pass 1:", command, send);
    assert_eq!(found, code, "{stderr}");
    if code.is_some() {
        assert!(stdout.contains("rtrb") && stdout.contains("interrupted after"), "{stdout}");
    }
    assert_none_started_by(&format!("SIGPROOF_TEST_BENCH={mark}"));
}
