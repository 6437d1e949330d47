//! `cargo xtask agree`: whether stress, the models and the sweeps agree on what is possible.

use std::fmt::Write;

use sigproof_casebook::REGISTRY;
use sigproof_report::agreement::{self, Compared, Seen};
use sigproof_report::{Exit, Outcome, Run, Technique};

use crate::args::{AgreeArgs, ChoiceArgs, ModelArgs, ShownArgs, StepArgs, StressArgs};
use crate::output::Out;
use crate::phases::{self, Part, Phase};
use crate::session::{Concluded, Session};
use crate::trouble::Trouble;
use crate::{model, select, step, stress, table, units};

/// The coverage of the stress: a tenth of what `stress` asks for by itself.
const SHORT: u64 = 100;

/// The techniques, in the order of the columns.
const TECHNIQUES: [Technique; 3] = [Technique::Stress, Technique::Model, Technique::Step];

/// Runs the verb.
pub fn run(args: &AgreeArgs, session: &mut Session<'_>) -> Concluded {
    let known = select::names(REGISTRY.shown().map(|case| (case.name(), false)));
    let selection = select::selection(&args.choice, "case", &known, REGISTRY.flavours());
    let selection = selection.map_err(|unknown| Trouble::usage(unknown.to_string()))?;
    // The names are whole ones from here on: a pattern may mean more among the models.
    let choice = ChoiceArgs { patterns: selection.cases, notes: selection.notes, ..args.choice.clone() };
    let parts = phases::carry_out(phases(&choice, args.shown, &VERBS), session.stop);
    Ok(phases::exit(&parts, session.interrupted()).into())
}

/// What the phases call. The tests put others in their place, and see that none of their results is lost.
struct Verbs {
    model: fn(&ModelArgs, &mut Session<'_>) -> Concluded,
    step: fn(&StepArgs, &mut Session<'_>) -> Concluded,
    stress: fn(&StressArgs, &mut Session<'_>) -> Concluded,
}

const VERBS: Verbs = Verbs { model: model::run, step: step::run, stress: stress::run };

/// The three techniques over these setups, and the comparison.
fn phases<'a>(choice: &ChoiceArgs, shown: ShownArgs, verbs: &'a Verbs) -> Vec<Phase<'a>> {
    let models = ModelArgs { choice: choice.clone(), quick: true, ..ModelArgs::default() };
    let windows = StepArgs { choice: choice.clone(), shown, ..StepArgs::default() };
    let setups = StressArgs { choice: choice.clone(), coverage: Some(SHORT), shown, ..StressArgs::default() };
    vec![
        Phase::of_verb("model", "model --quick".to_owned(), &[], move |session| (verbs.model)(&models, session)),
        Phase::of_verb("step", "step".to_owned(), &[], move |session| (verbs.step)(&windows, session)),
        Phase::of_verb("stress", "stress".to_owned(), &[], move |session| (verbs.stress)(&setups, session)),
        Phase::telling("agreement", |found, _| Part::Ended(tell(found, Out::Stdout))),
    ]
}

/// Compares what was found, and tells it.
pub fn tell(runs: &[Run], out: Out) -> Exit {
    let shown: Vec<_> = REGISTRY.shown().map(|case| case.name()).collect();
    let compared = agreement::compare(&shown, runs);
    let disagree = compared.iter().any(|setup| !setup.disputed().is_empty());
    out.say(&render(&compared, out)).worst(if disagree { Exit::Unexpected } else { Exit::AsExpected })
}

fn render(compared: &[Compared], out: Out) -> String {
    let cell = |setup: &Compared, technique| setup.seen.get(&technique).map_or_else(|| "-".to_owned(), bad);
    let header = ["case", "setup"].into_iter().chain(TECHNIQUES.map(Technique::as_str)).chain(["agreement"]);
    let rows = compared.iter().map(|setup| {
        let first = [setup.setup.case.clone(), setup.setup.setup()];
        let seen = TECHNIQUES.map(|technique| cell(setup, technique));
        first.into_iter().chain(seen).chain([word(setup).to_owned()]).collect::<Vec<_>>()
    });
    let mut text = table::plain(header, rows, out);
    let disputes = compared.iter().filter(|setup| !setup.disputed().is_empty());
    disputes.clone().for_each(|setup| dispute(&mut text, setup));
    let (disagree, alone) = (disputes.count(), compared.iter().filter(|setup| setup.is_alone()).count());
    let alone = if alone == 0 { String::new() } else { format!(", {alone} seen by one technique only") };
    let _ = writeln!(text, "\n{}: {}{alone}", units::of(compared.len(), "setup"), units::of(disagree, "disagreement"));
    text
}

/// The bad outcomes, with counts.
fn bad(seen: &Seen) -> String {
    if seen.silent.is_some() {
        return "no verdict".to_owned();
    }
    let bad = seen.observed.iter().filter(|(outcome, _)| **outcome != Outcome::Delivered);
    let bad: Vec<_> = bad.map(|(outcome, count)| format!("{outcome} {}", units::count(*count))).collect();
    if bad.is_empty() { "none".to_owned() } else { bad.join(", ") }
}

fn word(setup: &Compared) -> &'static str {
    match setup.disputed().is_empty() {
        false => "DISAGREE",
        true if setup.is_alone() => "alone",
        true => "agree",
    }
}

