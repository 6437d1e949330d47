//! Files that are no library, arguments that name nothing, reports, and `--note LIBRARY` in other verbs.

use sigproof_tests::{json, run, workspace};

use crate::{Check, FOLDER, bad_library, example};

pub const TESTS: &[(&str, Check)] = &[
    ("a_file_that_is_no_library_is_wrong_usage", files),
    ("a_window_that_is_not_there_is_wrong_usage", names),
    ("reports_are_written", reports),
    ("a_library_s_note_runs_in_the_cases", cases),
    ("a_token_repeats_a_boundary_of_a_library", replay),
    ("the_header_compiles_as_c_and_cpp", header),
];

fn wrong(arguments: &[&str], words: &str) {
    let ran = run(arguments);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains(words), "'{words}': {ran:#?}");
}

fn files() {
    let folder = FOLDER.get().expect("it is made before the tests").path();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("in a folder of this test");
        path.to_str().expect("a path in UTF-8").to_owned()
    };
    wrong(&["validate"], "no library is named");
    wrong(&["validate", "./no-such.so"], "./no-such.so cannot be read");
    wrong(&["validate", "."], "a folder, not a shared library");
    wrong(&["validate", &file("empty.so", b"")], "an empty file, not a shared library");
    wrong(&["validate", &file("text.so", b"#include <stdio.h>\n")], "not a shared library; build one with");
    let own = std::env::current_exe().expect("this test");
    let copy = std::fs::read(own).expect("this test's own file");
    wrong(&["validate", &file("cut.so", &copy[..copy.len() / 2])], "not a shared library");
    let library = std::fs::read(example("futex.c", &[])).expect("it was built");
    let mut other = library.clone();
    // The number of the machine in the header of ELF: PowerPC of 64 bits, which none of these tests runs on.
    other[18..20].copy_from_slice(&21_u16.to_le_bytes());
    wrong(&["validate", &file("other.so", &other)], "is for another machine");
    // What it is linked with is not there: this machine lacks it.
    let ran = run(&["validate", &file("damaged.so", &library[..library.len() - 1000])]);
    assert!(matches!(ran.code, Some(0..=4)), "{ran:#?}");
}

fn names() {
    let windows = example("windows.c", &[]);
    wrong(&["validate", &windows, "--only", "window", "pears"], "it has malloc, allocates, pair, list");
    wrong(&["validate", &windows, "--only", "note"], "has no note; it has windows");
    wrong(&["validate", &example("futex.c", &[]), "--only", "window"], "has no window");
    wrong(&["stress", "--note", &windows], "has windows and no note");
}

fn reports() {
    let library = example("condvar.c", &["HONEST"]);
    let (ran, report) = json(&["validate", &library, "--step"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(report["schema"], "sigproof.validate/1");
    assert_eq!(report["library"]["note"]["name"], "c-condvar");
    let contract = report["subjects"][0]["contract"].as_array().unwrap();
    assert!(contract.iter().all(|run| run["verdict"] == "as-expected"), "{contract:#?}");
    let ran = run(&["validate", &library, "--step", "--report", "junit=-"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.stdout.contains("<testsuite name=\"validate\"") && ran.stdout.contains("name=\"claim\""), "{ran:#?}");
    assert!(!ran.stdout.contains("<failure"), "it is as it claims: {ran:#?}");
}

fn cases() {
    // A note that a handler may wake runs in the fixed variants; one that it may not, in the broken ones.
    let ran = run(&["step", "profbuf-double-wakeup", "--note", &example("futex.c", &[])]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.stdout.contains("c-futex"), "{ran:#?}");
    let (ran, report) = json(&["step", "note-sleep", "--note", &example("condvar.c", &["HONEST"])]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let runs = report["runs"].as_array().unwrap();
    assert!(runs.iter().any(|run| run["observed"]["self-deadlock"].as_u64() > Some(0)), "{runs:#?}");
    assert!(runs.iter().all(|run| run["setup"]["note"] == "c-condvar" || run["note"] == "c-condvar"), "{runs:#?}");
    let library = example("futex.c", &[]);
    let ran = run(&["stress", "profbuf-double-wakeup", "--variant", "fixed", "--note", &library, "--attempts", "3"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let ran = run(&["step", "profbuf-double-wakeup", "--variant", "broken", "--note", &library]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.stdout.contains(&format!("--note {library}")), "a repetition names the library: {ran:#?}");
}

fn replay() {
    let library = example("condvar.c", &[]);
    let (_, report) = json(&["validate", &library, "--step"]);
    let sweeps = report["subjects"][0]["sweeps"].as_array().unwrap();
    let mut tokens = sweeps.iter().filter_map(|run| run["ranges"][0]["token"].as_str());
    let token = tokens.next_back().expect("a vulnerable boundary").to_owned();
    let ran = run(&["replay", &token, "--note", &library]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stdout.contains("self-deadlock"), "{ran:#?}");
    let ran = run(&["replay", &token]);
    assert_eq!(ran.code, Some(2), "without the library there is no such window: {ran:#?}");
}

fn header() {
    // A right note for C; the examples in C++ include it as well.
    bad_library("NOTHING");
    assert!(workspace().join("crates/osnote/include/sigproof.h").exists());
}
