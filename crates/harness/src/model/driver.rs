//! Explores a model: its plans level by level, in parallel; and finds the counterexample that is shortest to
//! read.
//!
//! | verdict | when |
//! |---|---|
//! | as-expected | every plan of every level was explored within the bounds; every required outcome occurred and no forbidden one |
//! | unexpected | an outcome that must never be; or one that must and is nowhere within the bounds; or no signal was ever delivered |
//! | inconclusive | the time ran out, or an execution was too long, before the above could be told |
//!
//! A broken variant is explored until what must be seen was seen; each level of plans first without
//! preemptions, then with one, and so on. That finds the failure with the shortest plan, and of that one with
//! the fewest preemptions; and soon.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use sigproof_shim::model::{self as engine, Choices, End, Exploration, Limits, Plan};
use sigproof_shim::native::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::state::State;
use super::token::Perturbed;
use super::{Depth, Entry, counterexample, graphs, plans, verdict};
use sigproof_report::seen::{Exhaustion, Explored, Model};
use sigproof_report::{Expected, Grade, Looked, Outcome, PROGRAM, Run, Seen, Technique};

/// How far to go, where the user says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Perturbations in one execution.
    pub deliveries: Option<u32>,
    /// Preemptions in one execution; `Some(None)`: any number.
    pub preemptions: Option<Option<u8>>,
    /// Weak compare-and-exchanges of each thread that fail though the value is the expected one.
    pub weak_failures: Option<u32>,
    /// When to stop, on the monotonic clock.
    pub until: Option<Duration>,
    /// Whether a search of a fixed variant that the time ends is as good as one that a bound ends: nothing
    /// was found within it.
    pub time_bounds: bool,
    /// How many plans to explore at a time.
    pub jobs: usize,
    /// Go on from this state of the model. For the explorer of graphs, as the next two.
    pub state: Option<State>,
    /// Keep the state of a search that the time ends.
    pub keep: bool,
    /// Count the distinct graphs.
    pub distinct: bool,
}

impl Options {
    fn depth(&self, entry: &Entry) -> Depth {
        Depth {
            deliveries: self.deliveries.unwrap_or(entry.model.depth.deliveries),
            preemptions: self.preemptions.unwrap_or(entry.model.depth.preemptions),
        }
    }
}

/// Told while a model is explored.
pub trait Observer: Sync {
    /// So many of the plans known so far are done, in so many executions.
    fn plans(&self, entry: &Entry, done: usize, known: usize, executions: u64);
}

impl Observer for () {
    fn plans(&self, _: &Entry, _: usize, _: usize, _: u64) {}
}

/// Why a search is not exhausted whose budget was too small: how the reason begins.
pub const OUT_OF_TIME: &str = "time budget";

/// A failing plan.
pub(super) struct Failing {
    pub perturbed: Perturbed,
    pub choices: Option<Choices>,
    pub sentence: String,
    /// Since the exploration began.
    pub seconds: f64,
}

/// What the exploration came to so far.
#[derive(Default)]
pub(super) struct Found {
    pub(super) executions: u64,
    pub(super) plans: usize,
    pub(super) signals: u64,
    pub(super) well: u64,
    pub(super) failing: BTreeMap<Outcome, (u64, Failing)>,
    pub(super) stopped: Option<String>,
    /// What the search was cut by, as agreed.
    pub(super) bound: Option<String>,
    pub(super) unsupported: bool,
    /// Runs that were no executions.
    pub(super) discarded: u64,
    /// The bound of weak compare-and-exchanges that fail, where it left executions out.
    pub(super) weak_failures: Option<u32>,
    /// How many graphs the executions had, if that was counted.
    pub(super) distinct: Option<u64>,
    /// About how many executions are left.
    pub(super) remaining: Option<engine::Remaining>,
    /// From where the search can go on.
    pub(super) state: Option<State>,
}

/// Explores a model.
pub fn explore(entry: &Entry, options: &Options, observer: &dyn Observer) -> Run {
    explore_from(entry, options, observer).0
}

/// The same, with the state that [`Options::keep`] asks for.
pub fn explore_from(entry: &Entry, options: &Options, observer: &dyn Observer) -> (Run, Option<State>) {
    let started = Instant::now();
    let depth = options.depth(entry);
    let mut found = Found::default();
    let broken = is_broken(entry.expected());
    let depth = if engine::Engine::own() == Some(engine::Engine::Graph) {
        graphs::explore(entry, options, depth.deliveries, observer, started, &mut found);
        // Nothing bounds the order in which threads run.
        Depth { preemptions: None, ..depth }
    } else {
        let bounds = if broken { rising(depth.preemptions) } else { vec![depth.preemptions] };
        levels(entry, options, depth.deliveries, &bounds, observer, started, &mut found);
        depth
    };
    let mut run = run_of(entry);
    judge(&mut run, &found, entry, depth);
    let state = found.state.take();
    for (outcome, (_, failing)) in found.failing {
        // With one preemption more at a time, the first failure has the fewest.
        let bound = if broken { None } else { depth.preemptions.or(Some(RISING)) };
        run.add_finding(counterexample::finding(entry, bound, outcome, failing));
    }
    run.elapsed_seconds = started.elapsed().as_secs_f64();
    (run, state)
}

