//! What the machine refuses is no verdict on a case: a skip with the call and a remedy, exit code 4, and
//! nothing is left behind.
#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use nix::libc;
use rstest::rstest;
use serde_json::Value;
use sigproof_casebook::REGISTRY;
use sigproof_harness::inject::Delivery;
use sigproof_harness::page::{Shared, State};
use sigproof_harness::registry::lacking;
use sigproof_harness::setup::Setup;
use sigproof_harness::worker::Order;
use sigproof_report::Variant;
use sigproof_tests::interrupt::{assert_none_started_by, started_by};
use sigproof_tests::{Ran, binary, finish, xtask};

use crate::refuse::{refused, refused_with_flag};

/// The variable by which the processes of a run are found.
const MARK: &str = "SIGPROOF_TEST_REFUSALS";

/// Runs it to its end, with its report and its processes' mark.
fn told(mut command: Command, mark: &str) -> (Ran, Value) {
    command.args(["--report", "json=-"]).env(MARK, mark).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = finish(command.spawn().expect("xtask starts"));
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:#?}"));
    assert_none_started_by(&format!("{MARK}={mark}"));
    (ran, report)
}

/// Every setup is skipped, for a reason with these words, and people are told the same.
fn assert_refused((ran, report): &(Ran, Value), words: &[&str]) {
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    for run in report["runs"].as_array().unwrap() {
        assert_eq!((&run["verdict"], &run["refused"]), (&"skipped".into(), &true.into()), "{run:#}");
        let reason = run["reason"].as_str().unwrap();
        for word in words {
            assert!(reason.contains(word), "{word}: {reason}");
        }
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    }
}

const BROKEN: &[&str] = &["darwin-profbuf-blocking-read", "--note", "sema", "--variant", "broken"];
const ITIMER: &[&str] = &["darwin-profbuf-blocking-read", "--note", "sema", "--delivery", "itimer"];
const KILLER: &[&str] = &["darwin-profbuf-blocking-read", "--note", "sema", "--delivery", "pthread-kill"];

#[rstest]
#[case::timers(&[libc::SYS_timer_create], libc::EPERM, &["darwin-sigqueue-note"], &["timer_create", "seccomp", "--delivery pthread-kill"])]
#[case::pending_signals(&[libc::SYS_timer_create], libc::EAGAIN, &["darwin-sigqueue-note"], &["timer_create", "ulimit -i"])]
#[case::arming(&[libc::SYS_timer_settime], libc::EPERM, &["atomic64-spinlock"], &["timer_settime", "--delivery pthread-kill"])]
#[case::interval_timers(&[libc::SYS_setitimer], libc::EPERM, ITIMER, &["setitimer", "another --delivery"])]
#[case::sending(&[libc::SYS_tgkill], libc::EPERM, KILLER, &["tgkill", "--delivery thread-timer"])]
#[case::raising(&[libc::SYS_tgkill], libc::EPERM, &["lost-count-not-reset"], &["tgkill", "seccomp"])]
#[case::eventfd(&[libc::SYS_eventfd2], libc::ENOSYS, &["profbuf-double-wakeup", "--note", "eventfd"], &["eventfd", "another --note"])]
#[case::pipes(&[libc::SYS_pipe2], libc::EPERM, &["signote-fork-cloexec"], &["pipe", "not permitted"])]
#[case::leash(&[libc::SYS_prctl], libc::EPERM, &["atomic64-spinlock"], &["prctl", "not permitted", "seccomp"])]
#[case::killing(&[libc::SYS_kill], libc::EPERM, BROKEN, &["kill", "not permitted", "seccomp"])]
#[case::looking_for_an_end(&[libc::SYS_waitid], libc::EPERM, &["atomic64-spinlock"], &["waitid", "not permitted"])]
#[case::waiting(&[libc::SYS_wait4, libc::SYS_waitid], libc::EPERM, &["atomic64-spinlock"], &["wait", "not permitted"])]
#[case::groups(&[libc::SYS_setpgid], libc::EPERM, &["atomic64-spinlock"], &["child process", "not permitted"])]
#[case::pages(&[libc::SYS_ftruncate], libc::ENOSPC, &["atomic64-spinlock"], &["temporary file", "No space left", "TMPDIR"])]
fn a_refused_call_is_a_skip_with_a_remedy(
    #[case] calls: &[libc::c_long],
    #[case] errno: i32,
    #[case] what: &[&str],
    #[case] words: &[&str],
) {
    let mut command = xtask(&[&["stress", "--attempts", "2"], what].concat());
    refused(&mut command, calls, errno);
    let mark = format!("{calls:?}/{errno}/{what:?}");
    assert_refused(&told(command, &mark), words);
}

