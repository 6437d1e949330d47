//! What is written for others: JUnit's XML, and the page.

use sigproof_tests::run;

use crate::{Check, specimens};

pub const TESTS: &[(&str, Check)] = &[("junit_has_a_test_for_each_window", junit), ("a_page_shows_the_map", page)];

fn junit() {
    let verb = ["probe", "--signal", "USR1", "--at", "book", "--at", "book@specimens", "--report", "junit=-", "--"];
    let ran = run(&[&verb[..], &[&specimens(), "mutex", "broken"]].concat());
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let has = |what: &str| assert!(ran.stdout.contains(what), "{what}: {ran:#?}");
    has(r#"tests="2""#);
    has(r#"failures="2""#);
    has(r#"name="book""#);
    has(r#"classname="specimens SIGUSR1""#);
    // The text of the sweep, with what XML does not allow written otherwise.
    has("waits in a signal handler for mutex ledger_lock");
    let ran = run(&["probe", "--signal", "USR1", "--at", "book", "--report", "junit=-", "--", &specimens(), "mutex"]);
    assert!(ran.code == Some(0) && ran.stdout.contains(r#"failures="0""#), "{ran:#?}");
    let auto = ["probe", "--signal", "ALRM", "--at", "auto", "--report", "junit=-", "--"];
    let ran = run(&[&auto[..], &[&specimens(), "logs", "broken"]].concat());
    assert!(ran.code == Some(1) && ran.stdout.contains("<skipped"), "windows that are not called: {ran:#?}");
    assert!(
        ran.stdout.contains(r#"name="handler out_of_time as it runs""#) && ran.stdout.contains("syslog"),
        "{ran:#?}"
    );
}

fn page() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("map.html");
    let target = format!("html={}", path.display());
    let verb = ["probe", "--signal", "USR1", "--at", "book", "--report", &target, "--"];
    let ran = run(&[&verb[..], &[&specimens(), "mutex", "broken"]].concat());
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let page = std::fs::read_to_string(&path).expect("the page was written");
    for text in ["<!DOCTYPE html>", "self-deadlock", "ledger_lock", "confirmed", "--replay", "exit status 0"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let strip = page.matches(r#"<span class="bad">DD"#).count();
    assert!(strip > 0 && !page.contains("http"), "nothing is loaded from elsewhere: {page}");
    let other = run(&["upstream", "--report", "html=x.html"]);
    assert!(other.code == Some(2) && other.stderr.contains("one of: json, junit"), "{other:#?}");
}
