//! What a counterexample of the explorer of graphs says of memory orderings, and the table of orderings.

use std::fs;

use rstest::rstest;
use serde_json::Value;
use sigproof_tests::{Ran, run};

/// A run over execution graphs, with its JSON on the standard output.
fn json(arguments: &[&str]) -> (Ran, Value) {
    let ran = run(&[arguments, &["--report", "json=-"]].concat());
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:#?}"));
    (ran, report)
}

/// The finding of a model's broken variant.
fn broken(model: &str) -> Value {
    let (ran, mut report) = json(&["model", model, "--engine", "graph", "--variant", "broken"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    report["runs"][0]["diagnosis"].take()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

#[test]
fn a_message_needs_a_release_and_an_acquire_together() {
    let finding = broken("selftest-message");
    let memory = &finding["details"]["memory"];
    assert_eq!(memory["order"], "weak");
    let load = &memory["loads"][0];
    let steps = finding["details"]["steps"].as_array().unwrap();
    let what = |step: &Value| steps[step.as_u64().unwrap() as usize]["what"].as_str().unwrap();
    assert_eq!(what(&load["load"]), "load Relaxed = 0x0, not the newest");
    assert_eq!((&load["reads"], what(&load["instead_of"])), (&Value::Null, "store Relaxed 0x7"));
    let gap = &load["because"]["gaps"][0];
    assert_eq!((what(&gap["from"]), what(&gap["to"])), ("store Relaxed 0x1", "load Relaxed = 0x1"));
    assert_eq!((&gap["lacks_release"], &gap["lacks_acquire"]), (&true.into(), &true.into()));
    let strengthened = &memory["strengthened"];
    assert_eq!(strengthened["single"], Value::Array(Vec::new()));
    assert_eq!(strengthened["together"]["exhausted"], true, "{strengthened:#}");
    let changes = texts(&strengthened["together"]["changes"]);
    assert!(changes[0].ends_with("store Relaxed as Release"), "{changes:?}");
    assert!(changes[1].ends_with("load Relaxed as Acquire"), "{changes:?}");
    let text = finding["text"].as_str().unwrap();
    for said in ["reads the initial value, and not what step 0", "does not release (casebook/src/models/weak.rs:"] {
        assert!(text.contains(said), "{said} in {text}");
    }
    assert!(text.contains("under sequential consistency nothing fails so: shown by all "), "{text}");
}

/// One change is enough, and the one that it should be.
#[rstest]
#[case::acquire("selftest-half-message", "load Relaxed as Acquire")]
#[case::fence("selftest-store-buffer", "a SeqCst fence before ")]
fn the_smallest_change_is_found_by_trying(#[case] model: &str, #[case] change: &str) {
    let finding = broken(model);
    let strengthened = &finding["details"]["memory"]["strengthened"];
    let single = strengthened["single"].as_array().unwrap();
    assert_eq!(single.len(), 1, "{strengthened:#}");
    assert_eq!(single[0]["exhausted"], true);
    assert!(texts(&single[0]["changes"])[0].contains(change), "{strengthened:#}");
    assert!(finding["text"].as_str().unwrap().contains("one stronger ordering is enough"));
}

#[test]
fn a_race_shows_both_accesses_and_what_does_not_order_them() {
    let finding = broken("selftest-plain-message");
    assert_eq!(finding["outcome"], "data race");
    let memory = &finding["details"]["memory"];
    let steps = finding["details"]["steps"].as_array().unwrap();
    let what = |which: &str| steps[memory[which].as_u64().unwrap() as usize]["what"].as_str().unwrap();
    assert_eq!((what("first"), what("second")), ("writes plain memory", "reads plain memory"));
    let gap = &memory["because"]["gaps"][0];
    assert_eq!((&gap["lacks_release"], &gap["lacks_acquire"]), (&true.into(), &true.into()));
    assert_eq!(texts(&memory["strengthened"]["together"]["changes"]).len(), 2, "{memory:#}");
}

#[test]
fn plain_logic_happens_under_sequential_consistency() {
    let finding = broken("selftest-lost-update");
    assert_eq!(finding["details"]["memory"], serde_json::json!({"order": "sequential"}));
    let text = finding["text"].as_str().unwrap();
    assert!(text.contains("no stronger ordering forbids it"), "{text}");
    assert!(!text.contains("not the newest"), "the steps are in an order in which no load is old: {text}");
    // The same is said of the replay.
    let token = finding["replay"].as_str().unwrap().rsplit(' ').next().unwrap();
    let (_, report) = json(&["replay", token]);
    assert_eq!(report["runs"][0]["diagnosis"]["text"], finding["text"]);
}

/// Of each weakening that a model notices: the counterexample says where there is no happens-before, and the
/// ordering of the source is among those that forbid it.
#[rstest]
#[case::profbuf("profbuf-polled-order", &[], "crates/profbuf/src/shared.rs", 3)]
#[case::osnote("note-clear", &["--note", "futex"], "crates/osnote/src/notes/futex.rs", 2)]
fn a_weakened_ordering_is_found_again(
    #[case] model: &str,
    #[case] note: &[&str],
    #[case] file: &str,
    #[case] least: usize,
) {
    let (ran, report) = json(&[&["model", model, "--weaken", "--engine", "graph"], note].concat());
    assert!(matches!(ran.code, Some(0 | 3)), "{}", ran.stderr);
    let runs = report["runs"].as_array().unwrap();
    let mut named = 0;
    for run in runs.iter().filter(|run| run["file"] == file && !run["caught_by"].is_null()) {
        let finding = &run["diagnosis"];
        let memory = &finding["details"]["memory"];
        assert!(memory["order"] == "weak" || memory["order"] == "race", "{run:#}");
        let line = format!("{}:{}", file.strip_prefix("crates/").unwrap(), run["line"]);
        let text = finding["text"].as_str().unwrap();
        assert!(text.contains("no happens-before"), "{text}");
        let back = format!("{line} ");
        let single = memory["strengthened"]["single"].as_array().unwrap();
        let restored = single.iter().any(|tried| texts(&tried["changes"]).iter().any(|c| c.starts_with(&back)));
        assert!(restored, "{line}: {text}");
        named += 1;
    }
    assert!(named >= least, "{named} of {report:#}");
}

#[test]
fn a_graph_is_drawn_in_either_form() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["model", "profbuf-double-wakeup", "--engine", "graph", "--note", "futex", "--variant", "broken"];
    for (name, starts, ends) in [("a.svg", "<svg ", "</svg>\n"), ("a.dot", "digraph execution {", "}\n")] {
        let file = folder.path().join(name);
        let (ran, report) = json(&[&arguments[..], &["--graph", file.to_str().unwrap()]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let drawing = fs::read_to_string(&file).unwrap();
        assert!(drawing.starts_with(starts) && drawing.ends_with(ends), "{drawing}");
        let details = &report["runs"][0]["diagnosis"]["details"];
        let steps = details["steps"].as_array().unwrap().len();
        let nodes = if name == "a.svg" { drawing.matches("<title>") } else { drawing.matches(" [label=\"") }.count();
        assert_eq!(nodes, steps, "each step is a node");
        let edges = details["graph"]["edges"].as_array().unwrap();
        for kind in ["po", "rf", "co"] {
            assert!(edges.iter().any(|edge| edge["kind"] == kind), "{kind}");
        }
    }
    let ran = run(&[&arguments[..], &["--graph", "a.png"]].concat());
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("ends in .svg or .dot"), "{}", ran.stderr);
}

#[test]
fn the_orderings_of_a_model_are_a_table() {
    let ran = run(&["model", "profbuf-polled-order", "--orderings", "--engine", "graph"]);
    assert!(matches!(ran.code, Some(0 | 3)), "{}", ran.stderr);
    let rows: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("| profbuf/src/")).collect();
    assert!(rows.len() > 3, "{}", ran.stdout);
    let row = rows.iter().find(|row| row.contains("commit: store")).unwrap();
    assert!(row.contains("| Release") && row.contains("data race in profbuf-polled-order/"), "{row}");
}
