//! Programs that others wrote, swept. They are compiled from the C files beside this one; where there is no C
//! compiler, or the system is not one on which programs are swept, each test is reported as ignored, and the
//! reason is said: that is known only when the tests run, so this binary has a `main` of its own.

use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Trial};
use sigproof_tests::compile::Specimen;

mod classes;
mod handlers;
mod input;
mod kinds;
mod leftovers;
mod locks;
mod meets;
mod pace;
mod reading;
mod reports;
mod threads;
mod transcripts;
mod user;

type Check = fn();

/// Tests that run at a time, unless `--test-threads` says otherwise: each has a processor for itself.
const THREADS: usize = 2;

/// The folder of the compiled specimens; gone with this process.
static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();

/// What is compiled before the tests. Only the last one needs more than a C compiler.
const SPECIMENS: [Specimen; 7] = [
    Specimen { source: "tests/probe/specimens.c", name: "specimens", flags: &["-O2"] },
    Specimen { source: "tests/probe/more.c", name: "more", flags: &["-O2"] },
    Specimen { source: "tests/probe/locks.c", name: "locks", flags: &["-O2"] },
    Specimen { source: "tests/probe/daemon.c", name: "daemon", flags: &["-O2", "-g"] },
    Specimen { source: "tests/probe/meets.c", name: "meets", flags: &["-O1"] },
    Specimen { source: "tests/probe/library.c", name: "liblate.so", flags: &["-O2", "-fPIC", "-shared"] },
    Specimen { source: "tests/probe/classes.cc", name: "classes", flags: &["-O2"] },
];

/// What was compiled, by its name.
fn compiled(name: &str) -> String {
    let path = FOLDER.get().expect("it was compiled before the tests").path().join(name);
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// The executable of the specimens.
fn specimens() -> String {
    compiled("specimens")
}

/// Compiles the specimens in C; why that cannot be done, else. And why those in C++ cannot.
fn compile() -> Result<Option<String>, String> {
    if !Path::new("/proc/self/syscall").exists() || std::env::consts::ARCH != "x86_64" {
        return Err("programs are swept on Linux, x86_64; remedy: run them there".to_owned());
    }
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}; remedy: set TMPDIR"))?;
    let [in_c @ .., in_cpp] = &SPECIMENS;
    for specimen in in_c {
        specimen.compile(folder.path())?;
    }
    let lacks_cpp = in_cpp.compile(folder.path()).err();
    let _ = FOLDER.set(folder);
    Ok(lacks_cpp)
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let compiled = if arguments.list { Ok(None) } else { compile() };
    let lacks = compiled.as_ref().err();
    let lacks_cpp = compiled.as_ref().ok().and_then(Option::as_ref);
    // SAFETY: takes nothing, and cannot fail.
    let lacks_root = (unsafe { libc::geteuid() } != 0)
        .then(|| "the program changes its user, which only root may; remedy: run the tests as root".to_owned());
    let lacks_static = if arguments.list || lacks.is_some() { None } else { reading::lacks_static() };
    /// A name, the tests, and why they cannot run here.
    type Group<'a> = (&'a str, &'a [(&'a str, Check)], Option<&'a String>);
    let groups: [Group<'_>; 15] = [
        ("handlers", handlers::TESTS, lacks),
        ("kinds", kinds::TESTS, lacks),
        ("input", input::TESTS, lacks),
        ("leftovers", leftovers::TESTS, lacks),
        ("locks", locks::TESTS, lacks),
        ("meets", meets::TESTS, lacks),
        ("pace", pace::TESTS, lacks),
        ("reading", reading::TESTS, lacks),
        ("reading", reading::IN_CPP, lacks.or(lacks_cpp)),
        ("reading", reading::STATIC, lacks.or(lacks_static.as_ref())),
        ("threads", threads::TESTS, lacks),
        ("transcripts", transcripts::TESTS, lacks),
        ("reports", reports::TESTS, lacks),
        ("classes", classes::TESTS, lacks.or(lacks_cpp)),
        ("user", user::TESTS, lacks.or(lacks_root.as_ref())),
    ];
    let mut trials = Vec::new();
    for (group, tests, lacks) in groups {
        if let Some(why) = lacks {
            println!("skipped: {} tests of probe ({group}): {why}", tests.len());
        }
        trials.extend(tests.iter().map(|(name, test)| {
            let test = *test;
            let trial = Trial::test(format!("{group}::{name}"), move || {
                test();
                Ok(())
            });
            trial.with_ignored_flag(lacks.is_some())
        }));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    // A static is not dropped.
    if let Some(folder) = FOLDER.get() {
        let _ = std::fs::remove_dir_all(folder.path());
    }
    conclusion.exit_code()
}
