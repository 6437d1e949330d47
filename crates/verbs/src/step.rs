//! `sigproof step`: child processes sweep windows, with a real signal at every instruction boundary; this
//! file prints the results.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use sigproof_harness::forked::Entry;
use sigproof_harness::forked::worker::Order;
use sigproof_report::{Finding, Outcome, PROGRAM, Run, Selection, Technique, Verdict};
use sigproof_shim::native::atomic::{AtomicBool, AtomicUsize, Ordering};
use sigproof_step::By;
use sigproof_step::engine::{Kind, Probe};
use sigproof_step::token::Token;

use crate::args::{ChoiceArgs, StepArgs};
use crate::findings::{FEW, Maps, View};
use crate::library::{self, registry};
use crate::parallel::{self, jobs};
use crate::progress::{self, Progress};
use crate::session::{Concluded, Ended, Session, Text};
use crate::trouble::Trouble;
use crate::{output, select, units};

mod process;

use process::{Answer, Sweeper};

/// Runs the verb. [`Ended::lacks`] says whether an engine was missing.
pub fn run(args: &StepArgs, session: &mut Session<'_>) -> Concluded {
    let args = &StepArgs { choice: library::of_choice(&args.choice)?, ..args.clone() };
    let chosen = chosen(args, registry().windows())?;
    let (runs, trouble, lacks) = match engine(args.engine, session.stop) {
        Ok(Ok(engine)) => {
            let (runs, trouble) = sweep(args, engine, &chosen, session.stop);
            (runs, trouble, None)
        }
        Ok(Err(why)) => {
            let skipped = |entry: &Entry| skipped(entry, entry.lacks.clone().as_ref().unwrap_or(&why));
            (chosen.iter().map(skipped).collect(), None, Some(why))
        }
        Err(_) if session.interrupted() => (Vec::new(), None, None),
        Err(trouble) => return Err(trouble),
    };
    let report = session.report(runs);
    let mut view = View::of(args.shown, chosen.len());
    if args.map || chosen.len() <= FEW {
        view.maps = Maps::All;
    }
    let named = |run: &Run| select::asked_for(run, &args.choice, &report.runs);
    // Of an engine that is asked for, it may be expected that it does all that this machine can do at all.
    let lacking: Vec<_> = chosen.iter().map(|entry| entry.lacks.clone()).collect();
    let asked = |run: &Run| named(run) || args.engine.is_some() && !lacking.contains(&run.reason);
    let ended = session.conclude(&report, Text::Table(Technique::Step, view), trouble, asked)?;
    Ok(Ended { lacks, ..ended })
}

/// The windows that are asked for, of all of them.
fn chosen(args: &StepArgs, all: Vec<Entry>) -> Result<Vec<Entry>, Trouble> {
    let usage = |unknown: select::Unknown| Trouble::usage(unknown.to_string());
    // A whole label is not a pattern.
    let is_label = |word: &&String| all.iter().any(|entry| entry.label() == **word);
    let (labels, patterns): (Vec<_>, Vec<_>) = args.choice.patterns.iter().partition(is_label);
    let patterns: Vec<String> = patterns.into_iter().cloned().collect();
    let names = select::names(all.iter().map(|entry| (entry.name, entry.hidden)));
    let windows = select::names(all.iter().map(|entry| (entry.window.name, entry.hidden)));
    let windows = select::resolve("window", &args.windows, &windows).map_err(usage)?;
    let flavours = all.iter().filter_map(|entry| entry.setup.flavour);
    let choice = ChoiceArgs { patterns, ..args.choice.clone() };
    let selection = select::selection(&choice, "case with a window", &names, flavours).map_err(usage)?;
    // A window that is named joins the cases that are.
    let without_names = Selection { cases: Vec::new(), ..selection.clone() };
    let takes = |entry: &Entry| match labels.contains(&&entry.label()) {
        true => without_names.takes(&entry.id(), false),
        false => (labels.is_empty() || !selection.cases.is_empty()) && selection.takes(&entry.id(), entry.hidden),
    };
    let in_window = |entry: &Entry| windows.is_empty() || windows.iter().any(|name| name == entry.window.name);
    let chosen = all.iter().filter(|entry| takes(entry) && in_window(entry));
    let chosen: Vec<Entry> = chosen.cloned().collect();
    match chosen.len() {
        0 => Err(Trouble::usage(
            "no chosen case has such a window with this note, mode, variant and flavour; `{program} list` prints all windows"
                .to_owned(),
        )),
        n if n > 1 && args.k.is_some() => {
            let labels: String = chosen.iter().map(|entry| format!("\n  {}", entry.label())).collect();
            Err(Trouble::usage(format!(
                "--k names a boundary of one window, and {} are chosen; name one of them:{labels}",
                units::of(n, "window")
            )))
        }
        _ => Ok(chosen),
    }
}

