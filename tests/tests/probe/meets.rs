//! What a handler and the program have in common besides locks: `--at auto` proposes the functions, and a
//! sweep shows the harm. And a window that sleeps until the signal comes.

use serde_json::Value;
use sigproof_tests::{Ran, run};

use crate::kinds::{endings, reported};
use crate::{Check, compiled};

pub const TESTS: &[(&str, Check)] = &[
    ("what_uses_a_variable_of_the_handler_is_proposed", torn),
    ("what_calls_the_same_function_is_proposed", splits),
    ("what_asks_for_errno_is_proposed", asks),
    ("what_waits_is_proposed", interrupted),
    ("a_lock_that_is_taken_below_a_call_is_proposed", forks),
    ("a_window_that_waits_for_the_signal_is_judged", waits),
    ("a_function_that_a_compiler_has_changed_has_its_name", clones),
    ("a_handler_that_is_too_long_is_left", works),
];

/// A sweep of a specimen of `meets.c`.
fn sweep(options: &[&str], window: &str, kind: &[&str]) -> (Ran, Value) {
    let path = compiled("meets");
    let verb = ["probe", "--signal", "USR1", "--at", window];
    reported(&[&verb, options].concat(), &[&[path.as_str()], kind].concat())
}

/// The bad endings in a window of `--at auto`.
fn bad(report: &Value, window: &str) -> Vec<String> {
    let sweeps = report["sweeps"].as_array().expect("sweeps");
    let paths = sweeps.iter().filter(|sweep| sweep["window"] == window).map(|sweep| &sweep["paths"][0]["ranges"]);
    let ranges = paths.flat_map(|ranges| ranges.as_array().expect("ranges"));
    ranges.map(|range| range["ending"].as_str().expect("a word").to_owned()).collect()
}

/// `--at auto` proposes the function for this reason. The broken form ends badly there, and the fixed one
/// not.
fn proposed(kind: &str, window: &str, why: &str, ending: &str) {
    let (ran, report) = sweep(&["--time", "20s"], "auto", &[kind, "broken"]);
    let found = bad(&report, window);
    assert!(ran.code == Some(1) && found.iter().any(|one| one == ending), "{kind}: {found:?} {ran:#?}");
    let windows = report["windows"].as_array().expect("windows");
    let reason = windows.iter().find(|one| one["function"] == window).map(|one| one["lock"].clone());
    let reason = reason.and_then(|reason| reason.as_str().map(str::to_owned));
    assert!(reason.as_ref().is_some_and(|reason| reason.starts_with(why)), "{kind}: {reason:?} {ran:#?}");
    let (ran, report) = sweep(&["--time", "20s"], "auto", &[kind, "fixed"]);
    // Where the fixed form calls no window, nothing is swept.
    let expected = if report["sweeps"] == serde_json::json!([]) { 3 } else { 0 };
    assert_eq!(ran.code, Some(expected), "{kind}: {ran:#?}");
}

fn torn() {
    proposed("torn", "set_pair", "it uses pair, as the handler does", "crash");
}

fn splits() {
    proposed("splits", "split", "it calls strtok, as the handler does", "wrong exit");
}

fn asks() {
    proposed("asks", "look", "it asks for errno, which the handler may change by ", "wrong exit");
}

fn interrupted() {
    proposed("interrupted", "rest", "it waits in a call that a handler interrupts", "wrong exit");
}

fn forks() {
    proposed("forks", "pthread_mutex_lock", "a mutex of the program", "self-deadlock");
}

fn waits() {
    let (ran, report) = sweep(&[], "await", &["waits", "broken"]);
    assert_eq!((ran.code, endings(&report)), (Some(1), (vec!["lost wake-up".to_owned()], true)), "{ran:#?}");
    let reference = "the window sleeps until the signal comes; then the program goes on";
    assert_eq!(report["sweeps"][0]["reference"], reference);
    let (ran, report) = sweep(&[], "await", &["waits", "fixed"]);
    assert_eq!((ran.code, &report["sweeps"][0]["reference"]), (Some(0), &reference.into()), "{ran:#?}");
    let path = &report["sweeps"][0]["paths"][0];
    assert_eq!(path["judged"], path["boundaries"], "{ran:#?}");
}

fn clones() {
    let (ran, _) = sweep(&["--calls", "1"], "shrink", &["clones"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
}

fn works() {
    let ran = run(&["probe", "--lint", "--signal", "USR1", "--", &compiled("meets"), "works"]);
    assert!(ran.code == Some(0) && ran.stdout.contains("too long to be followed to its end"), "{ran:#?}");
}
