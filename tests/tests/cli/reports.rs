//! Reports: where they go, and what happens when they cannot.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sigproof_tests::{Ran, run};

/// A short run with these reports.
fn with_reports(reports: &[&str]) -> Ran {
    let mut arguments = vec!["stress", "selftest-kill", "--attempts", "1"];
    reports.iter().for_each(|report| arguments.extend(["--report", report]));
    run(&arguments)
}

/// Whether people got the table and the summary.
fn results_are_in(text: &str) {
    assert!(text.contains("verdict") && text.contains("1 setup: 1 as expected"), "{text}");
}

#[test]
fn several_files_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (json, junit) = (folder.path().join("r.json"), folder.path().join("r.xml"));
    let ran = with_reports(&[&format!("json={}", json.display()), &format!("junit={}", junit.display())]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    results_are_in(&ran.stdout);
    let report: Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(report["runs"][0]["case"], "selftest-kill");
    assert!(fs::read_to_string(junit).unwrap().contains("<testsuite name=\"selftest-kill\""));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
}

#[test]
fn on_the_standard_output_it_is_alone() {
    let ran = with_reports(&["json=-"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    serde_json::from_str::<Value>(&ran.stdout).expect("nothing but JSON");
    results_are_in(&ran.stderr);
}

#[test]
fn nothing_of_the_machine_but_what_bears_on_the_result() {
    let ran = with_reports(&["json=-"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let host: Vec<_> = report["host"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(host, ["arch", "cpus", "kernel", "libc", "os"]);
    let home = std::env::var("HOME").unwrap_or_default();
    let folder = sigproof_tests::workspace().display().to_string();
    for private in [home, folder].iter().filter(|text| text.len() > 1) {
        assert!(!ran.stdout.contains(private.as_str()), "{private} is in the report");
    }
}

#[test]
fn a_path_that_cannot_be_written_is_told_after_the_results() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/such/folder/r.json");
    let ran = with_reports(&[&format!("json={}", path.display())]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    results_are_in(&ran.stdout);
    assert!(ran.stderr.contains(&format!("error: cannot write the report to {}", path.display())), "{}", ran.stderr);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_full_disk_is_told_after_the_results() {
    if !Path::new("/dev/full").exists() {
        eprintln!("skipped: this platform has no /dev/full");
        return;
    }
    let ran = with_reports(&["json=/dev/full"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    results_are_in(&ran.stdout);
    assert!(ran.stderr.contains("/dev/full: No space left"), "{}", ran.stderr);
}

#[test]
fn a_standard_output_that_takes_nothing_is_told_and_is_no_panic() {
    use std::process::Stdio;
    let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else {
        eprintln!("skipped: this platform has no /dev/full");
        return;
    };
    let mut command = sigproof_tests::xtask(&["stress", "selftest-kill", "--attempts", "1"]);
    let ran = sigproof_tests::finish(command.stdout(full).stderr(Stdio::piped()).spawn().unwrap());
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot write to the standard output"), "{}", ran.stderr);
}

#[test]
fn what_is_no_terminal_gets_no_escapes() {
    let ran = run(&["stress", "selftest-kill", "selftest-exit", "--attempts", "1"]);
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{ran:#?}");
    assert!(ran.stderr.contains("[1/2] as-expected") && ran.stderr.contains("[2/2] as-expected"), "{}", ran.stderr);
}
