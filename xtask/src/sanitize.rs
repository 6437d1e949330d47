//! `cargo xtask sanitize`: the tests of the unsafe code once more, built with a sanitizer. It needs a nightly
//! compiler; without one it says what is missing and exits with 4.
//!
//! - `address` runs all tests of the crates that signals interrupt, and the unit tests of the crates that run
//!   and inspect processes: AddressSanitizer, with LeakSanitizer where the platform has it. Handlers run
//!   where the signal hits, as always.
//! - `thread` runs the tests of `profbuf` and `osnote` that send no signals, with a standard library that is
//!   instrumented too. TSan delays an asynchronous signal until the thread makes a call that TSan knows to
//!   block; a raw `FUTEX_WAIT` is none (<https://github.com/llvm/llvm-project/issues/83844>). A test with
//!   signals hangs now and then, or shows an order of events that no real program has; tests are left out by
//!   words in their names ([`SIGNALS`]). Races between a handler and its own thread are thus not found here,
//!   but by the stress.

use std::path::{Path, PathBuf};
use std::process::Command;

use sigproof_inspect::process;
use sigproof_report::exit::Exit;

use crate::args::{SanitizeArgs, Sanitizer};
use crate::session::{Concluded, Session};
use crate::{command, interrupt, output};

/// Words in the names of tests that send signals.
const SIGNALS: &[&str] = &["signal", "handler", "storm"];

/// The arguments of `cargo test`, a run a line. Doctests of a sanitized crate are sanitized as well.
fn runs(sanitizer: Sanitizer) -> &'static [&'static [&'static str]] {
    match sanitizer {
        Sanitizer::Address => &[
            &["-p", "sigproof-shim", "-p", "sigproof-profbuf", "-p", "sigproof-osnote"],
            &["-p", "sigproof-inspect", "-p", "sigproof-harness", "--lib"],
        ],
        Sanitizer::Thread => &[&["-Zbuild-std", "-p", "sigproof-profbuf", "-p", "sigproof-osnote", "--tests"]],
    }
}

/// Runs the verb.
pub fn run(args: &SanitizeArgs, session: &mut Session<'_>) -> Concluded {
    let mut worst = Exit::AsExpected;
    let mut lines = String::new();
    for &sanitizer in &args.sanitizers {
        let (exit, line) = match libraries().and_then(|libraries| target(sanitizer, &libraries)) {
            Err(missing) => (Exit::Environment, missing),
            Ok(target) => perform(sanitizer, &target),
        };
        worst = worst.worst(exit);
        lines += &format!("sanitize {}: {line}\n", sanitizer.name());
    }
    Ok(worst.worst(session.out.say(&lines)).into())
}

fn perform(sanitizer: Sanitizer, target: &str) -> (Exit, String) {
    // Beside the folder that this executable is in; a build of its own, which leaves the usual one as it is.
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.ancestors().nth(2)?.to_owned()));
    let place = beside.unwrap_or_else(|| PathBuf::from("target")).join("sanitize").join(sanitizer.name());
    let flag = format!("-Zsanitizer={}", sanitizer.name());
    let mut worst = (Exit::AsExpected, "ok".to_owned());
    for run in runs(sanitizer) {
        let mut command = Command::new("cargo");
        command.args(["+nightly", "test", "--no-fail-fast", "--target", target, "--target-dir"]).arg(&place).args(*run);
        if sanitizer == Sanitizer::Thread {
            command.arg("--").args(SIGNALS.iter().flat_map(|word| ["--skip", word]));
        }
        command.env("RUSTFLAGS", &flag).env("RUSTDOCFLAGS", &flag);
        if interrupt::requested() {
            return (Exit::Interrupted, "interrupted".to_owned());
        }
        output::tell(&format!("== {command:?}"));
        if let (exit, Some(why)) = command::status(&mut command) {
            worst = (worst.0.worst(exit), format!("FAILED: {why}"));
        }
    }
    worst
}

/// Where nightly's libraries for this machine are: `.../rustlib/TARGET/lib`.
fn libraries() -> Result<PathBuf, String> {
    let asked = process::output(Command::new("rustc").args(["+nightly", "--print", "target-libdir"]));
    let path = asked.ok().and_then(|finished| finished.text());
    path.map(PathBuf::from).ok_or_else(|| skipped("no nightly compiler", "rustup toolchain install nightly"))
}

/// The target whose libraries these are, if the sanitizer can be had for it.
fn target(sanitizer: Sanitizer, libraries: &Path) -> Result<String, String> {
    let home = libraries.parent();
    let name = home.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let mut files = libraries.read_dir().into_iter().flatten().flatten();
    if !files.any(|file| file.file_name().to_string_lossy().contains(sanitizer.runtime())) {
        let missing = format!("nightly has no {} sanitizer for {name}", sanitizer.name());
        return Err(skipped(&missing, "run it on Linux or macOS, x86_64 or arm64"));
    }
    let has_source = home.and_then(Path::parent).is_some_and(|all| all.join("src/rust/library/std").is_dir());
    if sanitizer == Sanitizer::Thread && !has_source {
        return Err(skipped("no rust-src", "rustup component add rust-src --toolchain nightly"));
    }
    Ok(name)
}

fn skipped(reason: &str, remedy: &str) -> String {
    format!("skipped: {reason}; remedy: {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_missing_is_named_with_its_remedy() {
        let all = tempfile::tempdir().unwrap();
        let libraries = all.path().join("some-target/lib");
        let refused = |sanitizer, word: &str| {
            let said = target(sanitizer, &libraries).unwrap_err();
            assert!(said.starts_with("skipped: ") && said.contains("; remedy: ") && said.contains(word), "{said}");
        };
        refused(Sanitizer::Address, "some-target");
        fs::create_dir_all(&libraries).unwrap();
        refused(Sanitizer::Address, "some-target");
        fs::write(libraries.join("librustc-nightly_rt.asan.a"), "").unwrap();
        assert_eq!(target(Sanitizer::Address, &libraries).unwrap(), "some-target");
        refused(Sanitizer::Thread, "thread");
        fs::write(libraries.join("librustc-nightly_rt.tsan.a"), "").unwrap();
        refused(Sanitizer::Thread, "rust-src");
        fs::create_dir_all(all.path().join("src/rust/library/std")).unwrap();
        assert_eq!(target(Sanitizer::Thread, &libraries).unwrap(), "some-target");
    }
}
