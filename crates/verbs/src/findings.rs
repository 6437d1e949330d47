//! The text below the table: the findings, why something was skipped, and a summary in one line.
//!
//! How much of a finding is printed depends on how many setups were chosen, see [`View`]. Most findings of a
//! whole run are expected of the broken variants, and many are alike: each gets its sentence and the command
//! that repeats it, and the first of each outcome gets its stacks. An unexpected finding always has its
//! stacks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use sigproof_report::seen::Counts;
use sigproof_report::{Finding, Outcome, Report, Run, Technique, Variant, Verdict};

use crate::args::ShownArgs;
use crate::{paint, units};

mod stacks;

use stacks::Layout;

/// Up to this number of setups or windows, each finding is printed with its stacks, and each window with its
/// map.
pub const FEW: usize = 4;

/// So many frames on each side of a signal are printed.
const SIDE: usize = 8;

/// The same for an expected finding of a run of many setups.
const SHORT_SIDE: usize = 4;

/// Which maps of windows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maps {
    /// Those with vulnerable boundaries, of runs that are not as expected.
    Unexpected,
    /// All.
    All,
}

/// Which stacks are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stacks {
    /// Every thread and every frame of every finding.
    Whole,
    /// What matters of every finding.
    Each,
    /// What matters of every unexpected finding, and of the first expected finding of each outcome. Expected
    /// findings of a case that say the same are printed once; those of a fixed variant are left out, since
    /// the table has their outcome.
    First,
}

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Which maps.
    pub maps: Maps,
    /// Which stacks.
    pub stacks: Stacks,
}

impl View {
    /// All of every finding.
    pub const WHOLE: Self = Self { maps: Maps::Unexpected, stacks: Stacks::Whole };

    /// The view of so many chosen setups.
    pub fn of(shown: ShownArgs, chosen: usize) -> Self {
        let stacks = match chosen {
            _ if shown.verbose => Stacks::Whole,
            0..=FEW => Stacks::Each,
            _ => Stacks::First,
        };
        Self { maps: Maps::Unexpected, stacks }
    }
}

/// The findings of every run, the reason of every run that is not as expected, maps of windows, and what was
/// skipped.
pub fn render(report: &Report, view: View) -> String {
    let mut text = String::new();
    let mut alike = Alike::of(report, view);
    // Findings without stacks stand together, without an empty line between them.
    let mut after_brief = false;
    for run in &report.runs {
        let mut replayed = false;
        for finding in run.findings() {
            if let Some(others) = alike.others(run, finding).filter(|_| is_told(run, view)) {
                let stacks = alike.stacks(run, finding, view);
                if stacks != Part::None || !after_brief {
                    text.push('\n');
                }
                after_brief = stacks == Part::None;
                print_finding(&mut text, run, finding, stacks, &others, &mut alike.remarks);
            }
            replayed |= finding.replay.is_some();
        }
        let length = text.len();
        let told = |reason: &&String| run.findings().any(|finding| finding.sentence == **reason);
        if let (Verdict::Unexpected | Verdict::Inconclusive, Some(reason)) =
            (run.verdict, run.reason.as_ref().filter(|reason| !told(reason)))
        {
            let verdict = paint::paint(paint::verdict(run.verdict), run.verdict);
            let _ = writeln!(text, "\n{} {verdict}\n{reason}", title(run));
            if let (false, Some(replay)) = (replayed, &run.replay) {
                let _ = writeln!(text, "repeat with: {replay}");
            }
        }
        swept(&mut text, run, view.maps);
        after_brief &= text.len() == length;
    }
    skipped(&mut text, &report.runs);
    text
}

fn title(run: &Run) -> String {
    paint::bold(format_args!("## {} {}:", run.setup.case, run.title()))
}

/// Whether the findings of a run are printed, see [`Stacks::First`].
fn is_told(run: &Run, view: View) -> bool {
    view.stacks != Stacks::First || run.setup.variant != Variant::Fixed || run.verdict != Verdict::AsExpected
}

/// Whether an outcome must never occur in a run.
fn is_forbidden(run: &Run, outcome: Outcome) -> bool {
    run.forbidden().any(|(forbidden, _)| forbidden == outcome)
}

/// The stacks of one finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    /// At most so many frames on each side of a signal.
    Cut(usize, Layout),
    None,
}

/// The expected findings of a report that say the same, and whose stacks were printed.
struct Alike<'a> {
    /// The setups of a case whose findings say the same.
    setups: BTreeMap<(&'a str, Outcome, &'a str), Vec<String>>,
    /// The outcomes of which stacks were printed.
    printed: BTreeSet<Outcome>,
    /// The remarks on stacks that were printed.
    remarks: BTreeSet<String>,
}

impl<'a> Alike<'a> {
    fn of(report: &'a Report, view: View) -> Self {
        let mut setups: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for run in report.runs.iter().filter(|_| view.stacks == Stacks::First) {
            for finding in run.findings().filter(|finding| !is_forbidden(run, finding.outcome)) {
                setups.entry(Self::key(run, finding)).or_default().push(run.title());
            }
        }
        Self { setups, printed: BTreeSet::new(), remarks: BTreeSet::new() }
    }

