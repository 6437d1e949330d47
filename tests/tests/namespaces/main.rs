//! Runs in a PID namespace that sees the `/proc` of its host, as some containers do. Where no such namespace
//! can be made, each test is reported as ignored, and the reason is said: that is known only when the tests
//! run, so this binary has a `main` of its own.
//!
//! A test is a function and a line in [`TESTS`]. One without its line is dead code, which is a warning.

use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Trial};
use serde_json::Value;
use sigproof_tests::{Ran, binary, finish};

const TESTS: &[(&str, fn())] = &[
    ("stress::a_hang_is_decided_by_patience", a_hang_is_decided_by_patience),
    ("step::the_remedy_is_told", || the_remedy_is_told(&[])),
    ("step::the_remedy_is_told::trap_flag", || the_remedy_is_told(&["--engine", "trap-flag"])),
    ("step::the_remedy_is_told::breakpoint", || the_remedy_is_told(&["--engine", "breakpoint"])),
];

/// A command in a PID namespace of its own, under the `/proc` of this one.
fn in_pid_namespace(words: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--pid", "--fork"]).args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Why such a namespace cannot be made here.
fn lacking() -> Option<String> {
    let remedy = "on Linux, install util-linux, and allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)";
    match in_pid_namespace(&["true"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!("unshare: {}; {remedy}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Some(format!("unshare cannot be run: {error}; {remedy}")),
    }
}

/// The command line there, with its report on the standard output.
fn run_there(words: &[&str]) -> Ran {
    let program = binary().to_str().expect("a path in UTF-8");
    let words = [&[program], words, &["--report", "json=-"]].concat();
    finish(in_pid_namespace(&words).spawn().expect("unshare has been run before"))
}

/// Nothing is read from the processes of others, and nothing waits for ever.
fn a_hang_is_decided_by_patience() {
    let broken = ["stress", "darwin-profbuf-blocking-read", "--note", "sema", "--variant", "broken"];
    let ran = run_there(&[&broken[..], &["--duration", "2s"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let report: Value = serde_json::from_str(&ran.stdout).expect("a report");
    let said = report["runs"][0]["diagnosis"]["sentence"].as_str().expect("a diagnosis");
    assert!(said.contains("not of this PID namespace"), "{said}");
}

/// No engine of `step` can tell what a thread does.
fn the_remedy_is_told(engine: &[&str]) {
    let ran = run_there(&[&["step", "note-sleep", "--note", "futex", "--window", "sleep"], engine].concat());
    assert_eq!(ran.code, Some(4), "{}{}", ran.stdout, ran.stderr);
    for said in ["/proc is not of this PID namespace", "unshare --pid --fork --mount-proc"] {
        assert_eq!(ran.stdout.matches(said).count(), 1, "{said}: {}", ran.stdout);
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let lacking = if arguments.list { None } else { lacking() };
    if let Some(why) = &lacking {
        println!("skipped: no PID namespace can be made here: {why}");
    }
    let trial = |&(name, test): &(&str, fn())| {
        let trial = Trial::test(name, move || {
            test();
            Ok(())
        });
        trial.with_ignored_flag(lacking.is_some())
    };
    libtest_mimic::run(&arguments, TESTS.iter().map(trial).collect()).exit_code()
}
