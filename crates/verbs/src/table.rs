//! The table at the end: a line for each run, or for several fixed setups of a case.

use anstyle::AnsiColor;
use comfy_table::{Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Table};
use comfy_table::{LineStyle, TableStyle};
use sigproof_report::seen::{Counts, Exhaustion, Explored};
use sigproof_report::{Expected, Grade, Outcome, Run, Technique, Verdict};

use crate::output::Out;
use crate::{paint, units};

mod fold;

use fold::Line;
pub use fold::Rows;

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
        Some(Exhaustion { exhausted: true, .. }) => match explored(run).and_then(|explored| explored.weak_failures) {
            Some(most) => format!("yes; weak failures: at most {most} a thread"),
            None => "yes".to_owned(),
        },
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

/// Those of stress on a terminal that is too narrow for them: the setup is one column, and the report has
/// what is expected.
const NARROW_STRESS: &[Column] = &[
    CASE,
    column("setup", Layout::Plain, |run| run.setup.setup()),
    OUTCOMES,
    column("first", Layout::Number, |run| run.first_seconds.map_or_else(dash, units::seconds)),
    STRESS[0],
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

/// The same for a terminal of this width.
fn columns_within(technique: Technique, lines: &[Line], width: Option<u16>) -> Vec<Column> {
    let all = columns(technique);
    match width {
        Some(width) if technique == Technique::Stress && natural_width(&all, lines) > usize::from(width) => {
            NARROW_STRESS.to_vec()
        }
        _ => all,
    }
}

/// The width of a table in which no cell is broken: a space on either side of each cell, and one between two
/// columns.
fn natural_width(columns: &[Column], lines: &[Line]) -> usize {
    let cells = |column: &Column| lines.iter().map(|line| cell(line, column).len()).max().unwrap_or(0);
    let width: usize = columns.iter().map(|column| cells(column).max(column.name.len()) + 3).sum();
    width.saturating_sub(1)
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

/// The table of these runs of a technique, as `out` can show it: cells are broken over lines only to fit a
/// terminal.
pub fn render(technique: Technique, runs: &[Run], rows: Rows, out: Out) -> String {
    rendered(technique, &fold::lines(runs, rows), out.width(), out.is_coloured())
}

/// The same for a terminal of this width, or for what is no terminal; with colours or without.
fn rendered(technique: Technique, lines: &[Line], width: Option<u16>, coloured: bool) -> String {
    let mut table = Table::new();
    let columns = columns_within(technique, lines, width);
    table.load_style(STYLE).set_header(columns.iter().map(|column| column.name));
    if coloured {
        // By itself the table asks whether the standard output is a terminal; that has been decided.
        table.enforce_styling();
        // Spaces at the end of a line are cut off, and have no style.
        table.style_text_only();
    }
    // Nor does it ask for a width.
    table.force_no_tty();
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        table.set_constraints(columns.iter().map(|column| match column.layout {
            Layout::Breakable => ColumnConstraint::LowerBoundary(comfy_table::Width::Fixed(14)),
            _ => ColumnConstraint::ContentWidth,
        }));
    }
    table.add_rows(lines.iter().map(|line| row(line, &columns)));
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
    table.force_no_tty();
    if out.is_coloured() {
        table.enforce_styling();
        table.style_text_only();
    }
    if let Some(width) = out.width() {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    let cell = |text: String| match paint::word(&text) {
        Some(color) => Cell::new(text).fg(as_cell(color)),
        None => Cell::new(text),
    };
    table.add_rows(rows.map(|row| Row::from(row.into_iter().map(cell))));
    table.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

/// The text of a cell.
fn cell(line: &Line, column: &Column) -> String {
    line.named(column.name).unwrap_or_else(|| (column.text)(&line.run))
}

fn row(line: &Line, columns: &[Column]) -> Row {
    Row::from(columns.iter().map(|column| {
        let cell = Cell::new(cell(line, column));
        match color(&line.run, column.name) {
            Some(color) => cell.fg(as_cell(color)),
            None => cell,
        }
    }))
}

/// The colour of a cell: the verdict has one, and so have outcomes that are bad.
fn color(run: &Run, column: &str) -> Option<AnsiColor> {
    let is_bad = run.observed.iter().any(|(outcome, n)| *outcome != Outcome::Delivered && *n > 0);
    match column {
        name if name == VERDICT.name => Some(paint::verdict(run.verdict)),
        name if name == OUTCOMES.name && is_bad => Some(paint::bad(run.forbidden().next().is_some())),
        _ => None,
    }
}

/// The colour in the table's own type.
fn as_cell(color: AnsiColor) -> Color {
    match color {
        AnsiColor::BrightGreen => Color::Green,
        AnsiColor::BrightRed => Color::Red,
        AnsiColor::BrightYellow => Color::Yellow,
        AnsiColor::BrightMagenta => Color::Magenta,
        _ => Color::DarkGrey,
    }
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

/// The first column of a table that the text below the help does not explain, in the order of the columns.
#[doc(hidden)]
pub fn unexplained(technique: Technique, help: &str) -> Option<&'static str> {
    let mut rest = help;
    columns(technique).into_iter().map(|column| column.name).find(|name| {
        let found = rest.split_once(&format!("\n  {name}  "));
        found.inspect(|(_, after)| rest = after).is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::tests::{example, swept};

    #[test]
    fn a_line_for_each_run() {
        insta::assert_snapshot!(render(Technique::Stress, &example().runs, Rows::Each, Out::Stdout));
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
        insta::assert_snapshot!(render(Technique::Step, &swept().runs, Rows::Each, Out::Stdout));
    }

    #[test]
    fn verdicts_and_bad_outcomes_have_colours_and_the_words_stay() {
        let lines = fold::lines(&example().runs, Rows::Each);
        let shown = |width, coloured| rendered(Technique::Stress, &lines, width, coloured);
        for width in [Some(400), None] {
            let all = shown(width, true);
            let colours = all.split("\u{1b}[38;5;").skip(1).map(|rest| rest.split('m').next().unwrap_or_default());
            let (magenta, green, red, yellow, grey) = ("13", "10", "9", "11", "8");
            assert_eq!(colours.collect::<Vec<_>>(), [magenta, green, red, red, yellow, grey], "{all:?}");
            assert_eq!(anstream::adapter::strip_str(&all).to_string(), shown(width, false));
        }
    }

    #[test]
    fn a_narrow_terminal_gets_fewer_columns_and_no_line_is_broken() {
        let runs = fold::lines(&example().runs, Rows::Each);
        let least = natural_width(&columns(Technique::Stress), &runs);
        let shown = |width| rendered(Technique::Stress, &runs, Some(u16::try_from(width).unwrap()), false);
        let header = |text: &str| text.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        let (wide, narrow) = (shown(least), shown(least - 1));
        assert_eq!(header(&wide), "case variant note mode outcomes expected first in window verdict");
        assert_eq!(header(&narrow), "case setup outcomes first in window verdict");
        for text in [wide, narrow] {
            assert_eq!(text.lines().count(), 2 + runs.len(), "{text}");
        }
    }

    #[test]
    fn every_column_is_explained_in_the_help() {
        use crate::args::help::{MODEL, STEP, STRESS};
        for (technique, help) in [(Technique::Stress, STRESS), (Technique::Model, MODEL), (Technique::Step, STEP)] {
            assert_eq!(unexplained(technique, help), None, "the help of {}", technique.as_str());
        }
    }
}
