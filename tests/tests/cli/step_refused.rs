//! Sweeps where a system call is refused, as ptrace is in many containers: here by a seccomp filter.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::process::Stdio;

use nix::libc;
use rstest::rstest;
use serde_json::Value;
use sigproof_tests::{Ran, finish, xtask};

const SLEEP: &[&str] = &["step", "note-sleep", "--note", "futex", "--window", "sleep", "--report", "json=-"];

/// A sweep in a process to which this call is refused.
fn ran_without(call: libc::c_long, arguments: &[&str]) -> Ran {
    let mut command = xtask(arguments);
    crate::refuse::refused(&mut command, &[call], libc::EPERM);
    let _turn = crate::step_sweeps::turn();
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a seccomp filter can be set"))
}

/// The same without ptrace, and its run in the report.
fn without_ptrace(arguments: &[&str]) -> (Ran, Value) {
    let ran = ran_without(libc::SYS_ptrace, &[SLEEP, arguments].concat());
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:#?}"));
    (ran, report["runs"][0].clone())
}

#[test]
fn the_trap_flag_does_without() {
    let (ran, run) = without_ptrace(&[]);
    assert_eq!((ran.code, &run["verdict"]), (Some(0), &"as-expected".into()), "{run:#}");
    assert_eq!((&run["engine"], &run["vulnerable"]), (&"trap-flag".into(), &0.into()), "{run:#}");
    assert!(run["boundaries"].as_u64() > Some(0) && run["boundaries"] == run["injected"], "{run:#}");
}

#[test]
fn an_engine_that_traces_is_refused_with_a_remedy() {
    for engine in ["breakpoint", "single-step"] {
        let (ran, run) = without_ptrace(&["--engine", engine]);
        assert_eq!((ran.code, &run["verdict"]), (Some(4), &"skipped".into()), "{run:#}");
        let reason = run["reason"].as_str().unwrap();
        for said in [engine, "ptrace", "not permitted", "--cap-add=SYS_PTRACE", "--engine trap-flag"] {
            assert!(reason.contains(said), "{said}: {reason}");
        }
        assert!(ran.stderr.contains(reason), "people are told the same: {}", ran.stderr);
    }
}

/// The parent that it was started for has died since: nobody is there to give it orders.
#[test]
fn a_process_that_sweeps_for_another_parent_ends_at_once() {
    let ran = crate::step::sweeper(std::process::id() ^ 1);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
}

/// What the machine refuses to a sweep is no verdict on its window.
#[rstest]
#[case::leash(libc::SYS_prctl, 4, "prctl")]
#[case::reaping(libc::SYS_wait4, 4, "wait4")]
#[case::killing(libc::SYS_kill, 4, "no engine works here")]
#[case::pausing(libc::SYS_clock_nanosleep, 0, "1 window: 1 as expected")]
fn a_refused_call_is_no_verdict(#[case] call: libc::c_long, #[case] code: i32, #[case] said: &str) {
    let ran = ran_without(call, &SLEEP[..SLEEP.len() - 2]);
    assert_eq!(ran.code, Some(code), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains(said) || ran.stderr.contains(said), "{}{}", ran.stdout, ran.stderr);
}