/// A run of this model, with nothing in it.
pub(super) fn run_of(entry: &Entry) -> Run {
    Run::new(Technique::Model, entry.id(), entry.expected().clone())
}

/// So many preemptions a search adds one at a time; after them it goes on with all that it may have.
const RISING: u8 = 6;

/// No preemption, one, and so on, up to the bound.
fn rising(bound: Option<u8>) -> Vec<Option<u8>> {
    let last = bound.unwrap_or(u8::MAX);
    (0..last.min(RISING)).map(Some).chain([bound]).collect()
}

/// Explores level by level, each within these bounds of preemptions, one after another.
fn levels(
    entry: &Entry,
    options: &Options,
    deliveries: u32,
    bounds: &[Option<u8>],
    observer: &dyn Observer,
    started: Instant,
    found: &mut Found,
) {
    let mut level: Vec<Plan> = vec![Plan::default()];
    let mut known = 0;
    for depth in 0..=deliveries {
        // What the last bound, the widest, has seen.
        let mut next = BTreeSet::new();
        for &preemptions in bounds {
            known += level.len();
            next.clear();
            let enough = AtomicBool::new(false);
            let limits = Limits { preemptions, until: options.until, ..Limits::default() };
            in_parallel(entry, options, &limits, &level, &enough, |plan, explored, choices| {
                take(found, entry, &plan, &explored, choices, started);
                if explored.carried_out > 0 && matches!(explored.end, End::Exhausted) && depth < deliveries {
                    plans::successors(&entry.model, &plan, explored.chances, &mut next);
                }
                observer.plans(entry, found.plans, known, found.executions);
                if satisfied(found, entry.expected()) {
                    enough.store(true, Ordering::Relaxed);
                }
            });
            if satisfied(found, entry.expected()) || found.unsupported {
                return;
            }
        }
        level = next.into_iter().collect();
    }
}

/// Explores plans, several at a time, and gives each result to `take`, one at a time.
fn in_parallel(
    entry: &Entry,
    options: &Options,
    limits: &Limits,
    level: &[Plan],
    enough: &AtomicBool,
    mut take: impl FnMut(Plan, Exploration, Option<Choices>),
) {
    let next = AtomicUsize::new(0);
    let (send, results) = mpsc::channel();
    let work = |send: Sender<_>| {
        while !enough.load(Ordering::Relaxed)
            && let Some(plan) = level.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let (explored, choices) = engine::explore(plan, limits, &entry.model.body);
            if send.send((plan.clone(), explored, choices)).is_err() {
                return;
            }
        }
    };
    thread::scope(|scope| {
        let work = &work;
        for number in 0..options.jobs.clamp(1, level.len().max(1)) {
            let to = send.clone();
            let started = thread::Builder::new().spawn_scoped(scope, move || work(to));
            // Where the machine refuses a thread, those that there are do the work, or this one.
            if started.is_err() {
                if number == 0 {
                    work(send.clone());
                }
                break;
            }
        }
        drop(send);
        for (plan, explored, choices) in results {
            take(plan, explored, choices);
        }
    });
}

fn take(
    found: &mut Found,
    entry: &Entry,
    plan: &Plan,
    explored: &Exploration,
    choices: Option<Choices>,
    started: Instant,
) {
    found.executions += explored.executions;
    found.plans += 1;
    found.signals += explored.deliveries;
    found.well += explored.executions;
    match &explored.end {
        End::Exhausted => {}
        End::OutOfTime => found.stopped = Some(OUT_OF_TIME.to_owned()),
        End::TooLarge => {
            // The last execution has no end.
            found.well = found.well.saturating_sub(1);
            let branches = Limits::default().branches;
            found.stopped = Some(format!("an execution of {} has more than {branches} branches", entry.label()));
        }
        End::Unsupported | End::Misfit => found.unsupported = true,
        End::Failed(failure) => {
            found.well -= 1;
            let (outcome, sentence) = verdict::judge(failure);
            let seconds = started.elapsed().as_secs_f64();
            let failing = Failing { perturbed: Perturbed::Plan(plan.clone()), choices, sentence, seconds };
            found
                .failing
                .entry(outcome)
                .and_modify(|(count, first)| {
                    *count += 1;
                    // The order of arrival is that of the threads; the order of the plans is ours.
                    let is_first = match &first.perturbed {
                        Perturbed::Plan(first) => (plan.len(), plan) < (first.len(), first),
                        Perturbed::By(_) => false,
                    };
                    if is_first {
                        first.perturbed = failing.perturbed.clone();
                        first.choices = failing.choices.clone();
                        first.sentence = failing.sentence.clone();
                    }
                })
                .or_insert((1, failing));
        }
    }
}

