//! Locks of the program's own that a handler takes, and `errno`.

use serde_json::Value;
use sigproof_tests::{Ran, run};

use crate::kinds::{counts, endings, reported};
use crate::{Check, compiled};

pub const TESTS: &[(&str, Check)] = &[
    ("errno_is_compared_at_each_boundary", inside),
    ("what_the_program_makes_of_errno_is_not_the_handlers", changes),
    ("a_reader_that_begins_anew_turns_inside_the_handler", sequences),
    ("a_function_of_two_names_has_the_one_that_the_program_uses", spins),
    ("a_lock_of_the_program_proposes_where_it_is_taken", early),
    ("what_is_done_once_proposes_itself", once),
    ("an_update_that_is_lost_proposes_its_function", ring),
    ("a_boundary_like_an_earlier_one_is_not_judged_again", ways),
    ("a_clock_that_is_read_again_takes_no_more_boundaries", clocks),
];

/// A sweep of a specimen of `locks.c`.
fn sweep(options: &[&str], window: &str, kind: &[&str]) -> (Ran, Value) {
    let path = compiled("locks");
    let verb = ["probe", "--signal", "USR1", "--at", window];
    reported(&[&verb, options].concat(), &[&[path.as_str()], kind].concat())
}

fn inside() {
    for engine in ["auto", "pass", "rerun"] {
        let options = ["--engine", engine];
        let (ran, report) = sweep(&options, "announce", &["inside", "broken"]);
        assert_eq!((ran.code, endings(&report)), (Some(1), (vec!["errno spoiled".to_owned()], true)), "{ran:#?}");
        let path = &report["sweeps"][0]["paths"][0];
        assert_eq!(path["strip"].as_str().map(|strip| strip.trim_matches('.').replace('E', "")), Some(String::new()));
        assert!(counts(&report).1 > 1, "each boundary between the two: {ran:#?}");
        let detail = path["ranges"][0]["detail"].as_str().expect("a detail");
        assert!(detail.contains("errno was 0 before the handler and is 9 (Bad file descriptor)"), "{detail}");
        assert!(report["sweeps"][0]["errno"].is_null(), "outside the window its call is not made: {ran:#?}");
        let (ran, _) = sweep(&options, "announce", &["inside", "fixed"]);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
    }
}

fn changes() {
    let (ran, report) = sweep(&[], "update", &["changes", "fixed"]);
    assert!(ran.code == Some(0) && report["sweeps"][0]["errno"].is_null(), "{ran:#?}");
}

fn sequences() {
    let (ran, report) = sweep(&[], "write_pair", &["sequences", "broken"]);
    assert_eq!((ran.code, endings(&report)), (Some(1), (vec!["livelock".to_owned()], true)), "{ran:#?}");
    let detail = report["sweeps"][0]["paths"][0]["ranges"][0]["detail"].as_str().expect("a detail");
    assert!(detail.contains("inside the handler"), "{detail}");
    assert_eq!(report["sweeps"][0]["notes"], serde_json::json!([]), "one that runs is no sleeper: {ran:#?}");
    let (ran, _) = sweep(&[], "write_pair", &["sequences", "fixed"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
}

fn spins() {
    let (ran, report) = reported(&["probe", "--lint"], &[&compiled("locks"), "spins", "broken"]);
    let calls = report["handlers"][0]["calls"].as_array().expect("calls");
    let mut names: Vec<&str> = calls.iter().filter_map(|call| call["function"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["pthread_spin_lock", "pthread_spin_unlock"], "{ran:#?}");
}

/// A sweep of the windows that follow from the handler, with their names.
fn auto(kind: &[&str]) -> (Ran, Value, Vec<String>) {
    let (ran, report) = sweep(&["--time", "5s"], "auto", kind);
    let windows = report["windows"].as_array().expect("windows");
    let names = windows.iter().map(|window| window["function"].as_str().expect("a name").to_owned()).collect();
    (ran, report, names)
}

/// The windows in which something bad came of the signal.
fn bad(report: &Value) -> Vec<&str> {
    let sweeps = report["sweeps"].as_array().expect("sweeps").iter();
    let bad = sweeps.filter(|sweep| sweep["paths"][0]["vulnerable"].as_u64().is_some_and(|count| count > 0));
    bad.filter_map(|sweep| sweep["window"].as_str()).collect()
}

fn early() {
    let (ran, report, windows) = auto(&["early", "broken"]);
    assert!(windows.contains(&"pthread_mutex_lock".to_owned()) && windows.contains(&"calloc".to_owned()), "{ran:#?}");
    assert_eq!(
        (ran.code, bad(&report)),
        (Some(1), vec!["pthread_mutex_lock", "pthread_mutex_unlock", "book"]),
        "{ran:#?}"
    );
    let skipped = report["skipped"].to_string();
    assert!(skipped.contains("calloc") && skipped.contains("no handler of SIGUSR1 was installed"), "{skipped}");
}

fn once() {
    let (ran, report, windows) = auto(&["initialises", "broken"]);
    assert_eq!((ran.code, bad(&report)), (Some(1), vec!["pthread_once", "fill", "prepare"]), "{ran:#?}");
    // What it does when an exception leaves it is for rare programs.
    assert!(!windows.contains(&"dlopen".to_owned()), "{windows:?}");
}

fn ring() {
    let (ran, report, windows) = auto(&["ring", "broken"]);
    assert!(windows.contains(&"push".to_owned()), "{windows:?} {ran:#?}");
    assert_eq!((ran.code, bad(&report)), (Some(1), vec!["push"]), "{ran:#?}");
}

fn clocks() {
    let boundaries = |engine: &str| {
        let (ran, report) = sweep(&["--calls", "1", "--engine", engine], "ask", &["clocks", "fixed"]);
        let path = &report["sweeps"][0]["paths"][0];
        assert_eq!((ran.code, &path["judged"]), (Some(0), &path["boundaries"]), "{ran:#?}");
        path["boundaries"].as_u64().expect("a number")
    };
    // The walk is slow with copies, and quick without.
    assert_eq!(boundaries("copy"), boundaries("rerun"));
}

fn ways() {
    let (ran, report) = sweep(&[], "either", &["ways", "fixed"]);
    let paths = report["sweeps"][0]["paths"].as_array().expect("paths");
    let sum = |name: &str| paths.iter().filter_map(|path| path[name].as_u64()).sum::<u64>();
    let (all, judged, alike) = (sum("boundaries"), sum("judged"), sum("alike"));
    assert!(ran.code == Some(0) && paths.len() == 2 && alike > 5 && judged + alike == all, "{ran:#?}");
    let strip = paths[1]["strip"].as_str().expect("a strip");
    assert!(strip.contains('=') && strip.contains('.') && !strip.contains('-'), "{strip}");
    let ran = run(&["probe", "--signal", "USR1", "--at", "either", "--", &compiled("locks"), "ways"]);
    assert!(ran.stdout.contains(&format!("{alike} like one of an earlier pass\n")), "{ran:#?}");
}
