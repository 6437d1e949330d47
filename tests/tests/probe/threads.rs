//! Programs with several threads: the swept one waits for another, or another stands at a chosen place.

use serde_json::Value;
use sigproof_tests::{Ran, run};

use crate::kinds::{counts, endings, sweep_more};
use crate::{Check, compiled};

pub const TESTS: &[(&str, Check)] = &[
    ("two_locks_in_two_orders_are_a_cross_deadlock", cross),
    ("the_others_are_held_during_the_walk", holds),
    ("another_thread_that_is_held_at_a_function", meanwhile),
    ("a_function_that_no_other_thread_comes_to", unmet),
    ("a_schedule_of_the_others", schedule),
];

fn cross() {
    let (ran, report) = sweep_more(&[], "exchange", &["cross", "broken"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let (found, confirmed) = endings(&report);
    // Where the lock is given back and its waiter is not woken yet, no cycle is left to be shown.
    assert!(confirmed && found.contains(&"cross deadlock".to_owned()), "{ran:#?}");
    assert!(!found.contains(&"self-deadlock".to_owned()), "{ran:#?}");
    let (ran, _) = sweep_more(&[], "exchange", &["cross", "fixed"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
}

fn holds() {
    let (ran, report) = sweep_more(&[], "steady", &["holds", "fixed"]);
    let boundaries = report["sweeps"][0]["paths"][0]["boundaries"].as_u64().expect("a number");
    // The other thread would send the window on a way of some thousand instructions more.
    assert!(ran.code == Some(0) && boundaries < 400, "{boundaries} boundaries: {ran:#?}");
}

/// A sweep of the two locks of which another thread takes the second one now and then.
fn locks(options: &[&str], form: &str) -> (Ran, Value) {
    sweep_more(options, "update", &["abba", form])
}

/// The same where the other thread does not sleep for long: each schedule waits until it wakes.
fn brisk(options: &[&str], form: &str) -> (Ran, Value) {
    sweep_more(options, "update", &["brisk", form])
}

fn is_cross_deadlock(ran: &Ran, report: &Value) {
    assert_eq!((ran.code, endings(report)), (Some(1), (vec!["cross deadlock".to_owned()], true)), "{ran:#?}");
    let (judged, vulnerable) = counts(report);
    assert!(0 < vulnerable && vulnerable < judged, "{vulnerable} of {judged}: {ran:#?}");
}

fn meanwhile() {
    let (ran, _) = locks(&[], "broken");
    assert_eq!(ran.code, Some(0), "the other thread sleeps nearly always: {ran:#?}");
    let (ran, report) = locks(&["--while", "settle"], "broken");
    is_cross_deadlock(&ran, &report);
    let token = report["sweeps"][0]["paths"][0]["ranges"][0]["token"].as_str().expect("a token");
    let (ran, report) = locks(&["--while", "settle", "--replay", token], "broken");
    assert_eq!((ran.code, counts(&report)), (Some(1), (1, 1)), "{ran:#?}");
    let (ran, _) = locks(&["--while", "settle"], "fixed");
    assert_eq!(ran.code, Some(0), "{ran:#?}");
}

fn unmet() {
    let verb = ["probe", "--signal", "USR1", "--at", "update", "--while", "setle", "--"];
    let ran = run(&[&verb[..], &[&compiled("more"), "abba"]].concat());
    assert!(ran.code == Some(2) && ran.stderr.contains("--while: no function setle"), "{ran:#?}");
    let options = ["--while", "forget", "--timeout", "30ms", "--time", "2s"];
    let (ran, report) = locks(&options, "broken");
    assert_eq!((ran.code, counts(&report).0), (Some(3), 0), "{ran:#?}");
    let notes = report["sweeps"][0]["notes"].to_string();
    assert!(notes.contains("no other thread came to forget"), "{notes}");
}

/// The token with a schedule that brings the other thread nowhere.
fn of_another_number(token: &str) -> String {
    let (before, after) = token.split_once(",s").expect("a schedule");
    let (_, place) = after.split_once('=').expect("a place");
    format!("{before},s2={place}")
}

fn schedule() {
    // 56 instructions after its sleep the other thread is before the first lock, with the second one taken.
    let (ran, report) = brisk(&["--schedule", "14", "--time", "150s"], "broken");
    is_cross_deadlock(&ran, &report);
    let range = &report["sweeps"][0]["paths"][0]["ranges"][0];
    let detail = range["detail"].as_str().expect("a detail");
    assert!(detail.contains("other thread ran first, up to pthread_mutex_lock"), "{detail}");
    let token = range["token"].as_str().expect("a token");
    // The number counts from where the other thread is: the place is what repeats.
    assert!(token.contains(",s") && token.contains("=libc.so.6+0x"), "{token}");
    for other in [token.to_owned(), of_another_number(token)] {
        let (ran, report) = brisk(&["--replay", &other], "broken");
        assert_eq!((ran.code, counts(&report)), (Some(1), (1, 1)), "{other}: {ran:#?}");
    }
    let (ran, _) = brisk(&["--schedule", "3", "--time", "150s"], "fixed");
    assert_eq!(ran.code, Some(0), "{ran:#?}");
}
