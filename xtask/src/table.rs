//! The table at the end: a line for each run.

use comfy_table::{Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Table};
use comfy_table::{LineStyle, TableStyle};
use sigproof_report::seen::{Counts, Exhaustion, Explored};
use sigproof_report::{Expected, Grade, Run, Technique, Verdict};

use crate::output::Out;
use crate::units;

/// A column: its name, how its cells are laid out, and what is in them.
#[derive(Clone, Copy)]
struct Column {
    name: &'static str,
    layout: Layout,
    text: fn(&Run) -> String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Plain,
    /// May be broken over several lines.
    Breakable,
    /// Flushed right.
    Number,
}

const fn column(name: &'static str, layout: Layout, text: fn(&Run) -> String) -> Column {
    Column { name, layout, text }
}

/// What all tables begin with.
const CASE: Column = column("case", Layout::Plain, |run| run.setup.case.clone());

/// What all tables end with.
const VERDICT: Column = column("verdict", Layout::Plain, |run| run.verdict.as_str().to_owned());

const OUTCOMES: Column = column("outcomes", Layout::Breakable, outcomes);

/// The columns that stress and models have before their own.
const FIRST: &[Column] = &[
    CASE,
    column("variant", Layout::Plain, |run| match &run.setup.flavour {
        Some(flavour) => format!("{} ({flavour})", run.setup.variant),
        None => run.setup.variant.to_string(),
    }),
    column("note", Layout::Plain, |run| run.setup.note.clone().unwrap_or_else(dash)),
    column("mode", Layout::Plain, |run| run.setup.mode.map_or_else(dash, |m| m.to_string())),
    OUTCOMES,
    column("expected", Layout::Breakable, |run| expected(&run.expected)),
    column("first", Layout::Number, |run| run.first_seconds.map_or_else(dash, units::seconds)),
];

/// Those of stress.
const STRESS: &[Column] = &[column("in window", Layout::Number, |run| match run.signals {
    0 => dash(),
    _ => units::count(run.signals_in_window),
})];

/// Those of models.
const MODEL: &[Column] = &[
    column("executions", Layout::Number, |run| units::count(run.attempts)),
    column("plans", Layout::Number, |run| explored(run).map_or_else(dash, |explored| units::count(explored.tuples))),
    column("exhausted", Layout::Plain, |run| match run.model().and_then(|model| model.end.as_ref()) {
        Some(Exhaustion { not_exhausted: Some(why), .. }) => format!("no: {why}"),
        Some(Exhaustion { exhausted: true, .. }) => "yes".to_owned(),
        _ => dash(),
    }),
];

/// Those of sweeps, all of them.
const STEP: &[Column] = &[
    CASE,
    column("setup", Layout::Plain, |run| run.setup.setup()),
    column("window", Layout::Plain, |run| run.window().map_or_else(dash, str::to_owned)),
    column("boundaries", Layout::Number, boundaries),
    column("vulnerable", Layout::Number, vulnerable),
    OUTCOMES,
    column("time", Layout::Number, |run| match run.verdict {
        Verdict::Skipped => dash(),
        _ => units::seconds(run.elapsed_seconds),
    }),
    VERDICT,
];

/// Those of reproducers in the real runtime, all of them.
const UPSTREAM: &[Column] = &[
    column("reproducer", Layout::Plain, |run| run.setup.case.clone()),
    column("toolchain", Layout::Plain, |run| run.setup.flavour.clone().unwrap_or_else(dash)),
    OUTCOMES,
    column("expected", Layout::Breakable, |run| expected(&run.expected)),
    column("first", Layout::Number, |run| run.first_seconds.map_or_else(dash, units::seconds)),
    VERDICT,
];

/// The columns of a technique. `--help` explains them in this order.
fn columns(technique: Technique) -> Vec<Column> {
    match technique {
        Technique::Step => STEP.to_vec(),
        Technique::Upstream => UPSTREAM.to_vec(),
        Technique::Model => [FIRST, MODEL, &[VERDICT]].concat(),
        _ => [FIRST, STRESS, &[VERDICT]].concat(),
    }
}

/// How many boundaries there are and, where it is not all of them, how many got a signal.
fn boundaries(run: &Run) -> String {
    let Some(Counts { boundaries, injected, .. }) = counts(run) else { return dash() };
    match injected == boundaries {
        true => units::count(*boundaries as u64),
        false => format!("{} of {}", units::count(*injected as u64), units::count(*boundaries as u64)),
    }
}

/// How many boundaries are vulnerable, and which part of those that got a signal.
fn vulnerable(run: &Run) -> String {
    let Some(counts) = counts(run) else { return dash() };
    let (vulnerable, injected) = (counts.vulnerable as u64, counts.injected as u64);
    match (vulnerable, injected) {
        (1.., 1..) => format!("{} ({})", units::count(vulnerable), units::percent(vulnerable, injected)),
        _ => units::count(vulnerable),
    }
}

fn dash() -> String {
    "-".to_owned()
}

/// What a sweep has counted.
fn counts(run: &Run) -> Option<&Counts> {
    run.step()?.counts.as_ref()
}

/// How much of a model was explored.
fn explored(run: &Run) -> Option<&Explored> {
    run.model()?.explored.as_ref()
}

