//! `sigproof validate`: a note and windows of a shared library, against what they claim.

use std::fmt::Write as _;
use std::slice;
use std::time::Instant;

use serde::Serialize;
use sigproof_harness::forked::Entry;
use sigproof_harness::stress::Options;
use sigproof_harness::validate::verdict::{Evidence, Judgement, judge};
use sigproof_harness::validate::{contract, note, window};
use sigproof_osnote::foreign::library::Description;
use sigproof_report::exit::Exit;
use sigproof_report::junit::{self, Plain};
use sigproof_report::write::Format;
use sigproof_report::{Report, Run, Selection, Verdict};

use crate::args::{Only, ValidateArgs};
use crate::findings::{self, Maps, View};
use crate::library::{self, registry};
use crate::session::{Concluded, Session};
use crate::trouble::Trouble;
use crate::{paint, reports, step, stress, units};

/// How many attempts the stress of a note or a window has.
const ATTEMPTS: u64 = 5;

/// How many checks of a contract run at a time: most of them sleep.
const JOBS: usize = 2;

/// A note or a window, with everything that was seen of it.
#[derive(Serialize)]
struct Subject {
    /// "note" or "window".
    kind: &'static str,
    name: String,
    claims_safety: bool,
    judgement: Judgement,
    sentence: String,
    exit_code: u8,
    contract: Vec<Run>,
    sweeps: Vec<Run>,
    stress: Vec<Run>,
    left_out: Vec<String>,
}

#[derive(Serialize)]
struct Written<'a> {
    schema: &'static str,
    library: &'a Description,
    subjects: &'a [Subject],
    interrupted: bool,
    elapsed_seconds: f64,
}

/// Runs the verb.
pub fn run(args: &ValidateArgs, session: &mut Session<'_>) -> Concluded {
    let started = Instant::now();
    let (path, only) = args.resolved().map_err(Trouble::usage)?;
    let described = library::announce(&path)?;
    let mut subjects = chosen(described, &only)?;
    let (with_step, with_stress) = (args.step || !args.stress, args.stress || !args.step);
    for subject in subjects.iter_mut().filter(|subject| subject.kind == "note") {
        let names: Vec<&str> = described.note.iter().flat_map(contract::checks).map(|check| check.name).collect();
        let (basic, rest) = names.split_at(names.len().min(contract::BASIC));
        subject.contract = stressed(contract::CASE_NAME, basic, 1, session)?;
        if subject.contract.iter().all(|run| run.verdict == Verdict::AsExpected) {
            subject.contract.extend(stressed(contract::CASE_NAME, rest, 1, session)?);
        }
    }
    let sound = |subject: &Subject| subject.contract.iter().all(|run| run.verdict == Verdict::AsExpected);
    if with_step {
        sweep(&mut subjects, sound, session)?;
    }
    if with_stress {
        for subject in subjects.iter_mut().filter(|subject| sound(subject)) {
            if session.interrupted() {
                break;
            }
            let (case, flavour) = subject.case();
            // What a sweep has found needs no more than a second opinion.
            let found = subject.sweeps.iter().any(|run| run.verdict == Verdict::Unexpected);
            let attempts = if found { 1 } else { ATTEMPTS };
            let flavours: Vec<&str> = flavour.iter().map(String::as_str).collect();
            subject.stress = stressed(case, &flavours, attempts, session)?;
        }
    }
    if session.interrupted() {
        return Ok(Exit::Interrupted.into());
    }
    for subject in &mut subjects {
        subject.judge(session);
    }
    let seconds = started.elapsed().as_secs_f64();
    let mut exit = session.out.say(&text(args, described, &subjects, seconds, session));
    exit = subjects.iter().map(|subject| subject.judgement.exit()).fold(exit, Exit::worst);
    Ok(exit.worst(write(args, described, &subjects, seconds, session)?).into())
}

