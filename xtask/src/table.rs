//! The table at the end: a line for each run.

use comfy_table::{Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Table};
use comfy_table::{LineStyle, TableStyle};
use sigproof_harness::case::{Expected, Grade};
use sigproof_harness::report::{Run, Verdict};

use crate::output::Out;
use crate::units;

/// The columns, with whether each may be broken over several lines. `--help` explains them in this order.
const COLUMNS: &[(&str, bool)] = &[
    ("case", false),
    ("variant", false),
    ("note", false),
    ("mode", false),
    ("outcomes", true),
    ("expected", true),
    ("first", false),
    ("in window", false),
    ("verdict", false),
];

/// Two columns hold numbers, and are flushed right.
const NUMBERS: [usize; 2] = [6, 7];

const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('-').junction(' '));

/// The table of these runs, as `out` can show it: no colours and no line breaks where it is not a terminal.
pub fn render(runs: &[Run], out: Out) -> String {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(COLUMNS.iter().map(|(name, _)| *name));
    if out.is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        if out == Out::Stderr {
            table.use_stderr();
        }
        table.set_constraints(COLUMNS.iter().map(|(_, breakable)| match breakable {
            true => ColumnConstraint::LowerBoundary(comfy_table::Width::Fixed(14)),
            false => ColumnConstraint::ContentWidth,
        }));
    } else {
        table.force_no_tty();
    }
    table.add_rows(runs.iter().map(|run| row(run, out.is_coloured())));
    for number in NUMBERS {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

fn row(run: &Run, coloured: bool) -> Row {
    let dash = || "-".to_owned();
    let mut variant = run.variant.to_string();
    if let Some(flavour) = &run.flavour {
        variant = format!("{variant} ({flavour})");
    }
    let mut cells = vec![
        Cell::new(&run.case),
        Cell::new(variant),
        Cell::new(run.note.clone().unwrap_or_else(dash)),
        Cell::new(run.mode.map_or_else(dash, |m| m.to_string())),
        Cell::new(outcomes(run)),
        Cell::new(expected(&run.expected)),
        Cell::new(run.first_seconds.map_or_else(dash, units::seconds)),
        Cell::new(if run.signals == 0 { dash() } else { units::count(run.signals_in_window) }),
    ];
    let verdict = Cell::new(run.verdict.as_str());
    cells.push(match run.verdict {
        _ if !coloured => verdict,
        Verdict::AsExpected => verdict.fg(Color::Green),
        Verdict::Unexpected => verdict.fg(Color::Red),
        Verdict::Inconclusive => verdict.fg(Color::Yellow),
        Verdict::Skipped => verdict.fg(Color::DarkGrey),
    });
    Row::from(cells)
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
    use crate::findings::tests::example;

    #[test]
    fn a_line_for_each_run() {
        insta::assert_snapshot!(render(&example().runs, Out::Stdout));
    }

    #[test]
    fn no_escape_reaches_what_is_no_terminal() {
        assert!(!Out::Stdout.is_terminal() || std::env::var_os("CI").is_none());
        if !Out::Stdout.is_terminal() {
            assert!(!render(&example().runs, Out::Stdout).contains('\u{1b}'));
        }
    }

    #[test]
    fn every_column_is_explained_in_the_help() {
        let help = <crate::args::Cli as clap::CommandFactory>::command()
            .find_subcommand_mut("stress")
            .unwrap()
            .render_long_help()
            .to_string();
        let mut from = 0;
        for (column, _) in COLUMNS {
            let at =
                help[from..].find(&format!("\n  {column}  ")).unwrap_or_else(|| panic!("{column} is not explained"));
            from += at;
        }
    }
}