/// Tries the engines. The one to take, or why there is none; trouble if that cannot even be told.
fn engine(asked: Option<Kind>, stop: &AtomicBool) -> Result<Result<Kind, String>, Trouble> {
    let unexpected = |why: &str| Err(Trouble::unexpected(format!("the engines could not be tried: {why}")));
    match Sweeper::start(0)?.carry_out(&Order::Probe, stop, |_, _| {}) {
        Answer::Probed(probes) => {
            let picked = pick(&probes, asked);
            picked.iter().filter_map(|kind| patience(&probes, *kind)).for_each(|warning| output::tell(&warning));
            Ok(picked)
        }
        Answer::Died { sentence, words, outside: true } => Err(ended_from_outside(&sentence, &words)),
        Answer::Died { sentence, words, .. } => unexpected(&format!("{sentence}\n{words}")),
        // The order is ours, and right: what refuses it is the machine.
        Answer::Refused(why) => Err(Trouble::environment(format!("the engines could not be tried: {why}"))),
        Answer::Done(_) => unexpected("the process that sweeps swept"),
        Answer::Stopped => unexpected("interrupted"),
    }
}

/// The engine that is asked for, or else the first that works; or what is missing.
fn pick(probes: &[Probe], asked: Option<Kind>) -> Result<Kind, String> {
    let lacks = |kind: Kind| match probes.iter().find(|probe| probe.engine == kind) {
        Some(Probe { lacks: None, .. }) => None,
        Some(Probe { lacks: Some(why), .. }) => Some(why.as_str()),
        None => Some("it was not tried"),
    };
    if let Some(kind) = asked {
        return lacks(kind).map_or(Ok(kind), |why| Err(format!("engine '{kind}' does not work here: {why}")));
    }
    let reasons: Vec<_> = Kind::ALL.iter().filter_map(|kind| lacks(*kind)).collect();
    if let [first, rest @ ..] = &reasons[..]
        && reasons.len() == Kind::ALL.len()
        && rest.iter().all(|reason| reason == first)
    {
        return Err(format!("no engine works here: {first}"));
    }
    let reasons = || Kind::ALL.iter().filter_map(|kind| Some(format!("{kind}: {}", lacks(*kind)?)));
    let works = Kind::ALL.iter().copied().find(|kind| lacks(*kind).is_none());
    works.ok_or_else(|| format!("no engine works here: {}", reasons().collect::<Vec<_>>().join("; ")))
}

/// What to expect of an engine that cannot look at its children.
fn patience(probes: &[Probe], engine: Kind) -> Option<String> {
    let why = probes.iter().find(|probe| probe.engine == engine)?.patience.as_ref()?;
    Some(format!(
        "warning: a child cannot be looked at, so each hang is decided by 10 s without progress, and the sweep of a \
         window ends after two hangs: {why}"
    ))
}

/// Sweeps the chosen windows, a process for each thread; what they came to, in their order, and what went
/// wrong beside.
fn sweep(args: &StepArgs, engine: Kind, chosen: &[Entry], stop: &AtomicBool) -> (Vec<Run>, Option<Trouble>) {
    let progress = Progress::start();
    progress.event(progress::Event::Planned { count: chosen.len(), thing: "window" });
    let runs = Mutex::new(BTreeMap::new());
    let benches = AtomicUsize::new(0);
    let work = |bench: &mut Bench, index: usize| {
        let entry = &chosen[index];
        progress.event(progress::Event::Started { index, label: entry.label() });
        let told = |done: usize, known: usize| {
            let detail = format!("boundary {} of {}", units::count(done as u64), units::count(known as u64));
            let fraction = done as f64 / known.max(1) as f64;
            progress.event(progress::Event::Progress { index, fraction, detail });
        };
        let run = match entry.lacks.clone() {
            Some(why) => Some(skipped(entry, &why)),
            None => {
                let begun = Instant::now();
                let by = By { kind: engine, named: args.engine.is_some() };
                let order = Order::Sweep { label: entry.label(), by, only: args.k };
                let mut answer = bench.sweeper()?.carry_out(&order, stop, &told);
                if matches!(answer, Answer::Died { outside: true, .. }) {
                    answer = bench.sweeper()?.carry_out(&order, stop, &told);
                }
                run_of(entry, engine, answer, args.k, begun)?
            }
        };
        if let (Some(run), Ok(mut runs)) = (run, runs.lock()) {
            progress.event(progress::Event::Finished { index, run: Box::new(run.clone()) });
            runs.insert(index, run);
        }
        Ok(())
    };
    let trouble = parallel::each(jobs(args.jobs), chosen.len(), stop, || Bench::next(&benches), work);
    progress.finish();
    let mut runs: Vec<Run> = runs.into_inner().unwrap_or_default().into_values().collect();
    runs.iter_mut().for_each(library::name_in);
    (runs, trouble)
}

