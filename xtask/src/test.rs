//! `cargo xtask test`: all tests there are, then a first part of the models, every sweep, and a short stress in this process; whether those three
//! agree; and, with the Go runtimes at hand, a short comparison with them.

use sigproof_harness::exit::Exit;

use crate::args::{ConformArgs, ModelArgs, StepArgs, StressArgs, TestArgs};
use crate::output::{self, Out};
use crate::phases::{self, Part, Phase};
use crate::{agree, ci, conform, interrupt, model, reports, step, stress};

/// Sequences compared with each Go runtime.
const SEQUENCES: u64 = 50_000;

/// Runs the verb.
pub fn run(args: &TestArgs) -> Exit {
    let out = match reports::stream(&args.reports) {
        Ok(out) => out,
        Err(exit) => return exit,
    };
    let stop = interrupt::flag();
    // Before the tests, some of which need it: a long build is announced.
    if let Err(trouble) = model::process::build() {
        output::complain(&trouble.message);
        return trouble.exit;
    }
    let parts = phases::carry_out(phases(args, out), stop);
    let exit = phases::exit(&parts, interrupt::requested());
    exit.worst(out.say(&format!("\n{}\n", phases::line("test", &parts, exit))))
}

/// All that is tested, in order.
fn phases(args: &TestArgs, out: Out) -> Vec<Phase<'_>> {
    let quick = ModelArgs { quick: true, ..ModelArgs::default() };
    let short = StressArgs {
        coverage: Some(args.coverage),
        seed: args.seed,
        reports: args.reports.clone(),
        ..StressArgs::default()
    };
    let sequences = ConformArgs { cases: SEQUENCES, ..ConformArgs::default() };
    vec![
        Phase::new("cargo test", "cargo test --workspace".to_owned(), |_| Part::Ended(tests(args))),
        Phase::new("tests of the checker", "tests of the checker".to_owned(), |_| Part::Ended(checker())),
        Phase::new("model", "cargo xtask model --quick".to_owned(), move |found| {
            Part::Ended(model::perform(&quick, found))
        }),
        Phase::new("step", "cargo xtask step".to_owned(), |found| {
            let ended = step::perform(&StepArgs::default(), found);
            unless_lacking(ended.exit, ended.lacks)
        }),
        Phase::new("stress", format!("cargo xtask stress --coverage {}", args.coverage), move |found| {
            Part::Ended(stress::perform(&short, found))
        }),
        Phase::telling("agreement", move |found| Part::Ended(agree::tell(found, out))),
        Phase::new("conform", format!("cargo xtask conform --cases {SEQUENCES}"), move |_| {
            let ended = conform::perform(&sequences, &mut Vec::new());
            unless_lacking(ended.exit, ended.lacks)
        }),
    ]
}

/// A machine without Go, or on which no engine works, is no fault of what is tested.
fn unless_lacking(exit: Exit, lacks: Option<String>) -> Part {
    lacks.map_or(Part::Ended(exit), Part::Skipped)
}

/// The tests of the workspace.
fn tests(args: &TestArgs) -> Exit {
    let (exit, why) = ci::status(ci::cargo().args(["test", "--workspace", "--no-fail-fast"]).args(&args.cargo_test));
    if exit == Exit::Environment {
        output::complain(&why.unwrap_or_default());
    }
    exit
}

/// The tests of the checker, in its own build.
fn checker() -> Exit {
    match model::process::test() {
        Ok(()) => Exit::AsExpected,
        Err(trouble) => {
            output::complain(&trouble.message);
            trouble.exit
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_promised_is_a_phase() {
        let args = TestArgs::default();
        let names: Vec<_> = phases(&args, Out::Stdout).iter().map(|phase| phase.name).collect();
        let promised = ["cargo test", "tests of the checker", "model", "step", "stress", "agreement", "conform"];
        assert_eq!(names, promised);
    }

    #[test]
    fn only_what_the_machine_lacks_is_skipped() {
        assert_eq!(unless_lacking(Exit::Unexpected, None), Part::Ended(Exit::Unexpected));
        assert_eq!(unless_lacking(Exit::Environment, Some("no Go".to_owned())), Part::Skipped("no Go".to_owned()));
    }
}
