//! The project's rules about its own text, checked. Each rule says what it found and where, all of it at
//! once.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sigproof_casebook::REGISTRY;
use sigproof_tests::workspace;

mod packages;

/// The most lines of a source file.
const LINES: usize = 450;

/// Where target selection may be: in these files, or below these folders. Everything else calls what they
/// select.
const SELECTION: &[&str] = &[
    "crates/shim/src/native/os/",
    "crates/osnote/src/platform.rs",
    "crates/osnote/src/foreign/library.rs",
    "crates/osnote/tests/support/mod.rs",
    "crates/workbench/src/conform/compare.rs",
    "crates/profbuf/tests/machine_code.rs",
    "crates/inspect/src/bin/hang-specimens/main.rs",
    "crates/inspect/src/bin/hang-specimens/unnamed.rs",
    "crates/casebook/src/cases/selftest/places/target.rs",
    "crates/step/src/traced.rs",
    "crates/inspect/src/diagnose/linux/arch.rs",
    "crates/inspect/src/diagnose/linux/c_library.rs",
    "crates/inspect/src/diagnose/mod.rs",
    "crates/inspect/src/explain/linux/inject.rs",
    "crates/inspect/src/explain/linux/wait.rs",
    "crates/inspect/src/explain/mod.rs",
    "crates/probe/src/lib.rs",
    "crates/step/src/traced/stops.rs",
    "crates/step/src/engine/linux/ptrace.rs",
    "crates/inspect/src/hang/linux/sleep.rs",
    "crates/casebook/src/cases/selftest/phases.rs",
    "crates/inspect/src/hang/mod.rs",
    "crates/harness/src/inject/delivery/mod.rs",
    "crates/harness/src/inject/pc.rs",
    "crates/harness/src/model/driver/tests.rs",
    "crates/report/src/host.rs",
    "crates/step/src/engine/linux/arch.rs",
    "crates/step/src/engine/linux/probe.rs",
    "crates/step/src/engine/mod.rs",
    "crates/step/src/map/instruction.rs",
    "crates/step/src/lib.rs",
    "crates/harness/src/forked/mod.rs",
    "crates/step/src/target.rs",
    "crates/step/src/itself/context.rs",
    "crates/inspect/src/hang/deadline.rs",
    "crates/inspect/src/process/system/mod.rs",
    "crates/harness/src/worker/leash.rs",
    "crates/inspect/tests/diagnose/main.rs",
    "crates/inspect/tests/diagnose/stuck.rs",
    "tests/src/lib.rs",
    "tests/src/refuse.rs",
    "tests/tests/cli/main.rs",
    "tests/tests/cli/memory.rs",
    "tests/tests/cli/no_threads.rs",
    "tests/tests/cli/refusals.rs",
    "tests/tests/cli/step_refused.rs",
    "tests/tests/probe/input.rs",
    "tests/tests/sigproof/alone.rs",
    "tests/tests/sigproof/fingerprints.rs",
    "xtask/src/bench/process.rs",
    "crates/verbs/src/model/process.rs",
];

/// Where production code may start a process: in these files, or below these folders. Everything else calls
/// `sigproof_inspect::process`.
const CHILDREN: &[&str] = &[
    // The one runner.
    "crates/inspect/src/process/group.rs",
    // `step` copies its own process: the copies are its subjects.
    "crates/step/src/engine/linux/child.rs",
    "crates/step/src/engine/linux/mod.rs",
    // A test copies its own process, to have one of one thread.
    "crates/sigproof/src/ways/sweep.rs",
    // `probe` traces a program from its first instruction, and ends it with its tracer.
    "crates/probe/src/linux/process.rs",
    // Cases whose code under test starts a process.
    "crates/casebook/src/cases/selftest.rs",
    "crates/casebook/src/cases/signote_fork_cloexec.rs",
    // The specimens and the tests of the diagnosis.
    "crates/inspect/src/bin/hang-specimens/",
    "crates/inspect/src/diagnose/linux/step.rs",
    "crates/inspect/src/hang/linux/tests.rs",
];

/// Every file below a folder, but for what is built or belongs to git.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true if name == "target" || name == ".git" => {}
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// The text of every file with one of these endings, by its path from the workspace.
fn texts(endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    files(workspace(), &mut found);
    found.retain(|path| endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)));
    let texts = found.into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(workspace()).unwrap().to_string_lossy().into_owned(), text)
    });
    let texts: Vec<_> = texts.collect();
    assert!(!texts.is_empty(), "nothing ends in {endings:?}");
    texts
}

fn sources() -> Vec<(String, String)> {
    texts(&[".rs"])
}

/// The lines of a source that are not comments, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn assert_none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

