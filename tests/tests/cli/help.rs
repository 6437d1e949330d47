//! Help and usage.

use rstest::rstest;
use serde_json::Value;
use sigproof_casebook::REGISTRY;
use sigproof_tests::run;

#[rstest]
#[case::start(&["--help"], "help")]
#[case::stress(&["stress", "--help"], "help-stress")]
#[case::agree(&["agree", "--help"], "help-agree")]
#[case::list(&["list", "--help"], "help-list")]
#[case::model(&["model", "--help"], "help-model")]
#[case::step(&["step", "--help"], "help-step")]
#[case::conform(&["conform", "--help"], "help-conform")]
#[case::upstream(&["upstream", "--help"], "help-upstream")]
#[case::explain(&["explain", "--help"], "help-explain")]
#[case::litmus(&["litmus", "--help"], "help-litmus")]
#[case::probe(&["probe", "--help"], "help-probe")]
#[case::validate(&["validate", "--help"], "help-validate")]
#[case::replay(&["replay", "--help"], "help-replay")]
#[case::of_test(&["test", "--help"], "help-test")]
#[case::sanitize(&["sanitize", "--help"], "help-sanitize")]
#[case::bench(&["bench", "--help"], "help-bench")]
#[case::ci(&["ci", "--help"], "help-ci")]
#[case::dist(&["dist", "--help"], "help-dist")]
fn the_help_is_what_it_was(#[case] arguments: &[&str], #[case] snapshot: &str) {
    let ran = run(arguments);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(snapshot, ran.stdout);
}

#[test]
fn no_verb_is_wrong_usage_and_shows_the_help() {
    let ran = run(&[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("Usage: cargo xtask") && ran.stderr.contains("stress"), "{}", ran.stderr);
}

#[test]
fn the_list_names_every_case_and_note() {
    let ran = run(&["list"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    for case in REGISTRY.cases() {
        assert_eq!(ran.stdout.contains(&format!("\n{}\n", case.name())), !case.hidden(), "{}", case.name());
        assert!(case.hidden() || case.upstream().iter().all(|link| ran.stdout.contains(link)), "{}", case.name());
    }
    for note in REGISTRY.notes().iter() {
        assert!(ran.stdout.contains(&format!("\n {} ", note.name)), "{}", note.name);
    }
}

#[test]
fn the_list_for_programs_says_the_same() {
    let ran = run(&["list", "--format", "json"]);
    assert_eq!(ran.code, Some(0));
    let list: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(list["schema"], "sigproof.list/1");
    let names =
        |key: &str| list[key].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap().to_owned()).collect();
    let (cases, notes): (Vec<String>, Vec<String>) = (names("cases"), names("notes"));
    let shown = REGISTRY.cases().iter().filter(|c| !c.hidden());
    assert_eq!(cases, shown.map(|c| c.name()).collect::<Vec<_>>());
    assert_eq!(notes, REGISTRY.notes().iter().map(|b| b.name).collect::<Vec<_>>());
    for case in list["cases"].as_array().unwrap() {
        let setups = case["setups"].as_array().unwrap();
        for variant in ["broken", "fixed"] {
            assert!(setups.iter().any(|s| s["variant"] == variant), "{} has no {variant} variant", case["name"]);
        }
        let links = case["upstream"].as_array().unwrap();
        assert!(links.iter().all(|l| l.as_str().unwrap().starts_with("https://")), "{}", case["name"]);
        assert!(!links.is_empty(), "{} links to nothing", case["name"]);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    use std::process::Stdio;
    let mut command = sigproof_tests::xtask(&["list"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = sigproof_tests::finish(child);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

/// A verb that is added comes here by itself; each has a snapshot of its help.
#[test]
fn every_verb_has_its_help_kept() {
    let ran = run(&["--help"]);
    let verbs = ran.stdout.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let verbs: Vec<_> = verbs.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).collect();
    assert!(verbs.len() >= 12, "{verbs:?}");
    for verb in verbs.iter().filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help") {
        let snapshot = format!("tests/tests/cli/snapshots/cli__help__help-{verb}.snap");
        assert!(sigproof_tests::workspace().join(&snapshot).exists(), "{verb}: no {snapshot}");
    }
}
