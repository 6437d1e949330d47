//! A program in C++: names with scopes, and an exception that is thrown in the window.

use sigproof_tests::run;

use crate::kinds::{counts, endings, reported};
use crate::{Check, compiled};

pub const TESTS: &[(&str, Check)] =
    &[("a_member_function_by_its_name", member), ("a_window_that_throws_is_clean", throws)];

const VERB: [&str; 6] = ["probe", "--signal", "USR1", "--calls", "1", "--at"];

fn member() {
    let verb = [&VERB[..], &["bank::Ledger::book"]].concat();
    let (ran, report) = reported(&verb, &[&compiled("classes"), "broken"]);
    assert_eq!((ran.code, endings(&report)), (Some(1), (vec!["self-deadlock".to_owned()], true)), "{ran:#?}");
    let range = &report["sweeps"][0]["paths"][0]["ranges"][0];
    let detail = range["detail"].as_str().expect("a detail");
    assert!(detail.contains("bank::Ledger::book"), "{detail}");
    // The token has the name, too.
    let token = range["token"].as_str().expect("a token");
    let ran = run(&[&verb[..], &["--replay", token, "--", &compiled("classes"), "broken"]].concat());
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let verb = [&VERB[..], &["bank::Ledger::boook"]].concat();
    let ran = run(&[&verb[..], &["--", &compiled("classes")]].concat());
    assert!(ran.code == Some(2) && ran.stderr.contains("no function bank::Ledger::boook"), "{ran:#?}");
}

fn throws() {
    let verb = [&VERB[..], &["try_both"]].concat();
    let (ran, report) = reported(&verb, &[&compiled("classes"), "fixed"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    // The way of an exception through the unwinder.
    assert!(counts(&report).0 > 2000, "{ran:#?}");
}
