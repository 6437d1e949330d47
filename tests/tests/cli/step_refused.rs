//! Sweeps where ptrace is refused, as it is in many containers: here by a seccomp filter.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use nix::libc;
use rstest::rstest;
use serde_json::Value;
use sigproof_tests::{Ran, finish, xtask};

const SLEEP: &[&str] = &["step", "note-sleep", "--note", "futex", "--window", "sleep", "--report", "json=-"];

/// Has the kernel answer every ptrace of the calling process, and of its children, with EPERM. Async-signal-safe.
fn refuse_ptrace() -> io::Result<()> {
    let instruction = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    // The number of the system call is the first word of what the filter is given. The process is of one architecture.
    let mut filter = [
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_ptrace as u32),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: takes numbers.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the program and its instructions are live locals; the kernel copies them.
    match unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A sweep in a process to which ptrace is refused; none, and a word about it, where no filter can be set.
fn refused(arguments: &[&str]) -> Option<(Ran, Value)> {
    let mut command = xtask(&[SLEEP, arguments].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // SAFETY: between fork and exec the closure makes system calls only, with memory of its own stack.
    unsafe { command.pre_exec(refuse_ptrace) };
    let _turn = crate::step_sweeps::turn();
    let child = command.spawn().map_err(|error| eprintln!("skipped: no seccomp filter can be set: {error}")).ok()?;
    let ran = finish(child);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:#?}"));
    Some((ran, report["runs"][0].clone()))
}

#[test]
fn the_trap_flag_does_without() {
    let Some((ran, run)) = refused(&[]) else { return };
    assert_eq!((ran.code, &run["verdict"]), (Some(0), &"as-expected".into()), "{run:#}");
    assert_eq!((&run["engine"], &run["vulnerable"]), (&"trap-flag".into(), &0.into()), "{run:#}");
    assert!(run["boundaries"].as_u64() > Some(0) && run["boundaries"] == run["injected"], "{run:#}");
}

#[test]
fn an_engine_that_traces_is_refused_with_a_remedy() {
    for engine in ["breakpoint", "single-step"] {
        let Some((ran, run)) = refused(&["--engine", engine]) else { return };
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
#[case::leash(libc::SYS_prctl, libc::EPERM, 4, "prctl")]
#[case::reaping(libc::SYS_wait4, libc::EPERM, 4, "wait4")]
#[case::killing(libc::SYS_kill, libc::EPERM, 4, "no engine works here")]
#[case::pausing(libc::SYS_clock_nanosleep, libc::EPERM, 0, "1 window: 1 as expected")]
fn a_refused_call_is_no_verdict(#[case] call: libc::c_long, #[case] errno: i32, #[case] code: i32, #[case] said: &str) {
    let mut command = xtask(&SLEEP[..SLEEP.len() - 2]);
    crate::refuse::refused(&mut command, &[call], errno);
    let _turn = crate::step_sweeps::turn();
    let ran = finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    assert_eq!(ran.code, Some(code), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains(said) || ran.stderr.contains(said), "{}{}", ran.stdout, ran.stderr);
}
