//! A message that names a command names `sigproof`, and a copied command works.

use std::process::Command;

use rstest::rstest;
use serde_json::Value;
use sigproof_tests::{sigproof, turn, workspace};

use super::{ran, run};

#[rstest]
#[case::start(&["--help"], "help")]
#[case::model(&["model", "--help"], "help-model")]
#[case::completions(&["completions", "--help"], "help-completions")]
#[case::man(&["man", "--help"], "help-man")]
#[case::version(&["--version"], "version")]
fn the_help_is_what_it_was(#[case] arguments: &[&str], #[case] snapshot: &str) {
    let ran = run(arguments);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(snapshot, ran.stdout);
}

/// The help of a verb is that of `cargo xtask`, but for the name: the ends of lines differ.
#[rstest]
fn a_verb_has_one_help(#[values("explain", "stress", "step", "replay", "list")] verb: &str) {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (ours, xtask) = (run(&[verb, "--help"]), sigproof_tests::run(&[verb, "--help"]));
    assert_eq!((ours.code, xtask.code), (Some(0), Some(0)));
    assert_eq!(words(&ours.stdout), words(&xtask.stdout.replace("cargo xtask", "sigproof")));
}

/// Neither the other command nor the place for the name of one is in a text.
#[rstest]
#[case::help(&["--help"], 0)]
#[case::list(&["list"], 0)]
#[case::of_nothing(&[], 2)]
#[case::unknown_case(&["stress", "no-such-case"], 2)]
#[case::unknown_setup(&["stress", "darwin-sigqueue-note", "--flavour", "pthread"], 2)]
#[case::no_such_setup(&["stress", "profbuf-double-wakeup", "--note", "signote", "--mode", "non-blocking"], 2)]
#[case::unknown_model(&["model", "no-such-model"], 2)]
#[case::no_such_model(&["model", "note-cycles", "--variant", "broken"], 2)]
#[case::unknown_window(&["step", "no-such-window"], 2)]
#[case::no_such_window(&["step", "darwin-sigqueue-note", "--window", "sleep"], 2)]
#[case::unknown_token(&["replay", "no-model/fixed@-@-@0"], 2)]
#[case::no_hang(&["explain", "--", "/bin/sh", "-c", "exit 5"], 3)]
fn only_this_command_is_named(#[case] arguments: &[&str], #[case] code: i32) {
    let ran = run(arguments);
    let text = format!("{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.code, Some(code), "{text}");
    assert!(!text.contains("xtask") && !text.contains("{program}"), "{text}");
}

const BUG: &[&str] = &[
    "darwin-profbuf-blocking-read",
    "--variant",
    "broken",
    "--note",
    "sema",
    "--mode",
    "blocking",
    "--report",
    "json=-",
];

/// The output of a command that a text shows, typed into a shell that finds `sigproof`.
fn typed(command: &str) -> super::Ran {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("{command} --report json=-")]).current_dir(workspace());
    ran(shell.env("PATH", sigproof().parent().unwrap()).env("TERM", "dumb"))
}

fn report(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_command_that_repeats_an_attempt_works_when_it_is_copied() {
    let ran = run(&[&["stress"], BUG].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report_of = report(&ran.stdout);
    let command = report_of["runs"][0]["diagnosis"]["replay"].as_str().unwrap();
    assert!(command.starts_with("sigproof stress ") && ran.stderr.contains(&format!("repeat with: {command}\n")));
    assert!(!ran.stdout.contains("xtask") && !ran.stderr.contains("xtask"), "{}", ran.stderr);
    let again = typed(command);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(report(&again.stdout)["runs"][0]["observed"]["self-deadlock"], 1);
}

#[test]
fn a_map_and_a_finding_of_a_sweep_name_a_command_that_works() {
    let _turn = turn();
    let ran = run(&["step", "darwin-sigqueue-note/broken/sema@receive", "--report", "json=-"]);
    if ran.code == Some(4) {
        println!("skipped: no engine works here:\n{}", ran.stderr);
        return;
    }
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report_of = report(&ran.stdout);
    let run_of = &report_of["runs"][0];
    let map = run_of["map"].as_str().unwrap();
    let in_map =
        map.lines().find_map(|line| line.trim().strip_prefix("sigproof replay ")).unwrap_or_else(|| panic!("{map}"));
    let command = run_of["diagnosis"]["replay"].as_str().unwrap();
    assert!(command.starts_with("sigproof replay "), "{command}");
    for command in [command, &format!("sigproof replay {in_map}")] {
        let again = typed(command);
        assert_eq!(again.code, Some(0), "{command}: {}", again.stderr);
        assert_eq!(report(&again.stdout)["runs"][0]["verdict"], "as-expected");
    }
}
