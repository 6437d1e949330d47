//! How long a sweep waits, and for what: programs that sleep, dawdle, jump or end. No time is
//! asserted: a sweep that waits in vain uses up `--time`, or says something else.

use serde_json::Value;

use crate::kinds::{counts, reported, sweep, sweep_more};
use crate::{Check, specimens};

pub const TESTS: &[(&str, Check)] = &[
    ("a_program_that_idles_is_not_waited_for", idles),
    ("a_window_that_is_called_now_and_then_is_swept_early", dawdles),
    ("a_handler_that_jumps_is_not_waited_for", jumps),
    ("a_window_that_never_returns_is_told", serves),
    ("a_program_that_another_thread_ends", departs),
    ("a_signal_that_cannot_come_yet_takes_no_runs", child),
    ("a_time_that_is_over_is_no_word_on_a_signal", hurried),
    ("neighbours_that_lose_the_wakeup_alike_take_few_runs", lost),
];

/// What a sweep of the program says, without its fixed or broken form.
fn one(report: &Value) -> &Value {
    &report["sweeps"][0]
}

fn idles() {
    let patience = ["--timeout", "1s", "--time", "10s"];
    let (ran, report) = sweep_more(&patience, "next_event", &["idles"]);
    assert_eq!((ran.code, &one(&report)["incomplete"]), (Some(0), &false.into()), "{ran:#?}");
    assert!(counts(&report).0 > 10, "each boundary of a window with a system call: {ran:#?}");
}

fn dawdles() {
    let (ran, report) = sweep_more(&[], "update", &["dawdles"]);
    let notes = one(&report)["notes"].to_string();
    assert!(ran.code == Some(0) && notes.contains("is called about every"), "{ran:#?}");
    let pass = one(&report)["paths"][0]["pass"].as_u64().expect("a number");
    assert!(pass < 10, "pass {pass}: {ran:#?}");
}

fn jumps() {
    let (ran, report) = sweep_more(&["--timeout", "20s", "--time", "10s"], "bump", &["jumps"]);
    assert_eq!((ran.code, &one(&report)["incomplete"]), (Some(0), &false.into()), "{ran:#?}");
    let counts = counts(&report);
    assert!(counts.0 > 0 && counts.1 == 0, "{ran:#?}");
}

fn serves() {
    let (ran, report) = sweep_more(&["--timeout", "1s"], "serve", &["serves"]);
    let reference = one(&report)["reference"].as_str().expect("words");
    assert!(reference.starts_with("the window sleeps until the signal comes; then it does not go on"), "{ran:#?}");
    assert_eq!((ran.code, counts(&report)), (Some(3), (0, 0)), "a window without an end judges nothing: {ran:#?}");
}

fn departs() {
    let (ran, report) = sweep_more(&["--engine", "pass", "--calls", "1"], "calculate", &["departs"]);
    assert!(matches!(ran.code, Some(0 | 3)) && counts(&report).1 == 0, "{ran:#?}");
}

fn child() {
    let verb = ["probe", "--signal", "CHLD", "--at", "launch", "--own"];
    let (ran, report) = reported(&verb, &[&specimens(), "child", "broken"]);
    let starts = one(&report)["starts"].as_u64().expect("a number");
    let all = one(&report)["paths"][0]["boundaries"].as_u64().expect("a number");
    let judged = counts(&report).0;
    assert!(judged + 10 < all && starts < all, "{starts} starts, {judged} of {all} judged: {ran:#?}");
    assert!(one(&report)["notes"].to_string().contains("no SIGCHLD had come"), "{ran:#?}");
}

/// Boundaries for which there was no time are not taken for ones at which the signal could not be.
fn hurried() {
    let verb = ["probe", "--signal", "CHLD", "--at", "launch", "--own", "--time", "1ms"];
    let (ran, report) = reported(&verb, &[&specimens(), "child", "broken"]);
    assert_eq!((ran.code, counts(&report).0, &one(&report)["incomplete"]), (Some(3), 0, &true.into()), "{ran:#?}");
    assert!(!one(&report)["notes"].to_string().contains("no SIGCHLD had come"), "{ran:#?}");
}

fn lost() {
    let (ran, report) = sweep(&[], "next_line", &["lost", "broken"]);
    let vulnerable = counts(&report).1;
    let engines = one(&report)["engines"].as_array().expect("pairs");
    let reruns = engines.iter().find(|pair| pair[0] == "rerun").and_then(|pair| pair[1].as_u64());
    assert!(vulnerable > 5 && reruns.is_some_and(|reruns| reruns < vulnerable), "{reruns:?}, {vulnerable}: {ran:#?}");
}
