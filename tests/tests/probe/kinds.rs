//! What is found in each kind of program, and that nothing is found in its fixed form.

use serde_json::Value;
use sigproof_tests::{Ran, run};

use crate::{Check, compiled, specimens};

pub const TESTS: &[(&str, Check)] = &[
    ("a_mutex_in_the_handler_is_a_self_deadlock", mutex),
    ("a_spin_lock_in_the_handler_is_a_livelock", spin),
    ("a_null_table_is_a_crash", null_table),
    ("a_pair_out_of_step_is_a_wrong_exit", pair),
    ("a_question_before_a_wait_is_a_lost_wakeup", lost),
    ("a_word_between_is_a_wrong_output", output),
    ("errno_is_spoiled", spoils),
    ("a_child_that_is_too_quick_is_a_lost_wakeup", child),
    ("a_window_inside_a_handler", nested),
    ("an_intended_exit_is_clean", ends),
    ("a_handler_that_the_kernel_resets_is_clean", once),
    ("a_window_that_forks_is_clean", forks),
    ("a_repeated_instruction_is_one_boundary", repeats),
    ("a_thread_by_its_name", threads),
    ("a_library_that_is_loaded_late", late),
    ("a_mask_that_stays_closed_is_undelivered", undelivered),
    ("a_descriptor_that_is_left_open_is_a_leak", leaks),
    ("a_handler_that_reaps_is_judged_by_the_program_itself", reaps),
    ("a_copy_moves_nothing_in_files", reads_file),
    ("what_a_control_takes_from_a_pipe_costs_a_new_start", reads_pipe),
    ("a_long_window_takes_few_steps", long),
    ("all_means_say_the_same", means),
    ("a_token_repeats_one_boundary", replay),
];

/// A sweep of a specimen, with a report.
pub fn sweep(options: &[&str], window: &str, kind: &[&str]) -> (Ran, Value) {
    let path = specimens();
    let verb = ["probe", "--signal", "USR1", "--at", window];
    reported(&[&verb, options].concat(), &[&[path.as_str()], kind].concat())
}

/// The same of a specimen of `more.c`.
pub fn sweep_more(options: &[&str], window: &str, kind: &[&str]) -> (Ran, Value) {
    let (path, library) = (compiled("more"), compiled("liblate.so"));
    let verb = ["probe", "--signal", "USR1", "--at", window];
    reported(&[&verb, options].concat(), &[&[path.as_str()], kind, &[library.as_str()]].concat())
}

/// What a verb says of a command, with its report.
pub fn reported(verb: &[&str], command: &[&str]) -> (Ran, Value) {
    let ran = run(&[verb, &["--report", "json=-", "--"], command].concat());
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:#?}"));
    (ran, report)
}

/// The endings of a sweep, but for clean ones, and whether every range is confirmed.
pub fn endings(report: &Value) -> (Vec<String>, bool) {
    let paths = report["sweeps"][0]["paths"].as_array().expect("paths");
    let ranges: Vec<&Value> = paths.iter().flat_map(|path| path["ranges"].as_array().expect("ranges")).collect();
    let mut found: Vec<String> =
        ranges.iter().map(|range| range["ending"].as_str().expect("a word").to_owned()).collect();
    found.sort();
    found.dedup();
    (found, ranges.iter().all(|range| range["confirmed"] == true))
}

/// Counts of a sweep: judged, vulnerable.
pub fn counts(report: &Value) -> (u64, u64) {
    let paths = report["sweeps"][0]["paths"].as_array().expect("paths");
    let sum = |name: &str| paths.iter().filter_map(|path| path[name].as_u64()).sum();
    (sum("judged"), sum("vulnerable"))
}

