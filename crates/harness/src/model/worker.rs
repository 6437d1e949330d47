//! The process that explores: it reads one order and answers with events
//! ([`sigproof_inspect::process::lines`]).
//!
//! Its program is `sigproof-model`, built with `--cfg loom` or `--cfg sigproof_graph`. The process ends when
//! its standard input does, so it does not outlive its parent.

use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sigproof_shim::native::os::clock;

use super::driver::{self, Observer, Options};
use super::litmus::{self, Judgement};
use super::orderings::{self, Caught, Effort, Used};
use super::state::State;
use super::{Engine, Entry, counterexample};
use crate::registry::Registry;
use sigproof_inspect::process::lines::{Dialect, Orders, Teller};
use sigproof_report::{Run, Selection};

/// What a process that explores is told and tells.
#[derive(Debug)]
pub struct Exploring;

impl Dialect for Exploring {
    const NAME: &'static str = "model";
    const VERSION: u32 = 3;
    type Order = Order;
    type Event = Event;
}

/// What the process does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Order {
    /// Explore the chosen models.
    Explore {
        selection: Selection,
        /// How far, where the models' own depth is not meant.
        bounds: Bounds,
        /// From where the search of the only model goes on.
        #[serde(default)]
        state: Option<Box<State>>,
    },
    /// Run the execution of a token.
    Replay(String),
    /// Tell the orderings that the chosen models use.
    Survey(Selection),
    /// Take an ordering for a weaker one in the chosen models, until one fails.
    Weaken {
        /// Which models may fail; in the order of the labels.
        selection: Selection,
        /// Which ordering.
        used: Used,
        /// The ordering that replaces it.
        to: String,
        /// How hard to try.
        effort: Effort,
        /// Whether to tell the counterexample, too.
        #[serde(default)]
        explain: bool,
    },
    /// Judge a litmus test.
    Judge(litmus::Order),
}

/// How far to go.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Bounds {
    /// Perturbations in one execution.
    pub deliveries: Option<u32>,
    /// Preemptions in one execution; `Some(None)`: any number.
    pub preemptions: Option<Option<u8>>,
    /// Weak compare-and-exchanges of each thread that fail though the value is the expected one.
    #[serde(default)]
    pub weak_failures: Option<u32>,
    /// Seconds, in all.
    pub budget: Option<f64>,
    /// Whether the budget is a bound like others: see [`Options::time_bounds`].
    #[serde(default)]
    pub time_bounds: bool,
    /// Explored at a time.
    pub jobs: Option<usize>,
    /// Whether the state of a search that the time ends is told.
    #[serde(default)]
    pub keep: bool,
    /// Whether distinct graphs are counted.
    #[serde(default)]
    pub distinct: bool,
}

/// What it tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// So many models follow.
    Begin(usize),
    /// A model is being explored.
    Plans {
        label: String,
        /// Plans done.
        done: usize,
        /// Plans known so far.
        known: usize,
        /// Executions run.
        executions: u64,
    },
    /// The time ended the search of a model in this state. Its run follows.
    Unfinished(Box<State>),
    /// A model is done: its index among the chosen models, and its run.
    Done(usize, Box<Run>),
    /// The orderings that a model uses.
    Used {
        label: String,
        used: Vec<Used>,
        /// The executions that it took to find out.
        executions: u64,
    },
    /// The result of a weakening: the model that failed, if one did.
    Weakened(Option<Caught>),
    /// The result of a litmus test.
    Judged(Box<Judgement>),
    /// The order cannot be carried out.
    Refused(String),
    /// This machine lacks something for it.
    Lacks(String),
}

/// The argument that asks for [`version`] instead of giving an order.
pub const VERSION: &str = "--version";

/// What the program says of itself: its version, and whether this build has the models, over which engine.
pub fn version(models: Option<Engine>) -> String {
    let what = match models {
        Some(Engine::Loom) => "with models",
        Some(Engine::Graph) => "with models over execution graphs",
        None => "a build without models",
    };
    format!("sigproof-model {}, {what}", env!("CARGO_PKG_VERSION"))
}

