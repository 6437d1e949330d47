//! Stress: attempts with real signals, until every setup has reached its goal or spent its budget.
//!
//! | file | holds |
//! |---|---|
//! | this one | options, events, and the loop over setups |
//! | `budget` | how the time of a run is divided among its setups |
//! | `plan` | which setups run, and why the others do not |
//! | `tally` | what has been seen of one setup, when it is enough, and what it amounts to |
//!
//! The same code runs broken and fixed variants; only what is expected of the outcomes differs.

mod budget;
mod plan;
mod tally;

use std::panic::resume_unwind;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use sigproof_shim::native::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::inject::Delivery;
use crate::registry::Registry;
use crate::supervise::{self, End, Wish};
use crate::worker::Order;
use sigproof_inspect::refusal::Refusal;
use sigproof_report::{Outcome, Report, Run, Selection};

use budget::Budget;
use plan::Planned;
use tally::{Goal, Tally};

/// How many rounds one attempt has, unless told otherwise: about 50 ms of them.
pub const ROUNDS: u64 = 1_000;

/// How long one setup may take to reach its goal, unless a duration is given.
const PATIENCE: Duration = Duration::from_secs(20);

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which setups.
    pub selection: Selection,
    /// The time for all of it; if none, each setup stops at its goal.
    pub duration: Option<Duration>,
    /// Exactly so many attempts of each setup.
    pub attempts: Option<u64>,
    /// The rounds of an attempt; [`ROUNDS`] if none.
    pub rounds: Option<u64>,
    /// The signals inside the window that a fixed variant has to see; if none, [`Delivery::coverage`], or one
    /// if `attempts` is given.
    pub coverage: Option<u64>,
    /// The seed of everything random; chosen, and reported, if none.
    pub seed: Option<u64>,
    /// How many setups run side by side; half of the processors if none.
    pub jobs: Option<usize>,
    /// How signals are sent; the platform's sharpest way if none.
    pub delivery: Option<Delivery>,
}

/// What happens while it runs.
#[derive(Clone, Debug)]
pub enum Event {
    /// So many setups will run.
    Planned {
        /// How many.
        setups: usize,
    },
    /// A setup begins.
    Started {
        /// Its place in the plan.
        index: usize,
        /// Its case and setup.
        label: String,
    },
    /// A setup goes on.
    Progress {
        /// Its place in the plan.
        index: usize,
        /// Attempts so far.
        attempts: u64,
        /// Signals so far.
        signals: u64,
        /// Those inside the window.
        signals_in_window: u64,
        /// How much of the goal, or of the time, is done: 0 to 1.
        fraction: f64,
    },
    /// An attempt ended badly, in a way not seen before in this setup.
    Bad {
        /// The setup's place in the plan.
        index: usize,
        outcome: Outcome,
        /// The sentence about it.
        sentence: String,
    },
    /// A setup is done.
    Finished {
        /// Its place in the plan.
        index: usize,
        /// What was found.
        run: Box<Run>,
    },
}

/// Why nothing could be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StressError {
    /// A case that is not in the registry.
    #[error("no case is named '{0}'")]
    NoSuchCase(String),
    /// The options exclude each other.
    #[error("nothing to run: {0}")]
    NothingToRun(String),
    /// The platform lacks this delivery.
    #[error("delivery '{0}' does not exist on this platform")]
    NoSuchDelivery(Delivery),
}

