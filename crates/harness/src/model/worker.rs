//! The process that explores: it is given an order, and answers with events, one JSON object a line.
//!
//! It is this crate's `sigproof-model`, built with `--cfg loom`. It ends when its standard input does, so that it does not outlive who
//! started it.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sigproof_shim::native::os::clock;

use super::driver::{self, Observer, Options};
use super::orderings::{self, Caught, Effort, Used};
use super::{Entry, counterexample};
use crate::registry::Registry;
use sigproof_inspect::refusal::Refusal;
use sigproof_report::{Run, Selection};

/// What is to be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Order {
    /// Explore the chosen models.
    Explore {
        /// Which.
        selection: Selection,
        /// How far, where the models' own depth is not meant.
        bounds: Bounds,
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
    },
}

/// How far to go.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Bounds {
    /// Perturbations in one execution.
    pub deliveries: Option<u32>,
    /// Preemptions in one execution; `Some(None)`: any number.
    pub preemptions: Option<Option<u8>>,
    /// Seconds, in all.
    pub budget: Option<f64>,
    /// Explored at a time.
    pub jobs: Option<usize>,
}

/// What it tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// So many models follow.
    Begin(usize),
    /// A model is being explored.
    Plans {
        /// Its label.
        label: String,
        /// Plans done.
        done: usize,
        /// Plans known so far.
        known: usize,
        /// Executions run.
        executions: u64,
    },
    /// A model is done: its index among the chosen models, and its run.
    Done(usize, Box<Run>),
    /// The orderings that a model uses.
    Used {
        /// Its label.
        label: String,
        /// The orderings.
        used: Vec<Used>,
        /// The executions that it took to find out.
        executions: u64,
    },
    /// The result of a weakening: the model that failed, if one did.
    Weakened(Option<Caught>),
    /// The order cannot be carried out.
    Refused(String),
    /// This machine lacks something for it.
    Lacks(String),
}

/// Carries out the order that is the first argument.
pub fn main(registry: &Registry, mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let order = arguments.next().and_then(|text| serde_json::from_str(&text).ok());
    let Some(order) = order else {
        tell(&Event::Refused("no order".to_owned()));
        return ExitCode::FAILURE;
    };
    if let Err(refusal) = leash() {
        tell(&Event::Lacks(refusal.to_string()));
        return ExitCode::SUCCESS;
    }
    if let Some(what) = sigproof_shim::model::lacking() {
        tell(&Event::Lacks(what));
        return ExitCode::SUCCESS;
    }
    match order {
        Order::Explore { selection, bounds } => explore(registry, &selection, bounds),
        Order::Replay(token) => replay(registry, &token),
        Order::Survey(selection) => {
            for entry in chosen(registry, &selection) {
                let (used, executions) = orderings::survey(&entry);
                tell(&Event::Used { label: entry.label(), used, executions });
            }
        }
        Order::Weaken { selection, used, to, effort } => {
            let mut entries = chosen(registry, &selection);
            entries.sort_by_key(|entry| selection.setups.iter().position(|label| *label == entry.label()));
            tell(&Event::Weakened(orderings::weaken(&entries, &used, &to, effort)));
        }
    }
    ExitCode::SUCCESS
}

/// The beginning of the name of the folder for this process's temporary files (`TMPDIR`). Its parent makes the
/// folder and removes it; where the parent is killed, this process does.
pub const FOLDER: &str = "sigproof-explorer-";

/// Ends this process, and removes its folder, when who started it is gone.
fn leash() -> Result<(), Refusal> {
    let wait = || {
        let mut rest = [0; 64];
        while io::stdin().read(&mut rest).is_ok_and(|n| n > 0) {}
        let folder = std::env::temp_dir();
        if folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(FOLDER)) {
            // What cannot be removed stays. The parent may remove it at the same time.
            let _ = std::fs::remove_dir_all(folder);
        }
        std::process::exit(1);
    };
    thread::Builder::new().spawn(wait).map(drop).map_err(|error| Refusal::thread(&error))
}

fn chosen(registry: &Registry, selection: &Selection) -> Vec<Entry> {
    registry.models().into_iter().filter(|entry| entry.is_chosen(selection)).collect()
}

fn explore(registry: &Registry, selection: &Selection, bounds: Bounds) {
    let chosen = chosen(registry, selection);
    tell(&Event::Begin(chosen.len()));
    let budget = bounds.budget.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let options = Options {
        deliveries: bounds.deliveries,
        preemptions: bounds.preemptions,
        until: budget.map(|budget| clock::now() + budget),
        jobs: bounds.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)),
    };
    driver::explore_all(&chosen, &options, &Teller::default(), |n, run| tell(&Event::Done(n, Box::new(run))));
}

fn replay(registry: &Registry, token: &str) {
    let event = match token.parse() {
        Ok(token) => match counterexample::replay(&registry.models(), &token) {
            Some(run) => Event::Done(0, Box::new(run)),
            None => Event::Refused(format!("no model is called '{}'", token.label)),
        },
        Err(error) => Event::Refused(error.to_string()),
    };
    tell(&event);
}

/// How often progress is told, at most.
const EVERY: Duration = Duration::from_millis(100);

/// Tells progress, not too often.
#[derive(Default)]
struct Teller(Mutex<Duration>);

impl Observer for Teller {
    fn plans(&self, entry: &Entry, done: usize, known: usize, executions: u64) {
        let now = clock::now();
        if let Ok(mut last) = self.0.lock()
            && now.saturating_sub(*last) >= EVERY
        {
            *last = now;
            tell(&Event::Plans { label: entry.label(), done, known, executions });
        }
    }
}

/// Writes a line. If it cannot be written, the parent has ended, and this process ends, too.
fn tell(event: &Event) {
    let line = serde_json::to_string(event).unwrap_or_default() + "\n";
    if io::stdout().lock().write_all(line.as_bytes()).is_err() {
        std::process::exit(1);
    }
}
