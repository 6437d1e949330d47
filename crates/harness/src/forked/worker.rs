//! The process that sweeps: it reads orders and answers each with events
//! ([`sigproof_inspect::process::lines`]).
//!
//! It has one thread, so that it can fork children in which every address is the same.

use std::cell::Cell;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use sigproof_inspect::process::lines::{Dialect, Orders, Teller};
use sigproof_inspect::refusal::Refusal;
use sigproof_report::Run;
use sigproof_step::engine::{self, OnlyThread, Probe};
use sigproof_step::sweep::{self, By, Observer, Which};
use sigproof_step::token::Token;

use super::{Entry, engines};
use crate::registry::Registry;
use crate::validate;
use crate::worker::leash;

/// The first argument that makes an executable such a process.
pub const VERB: &str = "__step";

/// What a process that sweeps is told and tells.
#[derive(Debug)]
pub struct Stepping;

impl Dialect for Stepping {
    const NAME: &'static str = "step";
    const VERSION: u32 = 1;
    type Order = Order;
    type Event = Event;
}

/// What the process does next.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Try every engine.
    Probe,
    /// Sweep one window.
    Sweep {
        /// [`Entry::label`].
        label: String,
        /// By which means.
        by: By,
        /// Only this boundary.
        only: Option<usize>,
    },
    /// Repeat the execution that a token names.
    Replay {
        token: String,
        /// By which means.
        by: By,
    },
}

/// What it tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The result of trying the engines.
    Probed(Vec<Probe>),
    /// So many boundaries of a window are done.
    Progress {
        /// Boundaries done.
        done: usize,
        /// Boundaries in all.
        known: usize,
    },
    /// A window is done.
    Done(Box<Run>),
    /// The order cannot be carried out.
    Refused(String),
}

/// Carries out orders until there are no more.
///
/// The arguments: which of several such processes this is, so that each has a processor of its own; and the
/// process id of the parent.
pub fn main(registry: &Registry, arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut numbers = arguments.map(|text| text.to_str()?.parse::<u32>().ok());
    let number = numbers.next().flatten().unwrap_or(0) as usize;
    let parent = numbers.next().flatten().ok_or("its second argument must be the process id of its parent");
    // Before anything else: a process whose parent is gone ends here.
    let tied = parent.map_err(str::to_owned).and_then(|parent| {
        leash::tie_by_orders(parent).map_err(|error| error.to_string())?;
        Ok(number.wrapping_add(parent as usize))
    });
    let teller = Teller::greet(|| ());
    match tied.and_then(|place| obey(registry, place, &teller)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            teller.tell(&Event::Refused(why));
            ExitCode::FAILURE
        }
    }
}

/// Whether all orders were carried out; or why none can be.
fn obey(registry: &Registry, place: usize, teller: &Teller<Stepping>) -> Result<bool, String> {
    let only = OnlyThread::check().map_err(|error| error.to_string())?;
    // Without it everything works, at a quarter of the speed.
    // Sweeps that know nothing of each other begin at different processors.
    let _ = engine::settle_down(place);
    for order in Orders::<Stepping>::of_parent() {
        match order {
            // The copy that carries out the order may end without a word. This process then ends as well, and
            // the parent draws the conclusion.
            Ok(order) => match engine::apart(only, || teller.tell(&carry_out(registry, order, only, teller))) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => {
                    teller.tell(&Event::Refused(Refusal::new("a child process (fork, wait4)", &error).to_string()));
                }
            },
            Err(why) => teller.tell(&Event::Refused(why)),
        }
    }
    Ok(true)
}

fn carry_out(registry: &Registry, order: Order, only: OnlyThread, teller: &Teller<Stepping>) -> Event {
    if let (Order::Sweep { .. } | Order::Replay { .. }, Err(why)) = (&order, validate::preload()) {
        return Event::Refused(why);
    }
    match order {
        Order::Probe => Event::Probed(engines(only)),
        Order::Sweep { label, by, only: boundary } => match find(registry, &label) {
            Some(entry) => {
                let which = boundary.map_or(Which::All, Which::Number);
                swept(&entry, by, &which, only, teller)
            }
            None => Event::Refused(format!("no window is called '{label}'")),
        },
        Order::Replay { token, by } => match token.parse::<Token>() {
            Ok(token) => match find(registry, &token.label) {
                Some(entry) => swept(&entry, by, &Which::Named(token), only, teller),
                None => Event::Refused(format!("no window is called '{}'", token.label)),
            },
            Err(error) => Event::Refused(error.to_string()),
        },
    }
}

fn swept(entry: &Entry, by: By, which: &Which, only: OnlyThread, teller: &Teller<Stepping>) -> Event {
    match sweep::sweep(entry, by, which, &NowAndThen { teller, last: Cell::default() }, only) {
        Ok(run) => Event::Done(Box::new(run)),
        Err(trouble) => Event::Refused(trouble.to_string()),
    }
}

fn find(registry: &Registry, label: &str) -> Option<Entry> {
    registry.windows().into_iter().find(|entry| entry.label() == label)
}

/// How often progress is told, at most.
const EVERY: Duration = Duration::from_millis(100);

/// Tells progress, not too often.
struct NowAndThen<'a> {
    teller: &'a Teller<Stepping>,
    last: Cell<Option<Instant>>,
}

impl Observer for NowAndThen<'_> {
    fn boundary(&self, done: usize, known: usize) {
        if self.last.get().is_none_or(|last| last.elapsed() >= EVERY) {
            self.last.set(Some(Instant::now()));
            self.teller.tell(&Event::Progress { done, known });
        }
    }
}