    fn key<'b>(run: &'b Run, finding: &'b Finding) -> (&'b str, Outcome, &'b str) {
        (&run.setup.case, finding.outcome, &finding.sentence)
    }

    /// The other setups that the finding stands for; `None` if another setup's finding stands for it.
    fn others(&self, run: &Run, finding: &Finding) -> Option<Vec<String>> {
        if is_forbidden(run, finding.outcome) {
            return Some(Vec::new());
        }
        match self.setups.get(&Self::key(run, finding)).map(Vec::as_slice) {
            Some([first, others @ ..]) => (*first == run.title()).then(|| others.to_vec()),
            _ => Some(Vec::new()),
        }
    }

    /// Which of its stacks are printed.
    fn stacks(&mut self, run: &Run, finding: &Finding, view: View) -> Part {
        match view.stacks {
            Stacks::Whole => Part::Whole,
            Stacks::Each => Part::Cut(SIDE, Layout::Lines),
            Stacks::First if is_forbidden(run, finding.outcome) || run.verdict == Verdict::Unexpected => {
                Part::Cut(SIDE, Layout::Lines)
            }
            // A run of windows has maps to tell where the signal came.
            Stacks::First if run.technique() == Technique::Step && view.maps == Maps::Unexpected => Part::None,
            Stacks::First if finding.text.is_empty() || !self.printed.insert(finding.outcome) => Part::None,
            Stacks::First => Part::Cut(SHORT_SIDE, Layout::Joined),
        }
    }
}

fn print_finding(
    text: &mut String,
    run: &Run,
    finding: &Finding,
    stacks: Part,
    others: &[String],
    remarks: &mut BTreeSet<String>,
) {
    let forbidden = is_forbidden(run, finding.outcome);
    let grade = if forbidden { "must never occur" } else { "expected of this variant" };
    let outcome = paint::paint(paint::bad(forbidden), finding.outcome);
    let after = finding.seconds.map(|s| format!(" after {}", units::seconds(s))).unwrap_or_default();
    let _ = writeln!(text, "{} {outcome}{after} ({grade})", title(run));
    let details = match stacks {
        Part::Whole => stacks::whole(finding),
        Part::Cut(side, layout) => stacks::cut(finding, side, layout, remarks),
        Part::None => String::new(),
    };
    let sentence = match stacks {
        Part::Whole | Part::Cut(_, Layout::Lines) => finding.sentence.clone(),
        Part::Cut(_, Layout::Joined) | Part::None => stacks::sentence(finding),
    };
    // The text of a diagnosis begins with its sentence; a finding without a text has only its sentence.
    if !details.lines().next().is_some_and(|first| first.contains(&sentence)) {
        let _ = writeln!(text, "{sentence}");
    }
    if !details.is_empty() {
        let _ = writeln!(text, "{}", details.trim_end());
    }
    if let Some(fingerprint) = finding.fingerprint.as_ref().filter(|_| stacks == Part::Whole) {
        let _ = writeln!(text, "fingerprint: {fingerprint}");
    }
    if let Some(replay) = finding.replay.as_ref().or(run.replay.as_ref()) {
        let _ = writeln!(text, "repeat with: {replay}");
    }
    if !others.is_empty() {
        let _ = writeln!(text, "the same in {}; --verbose prints each", others.join(", "));
    }
}

/// The remarks about a swept window, and its map.
fn swept(text: &mut String, run: &Run, maps: Maps) {
    let Some(step) = run.step() else { return };
    let remark = run.reason.as_deref().filter(|_| run.verdict == Verdict::AsExpected);
    let remarks: Vec<_> = [remark, step.moved.as_deref()].into_iter().flatten().collect();
    let vulnerable = step.counts.as_ref().is_some_and(|counts| counts.vulnerable > 0);
    let wanted = maps == Maps::All || run.verdict == Verdict::Unexpected && vulnerable;
    let map = step.map.as_deref().filter(|map| wanted && !map.is_empty());
    if remarks.is_empty() && map.is_none() {
        return;
    }
    let _ = writeln!(text, "\n{} the window", title(run));
    for part in remarks.into_iter().chain(map) {
        let _ = writeln!(text, "{}", part.trim_end());
    }
}

/// The skipped setups, by reason.
fn skipped(text: &mut String, runs: &[Run]) {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.verdict == Verdict::Skipped) {
        let reason = run.reason.as_deref().unwrap_or("no reason was given");
        reasons.entry(reason).or_default().push(format!("{} {}", run.setup.case, run.title()));
    }
    for (reason, setups) in reasons {
        let _ = writeln!(text, "\nskipped, {reason}:");
        for setup in setups {
            let _ = writeln!(text, "  {setup}");
        }
    }
}

