//! Core files: of processes that hang, as `gcore` makes them, and of one that died.

use crate::Check;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::specimen::{Specimen, explain};

pub const TESTS: &[(&str, Check)] = &[
    ("a_core_file_says_what_the_process_says", a_core_file_says_what_the_process_says),
    ("a_core_file_that_is_cut_off", a_core_file_that_is_cut_off),
    ("what_is_no_core_file", what_is_no_core_file),
];

/// Why no core file can be made here.
pub fn lacks() -> Option<String> {
    let found = Command::new("gcore").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.err().map(|error| format!("gcore: {error}; remedy: install gdb"))
}

/// The core file of a specimen that is stuck.
fn core(specimen: &Specimen, folder: &tempfile::TempDir) -> PathBuf {
    let prefix = folder.path().join("core");
    let pid = specimen.pid().to_string();
    let made = Command::new("gcore").arg("-o").arg(&prefix).arg(&pid).output().expect("gcore starts");
    let path = folder.path().join(format!("core.{pid}"));
    assert!(path.exists(), "{made:?}");
    path
}

fn a_core_file_says_what_the_process_says(_: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    for (kind, code, words) in [
        ("handler_mutex", 1, &["in a signal handler for mutex first", "itself"][..]),
        ("cross", 1, &["mutex first, owned by", "mutex second, owned by"]),
        ("lost_condvar", 3, &["not enough to tell", "condition variable condition"]),
    ] {
        let specimen = Specimen::start(kind, &[]);
        let live = specimen.explain(1, &[]);
        let ran = explain(&["--core", core(&specimen, &folder).to_str().expect("a path in UTF-8")]);
        assert_eq!(ran.code, Some(code), "{kind}: {ran:#?}\n{live:#?}");
        assert!(words.iter().all(|word| ran.stdout.contains(word)), "{kind}: {ran:#?}");
        assert!(ran.stdout.contains("main+"), "the stack is whole: {}", ran.stdout);
    }
}

fn a_core_file_that_is_cut_off(_: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let specimen = Specimen::start("cross", &[]);
    specimen.explain(1, &["mutex first"]);
    let whole = fs::read(core(&specimen, &folder)).expect("it can be read");
    let cut = folder.path().join("cut");
    for (length, said) in [(100, "cut off"), (whole.len() / 2, ""), (whole.len() - 4096, "")] {
        fs::write(&cut, &whole[..length]).expect("it can be written");
        let ran = explain(&["--core", cut.to_str().expect("a path in UTF-8")]);
        assert!(matches!(ran.code, Some(1 | 3 | 4)), "{length}: {ran:#?}");
        assert!(ran.stderr.contains(said) && !ran.stderr.contains("panic"), "{length}: {ran:#?}");
        let told = ran.stdout.contains("bytes are missing at its end") || ran.stderr.contains("cut off");
        assert!(told, "{length}: {ran:#?}");
    }
}

fn what_is_no_core_file(_: &str) {
    let program = crate::specimens();
    for (path, said) in [
        ("/nowhere/core", "No such file"),
        ("/dev/null", "not a regular file"),
        (program.to_str().expect("UTF-8"), "no core file"),
    ] {
        let ran = explain(&["--core", path]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{ran:#?}");
        assert!(ran.stderr.contains(said), "{ran:#?}");
    }
}
