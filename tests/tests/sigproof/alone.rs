//! The command in a folder that holds nothing else: no checkout, no cargo, and the models only if they are
//! beside it.

use std::path::Path;
use std::process::Command;

use rstest::rstest;
use serde_json::Value;
use sigproof_tests::{Guarded, executable, of, sigproof, turn, workspace};

use super::{alone, folder, ran};

const BUG: [&str; 6] = ["darwin-profbuf-blocking-read", "--variant", "broken", "--note", "sema", "--verbose"];

/// The models over the default engine.
const EXPLORER: &str = "sigproof-model-graph";

#[test]
fn the_list_the_stress_and_the_sweep_need_nothing() {
    let folder = folder();
    let list = ran(&mut alone(folder.path(), &["list", "--format", "json"]));
    assert_eq!((list.code, list.stderr.as_str()), (Some(0), ""));
    assert!(serde_json::from_str::<Value>(&list.stdout).is_ok());

    let stress = ran(&mut alone(folder.path(), &[&["stress"], &BUG[..]].concat()));
    assert_eq!(stress.code, Some(0), "{}{}", stress.stdout, stress.stderr);
    assert!(stress.stdout.contains("-- signal handler called; interrupted: --"), "{}", stress.stdout);
    if cfg!(target_os = "linux") {
        assert!(stress.stdout.contains("at crates/osnote/src/"), "lines of the sources: {}", stress.stdout);
    }

    let _turn = turn();
    let step = ran(&mut alone(folder.path(), &["step", "darwin-sigqueue-note/broken/sema@receive", "--k", "3"]));
    match step.code {
        Some(4) => println!("skipped: no engine works here:\n{}{}", step.stdout, step.stderr),
        code => assert_eq!(code, Some(0), "{}{}", step.stdout, step.stderr),
    }
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "it leaves nothing behind");
}

#[test]
fn a_process_is_explained_without_a_checkout() {
    let folder = folder();
    let mut sleeper = Guarded(Command::new("sleep").arg("600").spawn().unwrap());
    let explained = ran(&mut alone(folder.path(), &["explain", &sleeper.0.id().to_string()]));
    // Elsewhere, and where the kernel forbids the look, the message says what is missing.
    let expected = if cfg!(target_os = "linux") && explained.code != Some(4) { 0 } else { 4 };
    assert_eq!(explained.code, Some(expected), "{}{}", explained.stdout, explained.stderr);
    assert!(expected == 4 || explained.stdout.starts_with("not stuck: "), "{}", explained.stdout);
    assert!(sleeper.0.try_wait().unwrap().is_none(), "it goes on");
}

#[test]
fn without_an_explorer_and_a_checkout_the_models_are_missing_and_the_remedy_is_told() {
    let folder = folder();
    for arguments in [&["model", "note-cycles"][..], &["replay", "note-cycles/fixed/futex@x@y@0"]] {
        let missing = ran(&mut alone(folder.path(), arguments));
        if missing.code == Some(2) {
            // The token is looked at first.
            continue;
        }
        assert_eq!((missing.code, missing.stdout.as_str()), (Some(4), ""), "{}", missing.stderr);
        for part in ["sigproof-model-graph", "remedy: copy sigproof-model-graph", "clone", "cargo build"] {
            assert!(missing.stderr.contains(part), "{part}: {}", missing.stderr);
        }
    }
}

/// A program beside the command: what it says of itself, and whether it may be executed.
fn beside(folder: &Path, says: &str) {
    let explorer = folder.join(EXPLORER);
    executable::script(&explorer, &format!("#!/bin/sh\necho '{says}'\n"));
}

#[test]
fn an_explorer_of_another_release_is_refused() {
    let folder = folder();
    beside(folder.path(), "sigproof-model 99.0.0, with models over execution graphs");
    let refused = ran(&mut alone(folder.path(), &["model", "note-cycles"]));
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(4), ""), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("says 'sigproof-model 99.0.0, with models over execution graphs'"),
        "{}",
        refused.stderr
    );
    // A build of the workspace without models is none, and the models are missing as before.
    beside(folder.path(), &format!("sigproof-model {}, a build without models", env!("CARGO_PKG_VERSION")));
    let missing = ran(&mut alone(folder.path(), &["model", "note-cycles"]));
    assert!(missing.code == Some(4) && missing.stderr.contains("remedy: "), "{}", missing.stderr);
}

#[rstest]
#[case("graph", EXPLORER)]
#[case("loom", "sigproof-model")]
fn the_explorer_beside_the_command_is_taken(#[case] engine: &str, #[case] name: &str) {
    // In the checkout the models are built; then a copy has them in its own folder.
    let quick = ["model", "note-cycles", "--note", "futex", "--quick", "--engine", engine];
    let built = ran(&mut of(sigproof(), &quick));
    assert_eq!(built.code, Some(0), "{}{}", built.stdout, built.stderr);
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), Into::into);
    let folder = folder();
    executable::copy(&target.join(engine).join(engine).join("sigproof-model"), &folder.path().join(name));
    let copied = ran(&mut alone(folder.path(), &quick));
    assert_eq!(copied.code, Some(0), "{}{}", copied.stdout, copied.stderr);
    assert!(!copied.stderr.contains("building"), "{}", copied.stderr);
}
