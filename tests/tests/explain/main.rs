//! Processes that others wrote, explained. They are compiled from `specimens.c`; where there is no C
//! compiler, or the system is not one that is explained, each test is reported as ignored, and the reason is
//! said: that is known only when the tests run, so this binary has a `main` of its own.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Trial};
use sigproof_tests::compile::Specimen;

mod command;
mod core_files;
mod input;
mod interpreter;
mod kinds;
mod specimen;

/// A test, which gets its own name.
type Check = fn(&str);

/// Tests that run at a time, unless `--test-threads` says otherwise: each looks at the whole system.
const THREADS: usize = 2;

/// The folder of the compiled specimens; gone with this process.
static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();

/// The executable of the specimens.
fn specimens() -> PathBuf {
    FOLDER.get().expect("it was compiled before the tests").path().join("specimens")
}

/// Compiles the specimens, or says why that cannot be done.
fn compile() -> Result<(), String> {
    if !Path::new("/proc/self/syscall").exists() {
        return Err("there is no Linux with /proc here; remedy: run them on Linux".to_owned());
    }
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}; remedy: set TMPDIR"))?;
    let specimen = Specimen { source: "tests/explain/specimens.c", name: "specimens", flags: &["-O1"] };
    specimen.compile(folder.path())?;
    let _ = FOLDER.set(folder);
    Ok(())
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let lacks = if arguments.list { None } else { compile().err() };
    let mut tests: Vec<(String, Check)> = Vec::new();
    tests.extend(kinds::TESTS.iter().map(|kind| (format!("kinds::{}", kind.name), kinds::test as Check)));
    tests.extend(input::TESTS.iter().map(|(name, test)| (format!("input::{name}"), *test)));
    tests.extend(command::TESTS.iter().map(|(name, test)| (format!("command::{name}"), *test)));
    if let Some(why) = &lacks {
        println!("skipped: {} tests of explain: {why}", tests.len());
    }
    let lacks_gcore = core_files::lacks();
    if let (Some(why), None, false) = (&lacks_gcore, &lacks, arguments.list) {
        println!("skipped: {} tests of core files: {why}", core_files::TESTS.len());
    }
    tests.extend(core_files::TESTS.iter().map(|(name, test)| (format!("core_files::{name}"), *test)));
    let lacks_python = interpreter::lacks();
    if let (Some(why), None, false) = (&lacks_python, &lacks, arguments.list) {
        println!("skipped: {} tests of an interpreter: {why}", interpreter::TESTS.len());
    }
    tests.extend(interpreter::TESTS.iter().map(|(name, test)| (format!("interpreter::{name}"), *test)));
    let trials = tests.into_iter().map(|(name, test)| {
        let lacks = lacks.is_some()
            || name.starts_with("core_files::") && lacks_gcore.is_some()
            || name.starts_with("interpreter::") && lacks_python.is_some();
        let kind = name.rsplit("::").next().unwrap_or_default().to_owned();
        let trial = Trial::test(name, move || {
            test(&kind);
            Ok(())
        });
        trial.with_ignored_flag(lacks)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // A static is not dropped.
    if let Some(folder) = FOLDER.get() {
        let _ = std::fs::remove_dir_all(folder.path());
    }
    conclusion.exit_code()
}
