//! The mending "refuse loudly": a note that refuses signal handlers is seen to refuse, by each technique, and
//! deadlocks once it is blind.

use serde_json::Value;
use sigproof_tests::turn;

use crate::outcomes::json;

/// How often an outcome was observed in a run.
fn times(run: &Value, outcome: &str) -> u64 {
    run["observed"][outcome].as_u64().unwrap_or(0)
}

/// The runs of the flavour `refuses` in a report that was as expected.
fn refusing(arguments: &[&str]) -> Vec<Value> {
    let (ran, report) = json(arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let runs = report["runs"].as_array().unwrap().iter().filter(|run| run["flavour"] == "refuses");
    let runs: Vec<_> = runs.cloned().collect();
    assert!(!runs.is_empty(), "{report:#}");
    runs
}

fn assert_refused(run: &Value) {
    assert_eq!((&run["variant"], &run["note"]), (&"fixed".into(), &"sema".into()));
    assert!(times(run, "refused") > 0 && times(run, "self-deadlock") == 0, "{run:#}");
    assert_eq!(run["expected"]["refused"], "must-occur", "{run:#}");
    assert!(run["expected"].get("self-deadlock").is_none_or(|grade| grade == "never"), "{run:#}");
}

#[test]
fn real_signals_are_refused() {
    for case in ["darwin-sigqueue-note", "darwin-profbuf-blocking-read"] {
        for run in refusing(&["stress", case, "--flavour", "refuses", "--jobs", "1"]) {
            assert_refused(&run);
            let said = run["diagnosis"]["sentence"].as_str().unwrap();
            assert!(said.contains("refused to wake from the signal handler"), "{said}");
        }
    }
}

#[test]
fn a_signal_at_every_instruction_is_refused_or_its_wake_up_not_needed() {
    let _turn = turn();
    for run in refusing(&["step", "darwin-sigqueue-note", "--note", "sema", "--variant", "fixed"]) {
        if run["verdict"] == "skipped" {
            eprintln!("skipped: {}", run["reason"].as_str().expect("a reason is given"));
            continue;
        }
        assert_refused(&run);
    }
}

#[test]
fn a_modelled_handler_is_refused() {
    for run in refusing(&["model", "darwin-sigqueue-note", "--note", "sema", "--variant", "fixed"]) {
        assert_refused(&run);
    }
}

#[test]
fn a_refusal_that_is_blind_deadlocks() {
    let (ran, report) = json(&["stress", "selftest-refusal-blind"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let run = &report["runs"][0];
    assert!(times(run, "self-deadlock") > 0 && times(run, "refused") == 0, "{run:#}");
}
