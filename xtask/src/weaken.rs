//! `cargo xtask model --weaken`: replaces each memory ordering of the sources by each weaker one; some model
//! must fail.
//!
//! | step | what it does |
//! |---|---|
//! | read | finds the orderings in the sources |
//! | survey | finds the models that use each ordering |
//! | weaken | explores these models, quickly and then at full depth, until one fails or the time is over |
//!
//! A weakening that no model notices has a reason in [`kept`]. Otherwise the ordering is stronger than
//! necessary, or a model is missing. With `--orderings` the result is a [`table`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use sigproof_casebook::REGISTRY;
use sigproof_harness::model::orderings::{Caught, Effort, Place, Used, weaker};
use sigproof_harness::model::worker::{Event, Order};
use sigproof_harness::model::{Engine, Entry};
use sigproof_report::seen::{Model, Weakened};
use sigproof_report::{Expected, Grade, Outcome, Report, Run, Seen, Selection, SetupId, Technique, Variant, Verdict};
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use sigproof_verbs::args::Engines;
use sigproof_verbs::model::process::Explorer;

use crate::args::ModelArgs;
use crate::parallel::{self, jobs};
use crate::progress::{self, Progress};
use crate::session::{Concluded, Session, Text};
use crate::trouble::Trouble;
use crate::{model, units, workbench};

mod kept;
mod table;

/// The text for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A line for each weakening.
    Lines,
    /// A table of all orderings.
    Table,
}

/// Seconds for the models at full depth.
const PATIENCE: u32 = 10;

/// The models that are explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Every model of a fixed variant.
    All,
    /// Some of them.
    Choice,
}

/// One ordering, replaced by a weaker one.
struct Weakening<'a> {
    place: &'a Place,
    to: &'static str,
    /// The models that use it, the cheapest first.
    labels: Vec<String>,
}

/// Runs it.
pub fn run(args: &ModelArgs, shown: Shown, session: &mut Session<'_>) -> Concluded {
    let chosen = model::chosen(args)?;
    let engine = match args.engine {
        Engines::Loom => Engine::Loom,
        Engines::Graph => Engine::Graph,
        Engines::Both => {
            return Err(Trouble::usage(
                "--weaken shows what one engine notices: give --engine graph or --engine loom".to_owned(),
            ));
        }
    };
    let program = &model::process::find(session.tool.explorer, engine)?;
    let stop = session.stop;
    let places = workbench::orderings()?;
    let labels: Vec<String> = chosen.iter().filter(|e| e.setup.variant == Variant::Fixed).map(Entry::label).collect();
    let fixed = |entry: &&Entry| entry.setup.variant == Variant::Fixed && !entry.hidden;
    let scope = if labels.len() < REGISTRY.models().iter().filter(fixed).count() { Scope::Choice } else { Scope::All };
    let progress = Progress::start();
    let used = survey(args, program, &labels, stop, &progress)?;
    let all = weakenings(&places, &used, scope);
    // Where few models are chosen, there is time to explain.
    let explain = scope == Scope::Choice;
    progress.event(progress::Event::Planned { count: all.len(), thing: "weakening" });
    let results = Mutex::new(BTreeMap::new());
    let trouble = parallel::each(
        jobs(args.jobs),
        all.len(),
        stop,
        || (),
        |(), index| {
            let weakening = &all[index];
            let label = format!("{} {} as {}", weakening.place.title(), weakening.place.ordering, weakening.to);
            progress.event(progress::Event::Started { index, label: label.clone() });
            // The table looks at everything in full.
            let brief = shown == Shown::Lines && kept::reason(weakening.place, weakening.to).is_some();
            let caught = try_both(program, weakening, (brief, explain), stop)?;
            if caught.is_none() && stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let line = match &caught {
                Some(caught) => format!("{label}: {} in {}", caught.outcome, caught.label),
                None => format!("{label}: unnoticed"),
            };
            progress.event(progress::Event::Said { index, line });
            if let Ok(mut results) = results.lock() {
                results.insert(index, caught);
            }
            Ok(())
        },
    );
    progress.finish();
    if let Some(trouble) = trouble {
        return Err(trouble);
    }
    let mut results = results.into_inner().unwrap_or_default();
    let runs: Vec<Run> =
        all.iter().enumerate().filter_map(|(n, w)| Some(as_run(w, results.remove(&n)?.as_ref(), scope))).collect();
    let report = session.report(runs);
    let text = match shown {
        Shown::Lines => text(&report, &places),
        Shown::Table => table::text(&report, &places, scope),
    };
    session.conclude(&report, Text::Of(text), None, |_| true)
}