/// A disagreement, with all witnesses.
fn dispute(text: &mut String, setup: &Compared) {
    for outcome in setup.disputed() {
        let _ = writeln!(text, "\n## {} {}: is {outcome} possible?", setup.setup.case, setup.setup.setup());
        for technique in TECHNIQUES {
            let says = match setup.seen.get(&technique) {
                None => "did not run".to_owned(),
                Some(Seen { silent: Some(why), .. }) => format!("came to no verdict: {why}"),
                Some(seen) => match (seen.observed.get(&outcome), seen.witnesses.get(&outcome)) {
                    (None, _) => format!("no: {} executions, none of them", units::count(seen.observed.values().sum())),
                    (Some(count), None) => format!("yes: {}", units::count(*count)),
                    (Some(count), Some(witness)) => format!("yes: {}; {witness}", units::count(*count)),
                },
            };
            let _ = writeln!(text, "{technique}: {says}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sigproof_report::{Expected, Finding, SetupId, Variant, Verdict};

    #[test]
    fn a_disagreement_is_told_with_its_witnesses() {
        let run = |technique, observed: &[(Outcome, u64)]| {
            let expected = Expected::broken(Outcome::Livelock);
            let mut run = Run::new(technique, SetupId::new("atomic64-spinlock", Variant::Broken), expected);
            run.observed = observed.iter().copied().collect();
            run.verdict = Verdict::AsExpected;
            for (outcome, _) in observed.iter().filter(|(outcome, _)| *outcome != Outcome::Delivered) {
                let replay = Some("cargo xtask replay TOKEN".to_owned());
                run.add_finding(Finding { replay, ..Finding::new(*outcome, "thread 7 spins") });
            }
            run
        };
        let runs = [
            run(Technique::Stress, &[(Outcome::Livelock, 5), (Outcome::Delivered, 1)]),
            run(Technique::Model, &[(Outcome::Livelock, 2)]),
            run(Technique::Step, &[(Outcome::Delivered, 20)]),
        ];
        insta::assert_snapshot!(render(&agreement::compare(&["atomic64-spinlock"], &runs), Out::Stdout));
    }

    /// A run of a technique that has seen this.
    fn seen(technique: Technique, outcome: Outcome) -> Run {
        let expected = Expected::broken(Outcome::Livelock);
        let mut run = Run::new(technique, SetupId::new("atomic64-spinlock", Variant::Broken), expected);
        run.observed = [(outcome, 1)].into();
        run.verdict = Verdict::AsExpected;
        run
    }

    #[test]
    fn no_phase_is_swallowed_and_a_disagreement_counts() {
        fn model(_: &ModelArgs, session: &mut Session<'_>) -> Concluded {
            session.keep(seen(Technique::Model, Outcome::Livelock));
            Ok(Exit::AsExpected.into())
        }
        fn alike(_: &StepArgs, session: &mut Session<'_>) -> Concluded {
            session.keep(seen(Technique::Step, Outcome::Livelock));
            Ok(Exit::AsExpected.into())
        }
        fn other(_: &StepArgs, session: &mut Session<'_>) -> Concluded {
            session.keep(seen(Technique::Step, Outcome::Delivered));
            Ok(Exit::AsExpected.into())
        }
        let well = Verbs { model, step: alike, stress: |_, _| Ok(Exit::AsExpected.into()) };
        let table = [
            (Exit::AsExpected, Verbs { ..well }),
            (Exit::Unexpected, Verbs { model: |_, _| Ok(Exit::Unexpected.into()), ..well }),
            (Exit::Environment, Verbs { step: |_, _| Err(Trouble::environment(String::new())), ..well }),
            (Exit::Inconclusive, Verbs { stress: |_, _| Ok(Exit::Inconclusive.into()), ..well }),
            (Exit::Unexpected, Verbs { step: other, ..well }),
        ];
        for (number, (expected, verbs)) in table.iter().enumerate() {
            let no_stop = sigproof_shim::native::atomic::AtomicBool::new(false);
            let parts = phases::carry_out(phases(&ChoiceArgs::default(), ShownArgs::default(), verbs), &no_stop);
            assert_eq!(phases::exit(&parts, false), *expected, "{number}");
        }
    }
}
