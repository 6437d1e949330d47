//! Libraries that others wrote, over the C ABI of `sigproof.h`. They are compiled from `examples/c` and from
//! `bad.c`; where there is no C compiler, or the system has no engine for sweeps, each test is reported as
//! ignored, and the reason is said: that is known only when the tests run, so this binary has a `main` of its
//! own.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Trial};
use sigproof_tests::workspace;

mod bad;
mod examples;
mod input;

type Check = fn();

/// Tests that run at a time, unless `--test-threads` says otherwise: each has a processor for itself.
const THREADS: usize = 2;

/// The folder of the compiled libraries; gone with this process.
static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();

/// The C compiler.
fn compiler() -> std::ffi::OsString {
    std::env::var_os("CC").unwrap_or_else(|| "cc".into())
}

/// A library of this source, with these macros.
fn library(source: &Path, macros: &[&str]) -> String {
    built(&compiler(), source, macros)
}

/// The same by another compiler.
fn built(compiler: &std::ffi::OsStr, source: &Path, macros: &[&str]) -> String {
    let stem = source.file_stem().expect("a file").to_string_lossy();
    let name = format!("lib{stem}-{}.so", macros.join("-"));
    let out = FOLDER.get().expect("it is made before the tests").path().join(name);
    if !out.exists() {
        let temporary = out.with_extension(format!("{:?}", std::thread::current().id()).replace(['(', ')'], ""));
        let mut command = Command::new(compiler);
        command.args(["-shared", "-fPIC", "-g", "-O2", "-Wall", "-Wextra", "-pthread"]);
        command.arg("-I").arg(workspace().join("crates/osnote/include"));
        command.arg("-I").arg(workspace().join("examples/c"));
        command.args(macros.iter().map(|name| format!("-D{name}")));
        let output = command.arg("-o").arg(&temporary).arg(source).output().expect("the compiler was there before");
        assert!(output.status.success(), "{source:?} {macros:?}: {}", String::from_utf8_lossy(&output.stderr));
        // Another test may be building the same.
        std::fs::rename(&temporary, &out).expect("in one folder");
    }
    out.to_str().expect("a path in UTF-8").to_owned()
}

/// A library of `examples/c`.
fn example(file: &str, macros: &[&str]) -> String {
    library(&workspace().join("examples/c").join(file), macros)
}

/// A library of `bad.c`.
fn bad_library(name: &str) -> String {
    library(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validate/bad.c"), &[name])
}

/// Whether the tests can run here, and if not, why.
fn lacks() -> Option<String> {
    if !Path::new("/proc/self/syscall").exists() {
        return Some("windows are swept on Linux; remedy: run them there".to_owned());
    }
    let compiler = compiler();
    match Command::new(&compiler).arg("--version").output() {
        Ok(output) if output.status.success() => None,
        _ => {
            Some(format!("{}: no C compiler; remedy: install one, or name it in CC", PathBuf::from(compiler).display()))
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let listed = arguments.list;
    let lacks = if listed { None } else { lacks() };
    let tests = [("bad", bad::TESTS), ("examples", examples::TESTS), ("input", input::TESTS)];
    if let Some(why) = &lacks {
        let count: usize = tests.iter().map(|(_, tests)| tests.len()).sum();
        println!("skipped: {count} tests of validate: {why}");
    } else if !arguments.list {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let _ = FOLDER.set(folder);
    }
    let tests =
        tests.into_iter().flat_map(|(group, tests)| tests.iter().map(move |(name, test)| (group, *name, *test)));
    let trials = tests.map(|(group, name, test)| {
        let trial = Trial::test(format!("{group}::{name}"), move || {
            test();
            Ok(())
        });
        let alone = if lacks.is_none() && !listed { examples::lacks(name) } else { None };
        if let Some(why) = &alone {
            println!("skipped: {group}::{name}: {why}");
        }
        trial.with_ignored_flag(lacks.is_some() || alone.is_some())
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // A static is not dropped.
    if let Some(folder) = FOLDER.get() {
        let _ = std::fs::remove_dir_all(folder.path());
    }
    conclusion.exit_code()
}
