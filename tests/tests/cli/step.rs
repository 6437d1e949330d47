//! Sweeps: what is told before anything is swept.

use std::io::Write;
use std::process::Stdio;

use rstest::rstest;
use sigproof_casebook::REGISTRY;
use sigproof_harness::forked::Entry;
use sigproof_tests::{finish, run, xtask};

/// The windows that are swept if nothing is chosen.
fn shown() -> Vec<Entry> {
    REGISTRY.windows().into_iter().filter(|entry| !entry.hidden).collect()
}

/// It is wrong usage, for this reason, and nothing was swept.
fn assert_usage(arguments: &[&str], said: &str) {
    let ran = run(&[&["step"], arguments].concat());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", ran.stderr);
    assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(said), "{arguments:?}: {}", ran.stderr);
}

#[test]
fn the_help_teaches() {
    let ran = run(&["step", "--help"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let taught = ["A window is", "A boundary is", "An engine is", "cargo xtask step --", "Exit codes:"];
    for word in taught {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
    for engine in sigproof_step::engine::Kind::ALL {
        assert!(ran.stdout.contains(&format!("\n  {engine} ")), "{engine}: {}", ran.stdout);
    }
}

#[rstest]
#[case::name(&["qqqqqqqqqq"], "no case with a window is called 'qqqqqqqqqq'")]
#[case::window(&["--window", "qqqqqqqqqq"], "no window is called 'qqqqqqqqqq'")]
#[case::engine(&["--engine", "nonsense"], "[possible values: undo, breakpoint, single-step, trap-flag]")]
#[case::no_boundary(&["--k", "first"], "'--k <N>'")]
#[case::nobody_at_work(&["--jobs", "0"], "'--jobs <N>'")]
fn a_wrong_word_is_wrong_usage(#[case] arguments: &[&str], #[case] said: &str) {
    assert_usage(arguments, said);
}

/// The windows that are chosen are named where one has to be chosen.
#[test]
fn a_flavour_chooses_its_windows_only() {
    let (with, without): (Vec<_>, Vec<_>) = shown().into_iter().partition(|e| e.setup.flavour == Some("pthread"));
    assert!(with.len() > 1 && !without.is_empty());
    let ran = run(&["step", "--flavour", "pthread", "--k", "0"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    let named = |entry: &Entry| ran.stderr.contains(&format!("\n  {}\n", entry.label()));
    assert!(with.iter().all(named) && !without.iter().any(named), "{}", ran.stderr);
}

#[test]
fn a_boundary_is_one_of_a_single_window() {
    let windows = shown();
    if windows.len() < 2 {
        eprintln!("skipped: there are not two windows");
        return;
    }
    let ran = run(&["step", "--k", "0"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    for entry in windows {
        assert!(ran.stderr.contains(&format!("\n  {}\n", entry.label())), "{}: {}", entry.label(), ran.stderr);
    }
}

#[test]
fn labels_are_unique_and_of_one_word() {
    let mut labels: Vec<_> = REGISTRY.windows().iter().map(Entry::label).collect();
    let plain = |label: &&String| !label.contains(|c: char| c.is_whitespace()) && label.matches('@').count() == 1;
    assert!(labels.iter().all(|label| plain(&label)), "{labels:?}");
    let all = labels.len();
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), all);
}

/// The process that sweeps, told that this is its parent, with one order that makes no sense and then the end
/// of the orders.
pub fn sweeper(parent: u32) -> sigproof_tests::Ran {
    let mut command = xtask(&["__step", "0", &parent.to_string()]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // It may have ended already: then the write fails.
    let _ = child.stdin.take().expect("a pipe").write_all(b"nonsense\n");
    finish(child)
}

#[test]
fn a_process_that_sweeps_ends_with_its_orders() {
    let ran = sweeper(std::process::id());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("a line that is no order"), "{}", ran.stdout);
}
