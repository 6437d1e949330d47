//! `cargo xtask test`: all tests; then the quick models, every sweep and a short stress in this process, and whether these
//! three agree; then, if Go runtimes are found, a short comparison with them.

use sigproof_report::{Exit, Run};

use crate::args::{ConformArgs, ModelArgs, StepArgs, StressArgs, TestArgs};
use crate::output::{self, Out};
use crate::phases::{self, Part, Phase};
use crate::{agree, command, conform, interrupt, model, reports, step, stress};

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
    let parts = phases::carry_out(phases(args, out, &VERBS), stop);
    let exit = phases::exit(&parts, interrupt::requested());
    exit.worst(out.say(&format!("\n{}\n", phases::line("test", &parts, exit))))
}

/// The verbs that the phases call. The tests replace them, and check that no result is lost.
struct Verbs {
    tests: fn(&TestArgs) -> Exit,
    checker: fn() -> Exit,
    model: fn(&ModelArgs, &mut Vec<Run>) -> Exit,
    step: fn(&StepArgs, &mut Vec<Run>) -> step::Ended,
    stress: fn(&StressArgs, &mut Vec<Run>) -> Exit,
    agree: fn(&[Run], Out) -> Exit,
    conform: fn(&ConformArgs, &mut Vec<Run>) -> conform::Performed,
}

const VERBS: Verbs = Verbs {
    tests,
    checker,
    model: model::perform,
    step: step::perform,
    stress: stress::perform,
    agree: agree::tell,
    conform: conform::perform,
};

/// All phases, in order.
fn phases<'a>(args: &'a TestArgs, out: Out, verbs: &'a Verbs) -> Vec<Phase<'a>> {
    let quick = ModelArgs { quick: true, ..ModelArgs::default() };
    let short = StressArgs {
        coverage: Some(args.coverage),
        seed: args.seed,
        shown: args.shown,
        reports: args.reports.clone(),
        ..StressArgs::default()
    };
    let windows = StepArgs { shown: args.shown, ..StepArgs::default() };
    let sequences = ConformArgs { cases: SEQUENCES, ..ConformArgs::default() };
    vec![
        Phase::new("cargo test", "cargo test --workspace".to_owned(), |_| Part::Ended((verbs.tests)(args))),
        Phase::new("tests of the checker", "tests of the checker".to_owned(), |_| Part::Ended((verbs.checker)())),
        Phase::new("model", "cargo xtask model --quick".to_owned(), move |found| {
            Part::Ended((verbs.model)(&quick, found))
        }),
        Phase::new("step", "cargo xtask step".to_owned(), move |found| {
            let ended = (verbs.step)(&windows, found);
            unless_lacking(ended.exit, ended.lacks)
        }),
        Phase::new("stress", format!("cargo xtask stress --coverage {}", args.coverage), move |found| {
            Part::Ended((verbs.stress)(&short, found))
        }),
        Phase::telling("agreement", move |found| Part::Ended((verbs.agree)(found, out))),
        Phase::new("conform", format!("cargo xtask conform --cases {SEQUENCES}"), move |_| {
            let ended = (verbs.conform)(&sequences, &mut Vec::new());
            unless_lacking(ended.exit, ended.lacks)
        }),
    ]
}

/// A machine without Go, or without a working engine, is not a failure of the code under test.
fn unless_lacking(exit: Exit, lacks: Option<String>) -> Part {
    lacks.map_or(Part::Ended(exit), Part::Skipped)
}

/// The tests of the workspace.
fn tests(args: &TestArgs) -> Exit {
    let (exit, why) =
        command::status(command::cargo().args(["test", "--workspace", "--no-fail-fast"]).args(&args.cargo_test));
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
    use sigproof_report::{Expected, SetupId, Technique, Variant};
    use sigproof_shim::native::atomic::AtomicBool;
    use std::cell::Cell;

    const NAMES: [&str; 7] = ["cargo test", "tests of the checker", "model", "step", "stress", "agreement", "conform"];

    thread_local! {
        /// The phase that is bad.
        static BAD: Cell<usize> = const { Cell::new(usize::MAX) };
    }

    fn unless_bad(number: usize) -> Exit {
        if BAD.get() == number { Exit::Unexpected } else { Exit::AsExpected }
    }

    fn found(number: usize, found: &mut Vec<Run>) -> Exit {
        found.push(Run::new(Technique::Stress, SetupId::new(NAMES[number], Variant::Fixed), Expected::delivered()));
        unless_bad(number)
    }

    /// The runs of the phases before it.
    fn agree(found: &[Run], _: Out) -> Exit {
        assert_eq!(found.iter().map(|run| run.setup.case.as_str()).collect::<Vec<_>>(), ["model", "step", "stress"]);
        unless_bad(5)
    }

    const FALSE: Verbs = Verbs {
        tests: |_| unless_bad(0),
        checker: || unless_bad(1),
        model: |args, runs| {
            assert!(args.quick && args.choice.patterns.is_empty());
            found(2, runs)
        },
        step: |_, runs| found(3, runs).into(),
        stress: |args, runs| {
            assert_eq!((args.coverage, args.seed), (Some(7), Some(9)));
            found(4, runs)
        },
        agree,
        conform: |_, _| conform::Performed { exit: unless_bad(6), lacks: None },
    };

    #[test]
    fn no_phase_is_swallowed() {
        let args = TestArgs { coverage: 7, seed: Some(9), ..TestArgs::default() };
        for bad in 0..=NAMES.len() {
            BAD.set(bad);
            let parts = phases::carry_out(phases(&args, Out::Stdout, &FALSE), &AtomicBool::new(false));
            let exit = phases::exit(&parts, false);
            let word = |n: usize| if n == bad { "FAILED" } else { "ok" };
            let told: Vec<_> = NAMES.iter().enumerate().map(|(n, name)| format!("{name} {}", word(n))).collect();
            let all = if bad < NAMES.len() { ("FAILED", 1) } else { ("ok", 0) };
            let line = format!("test: {}; {}", all.0, told.join(", "));
            assert_eq!((phases::line("test", &parts, exit), exit.code()), (line, all.1));
        }
    }

    #[test]
    fn only_what_the_machine_lacks_is_skipped() {
        assert_eq!(unless_lacking(Exit::Unexpected, None), Part::Ended(Exit::Unexpected));
        assert_eq!(unless_lacking(Exit::Environment, Some("no Go".to_owned())), Part::Skipped("no Go".to_owned()));
    }
}
