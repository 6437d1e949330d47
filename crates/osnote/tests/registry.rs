//! The registry and the files agree, and what it says of itself is complete.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sigproof_osnote::{Platform, SignalSafety, backend, backends};

#[test]
fn each_backend_is_one_file_and_one_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/notes");
    let files: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|stem| stem != "mod")
        .collect();
    let names: Vec<String> = backends().iter().map(|backend| backend.name.replace('-', "_")).collect();
    assert_eq!(files, names.iter().cloned().collect());
    assert_eq!(files.len(), names.len(), "a name occurs twice");
}

#[test]
fn each_backend_tells_all_that_a_table_shows() {
    for entry in backends() {
        assert!(std::ptr::eq(backend(entry.name).unwrap(), entry));
        assert!(!entry.summary.is_empty() && !entry.platforms.is_empty());
        let source = entry.why.contains("POSIX") || entry.why.contains("(2)");
        assert!(source, "{}: the claim about signal safety needs a source", entry.name);
        assert_eq!(entry.available(), entry.platforms.contains(&Platform::current()));
        assert_eq!(entry.wakes_from_handler(), entry.wakeup == SignalSafety::Safe);
    }
    assert!(backend("no such note").is_none());
    assert_eq!(
        format!("{:>20}|{}|{:7}|", SignalSafety::Safe, SignalSafety::Unsafe, Platform::Linux),
        "   async-signal-safe|unsafe|linux  |"
    );
}
