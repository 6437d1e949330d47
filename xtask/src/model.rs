//! `cargo xtask model`: builds the models, lets processes explore them, and tells what they found.
//!
//! One process a model, several at a time: coroutines in threads of one process would wait for each other in the kernel, which gives
//! and takes their stacks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use sigproof_harness::case::Variant;
use sigproof_harness::exit::Exit;
use sigproof_harness::model::worker::{Bounds, Event, Order};
use sigproof_harness::model::{Entry, Selection, entries};
use sigproof_harness::report::{Report, Run, Technique, Verdict};
use sigproof_osnote::backends;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};
use sigproof_shim::sync::Arc;

use crate::args::{ModelArgs, Preemptions};
use crate::output;
use crate::progress::{self, Progress};
use crate::select::{self, Name, Unknown};
use crate::{interrupt, reports, units};

mod kept;
pub mod process;
mod source;
mod weaken;

use process::Explorer;

/// Why it does not go on.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// What that makes of the command.
    pub exit: Exit,
    /// What the user is told.
    pub message: String,
}

impl Trouble {
    /// The machine is not as it must be.
    pub fn environment(message: String) -> Self {
        Self { exit: Exit::Environment, message }
    }

    /// We are not as we must be.
    pub fn unexpected(message: String) -> Self {
        Self { exit: Exit::Unexpected, message }
    }
}

/// Runs the verb.
pub fn run(args: &ModelArgs) -> Exit {
    let Ok(out) = reports::stream(&args.reports) else { return Exit::Usage };
    let selection = match selection(args) {
        Ok(selection) => selection,
        Err(unknown) => {
            output::complain(&unknown.to_string());
            return Exit::Usage;
        }
    };
    let chosen: Vec<Entry> = entries().into_iter().filter(|entry| selection.chooses(entry)).collect();
    if chosen.is_empty() {
        output::complain("no chosen model has this note, mode and variant; `cargo xtask list` shows what there is");
        return Exit::Usage;
    }
    let stop = Arc::new(AtomicBool::new(false));
    if let Err(error) = interrupt::stop_on_signals(&stop) {
        output::tell(&format!("warning: an interruption will lose the results: {error}"));
    }
    let done = process::build().and_then(|program| {
        if args.weaken {
            return weaken::run(args, &program, &chosen, out, &stop);
        }
        let started = Instant::now();
        let (runs, trouble) = explore(args, &program, &chosen, &stop);
        let mut report = Report::new();
        report.runs = runs;
        report.elapsed_seconds = started.elapsed().as_secs_f64();
        report.interrupted = stop.load(Ordering::Relaxed);
        let told = reports::tell(&report, &args.reports, out);
        if report.interrupted {
            return Ok(Exit::Interrupted);
        }
        if let Some(trouble) = trouble {
            output::complain(&trouble.message);
            return Ok(trouble.exit.worst(told));
        }
        Ok(Exit::of_runs(&report.runs, |_| true).worst(told))
    });
    done.unwrap_or_else(|trouble| {
        output::complain(&trouble.message);
        trouble.exit
    })
}

/// Which models these arguments choose.
fn selection(args: &ModelArgs) -> Result<Selection, Unknown> {
    let mut known: Vec<Name> = Vec::new();
    for entry in entries() {
        if !known.iter().any(|name| name.name == entry.name) {
            known.push(Name { name: entry.name, hidden: false });
        }
    }
    let notes: Vec<_> = backends().iter().map(|b| Name { name: b.name, hidden: false }).collect();
    Ok(Selection {
        names: select::resolve("model", &args.names, &known)?,
        labels: Vec::new(),
        notes: select::resolve("note", &args.notes, &notes)?,
        mode: args.mode,
        variant: args.variant,
    })
}

/// How many processes at a time.
fn jobs(args: &ModelArgs) -> usize {
    args.jobs.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// Gives each of `count` things to `work`, so many at a time, until there are none left or it is to stop. The first trouble is given
/// back, and ends it.
fn in_parallel(
    jobs: usize,
    count: usize,
    stop: &AtomicBool,
    work: impl Fn(usize) -> Result<(), Trouble> + Sync,
) -> Option<Trouble> {
    let next = Mutex::new(0..count);
    let trouble = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..jobs.min(count) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed)
                    && let Some(n) = next.lock().ok().and_then(|mut next| next.next())
                {
                    if let Err(met) = work(n) {
                        if let (Ok(mut trouble), Ok(mut next)) = (trouble.lock(), next.lock()) {
                            trouble.get_or_insert(met);
                            *next = 0..0;
                        }
                        return;
                    }
                }
            });
        }
    });
    trouble.into_inner().ok().flatten()
}

