//! `cargo xtask test`: all tests there are, then a short stress in this process.

use sigproof_harness::exit::Exit;

use crate::args::{StressArgs, TestArgs};
use crate::output::{self, Out};
use crate::{ci, stress};

/// Runs the verb.
pub fn run(args: &TestArgs) -> Exit {
    output::tell("== cargo test --workspace");
    let (tests, remedy) =
        ci::status(ci::cargo().args(["test", "--workspace", "--no-fail-fast"]).args(&args.cargo_test));
    if tests == Exit::Environment {
        output::complain(&remedy.unwrap_or_default());
        return tests;
    }
    output::tell(&format!("== cargo xtask stress --coverage {}", args.coverage));
    let stressed = stress::run(&StressArgs {
        coverage: Some(args.coverage),
        seed: args.seed,
        reports: args.reports.clone(),
        ..StressArgs::default()
    });
    let exit = tests.worst(stressed);
    let out = if args.reports.iter().any(|r| r.is_stdout()) { Out::Stderr } else { Out::Stdout };
    let word = |exit: Exit| if exit == Exit::AsExpected { "ok" } else { "FAILED" };
    exit.worst(out.say(&format!(
        "\ntest: {}; cargo test {}, stress {}\n",
        word(exit),
        word(tests),
        match stressed {
            Exit::AsExpected => "ok".to_owned(),
            other => format!("ended with {}: {}", other.code(), other.meaning()),
        },
    )))
}
