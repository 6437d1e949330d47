//! Wrong words: each is told, with the nearest right one, before anything runs.

use rstest::rstest;
use sigproof_tests::run;

#[rstest]
#[case::case(&["stress", "profbuf-double-wakeupp"], "'profbuf-double-wakeup'")]
#[case::part_of_a_case(&["stress", "sigquue"], "'darwin-sigqueue-note'")]
#[case::pattern(&["stress", "profbuf-dubble-*"], "'profbuf-double-wakeup'")]
#[case::note(&["stress", "--note", "futx"], "'futex'")]
#[case::mode(&["stress", "--mode", "blokcing"], "'blocking'")]
#[case::variant(&["stress", "--variant", "brokn"], "'broken'")]
#[case::flavour(&["stress", "--flavour", "fork-lok"], "'fork-lock'")]
#[case::flavour_of_a_model(&["model", "--flavour", "disturbd"], "'disturbed'")]
#[case::flavour_of_a_window(&["step", "--flavour", "pthred"], "'pthread'")]
#[case::delivery(&["stress", "--delivery", "thread-time"], "'thread-timer'")]
#[case::engine(&["step", "--engine", "brakepoint"], "'breakpoint'")]
#[case::window(&["step", "--window", "recieve"], "'receive'")]
#[case::name_of_a_window(&["step", "sigquue"], "'darwin-sigqueue-note'")]
#[case::model(&["model", "darwin-profbuf-blocking-red"], "'darwin-profbuf-blocking-read'")]
#[case::bound(&["model", "--preemptions", "many"], "'unbounded'")]
#[case::flag(&["stress", "--durations", "1s"], "'--duration'")]
#[case::verb(&["stres"], "'stress'")]
#[case::step(&["ci", "--only", "clipy"], "'clippy'")]
#[case::report_format(&["stress", "--report", "jsn=x"], "json")]
#[case::report_without_format(&["stress", "--report", "out.json"], "json=out.json")]
#[case::time(&["stress", "--duration", "10"], "10s")]
#[case::no_time(&["stress", "--duration", "0s"], "longer than 0s")]
#[case::no_attempts(&["stress", "--attempts", "0"], "'--attempts <N>'")]
#[case::empty(&["stress", ""], "an empty pattern names no case")]
#[case::empty_note(&["step", "--note", ""], "an empty pattern names no note")]
#[case::empty_window(&["step", "--window", ""], "an empty pattern names no window")]
#[case::empty_model(&["model", ""], "an empty pattern names no model")]
#[case::empty_case_of_agree(&["agree", ""], "an empty pattern names no case")]
#[case::no_case_to_agree_on(&["agree", "sigquue"], "'darwin-sigqueue-note'")]
#[case::a_model_that_is_no_case(&["agree", "note-cycles"], "no case is called 'note-cycles'")]
#[case::two_to_stdout(&["stress", "--report", "json=-", "--report", "junit=-"], "only one report")]
fn a_wrong_word_is_wrong_usage_and_names_what_was_meant(#[case] arguments: &[&str], #[case] nearest: &str) {
    let ran = run(arguments);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    assert!(ran.stderr.contains(nearest), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("error: ").count(), 1, "it is said once: {}", ran.stderr);
    assert!(!ran.stderr.contains("== ") && !ran.stderr.contains("to run"), "nothing was run: {}", ran.stderr);
}

#[test]
fn what_is_like_nothing_gets_no_proposal() {
    let ran = run(&["stress", "qqqqqqqqqq"]);
    assert_eq!(ran.code, Some(2));
    assert!(!ran.stderr.contains("did you mean") && ran.stderr.contains("cargo xtask list"), "{}", ran.stderr);
}

#[test]
fn hidden_cases_are_not_proposed_and_not_matched_by_a_part() {
    let ran = run(&["stress", "selftest-cra"]);
    assert_eq!(ran.code, Some(2));
    assert!(!ran.stderr.contains("selftest-crash"), "{}", ran.stderr);
}

#[test]
fn choices_that_exclude_each_other_are_wrong_usage() {
    let ran = run(&["stress", "selftest-crash", "--note", "futex"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("nothing to run"), "{}", ran.stderr);
}

#[test]
fn a_reproducer_that_is_none_is_wrong_usage() {
    let ran = run(&["upstream", "profbuf-double-wakeups"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("did you mean 'profbuf-double-wakeup'?"), "{}", ran.stderr);
    assert!(ran.stderr.contains("os-signal-storm") && !ran.stderr.contains("selftest"), "{}", ran.stderr);
}
