//! A process that explores, whose parent is gone before it has given an order: it removes its folder and
//! ends.

use std::fs;
use std::process::{Command, Stdio};

use sigproof_harness::model::worker::FOLDER;

/// The parent can die before the child has greeted, and after that.
#[test]
fn an_explorer_without_a_parent_leaves_no_folder() {
    for greets in [true, false] {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join(format!("{FOLDER}of-a-test"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a-file"), "of an exploration").unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let reader = greets.then_some(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_sigproof-model"));
        command.env("TMPDIR", &folder).stdin(Stdio::null()).stdout(writer).stderr(Stdio::null());
        let status = command.status().unwrap();
        drop(reader);
        assert_eq!(status.code(), Some(1), "greets: {greets}");
        assert!(!folder.exists(), "greets: {greets}: the folder is left");
    }
}
