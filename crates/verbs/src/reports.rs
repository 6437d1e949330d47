//! The output of a run: the table, the findings and a summary for people, and the reports.

use std::collections::BTreeSet;

use sigproof_report::exit::Exit;
use sigproof_report::write::{Format, Target};
use sigproof_report::{Report, Technique};

use crate::findings::{Stacks, View};
use crate::output::{self, Out};
use crate::table::Rows;
use crate::trouble::Trouble;
use crate::{findings, page, table};

/// Where the text for people goes: to the standard output, unless a report goes there. Every verb asks before
/// it runs anything, so that a report that cannot be written does not cost a run.
///
/// # Errors
/// Two reports exclude each other, or a place takes none.
pub fn stream(reports: &[Target]) -> Result<Out, Trouble> {
    let to_stdout = reports.iter().filter(|target| target.is_stdout()).count();
    if to_stdout > 1 {
        return Err(Trouble::usage("only one report can go to the standard output".to_owned()));
    }
    let mut files = BTreeSet::new();
    for target in reports {
        let place = target.check().map_err(|error| {
            Trouble::environment(format!("{error}\n  nothing was run; name a file in a folder that you may write to"))
        })?;
        if let Some(file) = place
            && !files.insert(file.clone())
        {
            return Err(Trouble::usage(format!(
                "two reports cannot go to one file: {}; name one file for each",
                file.display()
            )));
        }
    }
    Ok(if to_stdout == 0 { Out::Stdout } else { Out::Stderr })
}

/// Prints the table, the findings and the summary, and writes the reports.
pub fn tell(technique: Technique, report: &Report, targets: &[Target], out: Out, view: View) -> Exit {
    let shown = out.say(&format!(
        "{}{}\n{}\n",
        table::render(technique, &report.runs, rows(technique, view), out),
        findings::render(report, view),
        findings::summary(technique, report)
    ));
    write_all(report, targets, out).worst(shown)
}

/// Which lines the table of a technique has. The columns of models and windows are not sums.
fn rows(technique: Technique, view: View) -> Rows {
    match (technique, view.stacks) {
        (Technique::Stress, Stacks::First) => Rows::Folded,
        _ => Rows::Each,
    }
}

/// Writes the reports.
pub fn write_all(report: &Report, targets: &[Target], out: Out) -> Exit {
    targets.iter().map(|target| write(target, report, out)).fold(Exit::AsExpected, Exit::worst)
}

/// Writes this text to every place.
pub fn write_text(text: &str, targets: &[Target], out: Out) -> Exit {
    let written = |target: &Target| say(target, target.write_text(text), out);
    targets.iter().map(written).fold(Exit::AsExpected, Exit::worst)
}

/// Refuses every format but JSON, for a verb whose answer is not a list of runs.
///
/// # Errors
/// Another format was asked for.
pub fn only_json(targets: &[Target]) -> Result<(), Trouble> {
    let refused = |target: &Target| {
        let format = format!("{:?}", target.format).to_lowercase();
        Err(Trouble::usage(format!("this verb writes json=PATH only, and no {format}")))
    };
    targets.iter().find(|target| target.format != Format::Json).map_or(Ok(()), refused)
}

/// Writes one report, and says so.
fn write(target: &Target, report: &Report, out: Out) -> Exit {
    let written = match target.format {
        Format::Html => target.write_text(&page::render(report)),
        Format::Json | Format::Junit => target.write(report),
    };
    say(target, written, out)
}

fn say<E: std::fmt::Display>(target: &Target, written: Result<(), E>, out: Out) -> Exit {
    match written {
        Ok(()) => match &target.path {
            Some(path) => out.say(&format!("report: {}\n", path.display())),
            None => Exit::AsExpected,
        },
        Err(error) => {
            output::complain(&error.to_string());
            Exit::Environment
        }
    }
}
