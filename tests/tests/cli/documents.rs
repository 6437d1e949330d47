//! README, CONTRIBUTING, CHANGELOG and docs: what they name exists, and what they count is what there is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use rstest::rstest;
use sigproof_report::Exit;
use sigproof_tests::{json, run, workspace};

/// The most lines of the README.
const README: usize = 150;

/// Every document by its path from the workspace: those at the root and those in docs.
pub fn documents() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in ["", "docs"] {
        for path in fs::read_dir(workspace().join(folder)).unwrap().map(|entry| entry.unwrap().path()) {
            if path.extension().is_some_and(|end| end == "md") {
                let name = path.strip_prefix(workspace()).unwrap().to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The same without the changelog, which also names what there was.
fn current() -> Vec<(String, String)> {
    documents().into_iter().filter(|(file, _)| file != "CHANGELOG.md").collect()
}

fn text(file: &str) -> String {
    fs::read_to_string(workspace().join(file)).unwrap()
}

/// The lines outside of blocks of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

/// The targets of the links and pictures of a text.
fn links(text: &str) -> Vec<&str> {
    prose(text).flat_map(|line| line.split("](").skip(1)).filter_map(|rest| rest.split(')').next()).collect()
}

/// The name by which a link finds a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// Why a link of this file leads nowhere, if that is so.
fn broken(file: &str, link: &str) -> Option<String> {
    if let Some(address) = link.strip_prefix("https://") {
        return (address.contains(char::is_whitespace) || !address.contains('.')).then(|| "no address".to_owned());
    }
    let (path, heading) = link.split_once('#').map_or((link, None), |(path, heading)| (path, Some(heading)));
    let target = match path {
        "" => PathBuf::from(file),
        _ => plainly(&Path::new(file).parent().unwrap_or(Path::new("")).join(path))?,
    };
    let Ok(text) = fs::read_to_string(workspace().join(&target)) else {
        return Some(format!("{} is no file", target.display()));
    };
    let has = |wanted: &str| prose(&text).any(|line| line.starts_with('#') && anchor(line.trim_matches('#')) == wanted);
    heading.filter(|heading| !has(heading)).map(|heading| format!("{} has no heading {heading}", target.display()))
}

/// A path without `..`; one that leaves the workspace stays as it is, and is no file of it.
fn plainly(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if plain.pop() => {}
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            _ => return Some(path.to_owned()),
        }
    }
    Some(plain)
}

/// Everything in single backticks, outside of blocks of code.
fn quoted(text: &str) -> Vec<&str> {
    prose(text).flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut found = Vec::new();
    for (file, text) in documents() {
        let broken = links(&text).into_iter().filter_map(|link| Some((link, broken(&file, link)?)));
        found.extend(broken.map(|(link, why)| format!("{file}: {link}: {why}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[rstest]
#[case::file("docs/step.md", "model.md", true)]
#[case::above("docs/step.md", "../README.md#exit-codes", true)]
#[case::here("README.md", "#the-words", true)]
#[case::address("README.md", "https://github.com/golang/go/issues/61768", true)]
#[case::no_file("docs/step.md", "README.md", false)]
#[case::no_heading("README.md", "docs/step.md#nothing", false)]
#[case::outside("README.md", "../README.md", false)]
#[case::no_address("README.md", "https://golang", false)]
fn which_links_lead_somewhere(#[case] file: &str, #[case] link: &str, #[case] well: bool) {
    assert_eq!(broken(file, link).is_none(), well, "{:?}", broken(file, link));
}

#[test]
fn every_document_is_reached_from_the_readme() {
    let text = text("README.md");
    let linked: BTreeSet<_> = links(&text).into_iter().filter_map(|link| link.split('#').next()).collect();
    let without = current().into_iter().map(|(file, _)| file);
    let without: Vec<_> = without.filter(|file| file != "README.md" && !linked.contains(file.as_str())).collect();
    assert!(without.is_empty(), "the README does not link to {without:?}");
    assert!(text.lines().count() <= README, "the README has at most {README} lines");
}

#[test]
fn every_path_that_is_named_exists() {
    let roots = ["crates/", "xtask/", "tests/", "docs/", "ci/", ".ci/", ".github/"];
    let mut found = Vec::new();
    for (file, text) in current() {
        let paths = quoted(&text).into_iter().filter(|word| roots.iter().any(|root| word.starts_with(root)));
        found.extend(paths.filter(|path| !workspace().join(path).exists()).map(|path| format!("{file}: {path}")));
    }
    assert!(found.is_empty(), "not there:\n{}", found.join("\n"));
}

/// The verb of each command of a text, with its flags.
fn commands(text: &str) -> BTreeSet<(&str, &str)> {
    let commands = text.split("cargo xtask ").skip(1).filter_map(|rest| rest.split(['`', '\n', '#', '|']).next());
    let mut found = BTreeSet::new();
    for command in commands {
        let mut words = command.split_whitespace().map(|word| word.trim_end_matches([',', '.', ';', ')']));
        let Some(verb) = words.next().filter(|verb| verb.chars().all(|c| c.is_ascii_lowercase())) else { continue };
        found.insert((verb, "--help"));
        found.extend(
            words.take_while(|word| *word != "--").filter(|word| word.starts_with("--")).map(|flag| (verb, flag)),
        );
    }
    found
}

#[test]
fn every_command_that_is_named_exists() {
    let documents = current();
    let commands: BTreeSet<_> = documents.iter().flat_map(|(_, text)| commands(text)).collect();
    let verbs: BTreeSet<_> = commands.iter().map(|(verb, _)| *verb).collect();
    assert!(verbs.len() > 8 && commands.len() > verbs.len(), "{commands:?}");
    let mut unknown = Vec::new();
    for verb in verbs {
        let help = run(&[verb, "--help"]);
        let has = |flag: &str| help.stdout.split_whitespace().any(|word| word.trim_end_matches(',') == flag);
        let flags = commands.iter().filter(|(of, _)| *of == verb).map(|(_, flag)| *flag);
        unknown.extend(flags.filter(|flag| help.code != Some(0) || !has(flag)).map(|flag| format!("{verb} {flag}")));
    }
    assert!(unknown.is_empty(), "no such command or flag: {unknown:?}");
}

#[test]
fn the_numbers_of_the_registry_are_those_of_the_registry() {
    use sigproof_casebook::REGISTRY;
    let models = REGISTRY.models().iter().filter(|entry| !entry.hidden).count();
    let windows = REGISTRY.windows().iter().filter(|entry| !entry.hidden).count();
    assert!(text("docs/model.md").contains(&format!("The registry has {models} models.")), "{models} models");
    assert!(text("docs/step.md").contains(&format!("The registry has {windows} windows")), "{windows} windows");
    let cases = REGISTRY.cases().iter().filter(|case| !case.hidden()).count();
    let words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"];
    let cases = words.get(cases).map_or_else(|| cases.to_string(), |word| (*word).to_owned());
    assert!(text("README.md").contains(&format!("sigproof rebuilds {cases} such historical bugs")), "{cases} cases");
}

#[test]
fn the_exit_codes_of_the_readme_are_all_there_are() {
    let text = text("README.md");
    let rows = text.lines().skip_while(|line| *line != "## Exit codes").filter_map(|line| line.strip_prefix("| "));
    let codes: Vec<u8> = rows.filter_map(|row| row.split(' ').next()?.parse().ok()).collect();
    assert_eq!(codes, Exit::ALL.iter().map(|exit| exit.code()).collect::<Vec<_>>());
}

#[rstest]
#[case::stress(&["stress", "darwin-profbuf-blocking-read", "--variant", "broken", "--attempts", "5"])]
#[case::step(&["step", "note-sleep", "--note", "futex", "--window", "sleep"])]
#[case::model(&["model", "profbuf-double-wakeup", "--note", "futex", "--variant", "broken"])]
fn every_field_of_a_report_is_described(#[case] command: &[&str]) {
    let (ran, report) = json(command);
    if ran.code == Some(4) {
        println!("skipped: {command:?} lacks something here: {}", ran.stderr);
        return;
    }
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut fields: BTreeSet<_> = keys(&report).into_iter().chain(keys(&report["host"])).collect();
    for run in report["runs"].as_array().unwrap() {
        fields.extend(keys(run));
        fields.extend(run["diagnosis"].as_object().into_iter().flat_map(|found| found.keys().cloned()));
    }
    let text = text("docs/report-schema.md");
    let described: BTreeSet<_> = quoted(&text).into_iter().map(str::to_owned).collect();
    let missing: Vec<_> = fields.difference(&described).collect();
    assert!(missing.is_empty(), "docs/report-schema.md does not describe {missing:?}");
}