/// Explores the chosen models; what they came to, in their order, and what went wrong beside.
///
/// A budget is shared out: each model gets its part of what is left, so that a few large ones do not use up all of it; those that were
/// not done with theirs are explored again, as long as there is more for each than it had.
fn explore(args: &ModelArgs, program: &Path, chosen: &[Entry], stop: &AtomicBool) -> (Vec<Run>, Option<Trouble>) {
    let progress = Progress::start();
    let until = args.budget.map(|budget| Instant::now() + budget);
    let left = || until.map(|until| until.saturating_duration_since(Instant::now()));
    let runs = Mutex::new(BTreeMap::new());
    let mut open: Vec<usize> = (0..chosen.len()).collect();
    let mut thing = "model";
    let trouble = loop {
        progress.event(progress::Event::Planned { count: open.len(), thing });
        // With few models the plans of each are shared out.
        let (outer, inner) = if open.len() >= jobs(args) { (jobs(args), 1) } else { (open.len(), jobs(args)) };
        let share = |of: usize| left().map(|left| left.min(left.mul_f64(outer as f64 / of.max(1) as f64)));
        let first_share = share(open.len());
        let trouble = in_parallel(outer, open.len(), stop, |n| {
            let index = open[n];
            let bounds = bounds(args, &chosen[index], share(open.len() - n), inner);
            if let Some(run) = explore_one(program, &chosen[index], index, bounds, stop, &progress)? {
                progress.event(progress::Event::Finished { index, run: Box::new(run.clone()) });
                if let Ok(mut runs) = runs.lock() {
                    runs.insert(index, run);
                }
            }
            Ok(())
        });
        let out_of_time = |run: &Run| run.more.get("not_exhausted").is_some_and(|why| *why == OUT_OF_TIME);
        open = runs.lock().map_or_else(
            |_| Vec::new(),
            |runs| runs.iter().filter(|(_, run)| out_of_time(run)).map(|(index, _)| *index).collect(),
        );
        let next_share = left().map(|left| left.mul_f64(jobs(args) as f64 / open.len().max(1) as f64));
        if open.is_empty() || trouble.is_some() || stop.load(Ordering::Relaxed) || next_share <= first_share {
            break trouble;
        }
        thing = "unfinished model";
    };
    progress.finish();
    (runs.into_inner().unwrap_or_default().into_values().collect(), trouble)
}

/// Why a model is not exhausted that the budget was too small for: in the driver's words.
const OUT_OF_TIME: &str = "time budget";

/// Explores one model in a process of its own. `None`: it was stopped.
fn explore_one(
    program: &Path,
    entry: &Entry,
    index: usize,
    bounds: Bounds,
    stop: &AtomicBool,
    progress: &Progress,
) -> Result<Option<Run>, Trouble> {
    if bounds.budget == Some(0.0) {
        return Ok(Some(not_begun(entry)));
    }
    let label = entry.label();
    progress.event(progress::Event::Started { index, label: label.clone() });
    let selection = Selection { labels: vec![label], ..Selection::default() };
    let mut found = None;
    Explorer::start(program, &Order::Explore { selection, bounds })?.events(|event| {
        match event {
            Event::Done(_, run) => found = Some(*run),
            Event::Plans { done, known, executions, .. } => progress.event(progress::Event::Progress {
                index,
                fraction: done as f64 / known.max(1) as f64,
                detail: format!("plan {done} of {known} so far, {} executions", units::count(executions)),
            }),
            _ => {}
        }
        !stop.load(Ordering::Relaxed)
    })?;
    Ok(found)
}

fn bounds(args: &ModelArgs, entry: &Entry, left: Option<Duration>, jobs: usize) -> Bounds {
    let asked = args.preemptions.map(|asked| match asked {
        Preemptions::AtMost(n) => Some(n),
        Preemptions::Unbounded => None,
    });
    let depth = entry.depth();
    Bounds {
        deliveries: if args.deep { Some(depth.deliveries + 1) } else { args.deliveries },
        preemptions: match entry.setup.variant {
            _ if args.deep => Some(depth.preemptions.map(|n| n + 1)),
            Variant::Fixed if args.quick => Some(depth.preemptions.map(|n| n.min(1))),
            _ => asked,
        },
        budget: left.map(|left| left.as_secs_f64()),
        jobs: Some(jobs),
    }
}

/// The run of a model that the budget did not reach.
fn not_begun(entry: &Entry) -> Run {
    let mut run = Run::new(Technique::Model, entry.name, entry.setup.variant, entry.expected().clone());
    run.flavour = entry.setup.flavour.map(str::to_owned);
    run.note = entry.setup.note_name().map(str::to_owned);
    run.mode = entry.setup.mode;
    run.verdict = Verdict::Inconclusive;
    run.reason = Some(format!("not exhausted: {OUT_OF_TIME}; it was not begun"));
    run.more.insert("exhausted".into(), json!(false));
    run.more.insert("not_exhausted".into(), json!(OUT_OF_TIME));
    run
}
