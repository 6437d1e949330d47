//! Programs that others wrote, swept. They are compiled from `specimens.c`; where there is no C compiler, or
//! the system is not one on which programs are swept, each test is reported as ignored, and the reason is
//! said: that is known only when the tests run, so this binary has a `main` of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Trial};

mod handlers;
mod input;
mod kinds;
mod leftovers;
mod reading;

/// A test.
type Check = fn();

/// Tests that run at a time, unless `--test-threads` says otherwise: each has a processor for itself.
const THREADS: usize = 2;

/// The folder of the compiled specimens; gone with this process.
static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();

/// The executable of the specimens.
fn specimens() -> String {
    let path = FOLDER.get().expect("it was compiled before the tests").path().join("specimens");
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Compiles the specimens, or says why that cannot be done.
fn compile() -> Result<(), String> {
    if !Path::new("/proc/self/syscall").exists() || std::env::consts::ARCH != "x86_64" {
        return Err("programs are swept on Linux, x86_64; remedy: run them there".to_owned());
    }
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}; remedy: set TMPDIR"))?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/probe/specimens.c");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let out: PathBuf = folder.path().join("specimens");
    let output = Command::new(&compiler).args(["-g", "-O2", "-pthread", "-o"]).arg(&out).arg(source).output();
    match output {
        Ok(output) if output.status.success() => {
            let _ = FOLDER.set(folder);
            Ok(())
        }
        // A compiler that is there must be able to.
        Ok(output) => panic!("{}: {}", compiler.display(), String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => Err(format!("{}: {error}; remedy: install a C compiler, or name one in CC", compiler.display())),
    }
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let lacks = if arguments.list { None } else { compile().err() };
    let tests = [
        ("handlers", handlers::TESTS),
        ("kinds", kinds::TESTS),
        ("input", input::TESTS),
        ("leftovers", leftovers::TESTS),
        ("reading", reading::TESTS),
    ];
    if let Some(why) = &lacks {
        let count: usize = tests.iter().map(|(_, tests)| tests.len()).sum();
        println!("skipped: {count} tests of probe: {why}");
    }
    let tests =
        tests.into_iter().flat_map(|(group, tests)| tests.iter().map(move |(name, test)| (group, *name, *test)));
    let trials = tests.map(|(group, name, test)| {
        let trial = Trial::test(format!("{group}::{name}"), move || {
            test();
            Ok(())
        });
        trial.with_ignored_flag(lacks.is_some())
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // A static is not dropped.
    if let Some(folder) = FOLDER.get() {
        let _ = std::fs::remove_dir_all(folder.path());
    }
    conclusion.exit_code()
}