/// The orderings that each model uses, and the executions of its survey.
fn survey(
    args: &ModelArgs,
    program: &Path,
    labels: &[String],
    stop: &AtomicBool,
    progress: &Progress,
) -> Result<Vec<(String, Vec<Used>, u64)>, Trouble> {
    progress.event(progress::Event::Planned { count: labels.len(), thing: "survey" });
    let found = Mutex::new(Vec::new());
    let trouble = parallel::each(
        jobs(args.jobs),
        labels.len(),
        stop,
        || (),
        |(), index| {
            let selection = Selection { setups: vec![labels[index].clone()], ..Selection::default() };
            progress.event(progress::Event::Started { index, label: labels[index].clone() });
            Explorer::start(program, &Order::Survey(selection))?.events(stop, |event| {
                if let (Event::Used { label, used, executions }, Ok(mut found)) = (event, found.lock()) {
                    let line = format!("{label}: {}", units::of(used.len(), "ordering"));
                    progress.event(progress::Event::Said { index, line });
                    found.push((label, used, executions));
                }
            })
        },
    );
    let mut found = found.into_inner().unwrap_or_default();
    found.sort_by_key(|(label, _, executions)| (*executions, label.clone()));
    trouble.map_or(Ok(found), Err)
}

/// The weakenings to try. With a choice of models: only those of orderings that these models use.
fn weakenings<'a>(places: &'a [Place], used: &[(String, Vec<Used>, u64)], scope: Scope) -> Vec<Weakening<'a>> {
    let mut all = Vec::new();
    for place in places {
        let users = used.iter().filter(|(_, used, _)| used.iter().any(|used| same(place, used)));
        let labels: Vec<_> = users.map(|(label, ..)| label.clone()).collect();
        if labels.is_empty() && scope == Scope::Choice {
            continue;
        }
        for to in weaker(&place.ordering, place.failure) {
            all.push(Weakening { place, to, labels: labels.clone() });
        }
    }
    all
}

fn same(place: &Place, used: &Used) -> bool {
    (place.line, place.column, place.failure) == (used.line, used.column, used.failure) && place.file == used.file
}

/// Explores quickly, and then, if no model fails, at full depth.
fn try_both(
    program: &Path,
    weakening: &Weakening<'_>,
    (brief, explain): (bool, bool),
    stop: &AtomicBool,
) -> Result<Option<Caught>, Trouble> {
    if weakening.labels.is_empty() {
        return Ok(None);
    }
    let efforts: &[Effort] = if brief { &[Effort::Brief] } else { &[Effort::Quick, Effort::Full(PATIENCE)] };
    for &effort in efforts {
        let place = weakening.place;
        let order = Order::Weaken {
            selection: Selection { setups: weakening.labels.clone(), ..Selection::default() },
            used: Used {
                file: place.file.clone(),
                line: place.line,
                column: place.column,
                failure: place.failure,
                ordering: place.ordering.clone(),
            },
            to: weakening.to.to_owned(),
            effort,
            explain,
        };
        let mut result = None;
        Explorer::start(program, &order)?.events(stop, |event| {
            if let Event::Weakened(caught) = event {
                result = caught;
            }
        })?;
        if result.is_some() {
            return Ok(result);
        }
    }
    Ok(None)
}

