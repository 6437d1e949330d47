//! The examples: each mistake has its verdict, and the same code without the mistake has the opposite one.

use std::ffi::OsString;
use std::process::Command;

use serde_json::Value;
use sigproof_tests::{Ran, run, workspace};

use crate::{Check, built, example};

/// The test that needs a compiler of C++.
const CPP: &str = "cpp_is_as_good_as_c";

pub const TESTS: &[(&str, Check)] = &[
    ("a_futex_note_is_safe", futex),
    ("a_self_pipe_is_safe_and_its_mistakes_are_found", self_pipe),
    ("a_condition_variable_deadlocks_and_says_so_or_not", condvar),
    ("a_semaphore_is_safe_unless_a_signal_ends_its_sleep", semaphore),
    ("a_spin_lock_spins_unless_signals_are_blocked", spin_lock),
    ("windows_are_found_broken_and_fixed", windows),
    (CPP, cpp),
    ("a_rust_library_is_as_good_as_c", rust),
    ("ten_repetitions_agree", repetitions),
];

/// What `validate` says of a library, with its report.
pub fn validated(library: &str, more: &[&str]) -> (Ran, Value) {
    let ran = run(&[&["validate", library, "--report", "json=-"], more].concat());
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:#?}"));
    (ran, report)
}

/// The judgement of the first subject, and its sentence.
fn first(library: &str) -> (String, String) {
    let (ran, report) = validated(library, &[]);
    let subject = &report["subjects"][0];
    let word = |key: &str| subject[key].as_str().unwrap_or_else(|| panic!("{key}: {ran:#?}")).to_owned();
    assert_eq!(ran.code.map(i64::from), subject["exit_code"].as_i64(), "{ran:#?}");
    (word("judgement"), word("sentence"))
}

fn is(library: &str, judgement: &str, words: &str) {
    let (found, sentence) = first(library);
    assert_eq!(found, judgement, "{library}: {sentence}");
    assert!(sentence.contains(words), "{library} does not say '{words}': {sentence}");
}

fn futex() {
    let library = example("futex.c", &[]);
    is(&library, "safe-as-claimed", "boundaries of 6 windows");
    let (_, report) = validated(&library, &["--only", "note", "--step"]);
    let sweeps = report["subjects"][0]["sweeps"].as_array().unwrap();
    let windows: Vec<_> = sweeps.iter().map(|run| run["window"].as_str().unwrap()).collect();
    assert_eq!(windows, ["sleep", "timed-sleep", "timed-out", "wakeup", "clear", "bystander"]);
    assert!(report["subjects"][0]["stress"].as_array().unwrap().is_empty());
}

fn self_pipe() {
    is(&example("self_pipe.c", &[]), "safe-as-claimed", "boundaries");
    is(&example("self_pipe.c", &["BLOCKING"]), "forbidden", "check many-wake-ups");
    is(&example("self_pipe.c", &["FLAG_LATE"]), "forbidden", "sleeps for ever");
    is(&example("self_pipe.c", &["DRAIN_BLIND"]), "forbidden", "loses the wake-up");
}

fn condvar() {
    is(&example("condvar.c", &[]), "claims-safe", "claims to be safe; self-deadlocks at ");
    // The signal is pending while it sleeps, and another thread wakes it.
    is(&example("condvar.c", &["MASKED"]), "safe-as-claimed", "safe as claimed");
    is(&example("condvar.c", &["HONEST"]), "unsafe-as-claimed", "unsafe as claimed; self-deadlocks at ");
}

fn semaphore() {
    is(&example("sem_post.c", &[]), "safe-as-claimed", "safe as claimed (");
    is(&example("sem_post.c", &["NO_RESTART"]), "forbidden", "sleep returned 4 (Interrupted system call)");
}

fn spin_lock() {
    is(&example("spin_lock.c", &[]), "claims-safe", "spins for ever at ");
    is(&example("spin_lock.c", &["MASKED"]), "safe-as-claimed", "safe as claimed (");
}