/// Some boundaries of the broken form end so, not all; none of the fixed form ends badly.
fn shows(window: &str, kind: &str, ending: &str) {
    let (ran, report) = sweep(&[], window, &[kind, "broken"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let (found, confirmed) = endings(&report);
    assert!(found.contains(&ending.to_owned()) && confirmed, "{found:?} {confirmed} {ran:#?}");
    let (judged, vulnerable) = counts(&report);
    assert!(0 < vulnerable && vulnerable < judged, "{vulnerable} of {judged}: {ran:#?}");
    let (ran, report) = sweep(&[], window, &[kind, "fixed"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(counts(&report).0 > 5, "{ran:#?}");
}

fn mutex() {
    shows("book", "mutex", "self-deadlock");
    let ran = run(&["probe", "--signal", "USR1", "--at", "book", "--", &specimens(), "mutex", "broken"]);
    assert!(ran.stdout.contains("waits in a signal handler for mutex ledger_lock"), "{ran:#?}");
    assert!(ran.stdout.contains("confirmed") && ran.stdout.contains("specimens.c"), "{ran:#?}");
}

fn spin() {
    shows("pass_gate", "spin", "livelock");
}

fn null_table() {
    shows("exchange_table", "null_table", "crash");
}

fn pair() {
    shows("transfer", "pair", "wrong exit");
}

fn lost() {
    shows("next_line", "lost", "lost wake-up");
}

fn output() {
    let same = ["--expect-output", "same"];
    let (ran, report) = sweep(&same, "speak", &["output", "broken"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let (found, confirmed) = endings(&report);
    assert_eq!((found, confirmed), (vec!["wrong output".to_owned()], true), "{ran:#?}");
    let (ran, _) = sweep(&same, "speak", &["output", "fixed"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let (ran, _) = sweep(&[], "speak", &["output", "broken"]);
    assert_eq!(ran.code, Some(0), "output is compared on demand: {ran:#?}");
}

fn spoils() {
    let (ran, report) = sweep(&[], "book", &["spoils", "broken"]);
    assert_eq!((ran.code, &report["sweeps"][0]["errno"]), (Some(1), &libc::EBADF.into()), "{ran:#?}");
    let (ran, _) = sweep(&[], "book", &["spoils", "fixed"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
}

fn child() {
    let verb = ["probe", "--signal", "CHLD", "--at", "launch", "--own"];
    let (ran, report) = reported(&verb, &[&specimens(), "child", "broken"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(endings(&report).0.contains(&"lost wake-up".to_owned()), "{ran:#?}");
    let (ran, _) = reported(&verb, &[&specimens(), "child", "fixed"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
}

fn nested() {
    let open = ["--open", "USR2"];
    let (ran, report) = sweep(&open, "book_in_handler", &["nested", "broken"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert_eq!(endings(&report), (vec!["self-deadlock".to_owned()], true), "{ran:#?}");
    let (ran, _) = sweep(&open, "book_in_handler", &["nested", "fixed"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let ran =
        run(&["probe", "--signal", "USR1", "--at", "book_in_handler", "--time", "3s", "--", &specimens(), "nested"]);
    assert_eq!(ran.code, Some(3), "without the first signal nothing opens it: {ran:#?}");
}

fn clean(window: &str, kind: &str) -> Value {
    let (ran, report) = sweep(&[], window, &[kind, "fixed"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    report
}

fn ends() {
    let report = clean("book", "ends");
    assert_eq!(report["sweeps"][0]["reference"], "exit status 63");
}

fn once() {
    let report = clean("book", "once");
    // A copy that has lost its handler is not used again: a fresh one would have contradicted it.
    assert_eq!(report["sweeps"][0]["notes"], serde_json::json!([]), "{report:#}");
}

/// The same as `shows`, of `more.c`.
fn shows_more(options: &[&str], window: &str, kind: &str, ending: &str) -> Value {
    let (ran, report) = sweep_more(options, window, &[kind, "broken"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert_eq!(endings(&report), (vec![ending.to_owned()], true), "{ran:#?}");
    let (judged, vulnerable) = counts(&report);
    assert!(0 < vulnerable && vulnerable < judged, "{vulnerable} of {judged}: {ran:#?}");
    let (ran, _) = sweep_more(options, window, &[kind, "fixed"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    report
}

fn late() {
    let report = shows_more(&[], "late_note@liblate", "late", "self-deadlock");
    assert_eq!(report["sweeps"][0]["object"], "liblate.so");
    let (program, library) = (compiled("more"), compiled("liblate.so"));
    let verb = ["probe", "--signal", "USR1", "--at", "update@liblate", "--"];
    let ran = run(&[&verb[..], &[&program, "late", "broken", &library]].concat());
    assert!(ran.code == Some(2) && ran.stderr.contains("no function update@liblate"), "{ran:#?}");
}

fn undelivered() {
    shows_more(&[], "forget", "forgets", "undelivered");
}

fn leaks() {
    let report = shows_more(&["--no-leaks"], "work", "leaks", "descriptor leak");
    let detail = report["sweeps"][0]["paths"][0]["ranges"][0]["detail"].as_str().expect("a detail");
    assert!(detail.contains("(/dev/null)") && detail.contains("leaves 0 open"), "{detail}");
    let (ran, _) = sweep_more(&[], "work", &["leaks", "broken"]);
    assert_eq!(ran.code, Some(0), "descriptors are counted on demand: {ran:#?}");
}

fn reaps() {
    let report = shows_more(&[], "work", "reaps", "wrong exit");
    let engines = report["sweeps"][0]["engines"].to_string();
    assert!(engines.contains("rerun"), "{engines}");
    shows_more(&["--engine", "copy"], "work", "reaps", "wrong exit");
}

/// Copies judge, and the program goes on reading where it was.
fn reads_file() {
    let (ran, report) = sweep_more(&[], "next_number", &["reads_file"]);
    assert_eq!((ran.code, &report["sweeps"][0]["notes"]), (Some(0), &serde_json::json!([])), "{ran:#?}");
    assert!(counts(&report).0 > 10 && report["sweeps"][0]["starts"].as_u64() < Some(10), "{ran:#?}");
}

/// A control takes numbers that the program then misses: the program is started again.
fn reads_pipe() {
    let of = |engine: &str| {
        let (ran, report) = sweep_more(&["--engine", engine], "next_number", &["reads_pipe"]);
        assert_eq!((ran.code, &report["sweeps"][0]["incomplete"]), (Some(0), &false.into()), "{ran:#?}");
        (counts(&report), report["sweeps"][0]["notes"].to_string())
    };
    let ((found, notes), (expected, _)) = (of("auto"), of("rerun"));
    assert_eq!(found, expected, "{notes}");
    assert!(notes.contains("copies are not used"), "{notes}");
}

fn long() {
    for engine in ["pass", "auto"] {
        let options = ["--engine", engine, "--calls", "1"];
        let (ran, report) = sweep_more(&options, "calculate", &["calculates", "fixed"]);
        let sweep = &report["sweeps"][0];
        let (boundaries, steps) = (counts(&report).0, sweep["steps"].as_u64().expect("a number"));
        assert!(ran.code == Some(0) && boundaries > 3000, "{ran:#?}");
        // By single steps from the entry to each boundary they would be half the square of the boundaries.
        assert!(steps < 100 * boundaries, "{engine}: {steps} steps for {boundaries} boundaries");
    }
}

fn forks() {
    clean("start_one", "forks");
}

fn repeats() {
    let report = clean("fill", "repeats");
    assert!(counts(&report).0 < 100, "60,000 turns are not that many boundaries");
}

fn threads() {
    let (ran, report) = sweep(&["--thread", "clerk"], "book", &["threads", "broken"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(endings(&report).0.contains(&"self-deadlock".to_owned()), "{ran:#?}");
    let ran = run(&["probe", "--signal", "USR1", "--at", "book", "--", &specimens(), "threads", "broken"]);
    assert!(ran.code == Some(3) && ran.stderr.contains("--thread any"), "the first thread never calls it: {ran:#?}");
}

fn means() {
    let strip = |options: &[&str]| {
        let (ran, report) = sweep(&[options, &["--calls", "1"]].concat(), "book", &["mutex", "broken"]);
        let strip = report["sweeps"][0]["paths"][0]["strip"].as_str();
        strip.unwrap_or_else(|| panic!("{ran:#?}")).to_owned()
    };
    let mut strips: Vec<String> =
        ["auto", "copy", "pass", "rerun"].iter().map(|engine| strip(&["--engine", engine])).collect();
    // Several jobs share the boundaries.
    strips.extend(["auto", "rerun"].iter().map(|engine| strip(&["--jobs", "3", "--engine", engine])));
    assert!(strips[0].contains('D') && strips.iter().all(|strip| *strip == strips[0]), "{strips:#?}");
}

fn replay() {
    let (_, report) = sweep(&[], "book", &["mutex", "broken"]);
    let range = &report["sweeps"][0]["paths"][0]["ranges"][0];
    let token = range["token"].as_str().expect("a token");
    let (ran, again) = sweep(&["--replay", token], "book", &["mutex", "broken"]);
    assert_eq!((ran.code, counts(&again)), (Some(1), (1, 1)), "{ran:#?}");
    assert_eq!(again["sweeps"][0]["paths"][0]["ranges"][0]["first"], range["first"]);
}