/// Whether no more can be learned: something that must never be was seen, or all that must be was.
pub(super) fn satisfied(found: &Found, expected: &Expected) -> bool {
    let broken = is_broken(expected);
    let forbidden = found.failing.keys().any(|outcome| expected.grade(*outcome) == Grade::Never);
    let seen =
        |outcome| if outcome == Outcome::Delivered { found.well > 0 } else { found.failing.contains_key(&outcome) };
    forbidden || found.stopped.is_some() || (broken && expected.must_occur().all(seen))
}

pub(super) fn is_broken(expected: &Expected) -> bool {
    expected.is_shown_by_an_outcome()
}

fn judge(run: &mut Run, found: &Found, entry: &Entry, depth: Depth) {
    run.attempts = found.executions;
    run.signals = found.signals;
    run.signals_in_window = found.signals;
    run.observed = found.failing.iter().map(|(outcome, (count, _))| (*outcome, *count)).collect();
    if found.well > 0 {
        run.observed.insert(Outcome::Delivered, found.well);
    }
    run.first_seconds = found.failing.values().map(|(_, f)| f.seconds).min_by(f64::total_cmp);
    let bound = depth.preemptions.map(|bound| format!("preemption bound {bound}"));
    let ended_early = !found.failing.is_empty();
    let early = || ended_early.then(|| "ended at a failure".to_owned());
    let limit = found.stopped.clone().or_else(early).or_else(|| found.bound.clone()).or(bound);
    let exhausted = Exhaustion { exhausted: limit.is_none(), not_exhausted: limit };
    let explored = Explored {
        executions: found.executions,
        tuples: found.plans as u64,
        deliveries: depth.deliveries,
        preemptions: depth.preemptions,
        weak_failures: found.weak_failures,
        discarded: found.discarded,
        distinct: found.distinct,
        remaining: found.remaining.map(|left| left.about.round() as u64),
        remaining_between: found.remaining.map(|left| [left.low, left.high].map(|end| end.round() as u64)),
    };
    run.seen = Seen::Model(Box::new(Model { explored: Some(explored), end: Some(exhausted), weakened: None }));

    // A bug that shows itself before the first signal is a bug, too.
    let silent = entry.model.handlers > 0 && depth.deliveries > 0 && found.signals == 0 && found.failing.is_empty();
    run.grade(Looked {
        refused: found.unsupported.then(|| format!("this build has no models; run it through `{PROGRAM} model`")),
        void: (silent && found.stopped.is_none() && run.missing().next().is_none())
            .then(|| "no signal was ever delivered: the model shows nothing".to_owned()),
        cut: found.stopped.as_ref().map(|stopped| format!("not exhausted: {stopped}")),
        shallow: shallow(depth, entry.model.depth)
            .then(|| "the exploration was not as deep as the model is made for".to_owned()),
        within: format!("within {} deliveries and {}", depth.deliveries, preemptions(depth)),
    });
}

/// Whether one depth is less than another.
fn shallow(depth: Depth, than: Depth) -> bool {
    let preemptions = |depth: Depth| depth.preemptions.unwrap_or(u8::MAX);
    depth.deliveries < than.deliveries || preemptions(depth) < preemptions(than)
}

fn preemptions(depth: Depth) -> String {
    depth.preemptions.map_or("any number of preemptions".to_owned(), |n| format!("{n} preemptions"))
}

/// Explores several models: several at a time if there are enough of them, else the plans of each. `done`
/// gets each run as it ends.
pub fn explore_all(
    entries: &[Entry],
    options: &Options,
    observer: &dyn Observer,
    done: impl Fn(usize, Run, Option<State>) + Sync,
) {
    let jobs = options.jobs.max(1);
    let (outer, inner) = if entries.len() >= jobs { (jobs, 1) } else { (1, jobs) };
    let options = Options { jobs: inner, ..options.clone() };
    let next = Mutex::new(0..entries.len());
    let work = || {
        while let Some(n) = next.lock().ok().and_then(|mut next| next.next()) {
            let (run, state) = explore_from(&entries[n], &options, observer);
            done(n, run, state);
        }
    };
    thread::scope(|scope| {
        for number in 0..outer {
            // As in `in_parallel`.
            if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                if number == 0 {
                    work();
                }
                break;
            }
        }
    });
}

#[cfg(test)]
mod tests;
