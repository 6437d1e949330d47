//! The project's rules about its own text, checked. Each rule says what it found and where, all of it at once.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sigproof_casebook::REGISTRY;
use sigproof_tests::workspace;

/// The most lines of a source file.
const LINES: usize = 450;

/// Where target selection may be: in these files, or below these folders. Everything else calls what they select.
const SELECTION: &[&str] = &[
    "crates/shim/src/native/os/",
    "crates/osnote/src/platform.rs",
    "crates/osnote/tests/support/mod.rs",
    "crates/oracle/src/conform/compare.rs",
    "crates/profbuf/tests/machine_code.rs",
    "crates/inspect/src/bin/hang-specimens/main.rs",
    "crates/inspect/src/bin/hang-specimens/unnamed.rs",
    "crates/casebook/src/cases/selftest/places/target.rs",
    "crates/inspect/src/diagnose/linux/arch.rs",
    "crates/inspect/src/diagnose/linux/c_library.rs",
    "crates/inspect/src/diagnose/mod.rs",
    "crates/inspect/src/explain/linux/inject.rs",
    "crates/inspect/src/explain/linux/wait.rs",
    "crates/inspect/src/explain/mod.rs",
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
    "xtask/src/bench/process.rs",
    "xtask/src/model/process.rs",
];