/// Runs what the options ask for. `stop` ends it early: what has been found so far is reported.
///
/// # Errors
/// [`StressError`], before anything has run.
pub fn run(
    registry: &Registry,
    options: &Options,
    on_event: &(dyn Fn(Event) + Sync),
    stop: &AtomicBool,
) -> Result<Report, StressError> {
    let started = Instant::now();
    let delivery = options.delivery.unwrap_or(Delivery::best());
    if !delivery.available() {
        return Err(StressError::NoSuchDelivery(delivery));
    }
    let planned = plan::plan(registry, options)?;
    // Kept to 53 bits, which every reader of JSON can hold.
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1 << 53));
    let running = planned.iter().filter(|p| p.skip.is_none()).count();
    on_event(Event::Planned { setups: planned.len() });
    sigproof_inspect::diagnose::warm_up();
    let jobs = options.jobs.unwrap_or_else(default_jobs).clamp(1, running.max(1));
    let budget = options.duration.map(|duration| Budget::new(started + duration, jobs, running));
    let context = Context { options, seed, delivery, budget, on_event, stop, refused: OnceLock::new() };

    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some((index, planned)) = planned.get(next.fetch_add(1, Ordering::Relaxed)).map(|p| (p.index, p)) {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            done.push((index, context.setup(index, planned)));
        }
        done
    };
    let mut runs: Vec<(usize, Run)> = thread::scope(|scope| {
        let start = || thread::Builder::new().spawn_scoped(scope, worker);
        // This thread is one of them: where no other can be started, it does all of the work.
        let threads: Vec<_> = (1..jobs).map_while(|_| start().ok()).collect();
        let own = worker();
        threads.into_iter().flat_map(|t| t.join().unwrap_or_else(|panic| resume_unwind(panic))).chain(own).collect()
    });
    runs.sort_by_key(|(index, _)| *index);

    let mut report = Report::new();
    report.seed = Some(seed);
    report.runs = runs.into_iter().map(|(_, run)| run).collect();
    report.interrupted = stop.load(Ordering::Relaxed);
    report.elapsed_seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// A child and its target need a processor each for the servo to aim well.
fn default_jobs() -> usize {
    thread::available_parallelism().map_or(1, |n| (n.get() / 2).max(1))
}

/// What all setups of a run share.
struct Context<'a> {
    options: &'a Options,
    seed: u64,
    delivery: Delivery,
    budget: Option<Budget>,
    on_event: &'a (dyn Fn(Event) + Sync),
    stop: &'a AtomicBool,
    /// The machine refused something without which no setup can be attempted: the others are not tried in
    /// vain.
    refused: OnceLock<Refusal>,
}

impl Context<'_> {
    /// Runs one setup to its goal.
    fn setup(&self, index: usize, planned: &Planned) -> Run {
        (self.on_event)(Event::Started { index, label: planned.label() });
        let mut tally = Tally::new(planned, self.goal(planned));
        if let Some(reason) = &planned.skip {
            tally.skip(reason.clone());
        } else if let Some(refusal) = self.refused.get() {
            tally.refuse(format!("not attempted, for what another setup met: {refusal}"));
        } else if let Err(refusal) = self.attempts(index, planned, &mut tally) {
            tally.refuse(format!("an attempt could not be made: {refusal}"));
            let _ = self.refused.set(refusal);
        }
        let run = tally.into_run(self.delivery);
        (self.on_event)(Event::Finished { index, run: Box::new(run.clone()) });
        run
    }

    fn goal(&self, planned: &Planned) -> Goal {
        let options = self.options;
        Goal {
            attempts: options.attempts,
            coverage: match (planned.case.aimed(), options.coverage, options.attempts) {
                (false, ..) => 0,
                (true, Some(coverage), _) => coverage,
                (true, None, Some(_)) => 1,
                (true, None, None) => self.delivery.coverage(),
            },
            time: match (&self.budget, &planned.skip) {
                (Some(budget), None) => budget.share(),
                _ => PATIENCE,
            },
            use_all_time: self.budget.is_some(),
        }
    }

    fn attempts(&self, index: usize, planned: &Planned, tally: &mut Tally<'_>) -> Result<(), Refusal> {
        let rounds = self.options.rounds.unwrap_or(ROUNDS);
        while !tally.enough() && !self.stop.load(Ordering::Relaxed) {
            let seed = self.seed.wrapping_add(tally.attempts());
            let order = Order::new(planned.case, &planned.setup, self.delivery, rounds, seed);
            let deadline = tally.deadline();
            let attempted = supervise::attempt(&order, || {
                if self.stop.load(Ordering::Relaxed) {
                    Wish::Abandon
                } else if deadline.is_some_and(|d| Instant::now() >= d) {
                    Wish::Finish
                } else {
                    Wish::GoOn
                }
            })?;
            match &attempted.end {
                // By us, and then the loop ends; or by somebody else, and then it is made again.
                End::Abandoned => continue,
                End::Unsupported(reason) => {
                    tally.refuse(reason.clone());
                    break;
                }
                End::Outcome(outcome) => {
                    let first = tally.count(*outcome, &attempted, seed, &order);
                    if let Some(finding) = attempted.finding.filter(|_| first) {
                        (self.on_event)(Event::Bad { index, outcome: *outcome, sentence: finding.sentence });
                    }
                }
            }
            (self.on_event)(tally.progress(index));
        }
        Ok(())
    }
}
