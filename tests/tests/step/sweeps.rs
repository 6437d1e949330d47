//! Sweeps as they are run: what is seen, that it is seen again, and that nothing is left behind.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::OnceLock;

use serde_json::{Value, json as value};
use sigproof_step::engine::Kind;
use sigproof_tests::interrupt::assert_none_started_by;
use sigproof_tests::{Ran, finish, turn, xtask};

/// The window whose bug every sweep has to find.
pub const SLEEP: &[&str] = &["step", "note-sleep", "--note", "sema", "--window", "sleep"];

fn run(arguments: &[&str]) -> Ran {
    let _turn = turn();
    sigproof_tests::run(arguments)
}

fn json(arguments: &[&str]) -> (Ran, Value) {
    let _turn = turn();
    sigproof_tests::json(arguments)
}

/// The runs of a sweep. None of them is skipped: the tests that run have the engine that they need.
fn swept(arguments: &[&str]) -> (Ran, Vec<Value>) {
    let (ran, report) = json(arguments);
    let runs = report["runs"].as_array().unwrap().clone();
    assert!(!runs.is_empty(), "{arguments:?}: {}", ran.stderr);
    for run in &runs {
        assert_ne!(run["verdict"], "skipped", "{arguments:?}: {}", run["reason"]);
    }
    (ran, runs)
}

/// The same for a single window.
pub fn swept_one(arguments: &[&str]) -> (Ran, Value) {
    let (ran, mut runs) = swept(arguments);
    assert_eq!(runs.len(), 1, "{arguments:?} is one window");
    (ran, runs.remove(0))
}

/// That of [`SLEEP`], made once for all tests.
fn slept() -> (Ran, Value) {
    static SLEPT: OnceLock<(Ran, Value)> = OnceLock::new();
    SLEPT.get_or_init(|| swept_one(SLEEP)).clone()
}

pub fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_else(|| panic!("no {key}: {of:#}"))
}

pub fn number(of: &Value, key: &str) -> u64 {
    of[key].as_u64().unwrap_or_else(|| panic!("no {key}: {of:#}"))
}

/// The arguments of a command that is printed for people.
fn words(command: &str) -> Vec<&str> {
    command.strip_prefix("cargo xtask ").unwrap_or_else(|| panic!("{command}")).split(' ').collect()
}

fn seen(run: &Value) -> BTreeSet<&str> {
    run["observed"].as_object().unwrap().keys().map(String::as_str).collect()
}

