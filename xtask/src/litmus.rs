//! `cargo xtask litmus`: runs litmus tests in herd's C format, over the explorer of execution graphs, over
//! loom, or over both, whose outcomes are compared.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sigproof_harness::model::Engine;
use sigproof_harness::model::litmus::{Judgement, Order, Shown};
use sigproof_harness::model::worker::{Event, Order as Exploring};
use sigproof_report::Verdict;
use sigproof_report::exit::Exit;
use sigproof_verbs::args::Engines;
use sigproof_verbs::model::process::{self, Explorer};
use sigproof_verbs::reports::only_json;

use crate::args::LitmusArgs;
use crate::session::{Concluded, Session};
use crate::trouble::Trouble;
use crate::workbench::Judges;

mod compared;

use compared::{Compared, summary};

/// What the engines found of a test.
#[derive(Debug, Serialize)]
struct Test {
    file: String,
    /// The worst of the engines.
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    graph: Option<Judgement>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loom: Option<Judgement>,
    #[serde(flatten)]
    compared: Option<Compared>,
}

/// The report in JSON.
#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    engine: &'a str,
    tests: &'a [Test],
}

/// Runs the verb.
pub fn run(args: &LitmusArgs, session: &mut Session<'_>) -> Concluded {
    only_json(&args.reports)?;
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
    let mut engines = Running::start(args.engine, session)?;
    let mut tests = Vec::new();
    let mut worst = Exit::AsExpected;
    for path in &files {
        let text = fs::read(path).map_err(|error| cannot_read(path, &error))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let test = engines.test(path, &Order { text, budget: args.budget, executions }, session)?;
        let exit = test.exit();
        let whole = single || args.executions || exit != Exit::AsExpected && test.compared.is_none();
        worst = worst.worst(exit).worst(session.out.say(&test.text(whole)));
        tests.push(test);
    }
    worst = worst.worst(session.out.say(&told(&tests)));
    let engine = args.engine.as_str();
    let written = session.write_json(&Report { schema: "sigproof.litmus/1", engine, tests: &tests })?;
    Ok(worst.worst(written).into())
}

fn told(tests: &[Test]) -> String {
    let count = |verdict: &[Verdict]| tests.iter().filter(|test| verdict.contains(&test.verdict)).count();
    let (good, bad) = (count(&[Verdict::AsExpected]), count(&[Verdict::Unexpected]));
    let open = count(&[Verdict::Inconclusive, Verdict::Skipped]);
    let number = if tests.len() == 1 { "1 test".to_owned() } else { format!("{} tests", tests.len()) };
    let mut text = format!("{number}: {good} as stated, {bad} not, {open} without a verdict\n");
    if tests.iter().any(|test| test.compared.is_some()) {
        let _ = writeln!(text, "{}", summary(tests.iter().filter_map(|test| test.compared.as_ref())));
    }
    text
}

impl Test {
    fn exit(&self) -> Exit {
        let of_verdict = match self.verdict {
            Verdict::AsExpected => Exit::AsExpected,
            Verdict::Unexpected => Exit::Unexpected,
            Verdict::Inconclusive | Verdict::Skipped => Exit::Inconclusive,
        };
        self.compared.as_ref().map_or(of_verdict, |compared| compared.class.exit().worst(of_verdict))
    }

    /// For people: everything, or a line.
    fn text(&self, is_whole: bool) -> String {
        let mut text = String::new();
        for (judged, engine) in [(&self.graph, ""), (&self.loom, "over loom, ")] {
            let Some(judged) = judged else { continue };
            // A text without a verdict does not name the test.
            let file = if judged.refused.is_some() { format!("{}: ", self.file) } else { String::new() };
            let is_line = !is_whole && self.compared.is_some() && self.loom.is_some();
            match is_line {
                true if !engine.is_empty() => {}
                true => text.push_str(&format!("{file}{}", judged.text.lines().next().unwrap_or_default())),
                false if is_whole => text.push_str(&format!("{engine}{file}{}", judged.text)),
                false => text.push_str(&format!("{engine}{file}{}\n", judged.text.lines().next().unwrap_or_default())),
            }
        }
        if let Some(compared) = &self.compared {
            let _ = writeln!(text, "{}{}", if is_whole { "" } else { "; " }, compared.line());
        }
        text
    }
}

/// The programs of the engines.
struct Running {
    graph: Option<Judges>,
    loom: Option<PathBuf>,
}

impl Running {
    fn start(engines: Engines, session: &Session<'_>) -> Result<Self, Trouble> {
        let loom = match engines {
            Engines::Graph => None,
            Engines::Loom | Engines::Both => Some(process::find(session.tool.explorer, Engine::Loom)?),
        };
        Ok(Self { graph: (engines != Engines::Loom).then(Judges::default), loom })
    }

    fn test(&mut self, path: &Path, order: &Order, session: &Session<'_>) -> Result<Test, Trouble> {
        let graph = self.graph.as_mut().map(|judges| judges.judge(order)).transpose()?;
        let loom = self.loom.as_ref().map(|program| over_loom(program, order, session)).transpose()?;
        let compared = graph.as_ref().zip(loom.as_ref()).map(|(graph, loom)| Compared::of(graph, loom));
        // With both, that of graphs, which are exact: where loom differs, the comparison says so.
        let verdict = graph.as_ref().or(loom.as_ref()).map_or(Verdict::Inconclusive, |judged| judged.verdict);
        Ok(Test { file: path.display().to_string(), verdict, graph, loom, compared })
    }
}

/// Judges a test over loom, in a process of its own. A test that ends the process is inconclusive.
fn over_loom(program: &Path, order: &Order, session: &Session<'_>) -> Result<Judgement, Trouble> {
    let mut found = None;
    let ended = Explorer::start(program, &Exploring::Judge(order.clone()))?.events(session.stop, |event| {
        if let Event::Judged(judged) = event {
            found = Some(*judged);
        }
    });
    match (ended, found) {
        (Err(trouble), _) if trouble.exit == Exit::Environment => Err(trouble),
        (Err(trouble), _) => Ok(Judgement::refused(trouble.message)),
        (Ok(()), Some(judged)) => Ok(judged),
        (Ok(()), None) => Err(Trouble::interrupted()),
    }
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