const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('-').junction(' '));

/// The table of these runs of a technique, as `out` can show it: no colours and no line breaks where it is
/// not a terminal.
pub fn render(technique: Technique, runs: &[Run], out: Out) -> String {
    rendered(technique, runs, out, out.is_terminal(), out.is_coloured())
}

/// The same for a stream that is a terminal or not, and may be coloured or not.
fn rendered(technique: Technique, runs: &[Run], out: Out, terminal: bool, coloured: bool) -> String {
    let mut table = Table::new();
    let columns = columns(technique);
    table.load_style(STYLE).set_header(columns.iter().map(|column| column.name));
    if terminal {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        if coloured {
            // By itself the table asks whether the standard output is a terminal; that has been decided.
            table.enforce_styling();
        }
        if out == Out::Stderr {
            table.use_stderr();
        }
        table.set_constraints(columns.iter().map(|column| match column.layout {
            Layout::Breakable => ColumnConstraint::LowerBoundary(comfy_table::Width::Fixed(14)),
            _ => ColumnConstraint::ContentWidth,
        }));
    } else {
        table.force_no_tty();
    }
    table.add_rows(runs.iter().map(|run| row(run, &columns, coloured)));
    for (number, _) in columns.iter().enumerate().filter(|(_, column)| column.layout == Layout::Number) {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

/// A table of plain words, in the same style.
pub fn plain<'a>(header: impl Iterator<Item = &'a str>, rows: impl Iterator<Item = Vec<String>>, out: Out) -> String {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(header);
    if out.is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.force_no_tty();
    }
    table.add_rows(rows);
    table.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

fn row(run: &Run, columns: &[Column], coloured: bool) -> Row {
    Row::from(columns.iter().map(|column| {
        let cell = Cell::new((column.text)(run));
        match run.verdict {
            _ if !coloured || column.name != VERDICT.name => cell,
            Verdict::AsExpected => cell.fg(Color::Green),
            Verdict::Unexpected => cell.fg(Color::Red),
            Verdict::Inconclusive => cell.fg(Color::Yellow),
            Verdict::Skipped => cell.fg(Color::DarkGrey),
        }
    }))
}

/// What was seen, with counts.
pub fn outcomes(run: &Run) -> String {
    let seen: Vec<_> = run.observed.iter().map(|(outcome, n)| format!("{outcome} {}", units::count(*n))).collect();
    if seen.is_empty() { "-".to_owned() } else { seen.join(", ") }
}

/// What must and what may be seen.
pub fn expected(expected: &Expected) -> String {
    let graded = |grade: Grade| expected.iter().filter(move |(_, g)| *g == grade).map(|(outcome, _)| outcome.as_str());
    let list = |word: &str, names: Vec<&str>| (!names.is_empty()).then(|| format!("{word} {}", names.join(", ")));
    let parts = [list("must", graded(Grade::MustOccur).collect()), list("may", graded(Grade::MayOccur).collect())];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::tests::{example, swept};

    #[test]
    fn a_line_for_each_run() {
        insta::assert_snapshot!(render(Technique::Stress, &example().runs, Out::Stdout));
    }

    #[test]
    fn the_vulnerable_part_is_of_the_boundaries_that_got_a_signal() {
        let mut run = swept().runs.swap_remove(0);
        let counts = Counts { boundaries: 200, injected: 100, vulnerable: 50, ..Counts::default() };
        run.step_mut().unwrap().counts = Some(counts);
        assert_eq!((vulnerable(&run), boundaries(&run)), ("50 (50%)".to_owned(), "100 of 200".to_owned()));
    }

    #[test]
    fn a_line_for_each_window() {
        insta::assert_snapshot!(render(Technique::Step, &swept().runs, Out::Stdout));
    }

    #[test]
    fn colours_are_for_a_terminal_that_takes_them() {
        let shown = |terminal, coloured| rendered(Technique::Stress, &example().runs, Out::Stdout, terminal, coloured);
        let colours = |text: &str| text.matches("\u{1b}[38;5;").count();
        assert_eq!(colours(&shown(true, true)), 4, "a colour for each verdict: {:?}", shown(true, true));
        let all = shown(true, true);
        let order = all.split("\u{1b}[38;5;").skip(1).map(|rest| rest.split('m').next().unwrap_or_default());
        assert_eq!(order.collect::<Vec<_>>(), ["10", "9", "11", "8"], "green, red, yellow, grey");
        for plain in [shown(true, false), shown(false, false)] {
            assert!(!plain.contains('\u{1b}'), "{plain:?}");
        }
    }

    #[test]
    fn every_column_is_explained_in_the_help() {
        for technique in [Technique::Stress, Technique::Model, Technique::Step, Technique::Upstream] {
            let verb = technique.as_str();
            let mut cli = <crate::args::Cli as clap::CommandFactory>::command();
            let help = cli.find_subcommand_mut(verb).unwrap().render_long_help().to_string();
            let mut from = 0;
            for column in columns(technique) {
                let at = help[from..].find(&format!("\n  {}  ", column.name));
                from += at.unwrap_or_else(|| panic!("{} is not explained by {verb} --help", column.name));
            }
        }
    }
}