pub fn what_misbehaves_is_an_outcome(what: &str, outcome: &str, sentence: &str) {
    let case = format!("selftest-step-{what}");
    let (ran, runs) = swept(&["step", &case]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for run in runs {
        assert_eq!((&run["case"], &run["verdict"]), (&value!(case), &value!("as-expected")), "{run:#}");
        assert_eq!(number(&run, "boundaries"), number(&run, "injected"), "{run:#}");
        let seen = seen(&run);
        assert!(seen.contains(outcome) && seen.iter().all(|o| [outcome, "delivered"].contains(o)), "{run:#}");
        let finding = &run["diagnosis"];
        assert_eq!(text(finding, "outcome"), outcome);
        assert!(text(finding, "sentence").contains(sentence), "{finding:#}");
    }
}

pub fn where_it_misbehaves_is_on_the_strip(begin: &str, end: &str, observed: &[&str], what: &str) {
    let (_, run) = swept_one(&["step", &format!("selftest-step-{what}")]);
    let mut strip: Vec<char> = text(&run, "strip").chars().collect();
    assert_eq!(strip.len() as u64, number(&run, "boundaries"));
    strip.dedup();
    let strip: String = strip.into_iter().collect();
    assert!(strip.starts_with(begin) && strip.ends_with(end), "{strip}");
    assert_eq!(seen(&run), observed.iter().copied().collect());
}

pub fn a_second_signal_is_one_of_a_nesting_handler_only() {
    let (_, run) = swept_one(&["step", "selftest-step-nesting"]);
    assert_eq!(number(&run, "vulnerable"), 0, "one signal does no harm");
    let of_two = number(&run, "nested");
    assert_eq!(number(&run, "signals"), number(&run, "boundaries") + of_two);
    let bad = number(&run["observed"], "corrupt record");
    assert!(0 < bad && bad < of_two, "{run:#}");
    assert!(text(&run["diagnosis"], "text").contains("the second one at boundary"), "{run:#}");
    let (_, plain) = swept_one(&["step", "selftest-step-errno"]);
    assert_eq!(number(&plain, "nested"), 0);
}

pub fn a_path_that_is_another_each_time_is_inconclusive() {
    let (ran, run) = swept_one(&["step", "selftest-step-another-path"]);
    assert_eq!((ran.code, text(&run, "verdict")), (Some(3), "inconclusive"), "{}", ran.stderr);
    assert!(text(&run, "reason").contains("another each time"), "{run:#}");
    assert!(ran.stderr.contains(text(&run, "reason")), "{}", ran.stderr);
}

/// A boundary that an older process does not reach is tried in a fresh one, in which the path was recorded.
pub fn a_path_that_only_a_fresh_process_takes_is_swept(engine: Kind) {
    let (ran, run) = swept_one(&["step", "selftest-step-drifts", "--engine", engine.as_str()]);
    assert_eq!((ran.code, text(&run, "verdict")), (Some(0), "as-expected"), "{}{run:#}", ran.stderr);
    assert_eq!((number(&run, "injected"), number(&run, "diverged")), (number(&run, "boundaries"), 0), "{run:#}");
    assert!(number(&run, "retries") > 0, "no boundary was tried again: {run:#}");
}

pub fn hidden_windows_are_named_exactly() {
    for name in ["selftest-step", "selftest-step-*", "step-errno"] {
        let ran = run(&["step", name]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{name}: {}", ran.stderr);
    }
}

pub fn the_sleep_over_a_mutex_is_vulnerable_where_it_holds_it() {
    let (ran, run) = slept();
    assert_eq!((ran.code, text(&run, "verdict")), (Some(0), "as-expected"), "{}", ran.stderr);
    assert_eq!(number(&run, "boundaries"), number(&run, "injected"));
    let vulnerable = number(&run, "vulnerable");
    assert!(0 < vulnerable && vulnerable < number(&run, "boundaries"));
    assert_eq!(number(&run["observed"], "self-deadlock"), vulnerable);
    let ranges = run["ranges"].as_array().unwrap();
    let counts: u64 = ranges.iter().map(|range| number(range, "count")).sum();
    assert_eq!(counts, vulnerable);
    let of_libc = |range: &Value| {
        ["first", "last"]
            .iter()
            .all(|end| text(&range[end], "object").contains("libc") && range[end]["asleep"] == false)
    };
    assert!(ranges.iter().any(of_libc), "{ranges:#?}");
    let sentence = text(&run["diagnosis"], "sentence");
    assert!(sentence.contains("waits in a signal handler for mutex"), "{sentence}");
}

pub fn a_sleep_that_holds_nothing_is_never_vulnerable(note: &str) {
    let (ran, run) = swept_one(&["step", "note-sleep", "--note", note, "--window", "sleep"]);
    assert_eq!((ran.code, text(&run, "verdict")), (Some(0), "as-expected"), "{}", ran.stderr);
    assert_eq!((number(&run, "vulnerable"), seen(&run)), (0, BTreeSet::from(["delivered"])), "{run:#}");
    assert_eq!(number(&run, "boundaries"), number(&run, "injected"));
    assert!(text(&run, "strip").chars().all(|letter| letter == '.') && run["diagnosis"].is_null());
}

pub fn all_engines_see_the_same() {
    let mut seen: Vec<(Kind, u64, Vec<_>)> = Vec::new();
    for &engine in Kind::ALL {
        let arguments = [SLEEP, &["--engine", engine.as_str()]].concat();
        let (ran, report) = json(&arguments);
        let run = &report["runs"][0];
        if run["verdict"] == "skipped" {
            continue;
        }
        assert_eq!((ran.code, text(run, "engine")), (Some(0), engine.as_str()), "{}", ran.stderr);
        let place = |range: &Value| {
            let object = |end: &str| text(&range[end], "object").to_owned();
            (text(range, "outcome").to_owned(), object("first"), object("last"), number(range, "count"))
        };
        let places = run["ranges"].as_array().unwrap().iter().map(place).collect();
        seen.push((engine, number(run, "boundaries"), places));
    }
    assert!(!seen.is_empty(), "the tests that run have an engine");
    for pair in seen.windows(2) {
        let [(one, boundaries, places), (other, others, of_other)] = pair else { unreachable!() };
        assert_eq!(places, of_other, "{one} and {other}");
        let as_many = others == boundaries || *other == Kind::TrapFlag && others < boundaries;
        assert!(as_many, "{one} has {boundaries} boundaries, {other} {others}");
    }
}

pub fn twice_the_same_strip(arguments: &[&str]) {
    let strips = || {
        let (_, runs) = swept(arguments);
        let of = |run: &Value| (text(run, "window").to_owned(), run["note"].clone(), run["strip"].clone());
        runs.iter().map(of).collect::<Vec<_>>()
    };
    let once = strips();
    assert!(once.iter().any(|(_, _, strip)| strip.is_string()), "{once:?}");
    assert_eq!(once, strips());
}

/// The command that repeats the finding of [`SLEEP`].
fn replay_of_sleep() -> String {
    let (_, run) = slept();
    text(&run["diagnosis"], "replay").to_owned()
}

pub fn what_is_printed_to_replay_can_be_typed() {
    let command = replay_of_sleep();
    let (ran, report) = json(&words(&command));
    assert_eq!(ran.code, Some(0), "{command}: {}", ran.stderr);
    let run = &report["runs"][0];
    assert_eq!((&run["observed"], &run["moved"]), (&value!({"self-deadlock": 1}), &Value::Null), "{run:#}");
    assert!(text(&run["diagnosis"], "sentence").contains("waits in a signal handler for mutex"));
    assert_eq!(text(&run["diagnosis"], "replay"), command, "it names itself");
}

/// A token with other text where its index is.
fn shifted(command: &str, by: usize) -> (String, usize, usize) {
    let (before, rest) = command.split_once("@k").unwrap();
    let (k, after) = rest.split_once('@').unwrap();
    let k: usize = k.parse().unwrap();
    (format!("{before}@k{}@{after}", k + by), k, k + by)
}

pub fn a_boundary_that_has_moved_is_found_by_its_place() {
    let command = replay_of_sleep();
    let (moved, is, was) = shifted(&command, 3);
    let (ran, report) = json(&words(&moved));
    assert_eq!(ran.code, Some(0), "{moved}: {}", ran.stderr);
    let run = &report["runs"][0];
    assert_eq!(run["observed"], value!({"self-deadlock": 1}), "{run:#}");
    let told = text(run, "moved");
    assert!(told.contains(&format!("k {was} is now {is}")) && told.contains("found by"), "{told}");
    let people = xtask_said(&words(&moved));
    assert!(people.contains(told), "people are told the same: {people}");
}

/// All that a run says to people.
fn xtask_said(arguments: &[&str]) -> String {
    let ran = run(arguments);
    ran.stdout + &ran.stderr
}

pub fn a_token_of_no_window_is_wrong_usage() {
    let command = replay_of_sleep();
    for (of, to) in [("@sleep@", "@slepe@"), ("note-sleep/", "note-slepe/"), ("@k", "@kk")] {
        let ran = run(&words(&command.replacen(of, to, 1)));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{to}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("error: "), "{to}: {}", ran.stderr);
    }
}

pub fn a_place_that_is_not_on_the_path_is_told() {
    let command = replay_of_sleep();
    let (before, symbol) = command.rsplit_once('@').unwrap();
    let elsewhere = format!("{before}@nobody_goes_here+{}", symbol.rsplit_once('+').unwrap().1);
    let (ran, report) = json(&words(&elsewhere));
    let run = &report["runs"][0];
    assert_eq!((ran.code, text(run, "verdict")), (Some(3), "inconclusive"), "{}", ran.stderr);
    assert!(text(run, "reason").contains("does not go through nobody_goes_here"), "{run:#}");
}

pub fn one_boundary_by_its_number() {
    let (_, run) = slept();
    let first = number(&run["ranges"][0]["first"], "k");
    for (k, outcome) in [(first, "self-deadlock"), (first - 1, "delivered"), (0, "delivered")] {
        let (ran, one) = swept_one(&[SLEEP, &["--k", &k.to_string()]].concat());
        assert_eq!((ran.code, &one["observed"]), (Some(0), &value!({outcome: 1})), "{k}: {}", ran.stderr);
        assert!(text(&one, "map").contains(&format!("k {k} of {}", run["boundaries"])), "{one:#}");
    }
    let boundaries = number(&run, "boundaries");
    for k in [boundaries, 99_999] {
        let ran = self::run(&[SLEEP, &["--k", &k.to_string()]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{k}: {}", ran.stderr);
        assert!(ran.stderr.contains(&format!("the window has {boundaries} boundaries")), "{}", ran.stderr);
    }
}

pub fn a_sweep_leaves_no_process_behind() {
    // Hung children and dead ones: each is replaced by another.
    let names = ["lost-wakeup", "cross-deadlock", "livelock", "crash"].map(|what| format!("selftest-step-{what}"));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut command = xtask(&[&["step"], &names[..]].concat());
    command.env("SIGPROOF_TEST_RUN", "8000").stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = {
        let _turn = turn();
        finish(command.spawn().unwrap())
    };
    // An engine that does not trace leaves out one of the four.
    assert!(matches!(ran.code, Some(0 | 4)), "{}", ran.stderr);
    assert_none_started_by("SIGPROOF_TEST_RUN=8000");
}