/// The places in code where one of these words is, in the files that `in_file` accepts.
fn places(words: &[String], in_file: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| in_file(path)) {
        for (number, line) in code(text) {
            if words.iter().any(|word| line.contains(word.as_str())) {
                found.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    found
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = sources().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path);
    assert_none("a source begins with a `//!` header", &silent.collect::<Vec<_>>());
}

#[test]
fn no_file_is_too_long() {
    let long =
        sources().into_iter().map(|(path, text)| (path, text.lines().count())).filter(|(_, lines)| *lines > LINES);
    let long: Vec<_> = long.map(|(path, lines)| format!("{path}: {lines} lines")).collect();
    assert_none(&format!("a source has at most {LINES} lines"), &long);
}

#[test]
fn comments_end_at_column_110() {
    let is_comment = |line: &str| line.trim_start().starts_with("//");
    // A table, a link and a drawing cannot be wrapped.
    let is_whole = |line: &str| [" | ", "://", "──", "-->", "....", " │ ", "└ "].iter().any(|mark| line.contains(mark));
    let mut found = Vec::new();
    for (path, text) in sources() {
        let long = |line: &str| is_comment(line) && !is_whole(line) && line.chars().count() > 110;
        let lines = text.lines().enumerate().filter(|(_, line)| long(line));
        found.extend(lines.map(|(number, line)| format!("{path}:{}: {line}", number + 1)));
    }
    assert_none("a comment ends at column 110", &found);
}

#[test]
fn nothing_is_unfinished_or_left_out() {
    // Put together here, or this file would break its own rule.
    let words = [["to", "do!("].concat(), ["unimplemen", "ted!("].concat(), ["#[ig", "nore"].concat()];
    let found = places(&words, |_| true);
    assert_none("no unfinished code, no test that is left out", &found);
}

#[test]
fn no_test_is_lost() {
    // rstest takes an attribute that ends in `test` for the test attribute, adds none of its own, and the
    // cases never run.
    let word = ["#[case", "::test("].concat();
    assert_none("no case of rstest is called `test`", &places(&[word], |_| true));
}

#[test]
fn only_the_shim_names_atomics() {
    let words = [["sync", "::atomic"].concat(), ["loom", "::"].concat()];
    // The explorer depends on nothing of ours; it takes the memory orders from std.
    // The examples are projects of others, which have no shim.
    let may = |path: &str| {
        path.starts_with("crates/shim/")
            || path.starts_with("examples/")
            || ["crates/explore/src/atomic/mod.rs", "crates/explore/src/system.rs"].contains(&path)
    };
    let found = places(&words, |path| !may(path));
    assert_none("atomics come from sigproof_shim::atomic", &found);
}

#[test]
fn targets_are_selected_in_few_places() {
    let words = ["cfg(target", "cfg!(target", "cfg(not(target", "cfg(all(target", "cfg(any(target", "cfg_attr(target"];
    let words =
        words.map(str::to_owned).into_iter().chain(["cfg_attr(not(target", "cfg_attr(all(target"].map(str::to_owned));
    let words: Vec<_> = words.chain(["cfg(unix", "cfg(windows"].map(str::to_owned)).collect();
    let allowed = |path: &str| SELECTION.iter().any(|allowed| path.starts_with(allowed));
    let this = |path: &str| path == "tests/tests/tidy/main.rs";
    assert_none("target selection is in few, known places", &places(&words, |path| !allowed(path) && !this(path)));
    let exists = |path: &str| workspace().join(path).exists();
    let gone: Vec<_> = SELECTION.iter().filter(|path| !exists(path)).map(|path| (*path).to_owned()).collect();
    assert_none("a file that may select targets is not there", &gone);
}

#[test]
fn a_child_is_started_in_few_places() {
    let words = [".spawn()", ".output()", ".status()", "posix_spawn(", "fork()", ".exec()", "popen(", "libc::system("];
    let words = words.map(str::to_owned);
    let is_production =
        |path: &str| path.starts_with("xtask/") || path.starts_with("crates/") && path.contains("/src/");
    let allowed = |path: &str| CHILDREN.iter().any(|allowed| path.starts_with(allowed));
    let elsewhere = places(&words, |path| is_production(path) && !allowed(path));
    assert_none("a child is started by sigproof_inspect::process, and in few other places", &elsewhere);
    let unused = CHILDREN.iter().filter(|allowed| places(&words, |path| path.starts_with(**allowed)).is_empty());
    let unused: Vec<_> = unused.map(|path| (*path).to_owned()).collect();
    assert_none("a file that may start a child starts none", &unused);
}

#[test]
fn no_path_of_a_machine() {
    let roots = ["/ho", "/ro", "/Us", "/wo"].iter().zip(["me/", "ot/", "ers/", "rk/"]);
    let roots: Vec<_> = roots.map(|(a, b)| [*a, b].concat()).collect();
    let mut found = Vec::new();
    for (path, text) in texts(&[".rs", ".md", ".toml", ".yml", ".snap", ".mjs", ".ci/run"]) {
        for (number, line) in text.lines().enumerate() {
            // A user who does not exist, in the examples of tests.
            let line = line.replace(&["/ho", "me/u/"].concat(), "");
            // The start of a path, and not a part of a longer one or of a link.
            let starts = |root: &String| {
                line.match_indices(root.as_str()).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    before
                        .is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '.' | '/' | '_' | '-' | '}' | '*' | '$')))
                })
            };
            if roots.iter().any(starts) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert_none("no absolute path of a machine", &found);
}

