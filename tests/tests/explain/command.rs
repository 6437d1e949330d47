//! `explain -- COMMAND`: what the command's end, its hang and an interruption come to.

use crate::Check;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use sigproof_tests::interrupt::{assert_none_started_by, started_by};
use sigproof_tests::terminal::types_to;
use sigproof_tests::{Ran, finish, xtask};

pub const TESTS: &[(&str, Check)] = &[
    ("one_that_hangs_is_explained_and_ended", one_that_hangs_is_explained_and_ended),
    ("one_that_waits_for_a_hung_child", one_that_waits_for_a_hung_child),
    ("one_that_ends", one_that_ends),
    ("one_that_ends_is_reported", one_that_ends_is_reported),
    ("one_that_is_too_slow", one_that_is_too_slow),
    ("one_that_does_not_start", one_that_does_not_start),
    ("an_interruption_ends_it", an_interruption_ends_it),
    ("one_reads_from_the_terminal", one_reads_from_the_terminal),
    ("a_key_of_the_terminal_interrupts_it", a_key_of_the_terminal_interrupts_it),
    ("a_key_of_the_terminal_stops_it", a_key_of_the_terminal_stops_it),
];

/// Runs a command under `explain`; whatever it starts has `word` in its environment, and is gone afterwards.
fn run(word: &str, arguments: &[&str]) -> Ran {
    let (key, value) = word.split_once('=').expect("a variable");
    let mut command = xtask(&[&["explain"], arguments].concat());
    command.env(key, value).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = finish(command.spawn().expect("xtask starts"));
    assert_none_started_by(word);
    ran
}

fn path() -> String {
    crate::specimens().to_str().expect("a path in UTF-8").to_owned()
}

fn one_that_hangs_is_explained_and_ended(_: &str) {
    let ran = run("SIGPROOF_EXPLAINED=hangs", &["--", &path(), "handler_mutex"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stdout.starts_with("ready\nstuck: "), "its output is passed on: {ran:#?}");
    assert!(ran.stdout.contains("waits in a signal handler for mutex first"), "{ran:#?}");
    assert!(ran.stderr.contains("the command hangs; it is ended after"), "{ran:#?}");
}

fn one_that_waits_for_a_hung_child(_: &str) {
    let script = format!("'{}' cross; echo never", path());
    let ran = run("SIGPROOF_EXPLAINED=child", &["--", "sh", "-c", &script]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stdout.contains("waits for its child") && !ran.stdout.contains("never"), "{ran:#?}");
    assert!(ran.stdout.contains("mutex second"), "the child is explained too: {ran:#?}");
}

fn one_that_ends(_: &str) {
    let ran = run("SIGPROOF_EXPLAINED=ends", &["--", "echo", "well"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "well\n", ""));
    let ran = run("SIGPROOF_EXPLAINED=fails", &["--", "sh", "-c", "exit 5"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("the command exited with code 5"), "{ran:#?}");
    let ran = run("SIGPROOF_EXPLAINED=dies", &["--", "sh", "-c", "kill -SEGV $$"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("SIGSEGV"), "{ran:#?}");
}

/// A command that ends by itself has a report, too.
fn one_that_ends_is_reported(_: &str) {
    for (script, verdict) in [("exit 0", "not-stuck"), ("exit 5", "not-enough")] {
        let ran = run("SIGPROOF_EXPLAINED=told", &["--report", "json=-", "--", "sh", "-c", script]);
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!(report["verdict"], verdict, "{ran:#?}");
        assert!(report["sentence"].as_str().is_some_and(|sentence| sentence.contains("before it hung")), "{ran:#?}");
    }
}

fn one_that_is_too_slow(_: &str) {
    let ran = run("SIGPROOF_EXPLAINED=slow", &["--limit", "300ms", "--", "sleep", "1000"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stdout.starts_with("not stuck: ") && ran.stdout.contains("time limit"), "{ran:#?}");
    assert!(ran.stderr.contains("did not end within its limit"), "{ran:#?}");
}

fn one_that_does_not_start(_: &str) {
    let ran = run("SIGPROOF_EXPLAINED=not", &["--", "/nowhere/at-all"]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert!(ran.stderr.contains("cannot start /nowhere/at-all"), "{ran:#?}");
}

fn an_interruption_ends_it(_: &str) {
    let word = "SIGPROOF_EXPLAINED=interrupted";
    let mut command = xtask(&["explain", "--", "sleep", "1000"]);
    command.env("SIGPROOF_EXPLAINED", "interrupted").stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("xtask starts");
    let sleeps = || started_by(word).iter().any(|(_, line)| line.first().is_some_and(|name| name == "sleep"));
    while !sleeps() {
        thread::sleep(Duration::from_millis(5));
    }
    // SAFETY: no memory is involved; the child is ours and not reaped.
    unsafe { libc::kill(child.id().cast_signed(), libc::SIGINT) };
    assert_eq!(finish(child).code, Some(130));
    assert_none_started_by(word);
}

/// The kernel stops who reads from the terminal in the background, and the command is in a group of its own.
fn one_reads_from_the_terminal(_: &str) {
    let script = "echo ready; read line; echo got:$line; read line; echo and:$line";
    let typed = [("ready", "one\n"), ("got:one", "two\n")];
    let ran = types_to(xtask(&["explain", "--", "sh", "-c", script]), &typed);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.stdout.contains("\ngot:one\n") && ran.stdout.contains("\nand:two\n"), "{ran:#?}");
}

fn a_key_of_the_terminal_interrupts_it(_: &str) {
    let word = "SIGPROOF_EXPLAINED=key";
    let mut command = xtask(&["explain", "--", "sh", "-c", "echo ready; exec sleep 1000"]);
    command.env("SIGPROOF_EXPLAINED", "key");
    let ran = types_to(command, &[("ready", "\x03")]);
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    assert_none_started_by(word);
}

/// Ctrl-Z stops the command and `explain`; a shell notices that, and `fg` lets both go on.
fn a_key_of_the_terminal_stops_it(_: &str) {
    let explain = xtask(&["explain", "--"]);
    let explain: Vec<_> = std::iter::once(explain.get_program()).chain(explain.get_args()).collect();
    let explain: Vec<_> = explain.iter().map(|part| format!("'{}'", part.to_string_lossy())).collect();
    let command = "sh -c 'echo up; read line; echo got:$line'";
    // A shell with job control: the second line runs once the job has stopped.
    let script = format!("set -m; {} {command}; echo stopped:$?; fg >/dev/null; echo ended:$?", explain.join(" "));
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", &script]);
    let ran = types_to(shell, &[("up", "\x1a"), ("stopped:", "on\n")]);
    assert!(ran.stdout.contains("got:on\n") && ran.stdout.contains("ended:0"), "{ran:#?}");
}
