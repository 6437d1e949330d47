//! Sweeps where the machine refuses something: a system call, as ptrace is in many containers (here by a
//! seccomp filter); a thread; a look at a child.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::libc;
use rstest::rstest;
use serde_json::Value;
use sigproof_tests::{Ran, binary, finish, xtask};

use crate::refuse::{refused, refused_with_flag};

const SLEEP: &[&str] = &["step", "note-sleep", "--note", "futex", "--window", "sleep", "--report", "json=-"];

/// A sweep in a process to which these calls are refused.
fn ran_without(calls: &[libc::c_long], errno: i32, arguments: &[&str]) -> Ran {
    let mut command = xtask(arguments);
    refused(&mut command, calls, errno);
    let _turn = sigproof_tests::turn();
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a seccomp filter can be set"))
}

/// The same without ptrace, and its run in the report.
fn without_ptrace(arguments: &[&str]) -> (Ran, Value) {
    let ran = ran_without(&[libc::SYS_ptrace], libc::EPERM, &[SLEEP, arguments].concat());
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
    for engine in ["undo", "breakpoint", "single-step"] {
        let (ran, run) = without_ptrace(&["--engine", engine]);
        assert_eq!((ran.code, &run["verdict"]), (Some(4), &"skipped".into()), "{run:#}");
        let reason = run["reason"].as_str().unwrap();
        for said in [engine, "ptrace", "not permitted", "--cap-add=SYS_PTRACE", "--engine trap-flag"] {
            assert!(reason.contains(said), "{said}: {reason}");
        }
        assert!(ran.stderr.contains(reason), "people are told the same: {}", ran.stderr);
    }
}

/// The parent that started it has died since, so it gets no orders.
#[test]
fn a_process_that_sweeps_for_another_parent_ends_at_once() {
    let ran = crate::step::sweeper(std::process::id() ^ 1);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
}

/// What the machine refuses to a sweep is no verdict on its window: the call, its error and a remedy are
/// told. What a sweep can do without changes nothing.
#[rstest]
#[case::leash(&[libc::SYS_prctl], 4, &["prctl", "not permitted", "seccomp"])]
#[case::reaping(&[libc::SYS_wait4], 4, &["wait4", "not permitted", "seccomp"])]
#[case::telling(&[libc::SYS_kill], 4, &["no engine works here: this machine refused kill: Operation not permitted", "seccomp"])]
#[case::sending(&[libc::SYS_tgkill], 4, &["no engine works here: this machine refused tgkill: Operation not permitted", "seccomp"])]
#[case::telling_and_tracing(&[libc::SYS_kill, libc::SYS_ptrace], 4, &["this machine refused kill", "not permitted", "seccomp"])]
#[case::starting(&[libc::SYS_clone, libc::SYS_clone3, libc::SYS_fork, libc::SYS_vfork], 4, &["child process", "not permitted", "seccomp"])]
#[case::tracing(&[libc::SYS_ptrace], 0, &["1 window: 1 as expected", "engine trap-flag"])]
#[case::looking_for_an_end(&[libc::SYS_waitid], 0, &["1 window: 1 as expected"])]
#[case::reading(&[libc::SYS_process_vm_readv], 0, &["1 window: 1 as expected"])]
#[case::pausing(&[libc::SYS_clock_nanosleep], 0, &["1 window: 1 as expected"])]
fn a_refused_call_is_no_verdict(#[case] calls: &[libc::c_long], #[case] code: i32, #[case] words: &[&str]) {
    let ran = ran_without(calls, libc::EPERM, &SLEEP[..SLEEP.len() - 2]);
    assert_eq!(ran.code, Some(code), "{}{}", ran.stdout, ran.stderr);
    for said in words {
        assert!(ran.stdout.contains(said) || ran.stderr.contains(said), "{said}: {}{}", ran.stdout, ran.stderr);
    }
    assert!(!ran.stdout.contains("--delivery"), "a remedy for another technique: {}", ran.stdout);
}

/// At the limit of `ulimit -u` the target's thread cannot be made: the child reports it, and does not wait
/// for it.
#[test]
fn a_target_that_cannot_be_started_is_told_by_its_cause() {
    let mut command = xtask(&["__step", "0", &std::process::id().to_string()]);
    refused(&mut command, &[libc::SYS_clone3], libc::ENOSYS);
    refused_with_flag(&mut command, libc::SYS_clone, libc::CLONE_THREAD as u32, libc::EAGAIN);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(b"\"probe\"\n").expect("it waits for its orders");
    let ran = finish(child);
    // The first line is the greeting.
    let line = ran.stdout.lines().nth(1).unwrap_or_else(|| panic!("{ran:#?}"));
    let event: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {ran:#?}"));
    let probes = event["probed"].as_array().unwrap_or_else(|| panic!("{event:#}"));
    assert!(!probes.is_empty());
    for probe in probes {
        let why = probe["lacks"].as_str().unwrap_or_else(|| panic!("{probe:#}"));
        for said in ["a new thread (clone)", "temporarily unavailable", "ulimit -u"] {
            assert!(why.contains(said), "{said}: {why}");
        }
    }
}

/// The kernel hides the processes of an executable that may not be read: there is no ptrace, and no look at
/// what a thread waits for. The sweep of a window that hangs ends early, and says so; the others are whole.
#[test]
fn where_a_child_cannot_be_looked_at_a_sweep_ends_early_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("xtask");
    sigproof_tests::executable::copy(binary(), &program);
    // Root may read everything.
    // SAFETY: no preconditions.
    let root = unsafe { libc::geteuid() } == 0;
    for (path, mode) in [(folder.path(), 0o755), (&program, if root { 0o711 } else { 0o111 })] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let windows = ["note-sleep/broken/sema@sleep", "selftest-step-livelock/broken@set", "note-sleep/fixed/futex@sleep"];
    let mut command = Command::new(&program);
    command.arg("step").args(windows).args(["--jobs", "3", "--report", "json=-"]).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if root {
        command.uid(65534).gid(65534);
    }
    let _turn = sigproof_tests::turn();
    let ran = finish(command.spawn().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("warning: a child cannot be looked at").count(), 1, "{}", ran.stderr);
    for said in ["10 s", "chmod a+r", "not exhaustive"] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let of = |case: &str, note: Option<&str>| {
        let mut runs = report["runs"].as_array().unwrap().iter();
        runs.find(|run| run["case"] == case && run["note"].as_str() == note).unwrap_or_else(|| panic!("{report:#}"))
    };
    for (run, outcome) in
        [(of("note-sleep", Some("sema")), "self-deadlock"), (of("selftest-step-livelock", None), "livelock")]
    {
        assert_eq!((&run["verdict"], &run["observed"][outcome]), (&"as-expected".into(), &2.into()), "{run:#}");
        let left = run["not_visited"].as_u64().unwrap_or_else(|| panic!("{run:#}"));
        assert_eq!(run["boundaries"].as_u64(), run["injected"].as_u64().map(|injected| injected + left), "{run:#}");
        assert!(run["reason"].as_str().is_some_and(|reason| reason.contains("not exhaustive")), "{run:#}");
    }
    let fixed = of("note-sleep", Some("futex"));
    assert_eq!((&fixed["injected"], &fixed["not_visited"]), (&fixed["boundaries"], &Value::Null), "{fixed:#}");
    assert_eq!(fixed["reason"], Value::Null);
}
