//! `sigproof model`: explores the models in processes, and prints the results.
//!
//! One process a model, several at a time: coroutines in threads of one process would wait for each other in
//! the kernel, which maps and unmaps their stacks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sigproof_casebook::REGISTRY;
use sigproof_harness::model::driver::OUT_OF_TIME;
use sigproof_harness::model::worker::{Bounds, Event, Order};
use sigproof_harness::model::{Engine, Entry};
use sigproof_report::seen::{Exhaustion, Model};
use sigproof_report::{Exit, Run, Seen, Selection, Technique, Variant, Verdict};
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use crate::args::{Engines, ModelArgs, Preemptions};
use crate::findings::View;
use crate::parallel::{self, jobs};
use crate::progress::{self, Progress};
use crate::select::{self, Unknown};
use crate::session::{Concluded, Session, Text};
use crate::trouble::Trouble;
use crate::units;

mod both;
pub mod process;

use process::Explorer;

/// Runs the verb.
pub fn run(args: &ModelArgs, session: &mut Session<'_>) -> Concluded {
    let chosen = chosen(args)?;
    let (runs, trouble) = match args.engine {
        Engines::Loom => over(Engine::Loom, args, &chosen, session)?,
        Engines::Graph => over(Engine::Graph, args, &chosen, session)?,
        Engines::Both => {
            let (first, trouble) = over(Engine::Loom, args, &chosen, session)?;
            match trouble {
                Some(_) => (first, trouble),
                None => {
                    let (second, trouble) = over(Engine::Graph, args, &chosen, session)?;
                    (both::compared(first, second), trouble)
                }
            }
        }
    };
    let report = session.report(runs);
    if let Some(drawing) = &args.graph {
        drawing.draw(&report)?;
    }
    session.conclude(&report, Text::Table(Technique::Model, View::WHOLE), trouble, |_| true)
}

/// The runs of the models over one engine.
fn over(
    engine: Engine,
    args: &ModelArgs,
    chosen: &[Entry],
    session: &Session<'_>,
) -> Result<(Vec<Run>, Option<Trouble>), Trouble> {
    let bounds_graph = args.preemptions.is_some() && args.engine == Engines::Graph;
    if bounds_graph {
        return Err(Trouble::usage(
            "--preemptions bounds the search of loom; the explorer of graphs has no such bound: leave it out, or give \
             --engine loom"
                .to_owned(),
        ));
    }
    let program = process::find(session.tool.explorer, engine)?;
    Ok(explore(engine, args, &program, chosen, session.stop))
}

/// The time that a search of graphs takes at most, where the user gives none.
const GRAPH_TIME: Duration = Duration::from_secs(90);

/// The same for `--quick`.
const QUICK_TIME: Duration = Duration::from_secs(20);

/// The time for all models. Loom has bounds of its own.
fn budget(engine: Engine, args: &ModelArgs) -> Option<Duration> {
    let default = if args.quick { QUICK_TIME } else { GRAPH_TIME };
    args.budget.or((engine == Engine::Graph).then_some(default))
}

/// The models that these arguments choose.
///
/// # Errors
/// A word names nothing, or there is no such model.
pub fn chosen(args: &ModelArgs) -> Result<Vec<Entry>, Trouble> {
    let selection = selection(args).map_err(|unknown| Trouble::usage(unknown.to_string()))?;
    let mut chosen: Vec<Entry> = REGISTRY.models().into_iter().filter(|entry| entry.is_chosen(&selection)).collect();
    if !chosen.is_empty()
        && let Some(shard) = args.shard
    {
        let mut index = 0..;
        chosen.retain(|_| index.next().is_some_and(|index| shard.has(index)));
        if chosen.is_empty() {
            return Err(Trouble::usage("this part has no model: there are fewer models than parts".to_owned()));
        }
    }
    if chosen.is_empty() {
        return Err(Trouble::usage(
            "no chosen model has this note, mode, variant and flavour; `{program} list` shows what there is".to_owned(),
        ));
    }
    Ok(chosen)
}

fn selection(args: &ModelArgs) -> Result<Selection, Unknown> {
    let known = select::names(REGISTRY.models().iter().map(|entry| (entry.name, entry.hidden)));
    let flavours = REGISTRY.models().into_iter().filter_map(|entry| entry.setup.flavour);
    select::selection(&args.choice, "model", &known, flavours)
}