#[test]
fn a_refusal_to_some_setups_ends_with_4_though_others_ran() {
    let mut command =
        xtask(&["stress", "note-interval-sleep", "atomic64-spinlock", "--variant", "fixed", "--attempts", "2"]);
    refused(&mut command, &[libc::SYS_timer_create], libc::EPERM);
    let (ran, report) = told(command, "some");
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    let of = |case: &str| report["runs"].as_array().unwrap().iter().find(|run| run["case"] == case).unwrap();
    assert_eq!(of("note-interval-sleep")["verdict"], "as-expected", "it needs no timer");
    assert_eq!(of("atomic64-spinlock")["verdict"], "skipped");
}

#[test]
fn what_is_refused_and_not_needed_changes_nothing() {
    let mut command = xtask(&["stress", "semasleep-spurious-timeout", "--variant", "fixed", "--attempts", "2"]);
    refused(&mut command, &[libc::SYS_nanosleep, libc::SYS_clock_nanosleep], libc::EPERM);
    let (ran, _) = told(command, "sleep");
    assert_eq!(ran.code, Some(0), "a pause needs no nanosleep: {ran:#?}");
}

#[test]
fn a_folder_for_temporary_files_is_named() {
    let mut command = xtask(&["stress", "atomic64-spinlock", "--attempts", "2"]);
    command.env("TMPDIR", "/no/such/folder");
    let all = told(command, "tmpdir");
    assert_refused(&all, &["/no/such/folder", "TMPDIR", "No such file"]);
    let second = all.1["runs"][1]["reason"].as_str().unwrap();
    assert!(second.contains("not attempted"), "the first failure ends the run: {second}");
}

/// A thread that a case starts itself: in its worker alone, for the parent needs threads too.
#[rstest]
#[case("profbuf-double-wakeup")]
#[case("note-interval-sleep")]
#[case("signote-duplicate-setup")]
#[case("semasleep-spurious-timeout")]
#[case("signote-fork-cloexec")]
fn a_thread_that_a_case_needs_is_refused_and_nothing_panics(#[case] name: &str) {
    let case = REGISTRY.find(name).unwrap();
    let fixed = |setup: &Setup| setup.variant == Variant::Fixed && lacking(case, setup).is_none();
    let setup = REGISTRY.setups_of(case).into_iter().find(fixed).unwrap();
    let order = Order::new(case, &setup, Delivery::best(), 100, 1);
    let (page, file) = Shared::create().unwrap();
    let mut worker = xtask(&["__worker", &serde_json::to_string(&order).unwrap()]);
    worker.stdin(file).stdout(Stdio::piped()).stderr(Stdio::piped());
    // The C library falls back to the older call, whose flags a filter can read.
    refused(&mut worker, &[libc::SYS_clone3], libc::ENOSYS);
    refused_with_flag(&mut worker, libc::SYS_clone, libc::CLONE_THREAD as u32, libc::EAGAIN);
    let ran = finish(worker.spawn().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    match page.page().state() {
        State::Refused(refusal) => {
            let said = refusal.to_string();
            assert!(said.contains("thread") && said.contains("ulimit -u"), "{said}");
        }
        other => panic!("{other:?}: {ran:#?}"),
    }
}

/// A rebuild replaces the program of a run that is under way.
#[test]
fn a_run_whose_program_is_removed_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("xtask");
    sigproof_tests::executable::copy(binary(), &copy);
    let mut command = Command::new(&copy);
    command.args(["stress", "selftest-slow", "--attempts", "12", "--rounds", "4", "--report", "json=-"]);
    command.env(MARK, "removed").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let started = Instant::now();
    let mark = format!("{MARK}=removed");
    // The run itself, and a worker.
    while started_by(&mark).len() < 2 {
        assert!(started.elapsed() < Duration::from_secs(60), "no worker was started");
        thread::sleep(Duration::from_millis(5));
    }
    fs::remove_file(&copy).unwrap();
    let ran = finish(child);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(report["runs"][0]["observed"], serde_json::json!({"delivered": 12}));
}