/// Sweeps these windows by the first engine that works here: the runs, or why there is no engine.
///
/// # Errors
/// The engines cannot be tried, or a process that sweeps was ended from outside.
pub(crate) fn swept(chosen: &[Entry], stop: &AtomicBool) -> Result<Result<Vec<Run>, String>, Trouble> {
    let engine = match engine(None, stop)? {
        Ok(engine) => engine,
        Err(why) => return Ok(Err(why)),
    };
    let (runs, trouble) = sweep(&StepArgs::default(), engine, chosen, stop);
    trouble.map_or(Ok(Ok(runs)), Err)
}

/// What a thread that has windows swept has of its own.
struct Bench {
    number: usize,
    sweeper: Option<Sweeper>,
}

impl Bench {
    fn next(numbers: &AtomicUsize) -> Self {
        Self { number: numbers.fetch_add(1, Ordering::Relaxed), sweeper: None }
    }

    /// The process, or a new one if it died of its last order.
    fn sweeper(&mut self) -> Result<&mut Sweeper, Trouble> {
        let living = match self.sweeper.take().and_then(|mut sweeper| sweeper.lives().then_some(sweeper)) {
            Some(living) => living,
            None => Sweeper::start(self.number)?,
        };
        Ok(self.sweeper.insert(living))
    }
}

/// A process was ended from outside, twice where it was worth a second try: that tells nothing of a window.
fn ended_from_outside(sentence: &str, words: &str) -> Trouble {
    let words = words.trim_end();
    let remedy = "leave it more memory (`ulimit -v`, the limit of the container), and let nothing kill it";
    Trouble::environment(format!("{sentence}, which no window does; {remedy}\n{words}").trim_end().to_owned())
}

/// What an answer amounts to. `None`: the user wants an end.
fn run_of(
    entry: &Entry,
    engine: Kind,
    answer: Answer,
    k: Option<usize>,
    begun: Instant,
) -> Result<Option<Run>, Trouble> {
    let mut run = empty(entry);
    run.verdict = Verdict::Unexpected;
    run.elapsed_seconds = begun.elapsed().as_secs_f64();
    let only = k.map(|k| format!(" --k {k}")).unwrap_or_default();
    run.replay = Some(format!("{PROGRAM} step {}{only} --engine {engine}", entry.label()));
    if let Some(step) = run.step_mut() {
        step.engine = Some(engine.as_str().to_owned());
    }
    match answer {
        Answer::Done(run) => return Ok(Some(*run)),
        Answer::Stopped => return Ok(None),
        // The rest of the order is ours, and right.
        Answer::Refused(why) if k.is_some() => return Err(Trouble::usage(why)),
        Answer::Refused(why) => run.reason = Some(format!("it cannot be swept: {why}")),
        Answer::Probed(_) => run.reason = Some("it was not swept: the engines were tried instead".to_owned()),
        Answer::Died { sentence, words, outside: true } => return Err(ended_from_outside(&sentence, &words)),
        Answer::Died { sentence, words, outside: false } => {
            run.observed.insert(Outcome::Crash, 1);
            run.add_finding(Finding { text: words, ..Finding::new(Outcome::Crash, sentence.clone()) });
            run.reason = Some(sentence);
        }
    }
    Ok(Some(run))
}

/// The run of a window that was not swept.
fn skipped(entry: &Entry, why: &str) -> Run {
    Run { reason: Some(why.to_owned()), ..empty(entry) }
}

/// A run of nothing yet.
fn empty(entry: &Entry) -> Run {
    let mut run = Run::new(Technique::Step, entry.id(), entry.expected().clone());
    if let Some(step) = run.step_mut() {
        step.window = Some(entry.window.name.to_owned());
    }
    run
}

/// Whether a text is a token of a boundary, rather than of a model's execution.
pub fn is_token(text: &str) -> bool {
    Token::looks_like(text)
}

/// The execution with a signal at the boundary that a token names; `None` if `stop` was set before its end.
pub fn replay(token: &str, stop: &AtomicBool) -> Result<Option<Run>, Trouble> {
    let engine = match engine(None, stop) {
        Err(_) if stop.load(Ordering::Relaxed) => return Ok(None),
        engine => engine?.map_err(Trouble::environment)?,
    };
    let order = Order::Replay { token: token.to_owned(), by: By { kind: engine, named: false } };
    match Sweeper::start(0)?.carry_out(&order, stop, |_, _| {}) {
        Answer::Done(mut run) => {
            library::name_in(&mut run);
            Ok(Some(*run))
        }
        Answer::Stopped => Ok(None),
        Answer::Refused(why) => Err(Trouble::usage(why)),
        Answer::Died { sentence, words, outside: true } => Err(ended_from_outside(&sentence, &words)),
        Answer::Died { sentence, words, .. } => {
            Err(Trouble::unexpected(format!("{sentence}\n{words}").trim_end().into()))
        }
        Answer::Probed(_) => Err(Trouble::unexpected("the replay told nothing".to_owned())),
    }
}

#[cfg(test)]
mod tests;
