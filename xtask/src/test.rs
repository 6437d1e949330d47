//! `cargo xtask test`: all tests; then the quick models, every sweep and a short stress in this process, and
//! whether these three agree; then, if Go runtimes are found, a short comparison with them.

use std::cell::RefCell;
use std::process::Command;

use sigproof_harness::model::Engine;
use sigproof_oracle::bench::Pace;
use sigproof_report::{Exit, Run};

use crate::args::{ConformArgs, ModelArgs, StepArgs, StressArgs, TestArgs};
use crate::output::{self, Out};
use crate::phases::{self, Part, Phase};
use crate::session::{self, Concluded, Session};
use crate::trouble::Trouble;
use crate::{agree, bench, command, conform, model, step, stress};

mod failed;

use failed::Failed;

/// Sequences compared with each Go runtime.
const SEQUENCES: u64 = 50_000;

/// Runs the verb.
pub fn run(args: &TestArgs, session: &mut Session<'_>) -> Concluded {
    // Before the tests, some of which need them: a long build is announced.
    for engine in [Engine::Graph, Engine::Loom] {
        model::process::find(session.tool.explorer, engine)?;
    }
    if args.no_run {
        return build(session);
    }
    let failed = RefCell::new(Failed::default());
    let parts = phases::carry_out(phases(args, session.out, &VERBS, &failed), session.stop);
    let exit = phases::exit(&parts, session.interrupted());
    let line = phases::line("test", &parts, exit);
    Ok(exit.worst(session.out.say(&format!("{}\n{line}\n", failed.into_inner()))).into())
}

/// Builds what the phases build.
fn build(session: &Session<'_>) -> Concluded {
    model::process::test(&["--no-run"])?;
    let (exit, why) = command::status(cargo_test().arg("--no-run"));
    if exit != Exit::AsExpected {
        return Err(Trouble::with(exit, format!("the tests cannot be built: {}", why.unwrap_or_default())));
    }
    bench::process::build(Pace::Tiny, session.stop)?;
    Ok(exit.into())
}

/// The verbs that the phases call. The tests replace them, and check that no result is lost.
struct Verbs {
    tests: fn(&TestArgs) -> (Exit, Failed),
    checker: fn() -> Exit,
    model: fn(&ModelArgs, &mut Session<'_>) -> Concluded,
    step: fn(&StepArgs, &mut Session<'_>) -> Concluded,
    stress: fn(&StressArgs, &mut Session<'_>) -> Concluded,
    agree: fn(&[Run], Out) -> Exit,
    conform: fn(&ConformArgs, &mut Session<'_>) -> Concluded,
}

const VERBS: Verbs = Verbs {
    tests,
    checker,
    model: model::run,
    step: step::run,
    stress: stress::run,
    agree: agree::tell,
    conform: conform::run,
};

/// All phases, in order.
///
/// The tests that fail are left in `failed`: what follows them is longer than a screen.
fn phases<'a>(args: &'a TestArgs, out: Out, verbs: &'a Verbs, failed: &'a RefCell<Failed>) -> Vec<Phase<'a>> {
    let quick = ModelArgs { quick: true, ..ModelArgs::default() };
    let short =
        StressArgs { coverage: Some(args.coverage), seed: args.seed, shown: args.shown, ..StressArgs::default() };
    let windows = StepArgs { shown: args.shown, ..StepArgs::default() };
    let sequences = ConformArgs { cases: SEQUENCES, ..ConformArgs::default() };
    vec![
        Phase::new("cargo test", "cargo test --workspace".to_owned(), move |_, _| {
            let (exit, tests) = (verbs.tests)(args);
            failed.replace(tests);
            Part::Ended(exit)
        }),
        Phase::new("tests of the checker", "tests of the checker".to_owned(), |_, _| Part::Ended((verbs.checker)())),
        Phase::of_verb("model", "cargo xtask model --quick".to_owned(), &[], move |session| {
            (verbs.model)(&quick, session)
        }),
        // A machine on which no engine works, or without Go, is no fault of what is tested.
        Phase::of_verb_if_possible("step", "cargo xtask step".to_owned(), move |session| {
            (verbs.step)(&windows, session)
        }),
        Phase::of_verb(
            "stress",
            format!("cargo xtask stress --coverage {}", args.coverage),
            &args.reports,
            move |session| (verbs.stress)(&short, session),
        ),
        Phase::telling("agreement", move |found, _| Part::Ended((verbs.agree)(found, out))),
        Phase::of_verb_if_possible("conform", format!("cargo xtask conform --cases {SEQUENCES}"), move |session| {
            (verbs.conform)(&sequences, session)
        }),
    ]
}

/// Cargo, about to run the tests of the workspace.
fn cargo_test() -> Command {
    let mut cargo = command::cargo();
    cargo.args(["test", "--workspace", "--no-fail-fast"]);
    cargo
}

/// The tests of the workspace.
fn tests(args: &TestArgs) -> (Exit, Failed) {
    let (exit, why, lines) = command::seen(cargo_test().args(&args.cargo_test));
    if exit == Exit::Environment {
        output::complain(&why.unwrap_or_default());
    }
    (exit, Failed::of(&lines))
}

/// The tests of the checker, in its own build.
fn checker() -> Exit {
    session::told(model::process::test(&[]).map(|()| Exit::AsExpected.into()))
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

    fn found(number: usize, session: &mut Session<'_>) -> Concluded {
        session.keep(Run::new(Technique::Stress, SetupId::new(NAMES[number], Variant::Fixed), Expected::delivered()));
        Ok(unless_bad(number).into())
    }

    /// The runs of the phases before it.
    fn agree(found: &[Run], _: Out) -> Exit {
        assert_eq!(found.iter().map(|run| run.setup.case.as_str()).collect::<Vec<_>>(), ["model", "step", "stress"]);
        unless_bad(5)
    }

    const FALSE: Verbs = Verbs {
        tests: |_| (unless_bad(0), Failed::of(&["failures:", "    a_test", "", "test result: FAILED."])),
        checker: || unless_bad(1),
        model: |args, session| {
            assert!(args.quick && args.choice.patterns.is_empty());
            found(2, session)
        },
        step: |_, session| found(3, session),
        stress: |args, session| {
            assert_eq!((args.coverage, args.seed), (Some(7), Some(9)));
            found(4, session)
        },
        agree,
        conform: |_, _| Ok(unless_bad(6).into()),
    };

    #[test]
    fn no_phase_is_swallowed() {
        let failed = RefCell::default();
        let args = TestArgs { coverage: 7, seed: Some(9), ..TestArgs::default() };
        for bad in 0..=NAMES.len() {
            BAD.set(bad);
            let parts = phases::carry_out(phases(&args, Out::Stdout, &FALSE, &failed), &AtomicBool::new(false));
            let exit = phases::exit(&parts, false);
            let word = |n: usize| if n == bad { "FAILED" } else { "ok" };
            let told: Vec<_> = NAMES.iter().enumerate().map(|(n, name)| format!("{name} {}", word(n))).collect();
            let all = if bad < NAMES.len() { ("FAILED", 1) } else { ("ok", 0) };
            let line = format!("test: {}; {}", all.0, told.join(", "));
            assert_eq!((phases::line("test", &parts, exit), exit.code()), (line, all.1));
            assert!(failed.borrow().to_string().contains("-- a_test\n"));
        }
    }
}