/// The run of a weakening. It is a broken variant: some model must fail.
fn as_run(weakening: &Weakening<'_>, caught: Option<&Caught>, scope: Scope) -> Run {
    let bad = Outcome::ALL.iter().filter(|outcome| **outcome != Outcome::Delivered);
    let expected = bad.fold(Expected::default(), |expected, outcome| expected.with(*outcome, Grade::MayOccur));
    let place = weakening.place;
    let flavour = Some(format!("{} {} as {}", place.title(), place.ordering, weakening.to));
    let mut run = Run::new(Technique::Model, SetupId { flavour, ..SetupId::new("weaken", Variant::Broken) }, expected);
    let mut weakened = Weakened {
        file: place.file.clone(),
        line: place.line,
        ordering: place.ordering.clone(),
        weakened_to: weakening.to.to_owned(),
        ..Weakened::default()
    };
    match (caught, kept::reason(place, weakening.to)) {
        (Some(caught), kept) => {
            run.verdict = if kept.is_none() { Verdict::AsExpected } else { Verdict::Unexpected };
            run.reason =
                kept.map(|_| "it is listed as unnoticed, but a model fails for it: remove it from the list".to_owned());
            run.observed.insert(caught.outcome, 1);
            run.attempts = caught.executions;
            weakened.caught_by = Some(caught.label.clone());
        }
        (None, Some(reason)) => {
            run.verdict = Verdict::AsExpected;
            weakened.kept_because = Some(reason.to_owned());
        }
        (None, None) if weakening.labels.is_empty() => {
            run.verdict = Verdict::Unexpected;
            run.reason = Some("no model uses this ordering".to_owned());
        }
        (None, None) if scope == Scope::Choice => {
            run.verdict = Verdict::Inconclusive;
            run.reason = Some("no chosen model fails for it; another model may".to_owned());
        }
        (None, None) => {
            run.verdict = Verdict::Unexpected;
            run.reason = Some(
                "no model fails for it within the time: weaken the ordering, or add a model that needs it".to_owned(),
            );
        }
    }
    if let Some(finding) = caught.and_then(|caught| caught.finding.as_deref()) {
        run.add_finding(finding.clone());
    }
    run.seen = Seen::Model(Box::new(Model { weakened: Some(weakened), ..Model::default() }));
    run
}

fn text(report: &Report, places: &[Place]) -> String {
    let mut lines = String::new();
    let (mut caught, mut kept, mut open) = (0, 0, 0);
    for run in &report.runs {
        let title = run.setup.flavour.as_deref().unwrap_or_default();
        let weakened = run.model().and_then(|model| model.weakened.clone()).unwrap_or_default();
        let said = match (run.observed.keys().next(), weakened.caught_by, weakened.kept_because) {
            (Some(outcome), Some(model), _) => {
                caught += 1;
                let stale = run.reason.as_ref().map(|reason| format!("; {reason}")).unwrap_or_default();
                format!("{outcome} in {model}, {} executions{stale}", units::count(run.attempts))
            }
            (_, _, Some(reason)) => {
                kept += 1;
                format!("unnoticed, and kept: {reason}")
            }
            _ => {
                open += 1;
                format!("UNNOTICED: {}", run.reason.as_deref().unwrap_or_default())
            }
        };
        lines += &format!("{title}: {said}\n");
    }
    let relaxed = places.iter().filter(|place| place.ordering == "Relaxed").count();
    let time = units::seconds(report.elapsed_seconds);
    format!(
        "{lines}\n{} in the sources, {relaxed} of them Relaxed; {}: {caught} noticed, {kept} kept for a reason, {open} unnoticed; {time}\n",
        units::of(places.len(), "ordering"),
        units::of(report.runs.len(), "weakening"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn place(line: u32) -> Place {
        let [file, function, method, ordering] = ["a.rs", "get", "load", "Acquire"].map(str::to_owned);
        Place { file, line, column: 5, function, method, failure: false, ordering }
    }

    fn used(place: &Place) -> Used {
        Used {
            file: place.file.clone(),
            line: place.line,
            column: place.column,
            failure: place.failure,
            ordering: place.ordering.clone(),
        }
    }

    #[test]
    fn of_a_choice_of_models_only_what_they_come_to_counts() {
        let places = [place(1), place(2)];
        let survey = [("a-model".to_owned(), vec![used(&places[0])], 1)];
        assert_eq!(weakenings(&places, &survey, Scope::All).len(), 2);
        let chosen = weakenings(&places, &survey, Scope::Choice);
        assert_eq!(chosen.iter().map(|w| w.place.line).collect::<Vec<_>>(), [1]);
    }

    #[rstest]
    #[case::all(Scope::All, Verdict::Unexpected)]
    #[case::some(Scope::Choice, Verdict::Inconclusive)]
    fn unnoticed_by_a_choice_of_models_is_no_fault_yet(#[case] scope: Scope, #[case] verdict: Verdict) {
        let place = place(1);
        let weakening = Weakening { place: &place, to: "Relaxed", labels: vec!["a-model".to_owned()] };
        assert_eq!(as_run(&weakening, None, scope).verdict, verdict);
    }
}