/// Where production code may start a process: in these files, or below these folders. Everything else calls
/// `sigproof_inspect::process`.
const CHILDREN: &[&str] = &[
    // The one runner.
    "crates/inspect/src/process/group.rs",
    // `step` copies its own process: the copies are its subjects.
    "crates/step/src/engine/linux/child.rs",
    "crates/step/src/engine/linux/mod.rs",
    // Cases whose code under test starts a process.
    "crates/casebook/src/cases/selftest.rs",
    "crates/casebook/src/cases/signote_fork_cloexec.rs",
    // The specimens and the tests of the diagnosis.
    "crates/inspect/src/bin/hang-specimens/",
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
fn nothing_is_unfinished_or_left_out() {
    // Put together here, or this file would break its own rule.
    let words = [["to", "do!("].concat(), ["unimplemen", "ted!("].concat(), ["#[ig", "nore"].concat()];
    let found = places(&words, |_| true);
    assert_none("no unfinished code, no test that is left out", &found);
}

#[test]
fn no_test_is_lost() {
    // rstest takes an attribute that ends in `test` for the test attribute, adds none of its own, and the cases never run.
    let word = ["#[case", "::test("].concat();
    assert_none("no case of rstest is called `test`", &places(&[word], |_| true));
}

#[test]
fn only_the_shim_names_atomics() {
    let words = [["sync", "::atomic"].concat(), ["loom", "::"].concat()];
    let found = places(&words, |path| !path.starts_with("crates/shim/"));
    assert_none("atomics come from sigproof_shim::atomic", &found);
}

#[test]
fn targets_are_selected_in_few_places() {
    let words = ["cfg(target", "cfg!(target", "cfg(not(target", "cfg(all(target", "cfg(any(target", "cfg_attr(target"];
    let words =
        words.map(str::to_owned).into_iter().chain(["cfg_attr(not(target", "cfg_attr(all(target"].map(str::to_owned));
    let words: Vec<_> = words.chain(["cfg(unix", "cfg(windows"].map(str::to_owned)).collect();
    let allowed = |path: &str| SELECTION.iter().any(|allowed| path.starts_with(allowed));
    let this = |path: &str| path == "tests/tests/tidy.rs";
    assert_none("target selection is in few, known places", &places(&words, |path| !allowed(path) && !this(path)));
    let exists = |path: &str| workspace().join(path).exists();
    let gone: Vec<_> = SELECTION.iter().filter(|path| !exists(path)).map(|path| (*path).to_owned()).collect();
    assert_none("a file that may select targets is not there", &gone);
}

#[test]
fn a_child_is_started_in_few_places() {
    let words = [".spawn()", ".output()", ".status()", "posix_spawn", "fork()", ".exec()", "popen(", "libc::system("];
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

/// Which crate of the workspace may depend on which, and in tests as well. Only `xtask` and the black-box tests
/// see everything.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("shim", &[]),
    ("report", &[]),
    ("profbuf", &["shim"]),
    ("inspect", &["shim"]),
    ("step", &["inspect", "report", "shim"]),
    ("osnote", &["profbuf", "shim"]),
    ("harness", &["inspect", "osnote", "profbuf", "report", "shim", "step"]),
    ("casebook", &["harness", "inspect", "osnote", "profbuf", "report", "shim", "step"]),
    ("oracle", &["inspect", "osnote", "profbuf", "report", "shim"]),
    ("workbench", &["harness", "inspect", "oracle"]),
];

#[test]
fn a_crate_depends_on_what_it_may() {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(workspace())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let short = |name: &serde_json::Value| name.as_str().unwrap().strip_prefix("sigproof-").map(str::to_owned);
    let mut found = Vec::new();
    let mut known = 0;
    for package in packages {
        let Some(name) = short(&package["name"]).filter(|name| name != "tests") else { continue };
        let Some((_, may)) = DEPENDENCIES.iter().find(|(known, _)| *known == name) else {
            found.push(format!("{name} is not in the table"));
            continue;
        };
        known += 1;
        for dependency in package["dependencies"].as_array().unwrap() {
            // The helpers of the tests know only the workspace's own crates that are below them.
            let Some(on) = short(&dependency["name"]).filter(|on| on != "tests") else { continue };
            if !may.contains(&on.as_str()) {
                found.push(format!("{name} depends on {on}"));
            }
        }
    }
    assert_eq!(known, DEPENDENCIES.len(), "each crate of the table exists");
    assert_none("a crate depends on what the table allows", &found);
}

/// Packages that no verb needs to begin: those of `sigproof-workbench`, of tests, of models, and formats that nothing
/// here reads.
const NOT_FOR_THE_COMMAND_LINE: &[&str] =
    &["criterion", "insta", "loom", "macho-unwind-info", "pe-unwind-info", "plotters"];

#[test]
fn the_command_line_is_built_without_what_single_verbs_need() {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", "xtask", "--edges", "normal,build", "--prefix", "none"])
        .args(["--format", "{p} {f}"])
        .current_dir(workspace())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let all: BTreeSet<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    assert!(output.status.success() && all.iter().any(|line| line.starts_with("clap ")), "{output:?}");
    let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    // The macros that derive need it, without the part that walks over whole files.
    let walks = |line: &str| name(line) == "syn" && line.split([' ', ',']).any(|feature| feature == "visit");
    let found = all.iter().filter(|line| walks(line) || NOT_FOR_THE_COMMAND_LINE.contains(&&*name(line)));
    assert_none("the command line is built without", &found.map(|line| (*line).to_owned()).collect::<Vec<_>>());
    let twice = |of: &str| all.iter().filter(|line| name(line) == of).count() > 1;
    let found: Vec<_> = ["gimli", "object"].into_iter().filter(|of| twice(of)).map(str::to_owned).collect();
    assert_none("one version of each is enough", &found);
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
fn every_member_takes_the_lints_of_the_workspace() {
    let members = texts(&["Cargo.toml"]).into_iter().filter(|(path, _)| path != "Cargo.toml");
    let without = members.filter(|(_, text)| !text.contains("[lints]\nworkspace = true")).map(|(path, _)| path);
    assert_none("a member says `[lints] workspace = true`", &without.collect::<Vec<_>>());
}

/// Dependencies that no source names, since they turn on a feature of what another dependency brings: lines
/// of tokens, for `syn`.
const FOR_A_FEATURE: &[&str] = &["crates/workbench/Cargo.toml: [dependencies] proc-macro2"];

/// The dependencies that a manifest names, each with its section.
fn dependencies(manifest: &str) -> Vec<(&str, &str)> {
    let mut section = "";
    let mut found = Vec::new();
    for line in manifest.lines() {
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
        match line.starts_with('[') {
            true => section = line,
            false if section.ends_with("dependencies]") && !name.is_empty() && name != "#" => {
                found.push((section, name))
            }
            false => {}
        }
    }
    found
}

/// Whether code names a crate: the word, and not a part of a longer one.
fn names_crate(text: &str, name: &str) -> bool {
    let word = name.replace('-', "_");
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_whole = |line: &str, at: usize| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !before.ends_with(part_of_word) && !after.starts_with(part_of_word)
    };
    code(text).any(|(_, line)| line.match_indices(&word).any(|(at, _)| is_whole(line, at)))
}

#[test]
fn every_dependency_is_used() {
    let (sources, manifests) = (sources(), texts(&["Cargo.toml"]));
    let of = |manifest: &str| texts_of(&manifests, manifest);
    let mut unused = Vec::new();
    for (manifest, text) in &manifests {
        let folder = manifest.strip_suffix("Cargo.toml").unwrap_or_default();
        let all = dependencies(text);
        for (section, name) in &all {
            let used = match *section {
                "[workspace.dependencies]" => manifests.iter().any(|(other, _)| {
                    dependencies(of(other))
                        .iter()
                        .any(|(section, used)| used == name && *section != "[workspace.dependencies]")
                }),
                // Of tests and benches as well, and not what is a dependency anyway.
                "[dev-dependencies]" => {
                    let again = all.iter().any(|(section, other)| other == name && *section == "[dependencies]");
                    !again && sources.iter().any(|(path, text)| path.starts_with(folder) && names_crate(text, name))
                }
                _ => {
                    let below = format!("{folder}src/");
                    sources.iter().any(|(path, text)| path.starts_with(&below) && names_crate(text, name))
                }
            };
            if !used {
                unused.push(format!("{manifest}: {section} {name}"));
            }
        }
    }
    let known = |place: &&str| unused.iter().any(|unused| unused == place);
    assert!(FOR_A_FEATURE.iter().all(known), "a source names it, or it is gone: {FOR_A_FEATURE:?}");
    unused.retain(|place| !FOR_A_FEATURE.contains(&place.as_str()));
    assert_none("a dependency is used where it is declared, and declared once", &unused);
    let (with, without) = ("use serde_json::Value;", "// serde\nuse my_serde::x; serde_json::y();");
    assert!(names_crate(with, "serde-json") && !names_crate(without, "serde"), "the rule sees what it must");
}

#[test]
fn the_script_of_ci_runs_every_step_and_ends_with_the_tests() {
    let script = fs::read_to_string(workspace().join(".ci/run")).unwrap();
    let verbs: Vec<_> = script.lines().filter(|line| line.starts_with("cargo xtask ")).collect();
    assert_eq!(verbs, ["cargo xtask ci --except test", "cargo xtask test"]);
    assert_eq!(script.lines().last(), verbs.last().copied());
}

fn texts_of<'a>(texts: &'a [(String, String)], path: &str) -> &'a str {
    texts.iter().find(|(other, _)| other == path).map_or("", |(_, text)| text)
}
