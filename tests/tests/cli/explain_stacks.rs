//! `explain --stacks`: verdicts, exit codes, reports, and files that cannot be read.

use std::io::Write;
use std::process::{Output, Stdio};

use rstest::rstest;
use sigproof_tests::{run, xtask};

const WAITS: &str = "\
#0  0x1 in __lll_lock_wait_private () from /lib64/libc.so.6
#1  0x2 in malloc () from /lib64/libc.so.6
#2  0x3 in on_alarm (sig=14) at a.c:9
#3  <signal handler called>
#4  0x4 in _int_malloc () from /lib64/libc.so.6
#5  0x5 in main () at a.c:90
";

const IDLE: &str = "#0  0x1 in poll () from /lib64/libc.so.6\n#1  0x2 in main () at a.c:90\n";

/// Runs the command with a dump on its standard input.
fn piped(arguments: &[&str], dump: &[u8]) -> Output {
    let mut child =
        xtask(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that ends early closes its input.
    let _ = child.stdin.take().unwrap().write_all(dump);
    child.wait_with_output().unwrap()
}

#[rstest]
#[case::explained(WAITS, 1, "handler waits: ")]
#[case::not_stuck(IDLE, 0, "no handler involved: ")]
#[case::not_enough("it hangs\n", 3, "not enough to tell: ")]
#[case::control_characters("\u{0}\u{1b}[\u{7}\u{0}", 3, "not enough to tell: ")]
fn the_first_words_are_the_verdict(#[case] dump: &str, #[case] code: i32, #[case] begins: &str) {
    let output = piped(&["explain", "--stacks", "-"], dump.as_bytes());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.starts_with(begins), "{text}");
}

#[test]
fn a_file_and_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let (dump, report) = (folder.path().join("paste.txt"), folder.path().join("out.json"));
    std::fs::write(&dump, WAITS).unwrap();
    let target = format!("json={}", report.display());
    let ran = run(&["explain", "--stacks", dump.to_str().unwrap(), "--report", &target]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("handler waits: "), "{}", ran.stdout);
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!((json["schema"].as_str(), json["verdict"].as_str()), (Some("sigproof.stacks/1"), Some("handler waits")));
}

#[test]
fn a_report_on_the_standard_output_is_alone_there() {
    let output = piped(&["explain", "--stacks", "-", "--report", "json=-"], WAITS.as_bytes());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["casebook"].as_str(), Some("allocator-in-handler"));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("handler waits: "));
}

#[rstest]
#[case::absent("/nonexistent/paste.txt")]
#[case::a_folder("/")]
fn a_file_that_cannot_be_read_is_4(#[case] file: &str) {
    let ran = run(&["explain", "--stacks", file]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains(file) && ran.stderr.contains("name a file that you may read"), "{}", ran.stderr);
}

#[test]
fn no_other_report_than_json() {
    let output = piped(&["explain", "--stacks", "-", "--report", "junit=-"], WAITS.as_bytes());
    assert_eq!(output.status.code(), Some(2));
}
