//! The process that sweeps: it is given orders, one JSON object a line, and answers each with events.
//!
//! It has one thread, so that it can fork children in which every address is the same.

use std::cell::Cell;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use sigproof_inspect::refusal::Refusal;
use sigproof_report::Run;
use sigproof_step::engine::{self, Kind, OnlyThread, Probe};
use sigproof_step::sweep::{self, Observer, Which};
use sigproof_step::token::Token;

use super::{Entry, nothing};
use crate::registry::Registry;
use crate::worker::leash;

/// The first argument that makes an executable such a process.
pub const VERB: &str = "__step";

/// What is to be done.
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
        engine: Kind,
        /// Only this boundary.
        only: Option<usize>,
    },
    /// Once more what a token names.
    Replay {
        /// The token.
        token: String,
        /// By which means.
        engine: Kind,
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
    let Some(parent) = numbers.next().flatten() else {
        tell(&Event::Refused("its second argument must be the process id of its parent".to_owned()));
        return ExitCode::FAILURE;
    };
    if let Err(error) = leash::tie_by_orders(parent) {
        tell(&Event::Refused(error.to_string()));
        return ExitCode::FAILURE;
    }
    let only = match OnlyThread::check() {
        Ok(only) => only,
        Err(error) => {
            tell(&Event::Refused(error.to_string()));
            return ExitCode::FAILURE;
        }
    };
    // Without it everything works, at a quarter of the speed.
    // Sweeps that know nothing of each other begin at different processors.
    let _ = engine::settle_down(number.wrapping_add(parent as usize));
    for line in io::stdin().lines() {
        let Ok(line) = line else { return ExitCode::FAILURE };
        match serde_json::from_str(&line) {
            // Its end without a word is this process's: who gave the order knows what to make of it.
            Ok(order) => match engine::apart(only, || tell(&carry_out(registry, order, only))) {
                Ok(true) => {}
                Ok(false) => return ExitCode::FAILURE,
                Err(error) => tell(&Event::Refused(Refusal::new("a child process (fork, wait4)", &error).to_string())),
            },
            Err(error) => tell(&Event::Refused(format!("bad order: {error}"))),
        }
    }
    ExitCode::SUCCESS
}

fn carry_out(registry: &Registry, order: Order, only: OnlyThread) -> Event {
    match order {
        Order::Probe => Event::Probed(engine::probe(&nothing(), only)),
        Order::Sweep { label, engine, only: boundary } => match find(registry, &label) {
            Some(entry) => {
                let which = boundary.map_or(Which::All, Which::Number);
                swept(&entry, engine, &which, only)
            }
            None => Event::Refused(format!("no window is called '{label}'")),
        },
        Order::Replay { token, engine } => match token.parse::<Token>() {
            Ok(token) => match find(registry, &token.label) {
                Some(entry) => swept(&entry, engine, &Which::Named(token), only),
                None => Event::Refused(format!("no window is called '{}'", token.label)),
            },
            Err(error) => Event::Refused(error.to_string()),
        },
    }
}

fn swept(entry: &Entry, engine: Kind, which: &Which, only: OnlyThread) -> Event {
    match sweep::sweep(entry, engine, which, &Teller::default(), only) {
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
#[derive(Default)]
struct Teller(Cell<Option<Instant>>);

impl Observer for Teller {
    fn boundary(&self, done: usize, known: usize) {
        if self.0.get().is_none_or(|last| last.elapsed() >= EVERY) {
            self.0.set(Some(Instant::now()));
            tell(&Event::Progress { done, known });
        }
    }
}

/// Writes a line. If it cannot be written, the parent has ended, and this process ends, too.
fn tell(event: &Event) {
    let line = serde_json::to_string(event).unwrap_or_default() + "\n";
    let mut out = io::stdout().lock();
    if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}