/// The mechanisms of a folder: its files and folders by stem, but for these.
fn stems(folder: &str, but: &[&str]) -> BTreeSet<String> {
    let entries = fs::read_dir(workspace().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let stems = entries.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned());
    stems.filter(|stem| !but.contains(&stem.as_str())).collect()
}

#[test]
fn every_case_is_a_file_and_every_file_is_a_case() {
    let registered: BTreeSet<_> =
        REGISTRY.cases().iter().filter(|c| !c.hidden()).map(|c| c.name().replace('-', "_")).collect();
    assert_eq!(registered, stems("crates/casebook/src/cases", &["mod", "selftest"]));
}

#[test]
fn every_note_is_a_file_and_every_file_is_a_note() {
    let registered: BTreeSet<_> = REGISTRY.notes().iter().map(|b| b.name.replace('-', "_")).collect();
    assert_eq!(registered, stems("crates/osnote/src/notes", &["mod"]));
}

#[test]
fn names_are_unique_and_plain() {
    let cases = REGISTRY.cases().iter().map(|c| c.name());
    let notes = REGISTRY.notes().iter().map(|b| b.name);
    for names in [cases.collect::<Vec<_>>(), notes.collect()] {
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        let plain = |name: &&str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        assert!(names.iter().all(plain), "{names:?}");
    }
}

#[test]
fn every_case_is_broken_and_fixed_and_its_bug_must_show() {
    use sigproof_harness::setup::REFUSES;
    use sigproof_report::{Outcome, Variant};
    for case in REGISTRY.cases().iter().filter(|c| !c.hidden()) {
        let setups = REGISTRY.setups_of(*case);
        for setup in &setups {
            let must: Vec<_> = setup.expected.must_occur().collect();
            let bad = must.iter().any(|outcome| !matches!(outcome, Outcome::Delivered | Outcome::Refused));
            assert_eq!(bad, setup.variant == Variant::Broken, "{}: must {must:?}", setup.id(case.name()));
            // Only the note that is made to refuse may, and it must.
            let refuses = setup.variant == Variant::Fixed && setup.flavour == Some(REFUSES);
            assert_eq!(must == [Outcome::Refused], refuses, "{}: must {must:?}", setup.id(case.name()));
        }
        assert!(setups.iter().any(|s| s.variant == Variant::Broken), "{} is never broken", case.name());
        assert!(setups.iter().any(|s| s.variant == Variant::Fixed), "{} is never fixed", case.name());
    }
}

#[test]
fn every_setup_has_a_model() {
    let mut without = Vec::new();
    for case in REGISTRY.cases().iter().filter(|c| !c.hidden()) {
        let setups = REGISTRY.setups_of(*case).into_iter().filter(|setup| case.model(setup).is_none());
        without.extend(setups.map(|setup| setup.id(case.name()).to_string()));
    }
    assert_none("a setup has a model", &without);
    let entries = REGISTRY.models();
    let labels: BTreeSet<_> = entries.iter().map(sigproof_harness::model::Entry::label).collect();
    assert_eq!(labels.len(), entries.len(), "a label names one model");
}

#[test]
fn every_setup_has_a_window() {
    let mut without = Vec::new();
    for case in REGISTRY.cases().iter().filter(|c| !c.hidden()) {
        let setups = REGISTRY.setups_of(*case).into_iter().filter(|setup| case.windows(setup).is_empty());
        without.extend(setups.map(|setup| setup.id(case.name()).to_string()));
    }
    assert_none("a setup has a window", &without);
    let entries = REGISTRY.windows();
    let labels: BTreeSet<_> = entries.iter().map(sigproof_harness::forked::Entry::label).collect();
    assert_eq!(labels.len(), entries.len(), "a label names one window");
}

#[test]
fn the_script_of_ci_runs_every_step_and_ends_with_the_tests() {
    let script = fs::read_to_string(workspace().join(".ci/run")).unwrap();
    let verbs: Vec<_> = script.lines().filter(|line| line.starts_with("cargo xtask ")).collect();
    assert_eq!(verbs, ["cargo xtask ci --except test", "cargo xtask test --no-run", "cargo xtask test"]);
    assert_eq!(script.lines().last(), verbs.last().copied());
}
