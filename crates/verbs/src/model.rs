//! `sigproof model`: explores the models in processes, and prints the results.
//!
//! One process a model, several at a time: coroutines in threads of one process would wait for each other in
//! the kernel, which maps and unmaps their stacks.
//!
//! | module | holds |
//! |---|---|
//! | `rounds` | the time of all models, shared out |
//! | `saved` | the file of `--continue` |
//! | [`process`] | the program with models |
//! | `both` | the comparison of two engines |

use std::path::Path;
use std::time::{Duration, Instant};

use sigproof_casebook::REGISTRY;
use sigproof_harness::model::driver::OUT_OF_TIME;
use sigproof_harness::model::state::State;
use sigproof_harness::model::worker::{Bounds, Event, Order};
use sigproof_harness::model::{Engine, Entry};
use sigproof_report::seen::{Exhaustion, Model};
use sigproof_report::{Exit, Run, Seen, Selection, Technique, Variant, Verdict};
use sigproof_shim::native::atomic::AtomicBool;

use crate::args::{Engines, ModelArgs, Preemptions};
use crate::findings::View;
use crate::parallel::jobs;
use crate::progress::{self, Progress};
use crate::select::{self, Unknown};
use crate::session::{Concluded, Session, Text};
use crate::trouble::Trouble;
use crate::units;

mod both;
pub mod process;
mod rounds;
mod saved;

use process::Explorer;
use rounds::Rounds;
use saved::Saved;

/// Runs the verb.
pub fn run(args: &ModelArgs, session: &mut Session<'_>) -> Concluded {
    let chosen = chosen(args)?;
    let mut tally = None;
    let (runs, trouble) = match args.engine {
        Engines::Loom => over(Engine::Loom, args, &chosen, session)?,
        Engines::Graph => over(Engine::Graph, args, &chosen, session)?,
        Engines::Both => {
            let (first, trouble) = over(Engine::Loom, args, &chosen, session)?;
            match trouble {
                Some(_) => (first, trouble),
                None => {
                    let (second, trouble) = over(Engine::Graph, args, &chosen, session)?;
                    let (runs, found) = both::compared(&first, second);
                    tally = Some(found);
                    (runs, trouble)
                }
            }
        }
    };
    let report = session.report(runs);
    if let Some(drawing) = &args.graph {
        drawing.draw(&report)?;
    }
    let mut ended = session.conclude(&report, Text::Table(Technique::Model, View::WHOLE), trouble, |_| true)?;
    if let Some(tally) = tally {
        ended.exit = ended.exit.worst(session.out.say(&format!("{tally}\n")));
    }
    Ok(ended)
}

/// The runs of the models over one engine.
fn over(
    engine: Engine,
    args: &ModelArgs,
    chosen: &[Entry],
    session: &Session<'_>,
) -> Result<(Vec<Run>, Option<Trouble>), Trouble> {
    for (given, flag) in [(args.state.is_some(), "--continue"), (args.distinct, "--distinct")] {
        if given && args.engine != Engines::Graph {
            return Err(Trouble::usage(format!("{flag} is for the explorer of graphs: give --engine graph")));
        }
    }
    let bounds_graph = args.preemptions.is_some() && args.engine == Engines::Graph;
    if bounds_graph {
        return Err(Trouble::usage(
            "--preemptions bounds the search of loom; the explorer of graphs has no such bound: leave it out, or give \
             --engine loom"
                .to_owned(),
        ));
    }
    if args.weak_failures.is_some() && args.engine == Engines::Loom {
        return Err(Trouble::usage(
            "--weak-failures is for the explorer of graphs: loom's weak exchanges are the strong ones; leave it out, \
             or give --engine graph"
                .to_owned(),
        ));
    }
    let program = process::find(session.tool.explorer, engine)?;
    explore(engine, args, &program, chosen, session.stop)
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
fn explore(
    engine: Engine,
    args: &ModelArgs,
    program: &Path,
    chosen: &[Entry],
    stop: &AtomicBool,
) -> Result<(Vec<Run>, Option<Trouble>), Trouble> {
    let mut saved = match &args.state {
        Some(path) => Some(Saved::open(path, program, args)?),
        None => None,
    };
    let known = saved.as_ref().map(|saved| saved.known(chosen)).unwrap_or_default();
    let progress = Progress::start();
    let rounds = Rounds {
        until: budget(engine, args).map(|budget| Instant::now() + budget),
        begins_all: args.budget.is_none(),
        jobs: jobs(args.jobs),
        goes_on: engine == Engine::Graph && !args.distinct,
    };
    let (all, trouble) = rounds.all(known, chosen.len(), stop, &progress, |index, time, jobs, state| {
        let bounds = bounds(args, &chosen[index], time, jobs);
        let bounds = Bounds { keep: rounds.goes_on, distinct: args.distinct, ..bounds };
        explore_one(engine, program, &chosen[index], index, bounds, state, stop, &progress)
    });
    progress.finish();
    if let (Some(saved), Some(path)) = (&mut saved, &args.state) {
        saved.put(chosen, &all);
        saved.write(path)?;
    }
    Ok((all.into_values().map(|part| part.run).collect(), trouble))
}

/// Explores one model in a process of its own. `None`: an interruption stopped it.
#[expect(clippy::too_many_arguments, reason = "they belong to different owners")]
fn explore_one(
    engine: Engine,
    program: &Path,
    entry: &Entry,
    index: usize,
    bounds: Bounds,
    state: Option<State>,
    stop: &AtomicBool,
    progress: &Progress,
) -> Result<Option<(Run, Option<State>)>, Trouble> {
    if bounds.budget == Some(0.0) {
        // What is known of it stays.
        return Ok(state.is_none().then(|| (not_begun(entry), None)));
    }
    let label = entry.label();
    progress.event(progress::Event::Started { index, label: label.clone() });
    let selection = Selection::only(&entry.id());
    let (mut found, mut left) = (None, None);
    let order = Order::Explore { selection, bounds, state: state.map(Box::new) };
    let ended = Explorer::start(program, &order)?.events(stop, |event| match event {
        Event::Unfinished(state) => left = Some(*state),
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
        Ok(()) => found.map(|run| (run, left)),
        Err(trouble) => Some((no_verdict(entry, trouble), None)),
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
        weak_failures: args.most_weak_failures(),
        budget: left.map(|left| left.as_secs_f64()),
        jobs: Some(jobs),
        time_bounds: args.budget.is_none(),
        ..Bounds::default()
    }
}

/// The run of a model that the budget did not reach.
fn not_begun(entry: &Entry) -> Run {
    let mut run = unexplored(entry, OUT_OF_TIME);
    run.verdict = Verdict::Inconclusive;
    run.reason = Some(format!("not exhausted: {OUT_OF_TIME}; it was not begun"));
    run
}
