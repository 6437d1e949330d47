//! What is written for others: JUnit's XML.

use sigproof_tests::run;

use crate::{Check, specimens};

pub const TESTS: &[(&str, Check)] = &[("junit_has_a_test_for_each_window", junit)];

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
    assert!(ran.stdout.contains(r#"name="handler""#) && ran.stdout.contains("syslog"), "{ran:#?}");
}
