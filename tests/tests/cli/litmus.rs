//! `cargo xtask litmus`: what a test says of itself is judged, and what cannot be read is refused by name.

use std::fs;

use rstest::rstest;
use serde_json::Value;
use sigproof_tests::{Ran, run, workspace};

const STORE_BUFFER: &str = "C SB\n{}\n\
    P0 (atomic_int *x, atomic_int *y) { atomic_store_explicit(x, 1, ORDER); int r0 = atomic_load_explicit(y, ORDER); }\n\
    P1 (atomic_int *x, atomic_int *y) { atomic_store_explicit(y, 1, ORDER); int r0 = atomic_load_explicit(x, ORDER); }\n\
    exists (0:r0=0 /\\ 1:r0=0)\n";

#[rstest]
#[case::allowed(&STORE_BUFFER.replace("ORDER", "memory_order_relaxed"), 0, "1 as stated, 0 not")]
#[case::forbidden(&STORE_BUFFER.replace("ORDER", "memory_order_seq_cst"), 1, "0 as stated, 1 not")]
#[case::racing("C race\n{}\nP0 (int *x) { *x = 1; }\nP1 (int *x) { int r0 = *x; }\nexists (1:r0=1)\n", 1, "race")]
#[case::array("C array\n{}\nP0 (atomic_int *x) { int a[2]; }\nexists (x=0)\n", 3, "array")]
#[case::another_language("X86 SB\n{}\nP0;\nMOV [x],$1;\nexists (x=1)\n", 3, "refused")]
fn a_test_is_judged_by_what_it_says(#[case] text: &str, #[case] code: i32, #[case] words: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.litmus");
    fs::write(&file, text).unwrap();
    let ran = run(&["litmus", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(code), "{ran:#?}");
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains(words), "{ran:#?}");
}

#[test]
fn the_worst_of_a_folder_counts_and_no_file_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, order: &str| {
        fs::write(folder.path().join(name), STORE_BUFFER.replace("ORDER", order)).unwrap();
    };
    write("a.litmus", "memory_order_relaxed");
    write("b.litmus", "memory_order_seq_cst");
    let ran = run(&["litmus", folder.path().to_str().unwrap()]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stdout.contains("2 tests: 1 as stated, 1 not, 0 without a verdict"), "{ran:#?}");
    assert_eq!(run(&["litmus", "/nonexistent.litmus"]).code, Some(2));
}

/// The outcomes of tests/litmus that only one engine has, as a report in JSON tells them.
fn compared(names: &[&str]) -> (Ran, Vec<Value>) {
    let folder = workspace().join("tests/litmus");
    let files: Vec<_> = names.iter().map(|name| folder.join(format!("{name}.litmus")).display().to_string()).collect();
    let files = files.iter().map(String::as_str);
    let arguments: Vec<_> = ["litmus", "--engine", "both", "--report", "json=-"].into_iter().chain(files).collect();
    let ran = run(&arguments);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:#?}"));
    assert_eq!((&report["schema"], &report["engine"]), (&"sigproof.litmus/1".into(), &"both".into()));
    let tests = report["tests"].as_array().unwrap().clone();
    (ran, tests)
}

/// Each known fault of loom, by its file. Where the simulated kernel mends one, the engines agree.
#[test]
fn both_engines_differ_where_loom_is_known_to_be_wrong_and_nowhere_else() {
    let faults: [(&str, &[&str], &[&str]); 10] = [
        ("modification-order", &[], &["1 1"]),
        ("rmw-reads-last", &[], &["0 1"]),
        ("rmw-run-last", &["0 0 1 1"], &["0 1 1 0", "1 0 0 1"]),
        ("no-fairness+yield", &["2 0 3"], &[]),
        ("long-history", &["1 0", "1 1"], &[]),
        ("SB+sc", &[], &["0 0"]),
        ("futex-no-order-for-data", &["1 0 0"], &[]),
        ("load-after-load", &[], &[]),
        ("MP+rel+acq", &[], &[]),
        ("H-load-cas", &[], &[]),
    ];
    let (ran, tests) = compared(&faults.map(|(name, ..)| name));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert_eq!(tests.len(), faults.len());
    for ((name, only_graph, only_loom), test) in faults.iter().zip(&tests) {
        assert_eq!(test["only_graph"], Value::from(only_graph.to_vec()), "{name}: {test:#}");
        assert_eq!(test["only_loom"], Value::from(only_loom.to_vec()), "{name}: {test:#}");
        let agree = only_graph.is_empty() && only_loom.is_empty();
        assert_eq!(test["class"] == "agree", agree, "{name}: {test:#}");
        assert_eq!(test["verdict"], "as-expected", "{name}: {test:#}");
    }
    let said = |words: &str| assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    said("only loom: 0 0 (loom: sequentially consistent accesses acquire and release only)");
    said("only graph: 1 0, 1 1 (loom: it keeps 7 stores of a location, and `x` has 8)");
    said("the engines: 3 agree, 3 only graph, 3 only loom, 1 both ways, 0 open, 0 refused");
}

/// What loom lacks is said, and what ended its search; neither is an agreement.
#[test]
fn what_loom_has_not_is_refused_by_name() {
    let (ran, tests) = compared(&["H-raise", "park-never", "MP+weak", "HC-stores", "H-two-threads", "mutex-twice"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    let reasons = ["`raise`", "`park`", "weak exchange", "reordering by the compiler", "two threads", "at a deadlock"];
    for (test, words) in tests.iter().zip(reasons) {
        assert!(test["reasons"][0].as_str().unwrap().contains(words), "{words}: {test:#}");
    }
    let folder = tempfile::tempdir().unwrap();
    let over_loom = |text: &str| {
        let file = folder.path().join("a.litmus");
        fs::write(&file, text).unwrap();
        run(&["litmus", "--engine", "loom", file.to_str().unwrap()])
    };
    let six: String = (0..6).map(|n| format!("P{n} (atomic_int* x) {{ atomic_store(x, 1); }}\n")).collect();
    for (text, words) in [
        (format!("C t\n{{}}\n{six}exists (x=1)\n"), "loom has no more than 5 threads"),
        ("C t\n{}\nP0 (atomic_int* x) { atomic_store(x, 5000000000); }\nexists (x=1)\n".to_owned(), "32 bits"),
        (
            "C t\n{}\nP0 (int* x) { *x = 1; int r0 = atomic_load(x); }\nexists (x=1)\n".to_owned(),
            "plain accesses to an atomic: `x`",
        ),
    ] {
        let ran = over_loom(&text);
        assert_eq!(ran.code, Some(3), "{ran:#?}");
        assert!(ran.stdout.contains(words) && !ran.stderr.contains("panicked"), "{ran:#?}");
    }
    let ran = over_loom(&STORE_BUFFER.replace("ORDER", "memory_order_relaxed"));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.stdout.contains("over loom, SB: the condition holds"), "{ran:#?}");
}
