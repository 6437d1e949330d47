//! Reproducers inside real Go runtimes, where there are any: children that misbehave, and what is said of them.

use nix::sys::signal::{Signal, kill};
use rstest::rstest;
use sigproof_oracle::driver::{self, Driver};
use sigproof_tests::{run, xtask};

use crate::conform::{path, toolchains};
use crate::interrupt::{assert_none_started_by, command_interrupted_after};
use crate::outcomes::json;

#[test]
fn a_reproducer_that_is_none_is_wrong_usage() {
    let ran = run(&["upstream", "profbuf-double-wakeups"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("did you mean 'profbuf-double-wakeup'?"), "{}", ran.stderr);
    assert!(ran.stderr.contains("os-signal-storm") && !ran.stderr.contains("selftest"), "{}", ran.stderr);
}

#[rstest]
#[case::threads_that_wait("selftest-deadlock", "lost wake-up", "it sleeps, and nobody wakes it", "main.passOn")]
#[case::a_thread_that_spins("selftest-spin", "livelock", "it spins", "main.selftestSpin")]
#[case::one_deaf_to_signals("selftest-deaf", "livelock", "brought no traceback", "")]
#[case::one_that_stays_in_the_handler("selftest-handler", "self-deadlock", "did not leave it", "main.selftestHandler")]
#[case::one_that_is_slow("selftest-slow", "delivered", "", "")]
#[case::one_that_panics("selftest-panic", "crash", "panic: as it was told", "goroutine 1")]
#[case::one_that_refuses_its_handler("selftest-refused", "refused", "semawakeup on Darwin signal stack", "goroutine 1")]
#[case::one_that_fails("selftest-error", "crash", "driver: as it was told", "")]
#[case::accounts_that_do_not_add_up("selftest-failed", "corrupt record", "as it was told", "")]
#[ignore = "needs a Go toolchain: cargo xtask test runs it where there is one"]
fn a_child_that_misbehaves_is_an_outcome_with_the_runtimes_own_traceback(
    #[case] name: &str,
    #[case] outcome: &str,
    #[case] sentence: &str,
    #[case] frame: &str,
) {
    let toolchain = toolchains().pop().unwrap();
    let (ran, report) = json(&["upstream", name, "--go", &path(&toolchain), "--runs", "1"]);
    let run = &report["runs"][0];
    assert_eq!((ran.code, &run["verdict"]), (Some(0), &"as-expected".into()), "{}", ran.stderr);
    assert_eq!(run["observed"], serde_json::json!({ outcome: 1 }), "{run:#}");
    let said = run["diagnosis"]["sentence"].as_str().unwrap_or_default();
    assert!(said.contains(sentence), "{said}");
    assert!(ran.stderr.contains(frame), "{}", ran.stderr);
}

#[test]
#[ignore = "needs a Go toolchain: cargo xtask test runs it where there is one"]
fn the_double_wakeup_kills_the_runtimes_that_have_it_and_no_other() {
    let found = toolchains();
    let (ran, report) = json(&["upstream", "profbuf-double-wakeup", "--runs", "2"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let runs = report["runs"].as_array().unwrap();
    assert_eq!(runs.len(), found.len());
    for (run, toolchain) in runs.iter().zip(&found) {
        assert_eq!(run["flavour"], toolchain.version.to_string());
        let broken = run["variant"] == "broken";
        assert_eq!(run["observed"]["double wake-up"].is_number(), broken, "{run:#}");
        let said = run["diagnosis"]["sentence"].as_str().unwrap_or_default();
        assert_eq!(said.contains("fatal error: notewakeup - double wakeup"), broken, "{run:#}");
    }
}

#[test]
#[ignore = "needs a Go toolchain: cargo xtask test runs it where there is one"]
fn an_interruption_leaves_no_child() {
    let toolchain = toolchains().pop().unwrap();
    let mut command = xtask(&["upstream", "selftest-spin", "--go", &path(&toolchain), "--report", "json=-"]);
    let word = format!("SIGPROOF_TEST_OF_UPSTREAM={}", std::process::id());
    let (name, value) = word.split_once('=').unwrap();
    command.env(name, value);
    // The child has said so itself: it runs, and there is something that the interruption could leave behind.
    let (code, stdout, stderr) =
        command_interrupted_after("progress 1", command, |pid| kill(pid, Signal::SIGINT).unwrap());
    assert_eq!(code, Some(130), "{stderr}");
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["interrupted"], true, "{report:#}");
    assert_none_started_by(&word);
}

/// Nothing of it runs here: that the reproducers compile and link for macOS is all that is claimed.
#[test]
#[ignore = "needs a Go toolchain: cargo xtask test runs it where there is one"]
fn the_reproducers_are_compiled_for_macos() {
    for toolchain in toolchains() {
        let built = Driver::build_for(&toolchain, &driver::folder(), "darwin", "arm64");
        let program = std::fs::read(built.unwrap_or_else(|error| panic!("{error}")).program).unwrap();
        // The magic number of a Mach-O file of 64 bits.
        assert_eq!(program[..4], 0xfeed_facf_u32.to_le_bytes(), "{}", toolchain.version);
    }
}