/// Explores the chosen models; returns their runs, in order, and the trouble that ended the exploration.
///
/// Each model gets a share of the remaining budget, so that a few large models do not use up all of it. A
/// model that ran out of its share is explored again while a larger share is left for it.
fn explore(
    engine: Engine,
    args: &ModelArgs,
    program: &Path,
    chosen: &[Entry],
    stop: &AtomicBool,
) -> (Vec<Run>, Option<Trouble>) {
    let progress = Progress::start();
    let until = budget(engine, args).map(|budget| Instant::now() + budget);
    let left = || until.map(|until| until.saturating_duration_since(Instant::now()));
    let runs = Mutex::new(BTreeMap::new());
    let mut open: Vec<usize> = (0..chosen.len()).collect();
    let mut thing = "model";
    let trouble = loop {
        progress.event(progress::Event::Planned { count: open.len(), thing });
        // With few models the plans of each are shared out.
        let (outer, inner) =
            if open.len() >= jobs(args.jobs) { (jobs(args.jobs), 1) } else { (open.len(), jobs(args.jobs)) };
        let share = |of: usize| left().map(|left| left.min(left.mul_f64(outer as f64 / of.max(1) as f64)));
        let first_share = share(open.len());
        let trouble = parallel::each(
            outer,
            open.len(),
            stop,
            || (),
            |(), n| {
                let index = open[n];
                let bounds = bounds(args, &chosen[index], share(open.len() - n), inner);
                let bounds = Bounds { time_bounds: args.budget.is_none(), ..bounds };
                if let Some(run) = explore_one(engine, program, &chosen[index], index, bounds, stop, &progress)? {
                    progress.event(progress::Event::Finished { index, run: Box::new(run.clone()) });
                    if let Ok(mut runs) = runs.lock() {
                        runs.insert(index, run);
                    }
                }
                Ok(())
            },
        );
        let out_of_time = |run: &Run| why_not_exhausted(run).is_some_and(|why| why.starts_with(OUT_OF_TIME));
        open = runs.lock().map_or_else(
            |_| Vec::new(),
            |runs| runs.iter().filter(|(_, run)| out_of_time(run)).map(|(index, _)| *index).collect(),
        );
        let next_share = left().map(|left| left.mul_f64(jobs(args.jobs) as f64 / open.len().max(1) as f64));
        if open.is_empty() || trouble.is_some() || stop.load(Ordering::Relaxed) || next_share <= first_share {
            break trouble;
        }
        thing = "unfinished model";
    };
    progress.finish();
    (runs.into_inner().unwrap_or_default().into_values().collect(), trouble)
}

/// The reason why a model is not exhausted.
fn why_not_exhausted(run: &Run) -> Option<&str> {
    run.model()?.end.as_ref()?.not_exhausted.as_deref()
}

/// Explores one model in a process of its own. `None`: an interruption stopped it.
fn explore_one(
    engine: Engine,
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
    let selection = Selection::only(&entry.id());
    let mut found = None;
    let ended = Explorer::start(program, &Order::Explore { selection, bounds })?.events(stop, |event| match event {
        Event::Done(_, run) => found = Some(*run),
        Event::Plans { done, known, executions, .. } => progress.event(progress::Event::Progress {
            index,
            fraction: done as f64 / known.max(1) as f64,
            detail: match engine {
                Engine::Loom => format!("plan {done} of {known} so far, {} executions", units::count(executions)),
                Engine::Graph => format!("{} executions", units::count(executions)),
            },
        }),
        _ => {}
    });
    Ok(match ended {
        Ok(()) => found,
        Err(trouble) => Some(no_verdict(entry, trouble)),
    })
}

/// The run of a model whose process failed. The other models are still explored.
fn no_verdict(entry: &Entry, trouble: Trouble) -> Run {
    let mut run = unexplored(entry, "the process that explored it has died");
    run.verdict = if trouble.exit == Exit::Environment { Verdict::Skipped } else { Verdict::Unexpected };
    run.reason = Some(trouble.message);
    run
}

/// The run of a model that was not explored, and why.
fn unexplored(entry: &Entry, why: &str) -> Run {
    let seen = Model { end: Some(Exhaustion::cut(why)), ..Model::default() };
    let run = Run::new(Technique::Model, entry.id(), entry.expected().clone());
    Run { seen: Seen::Model(Box::new(seen)), ..run }
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
        time_bounds: false,
    }
}

/// The run of a model that the budget did not reach.
fn not_begun(entry: &Entry) -> Run {
    let mut run = unexplored(entry, OUT_OF_TIME);
    run.verdict = Verdict::Inconclusive;
    run.reason = Some(format!("not exhausted: {OUT_OF_TIME}; it was not begun"));
    run
}