/// The run in one line.
pub fn summary(technique: Technique, report: &Report) -> String {
    let of = |verdict: Verdict| report.runs.iter().filter(|run| run.verdict == verdict).count();
    let sum = |what: fn(&Run) -> u64| units::count(report.runs.iter().map(what).sum());
    let verdicts = [Verdict::AsExpected, Verdict::Unexpected, Verdict::Inconclusive, Verdict::Skipped];
    let told = verdicts.map(|v| (v, of(v))).into_iter().filter(|(v, n)| *n > 0 || *v == Verdict::AsExpected);
    let words = |v: Verdict, n: usize| format!("{n} {}", v.as_str().replace('-', " "));
    let told: Vec<_> = told
        .map(|(v, n)| match n {
            0 => words(v, n),
            _ => paint::paint(paint::verdict(v), words(v, n)),
        })
        .collect();
    let (thing, work) = match technique {
        Technique::Model => {
            let whole = report.runs.iter().filter(|run| is_exhausted(run)).count();
            ("model", format!("{}; {whole} exhausted{}", explored(&report.runs), at_their_bug(&report.runs)))
        }
        Technique::Step => ("window", boundaries(&report.runs)),
        Technique::Upstream => ("reproducer", format!("{} runs", sum(|r| r.attempts))),
        _ => {
            let (attempts, signals, window) = (sum(|r| r.attempts), sum(|r| r.signals), sum(|r| r.signals_in_window));
            ("setup", format!("{attempts} attempts, {signals} signals, {window} of them in the window"))
        }
    };
    format!(
        "{}{}: {}; {work}; {}{}",
        if report.interrupted { "interrupted after " } else { "" },
        units::of(report.runs.len(), thing),
        told.join(", "),
        units::seconds(report.elapsed_seconds),
        report.seed.map(|seed| format!("; seed {seed}")).unwrap_or_default(),
    )
}

/// Executions and signals of models; runs that were no executions; and how often each graph was explored, if
/// that was counted.
fn explored(runs: &[Run]) -> String {
    let all = || runs.iter().filter_map(|run| run.model()?.explored.as_ref());
    let sum = |what: fn(&Run) -> u64| runs.iter().map(what).sum::<u64>();
    let (executions, signals) = (sum(|run| run.attempts), sum(|run| run.signals));
    let mut text = format!("{} executions", units::count(executions));
    let counted: Vec<_> = all().filter_map(|explored| Some((explored.executions, explored.distinct?))).collect();
    if !counted.is_empty() {
        let (executions, distinct) = counted.iter().fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        let ratio = executions as f64 / distinct.max(1) as f64;
        text += &format!(" (explored / distinct: {executions} / {distinct} = {ratio:.2})");
    }
    let discarded: u64 = all().map(|explored| explored.discarded).sum();
    if discarded > 0 {
        text += &format!(", {} runs discarded that were none", units::count(discarded));
    }
    format!("{text}, {} signals", units::count(signals))
}

/// How many models of broken variants ended at the bug that they must show.
fn at_their_bug(runs: &[Run]) -> String {
    let ended = |run: &&Run| {
        let bug = run.observed.keys().any(|outcome| *outcome != Outcome::Delivered);
        run.verdict == Verdict::AsExpected && bug && !is_exhausted(run)
    };
    match runs.iter().filter(ended).count() {
        0 => String::new(),
        count => format!(", {count} ended at their bug"),
    }
}

fn is_exhausted(run: &Run) -> bool {
    run.model().and_then(|model| model.end.as_ref()).is_some_and(|end| end.exhausted)
}

/// How many boundaries were swept, how many are vulnerable, and with which engine.
fn boundaries(runs: &[Run]) -> String {
    let steps = || runs.iter().filter_map(Run::step);
    let sum =
        |what: fn(&Counts) -> usize| steps().filter_map(|step| step.counts.as_ref()).map(what).sum::<usize>() as u64;
    let missed = match sum(|counts| counts.boundaries.saturating_sub(counts.injected)) {
        0 => String::new(),
        n => format!(", {} of them without a signal", units::count(n)),
    };
    let engines: BTreeSet<&str> = steps().filter_map(|step| step.engine.as_deref()).collect();
    let engines = match engines.len() {
        0 => String::new(),
        _ => format!("; engine {}", engines.into_iter().collect::<Vec<_>>().join(", ")),
    };
    let undone = || steps().filter_map(|step| step.undo.as_ref());
    let by_undo = match undone().map(|undo| undo.boundaries).sum::<usize>() as u64 {
        0 => String::new(),
        n => format!(" ({} boundaries by undo)", units::count(n)),
    };
    let fell_back = match undone().filter(|undo| undo.fell_back.is_some()).count() {
        0 => String::new(),
        n => format!(", {} without it after a copy was wrong", units::of(n, "window")),
    };
    let (all, vulnerable) =
        (units::count(sum(|counts| counts.boundaries)), units::count(sum(|counts| counts.vulnerable)));
    format!("{all} boundaries{missed}, {vulnerable} vulnerable{engines}{by_undo}{fell_back}")
}

#[cfg(test)]
pub mod tests;