/// What is to be tested.
fn chosen(described: &Description, only: &Only) -> Result<Vec<Subject>, Trouble> {
    let mut subjects = Vec::new();
    if let (Some(said), true) = (&described.note, only.note) {
        subjects.push(Subject::new("note", &said.name, said.claims_safety()));
    }
    if let (None, true, false) = (&described.note, only.note, only.windows) {
        return Err(Trouble::usage(format!("{} has no note; it has windows", described.path.display())));
    }
    for window in &described.windows {
        if only.windows || only.named.contains(&window.name) {
            subjects.push(Subject::new("window", &window.name, true));
        }
    }
    let is_known = |name: &&String| described.windows.iter().any(|window| window.name == **name);
    if let Some(unknown) = only.named.iter().find(|name| !is_known(name)) {
        let known: Vec<&str> = described.windows.iter().map(|window| window.name.as_str()).collect();
        let known = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
        return Err(Trouble::usage(format!("no window of the library is called '{unknown}'; {known}")));
    }
    if subjects.is_empty() {
        return Err(Trouble::usage(format!("{} has no window", described.path.display())));
    }
    Ok(subjects)
}

impl Subject {
    fn new(kind: &'static str, name: &str, claims_safety: bool) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            claims_safety,
            judgement: Judgement::Undecided,
            sentence: String::new(),
            exit_code: 0,
            contract: Vec::new(),
            sweeps: Vec::new(),
            stress: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// The case of its stress, and the flavour.
    fn case(&self) -> (&'static str, Option<String>) {
        match self.kind {
            "note" => (note::NAME, None),
            _ => (window::NAME, Some(self.name.clone())),
        }
    }

    /// Whether a window is one of its own.
    fn has(&self, entry: &Entry) -> bool {
        let (case, flavour) = self.case();
        entry.name == case && entry.setup.flavour == flavour.as_deref()
    }

    fn judge(&mut self, session: &Session<'_>) {
        for runs in [&mut self.contract, &mut self.sweeps, &mut self.stress] {
            runs.iter_mut().for_each(|run| session.tool.program.name_in(run));
        }
        let evidence = Evidence {
            claims_safety: self.claims_safety,
            contract: &self.contract,
            sweeps: &self.sweeps,
            stress: &self.stress,
            left_out: &self.left_out,
        };
        (self.judgement, self.sentence) = judge(&evidence);
        self.exit_code = self.judgement.exit().code();
    }
}

/// Attempts of the setups of a case in these flavours; in all, if there are none.
fn stressed(case: &str, flavours: &[&str], attempts: u64, session: &Session<'_>) -> Result<Vec<Run>, Trouble> {
    let of_case = registry().find(case).map(|case| registry().setups_of(case)).unwrap_or_default();
    let chosen = of_case.iter().filter(|setup| match setup.flavour {
        Some(flavour) if !flavours.is_empty() => flavours.contains(&flavour),
        _ => true,
    });
    let setups = chosen.map(|setup| setup.id(case).to_string()).collect();
    let selection = Selection { setups, ..Selection::default() };
    let jobs = (case == contract::CASE_NAME).then_some(JOBS);
    let options = Options { selection, attempts: Some(attempts), jobs, ..Options::default() };
    Ok(stress::observed(&options, session.stop)?.runs)
}

/// Sweeps the windows of every subject that keeps its contract.
fn sweep(subjects: &mut [Subject], sound: impl Fn(&Subject) -> bool, session: &Session<'_>) -> Result<(), Trouble> {
    let of = |entry: &Entry| subjects.iter().any(|subject| sound(subject) && subject.has(entry));
    let entries: Vec<Entry> = registry().windows().into_iter().filter(of).collect();
    if entries.is_empty() || session.interrupted() {
        return Ok(());
    }
    match step::swept(&entries, session.stop) {
        Ok(Ok(runs)) => {
            for run in runs {
                let entry =
                    entries.iter().find(|entry| entry.id() == run.setup && run.window() == Some(entry.window.name));
                let subject = entry.and_then(|entry| subjects.iter_mut().find(|subject| subject.has(entry)));
                if let Some(subject) = subject {
                    subject.sweeps.push(run);
                }
            }
            Ok(())
        }
        Ok(Err(why)) => {
            for subject in subjects.iter_mut().filter(|subject| sound(subject)) {
                subject.left_out.push(format!("not swept: {why}"));
            }
            Ok(())
        }
        Err(_) if session.interrupted() => Ok(()),
        Err(trouble) => Err(trouble),
    }
}

fn text(
    args: &ValidateArgs,
    described: &Description,
    subjects: &[Subject],
    seconds: f64,
    session: &Session<'_>,
) -> String {
    let mut text = String::new();
    let name = described.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    for subject in subjects {
        let runs: Vec<Run> = subject.runs().cloned().collect();
        let report = session.named(Report { runs, ..Report::new() });
        let bad = subject.judgement.exit() != Exit::AsExpected;
        if bad {
            let view = View { maps: Maps::Unexpected, ..View::of(args.shown, 1) };
            text += findings::render(&report, view).trim_start();
            text.push('\n');
        }
        let verdict = subject.judgement.verdict();
        let title = paint::bold(format_args!("{} '{}' of {name}:", subject.kind, subject.name));
        let _ = writeln!(text, "{title} {}", paint::paint(paint::verdict(verdict), &subject.sentence));
        for run in &subject.sweeps {
            let Some(counts) = run.step().and_then(|step| step.counts.as_ref()) else { continue };
            let window = run.window().unwrap_or_default();
            let _ = writeln!(
                text,
                "  {window:<12} {} vulnerable of {} boundaries",
                units::count(counts.vulnerable as u64),
                units::count(counts.boundaries as u64)
            );
            let Some(cost) = run.step().and_then(|step| step.handler.as_ref()) else { continue };
            let stack = cost.stack_bytes.map_or_else(String::new, |bytes| {
                format!(", at most {} bytes of stack with the signal's frame", units::count(bytes))
            });
            if cost.measured == 0 {
                continue;
            }
            let _ = writeln!(
                text,
                "  {:<12} at most {} instructions (k {}; measured at {} boundaries){stack}",
                "handler",
                units::count(cost.instructions as u64),
                cost.instructions_at,
                units::count(cost.measured as u64)
            );
        }
        for run in &subject.stress {
            let _ = writeln!(
                text,
                "  {:<12} {}, {} inside the window",
                "stress",
                units::of(run.attempts as usize, "attempt"),
                units::of(run.signals_in_window as usize, "signal")
            );
        }
    }
    let _ = writeln!(text, "{seconds:.1} s");
    text
}

impl Subject {
    fn runs(&self) -> impl Iterator<Item = &Run> {
        self.contract.iter().chain(&self.sweeps).chain(&self.stress)
    }
}

/// Writes the reports that were asked for.
fn write(
    args: &ValidateArgs,
    library: &Description,
    subjects: &[Subject],
    elapsed_seconds: f64,
    session: &Session<'_>,
) -> Result<Exit, Trouble> {
    let mut exit = Exit::AsExpected;
    let cannot = |error: &dyn std::fmt::Display| Trouble::environment(format!("cannot render the report: {error}"));
    for target in &args.reports {
        let text = match target.format {
            Format::Json => {
                let schema = "sigproof.validate/1";
                let interrupted = session.interrupted();
                let written = Written { schema, library, subjects, interrupted, elapsed_seconds };
                serde_json::to_string_pretty(&written).map_err(|error| cannot(&error))? + "\n"
            }
            Format::Junit => {
                junit::render_plain("validate", tests(library, subjects)).map_err(|error| cannot(&error))?
            }
            Format::Html => {
                let sentence = "validate writes no page; remedy: --report json=PATH or --report junit=PATH";
                return Err(Trouble::usage(sentence.to_owned()));
            }
        };
        exit = exit.worst(reports::write_text(&text, slice::from_ref(target), session.out));
    }
    Ok(exit)
}

/// A test for each claim, each check of a contract, each sweep and each stress.
fn tests(library: &Description, subjects: &[Subject]) -> Vec<Plain> {
    let of = |subject: &Subject| {
        let class = format!("{} {} '{}'", library.path.display(), subject.kind, subject.name);
        let claim = Plain {
            class: class.clone(),
            name: "claim".to_owned(),
            seconds: subject.runs().map(|run| run.elapsed_seconds).sum(),
            verdict: subject.judgement.verdict(),
            text: subject.sentence.clone(),
        };
        let parts = subject.runs().map(|run| Plain {
            class: class.clone(),
            name: format!("{} {}", run.technique(), run.window().or(run.setup.flavour.as_deref()).unwrap_or("note")),
            seconds: run.elapsed_seconds,
            // A note that claims to be unsafe is expected to fail.
            verdict: match (run.verdict, subject.judgement) {
                (Verdict::Unexpected, Judgement::UnsafeAsClaimed) => Verdict::AsExpected,
                (verdict, _) => verdict,
            },
            text: run.reason.clone().or_else(|| Some(run.findings().next()?.sentence.clone())).unwrap_or_default(),
        });
        [claim].into_iter().chain(parts).collect::<Vec<_>>()
    };
    subjects.iter().flat_map(of).collect()
}
