//! The command `sigproof`: what a user has who has no checkout. The verbs themselves are tested through
//! `cargo xtask`; here are the name by which messages call the command, the places where it works, and what
//! is installed beside it.

mod alone;
mod fingerprints;
mod installed;
mod named;

use std::path::Path;
use std::process::{Command, Stdio};

use sigproof_tests::{Ran, executable, finish, of, sigproof};

/// Runs it in the workspace.
fn run(arguments: &[&str]) -> Ran {
    ran(&mut of(sigproof(), arguments))
}

fn ran(command: &mut Command) -> Ran {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    finish(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
}

/// A command that has only this folder: no other is in its `PATH`, and it is the current one.
fn alone(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = of(&folder.join("sigproof"), arguments);
    command.current_dir(folder).env_clear().env("PATH", folder);
    command
}

/// A folder that holds nothing but the executable.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    executable::copy(sigproof(), &folder.path().join("sigproof"));
    folder
}
