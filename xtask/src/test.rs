//! `cargo xtask test`: all tests there are, then a first part of the models, every sweep, and a short stress in this process; whether those three
//! agree; and, with the Go runtimes at hand, the tests that need one and a short comparison.

use sigproof_harness::exit::Exit;

use crate::args::{ConformArgs, ModelArgs, StepArgs, StressArgs, TestArgs};
use crate::output::{self, Out};
use crate::{agree, ci, conform, model, step, stress};

/// Sequences compared with each Go runtime.
const SEQUENCES: u64 = 50_000;

/// Runs the verb.
pub fn run(args: &TestArgs) -> Exit {
    // Before the tests, some of which need it, so that nobody waits for a build without knowing.
    if let Err(trouble) = model::process::build() {
        output::complain(&trouble.message);
        return trouble.exit;
    }
    output::tell("== cargo test --workspace");
    let (tests, remedy) =
        ci::status(ci::cargo().args(["test", "--workspace", "--no-fail-fast"]).args(&args.cargo_test));
    if tests == Exit::Environment {
        output::complain(&remedy.unwrap_or_default());
        return tests;
    }
    output::tell("== tests of the checker");
    let checked = model::process::test().map_or_else(
        |trouble| {
            output::complain(&trouble.message);
            trouble.exit
        },
        |()| Exit::AsExpected,
    );
    let tests = tests.worst(checked);
    output::tell("== cargo xtask model --quick");
    let mut found = Vec::new();
    let modelled = model::perform(&ModelArgs { quick: true, ..ModelArgs::default() }, &mut found);
    output::tell("== cargo xtask step");
    let stepped = step::perform(&StepArgs::default(), &mut found);
    output::tell(&format!("== cargo xtask stress --coverage {}", args.coverage));
    let short = StressArgs {
        coverage: Some(args.coverage),
        seed: args.seed,
        reports: args.reports.clone(),
        ..StressArgs::default()
    };
    let stressed = stress::perform(&short, &mut found);
    let out = if args.reports.iter().any(|r| r.is_stdout()) { Out::Stderr } else { Out::Stdout };
    output::tell("== agreement");
    let agreed = agree::tell(&found, out);
    output::tell(&format!("== cargo xtask conform --cases {SEQUENCES}"));
    let conformed = conform::perform(&ConformArgs { cases: SEQUENCES, ..ConformArgs::default() }, &mut Vec::new());
    let with_go = if conformed.lacks.is_none() { tests_with_go() } else { Exit::AsExpected };
    // A machine without Go, or on which no engine works, is no fault of what is tested.
    let conform_exit = if conformed.lacks.is_some() { Exit::AsExpected } else { conformed.exit };
    let step_exit = if stepped.lacks.is_some() { Exit::AsExpected } else { stepped.exit };
    let exit = [modelled, step_exit, stressed, agreed, conform_exit, with_go].into_iter().fold(tests, Exit::worst);
    let word = |exit: Exit| if exit == Exit::AsExpected { "ok" } else { "FAILED" };
    let ended = |exit: Exit| match exit {
        Exit::AsExpected => "ok".to_owned(),
        other => format!("ended with {}: {}", other.code(), other.meaning()),
    };
    let stepped = stepped.lacks.map_or_else(|| ended(step_exit), |why| format!("skipped ({why})"));
    let conformed = match conformed.lacks {
        Some(why) => format!("conform and the tests with Go skipped ({why})"),
        None => format!("conform {}, tests with Go {}", ended(conform_exit), ended(with_go)),
    };
    let (tests, modelled, stressed, agreed) = (word(tests), ended(modelled), ended(stressed), ended(agreed));
    let parts = format!(
        "cargo test {tests}, model {modelled}, step {stepped}, stress {stressed}, agreement {agreed}, {conformed}"
    );
    exit.worst(out.say(&format!("\ntest: {}; {parts}\n", word(exit))))
}

/// The tests that need a Go runtime, and are ignored by `cargo test` for that.
fn tests_with_go() -> Exit {
    output::tell("== cargo test, those that need Go");
    // Most of the time they wait for children that hang on purpose.
    let (exit, remedy) = ci::status(ci::cargo().args([
        "test",
        "--package",
        "sigproof-tests",
        "--test",
        "cli",
        "--",
        "--ignored",
        "--test-threads=4",
    ]));
    if exit == Exit::Environment {
        output::complain(&remedy.unwrap_or_default());
    }
    exit
}