/// Carries out the first order. There are no others: the standard input stays open as long as the parent
/// wants the result.
pub fn main(registry: &Registry) -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == VERSION) {
        println!("{}", version(Engine::own()));
        return ExitCode::SUCCESS;
    }
    let teller = Teller::<Exploring>::greet(remove_folder);
    let mut orders = Orders::<Exploring>::of_parent();
    let order = match orders.next() {
        Some(Ok(order)) => order,
        Some(Err(why)) => {
            teller.tell(&Event::Refused(why));
            return ExitCode::FAILURE;
        }
        // The parent is gone.
        None => {
            remove_folder();
            return ExitCode::FAILURE;
        }
    };
    if let Err(refusal) = orders.leash(remove_folder) {
        teller.tell(&Event::Lacks(refusal.to_string()));
        return ExitCode::SUCCESS;
    }
    if let Some(what) = sigproof_shim::model::lacking() {
        teller.tell(&Event::Lacks(what));
        return ExitCode::SUCCESS;
    }
    match order {
        Order::Explore { selection, bounds, state } => explore(registry, &selection, bounds, state, &teller),
        Order::Replay(token) => teller.tell(&replay(registry, &token)),
        Order::Survey(selection) => {
            for entry in chosen(registry, &selection) {
                let (used, executions) = orderings::survey(&entry);
                teller.tell(&Event::Used { label: entry.label(), used, executions });
            }
        }
        Order::Weaken { selection, used, to, effort, explain } => {
            let mut entries = chosen(registry, &selection);
            entries.sort_by_key(|entry| selection.setups.iter().position(|label| *label == entry.label()));
            teller.tell(&Event::Weakened(orderings::weaken(&entries, &used, &to, effort, explain)));
        }
        Order::Judge(order) => teller.tell(&Event::Judged(Box::new(litmus::judge(&order)))),
    }
    ExitCode::SUCCESS
}

/// The beginning of the name of the folder for this process's temporary files (`TMPDIR`). The parent makes
/// the folder and removes it. Where the parent is killed, this process removes it.
pub const FOLDER: &str = "sigproof-explorer-";

fn remove_folder() {
    let folder = std::env::temp_dir();
    if folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(FOLDER)) {
        // What cannot be removed stays. The parent may remove it at the same time.
        let _ = std::fs::remove_dir_all(folder);
    }
}

fn chosen(registry: &Registry, selection: &Selection) -> Vec<Entry> {
    registry.models().into_iter().filter(|entry| entry.is_chosen(selection)).collect()
}

fn explore(
    registry: &Registry,
    selection: &Selection,
    bounds: Bounds,
    state: Option<Box<State>>,
    teller: &Teller<Exploring>,
) {
    let chosen = chosen(registry, selection);
    teller.tell(&Event::Begin(chosen.len()));
    let budget = bounds.budget.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let options = Options {
        deliveries: bounds.deliveries,
        preemptions: bounds.preemptions,
        weak_failures: bounds.weak_failures,
        until: budget.map(|budget| clock::now() + budget),
        time_bounds: bounds.time_bounds,
        jobs: bounds.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)),
        state: state.map(|state| *state),
        keep: bounds.keep,
        distinct: bounds.distinct,
    };
    let observer = NowAndThen { teller, last: Mutex::default() };
    driver::explore_all(&chosen, &options, &observer, |n, run, state| {
        if let Some(state) = state {
            teller.tell(&Event::Unfinished(Box::new(state)));
        }
        teller.tell(&Event::Done(n, Box::new(run)));
    });
}

fn replay(registry: &Registry, token: &str) -> Event {
    match token.parse() {
        Ok(token) => match counterexample::replay(&registry.models(), &token) {
            Some(run) => Event::Done(0, Box::new(run)),
            None => Event::Refused(format!("no model is called '{}'", token.label)),
        },
        Err(error) => Event::Refused(error.to_string()),
    }
}

/// How often progress is told, at most.
const EVERY: Duration = Duration::from_millis(100);

/// Tells progress, not too often.
struct NowAndThen<'a> {
    teller: &'a Teller<Exploring>,
    last: Mutex<Duration>,
}

impl Observer for NowAndThen<'_> {
    fn plans(&self, entry: &Entry, done: usize, known: usize, executions: u64) {
        let now = clock::now();
        if let Ok(mut last) = self.last.lock()
            && now.saturating_sub(*last) >= EVERY
        {
            *last = now;
            self.teller.tell(&Event::Plans { label: entry.label(), done, known, executions });
        }
    }
}
