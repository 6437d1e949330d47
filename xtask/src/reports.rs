//! What a run comes to, told: the table, the findings and a summary for people, and the reports that were asked for.

use sigproof_harness::exit::Exit;
use sigproof_harness::report::{Report, write::Target};

use crate::findings::Maps;
use crate::output::{self, Out};
use crate::{findings, table};

/// Where the text for people goes: to the standard output, unless a report goes there.
///
/// # Errors
/// More than one report cannot; the user has been told.
pub fn stream(reports: &[Target]) -> Result<Out, ()> {
    match reports.iter().filter(|target| target.is_stdout()).count() {
        0 => Ok(Out::Stdout),
        1 => Ok(Out::Stderr),
        _ => {
            output::complain("only one report can go to the standard output");
            Err(())
        }
    }
}

/// Tells people, and writes the reports.
pub fn tell(report: &Report, targets: &[Target], out: Out) -> Exit {
    tell_with(report, targets, out, Maps::Unexpected)
}

/// The same, with these maps of windows.
pub fn tell_with(report: &Report, targets: &[Target], out: Out, maps: Maps) -> Exit {
    let shown = out.say(&format!(
        "{}{}\n{}\n",
        table::render(&report.runs, out),
        findings::render(report, maps),
        findings::summary(report)
    ));
    write_all(report, targets, out).worst(shown)
}

/// Writes the reports.
pub fn write_all(report: &Report, targets: &[Target], out: Out) -> Exit {
    targets.iter().map(|target| write(target, report, out)).fold(Exit::AsExpected, Exit::worst)
}

/// Writes one report, and says so.
fn write(target: &Target, report: &Report, out: Out) -> Exit {
    match target.write(report) {
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
