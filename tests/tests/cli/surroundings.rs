//! What a command inherits: signals that are ignored on entry, and what several phases make of one Ctrl-C.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use rstest::rstest;
use sigproof_tests::{executable, finish, with_signal, xtask};

use crate::interrupt::{assert_none_started_by, command_interrupted_after};

fn ran(mut command: Command) -> sigproof_tests::Ran {
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// The signals of POSIX that can be ignored.
fn all_signals() -> impl Iterator<Item = Signal> {
    Signal::iterator().filter(|signal| !matches!(signal, Signal::SIGKILL | Signal::SIGSTOP))
}

#[rstest]
#[case::stress(&["stress", "selftest-crash", "selftest-exit", "--attempts", "2"], "2 setups: 2 as expected")]
#[case::refusal(&["stress", "darwin-profbuf-blocking-read", "--flavour", "refuses", "--attempts", "2"], "1 setup: 1 as expected")]
#[case::step(&["step", "note-sleep", "--note", "sema", "--window", "sleep", "--variant", "broken"], "1 window: 1 as expected")]
#[case::model(&["model", "note-cycles", "--note", "futex"], "as expected")]
fn signals_that_are_ignored_on_entry_change_no_verdict(
    #[case] arguments: &[&str],
    #[case] summary: &str,
    #[values(false, true)] all: bool,
) {
    let mut command = xtask(arguments);
    for signal in all_signals().filter(|signal| all || *signal == Signal::SIGCHLD) {
        with_signal(&mut command, signal as i32, libc::SIG_IGN);
    }
    let ran = ran(command);
    // Where no engine of `step` works, it says so, and why: it is then no matter of signals.
    let no_engine = ran.code == Some(4) && ran.stdout.contains("no engine works here");
    assert!(!ran.stdout.contains("No child processes"), "{}", ran.stdout);
    assert!(ran.code == Some(0) && ran.stdout.contains(summary) || no_engine, "{}{}", ran.stdout, ran.stderr);
}

/// `nohup`, and a background job of a script: what is ignored on entry stays ignored.
#[rstest]
#[case::hung_up(Signal::SIGHUP)]
#[case::background_job(Signal::SIGINT)]
fn a_signal_that_is_ignored_on_entry_interrupts_nothing(#[case] signal: Signal) {
    let mut command = xtask(&["stress", "selftest-crash", "selftest-exit", "--attempts", "2", "--jobs", "1"]);
    with_signal(&mut command, signal as i32, libc::SIG_IGN);
    let (code, stdout, stderr) = command_interrupted_after("to run", command, |pid| kill(pid, signal).unwrap());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("2 setups: 2 as expected"), "{stdout}");
}

#[test]
fn one_interruption_ends_the_phase_and_the_command_and_what_was_found_is_compared() {
    let mut command = xtask(&["agree", "atomic64-spinlock"]);
    command.env("SIGPROOF_TEST_OF_AGREE", "1");
    // All models of it are done; the sweeps would take their time.
    let (code, stdout, stderr) =
        command_interrupted_after("== step", command, |pid| kill(pid, Signal::SIGINT).unwrap());
    assert_eq!(code, Some(130), "{stderr}");
    assert!(!stderr.contains("== stress"), "the next phase does not begin: {stderr}");
    assert!(stderr.contains("== agreement") && stdout.contains("0 disagreements"), "{stdout}{stderr}");
    assert_none_started_by("SIGPROOF_TEST_OF_AGREE=1");
}

/// A cargo that builds nothing, and whose `cargo test --workspace` does what this script says.
fn false_cargo(folder: &Path, test: &str) -> PathBuf {
    let path = folder.join("cargo");
    let script = format!("#!/bin/sh\ncase \"$*\" in\n*'test --workspace'*) {test} ;;\n*) exit 0 ;;\nesac\n");
    executable::script(&path, &script);
    path
}

/// `cargo xtask test` with that cargo, interrupted once it has said `word`.
fn test_interrupted_after(word: &str, mark: &str, test: &str) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = xtask(&["test"]);
    command.env("CARGO", false_cargo(folder.path(), test)).env("SIGPROOF_TEST_OF_TEST", mark);
    let done = command_interrupted_after(word, command, |pid| kill(pid, Signal::SIGINT).unwrap());
    assert_none_started_by(&format!("SIGPROOF_TEST_OF_TEST={mark}"));
    done
}

/// The cargo of this test builds nothing, and writes down what it is asked.
#[test]
fn no_run_builds_and_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (cargo, asked) = (folder.path().join("cargo"), folder.path().join("asked"));
    let of_bench = r#"{"target":{"kind":["bench"]},"executable":"profbuf"}"#;
    executable::script(&cargo, &format!("#!/bin/sh\necho \"$*\" >> '{}'\necho '{of_bench}'\n", asked.display()));
    let ran = finish(xtask(&["test", "--no-run"]).env("CARGO", cargo).stdout(Stdio::piped()).spawn().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let asked = std::fs::read_to_string(asked).unwrap();
    let verbs: Vec<&str> = asked.lines().filter_map(|line| line.split(' ').next()).collect();
    // The models and their tests over each engine, all other tests, the benchmarks.
    assert_eq!(verbs, ["build", "build", "test", "test", "test", "bench"], "{asked}");
    assert!(asked.lines().skip(2).all(|line| line.contains(" --no-run")), "{asked}");
}

#[test]
fn one_interruption_ends_all_of_test() {
    let (code, stdout, stderr) = test_interrupted_after("at work", "1", "echo at work >&2; sleep 600");
    assert_eq!(code, Some(130), "{stderr}");
    let line = "test: interrupted; cargo test interrupted, tests of the checker not run, model not run, step not run, \
                stress not run, agreement not run, conform not run";
    assert!(stdout.contains(line), "{stdout}");
}

#[test]
fn failed_tests_are_not_swallowed() {
    let (code, stdout, stderr) = test_interrupted_after("== cargo xtask model", "2", "exit 101");
    assert_eq!(code, Some(130), "{stderr}");
    assert!(stdout.contains("test: interrupted; cargo test FAILED, tests of the checker ok, model "), "{stdout}");
}
