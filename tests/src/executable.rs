//! Executables made by tests.
//!
//! A file that a process has open for writing cannot be executed (`ETXTBSY`). Tests run in threads of one
//! process: while one writes a file, another may fork a child, which has the open file until it executes its
//! own program. So a process of its own writes the file, and no other thread's child can have it open:
//! golang/go#22315.

use std::path::Path;
use std::process::Command;

/// Copies an executable.
pub fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status();
    assert!(copied.as_ref().is_ok_and(|status| status.success()), "cp {from:?} {to:?}: {copied:?}");
}

/// Makes an executable script of this text.
pub fn script(path: &Path, text: &str) {
    const MAKE: &str = r#"printf %s "$1" > "$0" && chmod 755 "$0""#;
    let made = Command::new("sh").args(["-c", MAKE]).arg(path).arg(text).status();
    assert!(made.as_ref().is_ok_and(|status| status.success()), "{path:?}: {made:?}");
}
