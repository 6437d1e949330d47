//! The packages: what each may depend on, what it declares, and what the command line is built with.

use std::collections::BTreeSet;

use sigproof_tests::workspace;

use crate::{assert_none, code, sources, texts};

/// Which crate of the workspace may depend on which, and in tests as well. Only `xtask` and the black-box
/// tests see everything.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("explore", &[]),
    ("shim", &["explore"]),
    ("report", &[]),
    ("profbuf", &["shim"]),
    ("inspect", &["shim"]),
    ("step", &["inspect", "report", "shim"]),
    ("probe", &["inspect", "report", "shim", "step"]),
    ("osnote", &["profbuf", "shim"]),
    ("harness", &["explore", "inspect", "osnote", "profbuf", "report", "shim", "step"]),
    ("casebook", &["harness", "inspect", "osnote", "profbuf", "report", "shim", "step"]),
    ("oracle", &["inspect", "osnote", "profbuf", "report", "shim"]),
    ("workbench", &["explore", "harness", "inspect", "oracle", "profbuf", "report", "shim"]),
    ("verbs", &["casebook", "harness", "inspect", "osnote", "probe", "profbuf", "report", "shim", "step"]),
    ("cli", &["report", "verbs"]),
    ("sigproof", &["harness", "inspect", "osnote", "report", "shim", "step"]),
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
    let short = |name: &serde_json::Value| match name.as_str().unwrap() {
        "sigproof" => Some("sigproof".to_owned()),
        name => name.strip_prefix("sigproof-").map(str::to_owned),
    };
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

#[test]
fn what_the_library_for_others_is_made_of_can_be_published() {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(workspace())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let (mut wanted, mut seen, mut found) = (vec!["sigproof"], BTreeSet::new(), Vec::new());
    while let Some(name) = wanted.pop() {
        if !seen.insert(name) {
            continue;
        }
        let package = packages.iter().find(|package| package["name"] == name).expect("it is of the workspace");
        if package["publish"].is_array() {
            found.push(format!("{name} has `publish = false`"));
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            // What only tests need is left out of a package.
            if dependency["kind"] == "dev" || !on.starts_with("sigproof") {
                continue;
            }
            if dependency["req"] == "*" {
                found.push(format!("{name} names no version of {on}"));
            }
            wanted.push(on);
        }
    }
    assert!(seen.len() > 5, "{seen:?}");
    assert_none("a library can be published with all that it needs", &found);
}

/// Packages that no verb needs to begin: those of `sigproof-workbench`, of tests, of models, and formats that
/// nothing here reads.
const NOT_FOR_THE_COMMAND_LINE: &[&str] = &[
    "clap_complete",
    "clap_mangen",
    "criterion",
    "insta",
    "loom",
    "macho-unwind-info",
    "pe-unwind-info",
    "plotters",
    "proptest",
    "sigproof-explore",
];

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
fn every_member_takes_the_lints_of_the_workspace() {
    // The examples are outside of the workspace.
    let is_member = |path: &str| path != "Cargo.toml" && !path.starts_with("examples/");
    let members = texts(&["Cargo.toml"]).into_iter().filter(|(path, _)| is_member(path));
    let without = members.filter(|(_, text)| !text.contains("[lints]\nworkspace = true")).map(|(path, _)| path);
    assert_none("a member says `[lints] workspace = true`", &without.collect::<Vec<_>>());
}

/// Dependencies that no source names, since they turn on a feature of what another dependency brings: lines
/// of tokens, for `syn`; and what the tests turn on, for every build.
const FOR_A_FEATURE: &[&str] = &[
    "crates/workbench/Cargo.toml: [dependencies] proc-macro2",
    "tests/Cargo.toml: [dependencies] insta",
    "tests/Cargo.toml: [dependencies] rstest",
];

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

fn texts_of<'a>(texts: &'a [(String, String)], path: &str) -> &'a str {
    texts.iter().find(|(other, _)| other == path).map_or("", |(_, text)| text)
}
