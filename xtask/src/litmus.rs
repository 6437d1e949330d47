//! `cargo xtask litmus`: runs litmus tests in herd's C format with the explorer of execution graphs.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use sigproof_harness::model::litmus::{Judgement, Order, Shown};
use sigproof_report::Verdict;
use sigproof_report::exit::Exit;

use crate::args::LitmusArgs;
use crate::session::{Concluded, Session};
use crate::trouble::Trouble;
use crate::workbench::Judges;

/// Runs the verb.
pub fn run(args: &LitmusArgs, session: &mut Session<'_>) -> Concluded {
    let mut files = Vec::new();
    for path in &args.paths {
        collect(path, &mut files)?;
    }
    if files.is_empty() {
        return Err(Trouble::usage("no file of these ends in .litmus".to_owned()));
    }
    let single = files.len() == 1;
    let executions = match (args.executions, single) {
        (true, _) => Shown::Always,
        (false, true) => Shown::OfOthers,
        (false, false) => Shown::Never,
    };
    let mut judges = Judges::default();
    let (mut good, mut bad, mut open) = (0, 0, 0);
    let mut worst = Exit::AsExpected;
    for path in &files {
        let text = fs::read(path).map_err(|error| cannot_read(path, &error))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let Judgement { verdict, text } = judges.judge(&Order { text, budget: args.budget, executions })?;
        let text = match verdict {
            Verdict::Inconclusive => format!("{}: {text}", path.display()),
            _ => text,
        };
        let exit = match verdict {
            Verdict::AsExpected => Exit::AsExpected,
            Verdict::Unexpected => Exit::Unexpected,
            Verdict::Inconclusive | Verdict::Skipped => Exit::Inconclusive,
        };
        match exit {
            Exit::AsExpected => good += 1,
            Exit::Unexpected => bad += 1,
            _ => open += 1,
        }
        let shown = if single || exit != Exit::AsExpected { text } else { first_line(&text) };
        worst = worst.worst(exit).worst(session.out.say(&shown));
    }
    let mut summary = String::new();
    let tests = if files.len() == 1 { "1 test".to_owned() } else { format!("{} tests", files.len()) };
    let _ = writeln!(summary, "{tests}: {good} as stated, {bad} not, {open} without a verdict");
    Ok(worst.worst(session.out.say(&summary)).into())
}

fn first_line(text: &str) -> String {
    text.lines().take(1).map(|line| format!("{line}\n")).collect()
}

/// The file itself, or the litmus tests below a folder.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Trouble> {
    let about = fs::metadata(path).map_err(|error| cannot_read(path, &error))?;
    if !about.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(|error| cannot_read(path, &error))?;
    let mut found = Vec::new();
    for entry in entries {
        found.push(entry.map_err(|error| cannot_read(path, &error))?.path());
    }
    found.sort();
    for path in found {
        if path.is_dir() || path.extension().is_some_and(|ending| ending == "litmus") {
            collect(&path, files)?;
        }
    }
    Ok(())
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Trouble {
    Trouble::usage(format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_tests_in_order_and_a_missing_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("c")).unwrap();
        for name in ["b.litmus", "a.litmus", "notes.txt", "c/d.litmus"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let mut files = Vec::new();
        collect(folder.path(), &mut files).unwrap();
        let names: Vec<_> =
            files.iter().map(|file| file.strip_prefix(folder.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.litmus", "b.litmus", "c/d.litmus"]);
        let trouble = collect(&folder.path().join("none"), &mut files).unwrap_err();
        assert_eq!(trouble.exit, Exit::Usage);
    }
}
