//! What copies judge is what executions of their own judge, boundary by boundary.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::sweeps::{number, text};
use sigproof_tests::turn;

/// By label: the run of each window.
fn runs(names: &[&str], engine: &str) -> BTreeMap<String, Value> {
    let (_, report) = {
        let _turn = turn();
        sigproof_tests::json(&[&["step"], names, &["--engine", engine]].concat())
    };
    let runs = report["runs"].as_array().unwrap().iter();
    let label = |run: &Value| {
        let parts = ["case", "variant", "flavour", "note", "mode"].map(|key| run[key].as_str());
        format!("{}@{}", parts.into_iter().flatten().collect::<Vec<_>>().join("/"), text(run, "window"))
    };
    runs.map(|run| (label(run), run.clone())).collect()
}

/// The windows of these cases that copies can do, each by both engines.
fn both(names: &[&str]) -> BTreeMap<String, [Value; 2]> {
    let mut copies = runs(names, "undo");
    copies.retain(|_, run| run["verdict"] != "skipped");
    let labels: Vec<&str> = copies.keys().map(String::as_str).collect();
    let mut itself = runs(&labels, "breakpoint");
    let pair = |(label, run): (String, Value)| {
        let other = itself.remove(&label).unwrap();
        (label, [run, other])
    };
    copies.into_iter().map(pair).collect()
}

fn assert_same(label: &str, [copies, itself]: &[Value; 2]) {
    assert_eq!((text(copies, "engine"), text(itself, "engine")), ("undo", "breakpoint"), "{label}");
    assert!(copies["undo"]["fell_back"].is_null(), "{label}: {:#}", copies["undo"]);
    assert!(itself["undo"].is_null(), "{label}");
    assert_eq!(text(copies, "strip"), text(itself, "strip"), "{label}");
    assert_eq!(copies["observed"], itself["observed"], "{label}");
    assert_eq!(copies["verdict"], itself["verdict"], "{label}");
    assert!(number(&copies["undo"], "confirmed") >= 1, "{label}: {copies:#}");
}

/// Every window that copies can do; among them a broken one that hangs, and a fixed one.
pub fn undo_sees_what_breakpoint_sees() {
    let both = both(&[]);
    let mut kinds = [0; 2];
    for (label, pair) in &both {
        assert_same(label, pair);
        let (of_all, by_copies) = (number(&pair[0], "boundaries"), number(&pair[0]["undo"], "boundaries"));
        assert!(by_copies * 2 > of_all, "{label}: copies judge {by_copies} of {of_all}");
        kinds[usize::from(number(&pair[0], "vulnerable") > 0)] += 1;
    }
    assert!(kinds.iter().all(|count| *count > 0), "{kinds:?} fixed and broken windows: {:?}", both.keys());
}

/// What a child checks after each execution is checked in a copy, or an execution of its own is made.
pub fn no_check_is_lost() {
    let names = ["errno", "twice", "descriptor-leak", "crash", "places"].map(|what| format!("selftest-step-{what}"));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let both = both(&names);
    both.iter().for_each(|(label, pair)| assert_same(label, pair));
    let of = |case: &str, window: &str| {
        let found = both.iter().find(|(label, _)| label.contains(case) && label.ends_with(&format!("@{window}")));
        let (_, [copies, _]) = found.unwrap_or_else(|| panic!("{case}@{window}: {:?}", both.keys()));
        (text(copies, "strip").to_owned(), number(&copies["undo"], "boundaries"), number(copies, "boundaries"))
    };
    // Judged by copies.
    for (case, window) in [("errno", "errno"), ("twice", "never"), ("crash", "fault")] {
        let (strip, by_copies, all) = of(case, window);
        assert_eq!(by_copies, all, "{case}@{window}: {strip}");
        assert!(strip.contains(|seen| seen != '.'), "{case}@{window}: {strip}");
    }
    // A copy that is about to change what the kernel holds is thrown away: the bad half is not judged by it.
    for (case, window) in [("descriptor-leak", "late"), ("twice", "late")] {
        let (strip, by_copies, all) = of(case, window);
        let well = strip.chars().filter(|letter| *letter == '.').count() as u64;
        assert!(0 < by_copies && by_copies <= well && well < all, "{case}@{window}: {strip}, {by_copies} by copies");
    }
}

/// Asked for by its name, the engine leaves out a window whose thread sleeps or that needs other threads; by
/// default such a window is swept by breakpoints.
pub fn a_window_that_copies_cannot_do_says_so() {
    for (name, why) in
        [("selftest-step-lost-wakeup", "a thread that sleeps"), ("selftest-step-cross-deadlock", "other threads")]
    {
        let run = runs(&[name], "undo").into_values().next().unwrap();
        assert_eq!(text(&run, "verdict"), "skipped");
        assert!(text(&run, "reason").contains(why), "{run:#}");
    }
    let (_, report) = {
        let _turn = turn();
        sigproof_tests::json(&["step", "selftest-step-lost-wakeup"])
    };
    assert_eq!(text(&report["runs"][0], "engine"), "breakpoint");
    assert_eq!(text(&report["runs"][0], "verdict"), "as-expected");
}
