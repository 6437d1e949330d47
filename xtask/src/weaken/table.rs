//! The table of all orderings: what fails for each weaker one. Its rows are lines of Markdown, too.

use std::collections::BTreeSet;

use sigproof_harness::model::orderings::{Place, weaker};
use sigproof_report::{Report, Run};

use super::Scope;
use crate::units;

const HEAD: [&str; 4] = ["access", "ordering", "weaker", "what fails for the weaker one"];

/// The table, and its sum.
pub(super) fn text(report: &Report, places: &[Place], scope: Scope) -> String {
    let chosen = |place: &&Place| scope == Scope::All || runs(report, place).next().is_some();
    let places: Vec<&Place> = places.iter().filter(chosen).collect();
    let rows: Vec<[String; 4]> = places.iter().flat_map(|place| of_place(report, place)).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([HEAD[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; 4] = std::array::from_fn(width);
    let line = |cells: &[String; 4]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let mut table = line(&HEAD.map(str::to_owned));
    table += &format!("|{}|\n", widths.map(|width| "-".repeat(width + 2)).join("|"));
    table.extend(rows.iter().map(line));
    let needed = |place: &&&Place| {
        let mut runs = runs(report, place).peekable();
        runs.peek().is_some() && runs.all(|run| weakened(run).caught_by.is_some())
    };
    let kept = report.runs.iter().filter(|run| weakened(run).kept_because.is_some()).count();
    let relaxed = places.iter().filter(|place| weaker(&place.ordering, place.failure).is_empty()).count();
    let files: BTreeSet<&str> = places.iter().map(|place| place.file.as_str()).collect();
    format!(
        "{table}\n{} in {}: {relaxed} Relaxed, {} of which every weaker one makes a model fail; {kept} of {} kept for a reason; {}\n",
        units::of(places.len(), "ordering"),
        units::of(files.len(), "file"),
        places.iter().filter(needed).count(),
        units::of(report.runs.len(), "weakening"),
        units::seconds(report.elapsed_seconds),
    )
}

/// The runs of this place's weakenings.
fn runs<'a>(report: &'a Report, place: &Place) -> impl Iterator<Item = &'a Run> {
    let start = format!("{} {} as ", place.title(), place.ordering);
    report.runs.iter().filter(move |run| run.setup.flavour.as_ref().is_some_and(|title| title.starts_with(&start)))
}

fn weakened(run: &Run) -> sigproof_report::seen::Weakened {
    run.model().and_then(|model| model.weakened.clone()).unwrap_or_default()
}

fn of_place(report: &Report, place: &Place) -> Vec<[String; 4]> {
    let row = |weaker: &str, what: String| [place.title(), place.ordering.clone(), weaker.to_owned(), what];
    if weaker(&place.ordering, place.failure).is_empty() {
        return vec![row("-", "nothing is weaker".to_owned())];
    }
    let mut rows: Vec<_> = runs(report, place)
        .map(|run| {
            let weakened = weakened(run);
            let what = match (run.observed.keys().next(), weakened.caught_by, weakened.kept_because) {
                (Some(outcome), Some(model), _) => format!("{outcome} in {model}"),
                (_, _, Some(reason)) => format!("no model; kept: {reason}"),
                _ => format!("NO MODEL: {}", run.reason.as_deref().unwrap_or_default()),
            };
            row(&weakened.weakened_to, what)
        })
        .collect();
    if rows.is_empty() {
        rows.push(row("-", "not tried".to_owned()));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::{Caught, Weakening, as_run};
    use super::*;
    use sigproof_report::Outcome;

    fn place(line: u32, ordering: &str) -> Place {
        let [file, function, method] = ["crates/a/src/lib.rs", "get", "load"].map(str::to_owned);
        Place { file, line, column: 5, function, method, failure: false, ordering: ordering.to_owned() }
    }

    #[test]
    fn every_ordering_has_a_row() {
        let places = [place(1, "Acquire"), place(2, "Relaxed"), place(12, "SeqCst")];
        let caught = |executions| Caught {
            label: "a-model/fixed".to_owned(),
            outcome: Outcome::DataRace,
            executions,
            finding: None,
        };
        let run = |place, to, caught: Option<Caught>| {
            as_run(&Weakening { place, to, labels: vec!["a-model/fixed".to_owned()] }, caught.as_ref(), Scope::All)
        };
        let runs = vec![
            run(&places[0], "Relaxed", Some(caught(7))),
            run(&places[2], "Acquire", Some(caught(9))),
            run(&places[2], "Relaxed", None),
        ];
        let report = Report { runs, ..Report::new() };
        let text = text(&report, &places, Scope::All);
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| a/src")).collect();
        assert_eq!(rows.len(), 4, "{text}");
        assert!(rows[0].contains("data race in a-model/fixed") && rows[1].contains("nothing is weaker"), "{text}");
        assert!(rows[3].contains("NO MODEL: no model fails for it within the time"), "{text}");
        assert!(text.contains("3 orderings in 1 file: 1 Relaxed, 1 of which"), "{text}");
        let widths: BTreeSet<usize> =
            text.lines().filter(|line| line.starts_with('|')).map(|l| l.chars().count()).collect();
        assert_eq!(widths.len(), 1, "the columns are aligned: {text}");
    }
}
