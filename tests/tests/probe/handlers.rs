//! What handlers call, and the windows that follow from it.

use sigproof_tests::run;

use crate::kinds::reported;
use crate::{Check, specimens};

pub const TESTS: &[(&str, Check)] = &[
    ("a_handler_that_logs_is_named", logs),
    ("a_handler_that_writes_a_byte_is_silent", writes),
    ("a_handler_through_helpers_and_threads", through),
    ("windows_follow_from_the_handler", auto),
    ("a_program_without_handlers", none),
];

fn logs() {
    let (ran, report) = reported(&["probe", "--lint"], &[&specimens(), "logs", "broken"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let calls = &report["handlers"][0]["calls"];
    assert_eq!((&report["handlers"][0]["signal"], calls.as_array().map(Vec::len)), (&"SIGALRM".into(), Some(1)));
    assert_eq!(calls[0]["function"], "syslog");
    assert_eq!(calls[0]["chain"], serde_json::json!(["out_of_time", "note"]));
    let locking = calls[0]["locking"].as_array().expect("a list");
    assert!(locking.contains(&"malloc".into()), "from there to the allocator: {ran:#?}");
}

fn writes() {
    let ran = run(&["probe", "--lint", "--", &specimens(), "logs", "fixed"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.stdout.contains("nothing that is on no list"), "{ran:#?}");
}

fn through() {
    let ran = run(&["probe", "--lint", "--signal", "USR1", "--", &specimens(), "threads", "broken"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stdout.contains("pthread_mutex_lock") && ran.stdout.contains("read_ledger"), "{ran:#?}");
    let ran = run(&["probe", "--lint", "--signal", "USR2", "--", &specimens(), "threads", "broken"]);
    assert!(ran.code == Some(4) && ran.stderr.contains("no handler of SIGUSR2"), "{ran:#?}");
}

fn auto() {
    let verb = ["probe", "--signal", "ALRM", "--at", "auto"];
    let (ran, report) = reported(&verb, &[&specimens(), "logs", "broken"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let sweeps = report["sweeps"].as_array().expect("sweeps");
    let bad = sweeps.iter().filter(|sweep| sweep["paths"][0]["vulnerable"].as_u64().is_some_and(|count| count > 0));
    assert!(bad.into_iter().any(|sweep| sweep["window"] == "localtime_r"), "{ran:#?}");
    let passed: usize = ["uncalled", "skipped"].map(|key| report[key].as_array().expect("a list").len()).iter().sum();
    assert!(passed > 0, "others are not called: {ran:#?}");
    let sources = &report["windows"][0]["sources"];
    assert_eq!(*sources, serde_json::json!(["as it runs", "in the machine code"]), "both have seen malloc: {ran:#?}");
    // The handler of the fixed form takes no lock as it runs. The machine code has the other branch as well.
    let (ran, report) = reported(&verb, &[&specimens(), "logs", "fixed"]);
    assert_eq!(ran.code, Some(0), "what follows from the machine code is swept, and clean: {ran:#?}");
    let windows = report["windows"].as_array().expect("windows");
    let of_code = |window: &serde_json::Value| window["sources"] == serde_json::json!(["in the machine code"]);
    assert!(!windows.is_empty() && windows.iter().all(of_code), "{windows:#?}");
}

fn none() {
    let ran = run(&["probe", "--lint", "--", "true"]);
    assert!(ran.code == Some(4) && ran.stderr.contains("installs no handler"), "{ran:#?}");
}
