//! Reports: where they go, and what happens when they cannot.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use rstest::rstest;
use serde_json::Value;
use sigproof_tests::terminal::{read_all, terminal};
use sigproof_tests::{Ran, finish, run, xtask};

/// A short run with these reports.
fn with_reports(reports: &[&str]) -> Ran {
    let mut arguments = vec!["stress", "selftest-exit", "--attempts", "1"];
    reports.iter().for_each(|report| arguments.extend(["--report", report]));
    run(&arguments)
}

/// A limit of the size of files, in bytes: enough for what a run itself keeps in files, and too little for a
/// report of five setups.
const LIMIT: u64 = 4096;

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
    assert_eq!(report["runs"][0]["case"], "selftest-exit");
    assert!(fs::read_to_string(junit).unwrap().contains("<testsuite name=\"selftest-exit\""));
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

#[rstest]
#[case::no_folder("no/such/folder/r.json", "No such file or directory")]
#[case::folder(".", "is a directory")]
#[case::loop_of_links("loop", "")]
#[case::long_name(&"x".repeat(300), "too long")]
fn a_path_that_cannot_be_written_is_told_before_anything_runs(#[case] name: &str, #[case] why: &str) {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("loop", folder.path().join("loop")).unwrap();
    let path = folder.path().join(name);
    let ran = with_reports(&[&format!("json={}", path.display())]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{}", ran.stderr);
    let said = format!("error: cannot write the report to {}", path.display());
    assert!(ran.stderr.starts_with(&said) && ran.stderr.contains(why), "{}", ran.stderr);
    assert!(ran.stderr.contains("nothing was run") && !ran.stderr.contains("setup to run"), "{}", ran.stderr);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left but the link");
}

/// `test` and `ci` run for minutes before they write.
#[rstest]
fn every_verb_looks_at_its_reports_first(
    #[values("stress", "model", "step", "test", "ci", "conform", "bench", "upstream", "replay x")] verb: &str,
) {
    let words = verb.split(' ').chain(["--report", "json=/no/such/folder/r.json"]).collect::<Vec<_>>();
    let ran = run(&words);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("error: cannot write the report to /no/such/folder/r.json"), "{}", ran.stderr);
}

#[test]
fn two_reports_to_one_file_are_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("r"), folder.path().join("link"));
    std::os::unix::fs::symlink("r", &link).unwrap();
    let again = folder.path().join(".").join("r");
    for second in [&path, &link, &again] {
        let ran = with_reports(&[&format!("json={}", path.display()), &format!("junit={}", second.display())]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("two reports cannot go to one file"), "{}", ran.stderr);
    }
    let ran = with_reports(&["json=/dev/null", "junit=/dev/null"]);
    assert_eq!(ran.code, Some(0), "a device takes both: {}", ran.stderr);
}

#[test]
fn a_path_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"r-\xff.json");
    // Some file systems refuse such a name; what is said of it then is no panic.
    let allowed = fs::write(folder.path().join(name), "").is_ok();
    let mut argument = std::ffi::OsString::from("json=");
    argument.push(folder.path().join(name));
    let mut command = xtask(&["stress", "selftest-exit", "--attempts", "1", "--report"]);
    let child = command.arg(argument).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let ran = finish(child);
    assert_eq!(ran.code, Some(if allowed { 0 } else { 4 }), "{}", ran.stderr);
    let written = fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    assert_eq!(serde_json::from_str::<Value>(&written).is_ok(), allowed);
}

#[test]
fn a_pipe_without_a_reader_does_not_block() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let ran = with_reports(&[&format!("json={}", path.display())]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    results_are_in(&ran.stdout);
    assert!(ran.stderr.contains("no process reads from it"), "{}", ran.stderr);
}

/// A limit of the size of files: the write fails, nothing is left, and what was there stays.
#[test]
fn a_limit_of_the_file_size_is_told_and_leaves_nothing() {
    use nix::sys::resource::{Resource, setrlimit};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.json");
    fs::write(&path, "before").unwrap();
    let report = format!("json={}", path.display());
    let cases = ["selftest-exit", "selftest-crash", "selftest-garbage", "selftest-errno", "selftest-slow"];
    let rest = ["--attempts", "1", "--rounds", "1", "--report", &report];
    let mut command = xtask(&[&["stress"], &cases[..], &rest].concat());
    let limit = || setrlimit(Resource::RLIMIT_FSIZE, LIMIT, LIMIT).map_err(Into::into);
    // SAFETY: between fork and exec it makes one async-signal-safe call, and allocates nothing.
    unsafe { command.pre_exec(limit) };
    let ran = finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stdout.contains("5 setups: 5 as expected"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains(&format!("cannot write the report to {}: File too large", path.display())),
        "{}",
        ran.stderr
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "before");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
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
    let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else {
        eprintln!("skipped: this platform has no /dev/full");
        return;
    };
    let mut command = xtask(&["stress", "selftest-exit", "--attempts", "1"]);
    let ran = finish(command.stdout(full).stderr(Stdio::piped()).spawn().unwrap());
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot write to the standard output"), "{}", ran.stderr);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut help = xtask(&["--help"]);
    let ran = finish(help.stdout(full).stderr(Stdio::piped()).spawn().unwrap());
    assert_eq!(ran.code, Some(4), "a help, too: {}", ran.stderr);
    assert!(ran.stderr.contains("cannot write to the standard output"), "{}", ran.stderr);
}

/// The control of the next test: the same run writes escapes where the standard error is a terminal, and
/// still none to its output.
#[test]
fn a_terminal_gets_escapes() {
    let (inner, outer) = terminal();
    let mut command = xtask(&["stress", "selftest-crash", "selftest-exit", "--attempts", "1"]);
    command.env("TERM", "xterm").stdout(Stdio::piped()).stderr(inner);
    let child = command.spawn().unwrap();
    // It holds the last copy of this process.
    drop(command);
    let reader = read_all(outer);
    let ran = finish(child);
    let shown = reader.join().unwrap();
    assert!(shown.contains('\u{1b}') && shown.contains("0/2 "), "{shown}");
    assert!(!shown.contains(": crash: "), "an expected outcome has no line above the bars: {shown}");
    assert!(ran.stdout.contains("2 as expected") && !ran.stdout.contains('\u{1b}'), "{ran:#?}");
}

#[test]
fn what_is_no_terminal_gets_no_escapes() {
    let ran = run(&["stress", "selftest-crash", "selftest-exit", "--attempts", "1"]);
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{ran:#?}");
    assert!(ran.stderr.contains("[1/2] as-expected") && ran.stderr.contains("[2/2] as-expected"), "{}", ran.stderr);
}