fn windows() {
    let of = |report: &Value, name: &str| {
        let subjects = report["subjects"].as_array().unwrap().clone();
        let found = subjects.into_iter().find(|subject| subject["name"] == name);
        found.unwrap_or_else(|| panic!("no window {name}"))
    };
    let (ran, broken) = validated(&example("windows.c", &[]), &[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    for (name, words) in [
        ("malloc", "self-deadlocks at "),
        ("allocates", "the handler calls "),
        ("pair", "not atomic: the result is '70+0'"),
        ("list", "the handler found the sum 2, neither 1 nor 3"),
    ] {
        let subject = of(&broken, name);
        assert_eq!(subject["judgement"], "claims-safe", "{name}: {ran:#?}");
        assert!(subject["sentence"].as_str().unwrap().contains(words), "{name}: {}", subject["sentence"]);
    }
    let (ran, fixed) = validated(&example("windows.c", &["FIXED"]), &[]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    for name in ["malloc", "allocates", "pair", "list"] {
        let subject = of(&fixed, name);
        assert_eq!(subject["judgement"], "safe-as-claimed", "{name}: {ran:#?}");
        let cost = &subject["sweeps"][0]["handler"];
        assert!(cost["instructions"].as_u64().unwrap() > 1, "{name}: {cost}");
        // A frame of a signal alone has more than a kilobyte of registers.
        assert!(cost["stack_bytes"].as_u64().unwrap() > 500, "{name}: {cost}");
    }
    // Of one window alone.
    let (_, one) = validated(&example("windows.c", &["FIXED"]), &["--only", "window", "list", "--step"]);
    assert_eq!(one["subjects"].as_array().unwrap().len(), 1);
    assert_eq!(one["subjects"][0]["name"], "list");
}

/// What one test lacks beside what all of them need.
pub fn lacks(name: &str) -> Option<String> {
    if name != CPP || Command::new(cpp_compiler()).arg("--version").output().is_ok() {
        return None;
    }
    Some(format!("{}: no C++ compiler; remedy: install one, or name it in CXX", cpp_compiler().display()))
}

fn cpp_compiler() -> OsString {
    std::env::var_os("CXX").unwrap_or_else(|| "c++".into())
}

fn cpp() {
    let compiler = cpp_compiler();
    let source = workspace().join("examples/cpp/atomic_wait.cpp");
    is(&built(&compiler, &source, &["std_cpp20"]), "safe-as-claimed", "safe as claimed (");
    is(&built(&compiler, &source, &["WITH_MUTEX"]), "claims-safe", "self-deadlocks at ");
}

fn rust() {
    let folder = workspace().join("examples/rust-cdylib");
    let target = crate::FOLDER.get().expect("made before the tests").path().join("rust");
    let build = |features: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.args(["build", "--quiet", "--offline", "--manifest-path"]).arg(folder.join("Cargo.toml"));
        command.arg("--target-dir").arg(&target).args(features);
        let output = command.output().expect("cargo runs");
        assert!(output.status.success(), "{output:?}");
        target.join("debug/librust_note.so").to_str().expect("a path in UTF-8").to_owned()
    };
    is(&build(&[]), "safe-as-claimed", "safe as claimed (");
    is(&build(&["--features", "mutex"]), "claims-safe", "self-deadlocks at ");
}

fn repetitions() {
    for (file, judgement) in [("sem_post.c", "safe-as-claimed"), ("condvar.c", "claims-safe")] {
        let library = example(file, &[]);
        let all: Vec<Value> = (0..10)
            .map(|_| {
                let (_, report) = validated(&library, &["--step"]);
                let subject = &report["subjects"][0];
                assert_eq!(subject["judgement"], judgement, "{subject}");
                let sweeps = subject["sweeps"].as_array().unwrap();
                let strips: Vec<Value> = sweeps.iter().map(|run| run["strip"].clone()).collect();
                Value::from(vec![subject["sentence"].clone(), Value::from(strips)])
            })
            .collect();
        assert!(all.iter().all(|one| *one == all[0]), "{all:#?}");
    }
}
