//! Reproducers inside real Go runtimes: children that misbehave, and what is said of them.

use nix::sys::signal::{Signal, kill};
use sigproof_oracle::driver::{self, Driver};
use sigproof_tests::interrupt::{assert_none_started_by, command_interrupted_after};
use sigproof_tests::{json, xtask};

use crate::{path, toolchains};

pub fn a_child_that_misbehaves_is_an_outcome_with_the_runtimes_own_traceback(
    name: &str,
    outcome: &str,
    sentence: &str,
    frame: &str,
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

pub fn the_double_wakeup_kills_the_runtimes_that_have_it_and_no_other() {
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

pub fn an_interruption_leaves_no_child() {
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
pub fn the_reproducers_are_compiled_for_macos() {
    for toolchain in toolchains() {
        let built = Driver::build_for(&toolchain, &driver::folder(), "darwin", "arm64");
        let program = std::fs::read(built.unwrap_or_else(|error| panic!("{error}")).program).unwrap();
        // The magic number of a Mach-O file of 64 bits.
        assert_eq!(program[..4], 0xfeed_facf_u32.to_le_bytes(), "{}", toolchain.version);
    }
}
