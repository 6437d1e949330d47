//! The process that sweeps: it is given orders, one JSON object a line, and answers each with events.
//!
//! It has one thread, so that it can fork children in which every address is the same.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use super::engine::{Kind, Probe};
use crate::report::Run;

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
        /// [`Entry::label`](super::Entry::label).
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
    /// What came of trying the engines.
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

/// The process's whole life, until its orders end. `_args` are the arguments after [`VERB`].
pub fn main(_args: impl Iterator<Item = OsString>) -> ExitCode {
    let why = "not built yet";
    for order in io::stdin().lines().map_while(Result::ok) {
        let event = match serde_json::from_str(&order) {
            Ok(Order::Probe) => {
                let lacks = |engine: &Kind| Probe { engine: *engine, lacks: Some(why.to_owned()) };
                Event::Probed(Kind::ALL.iter().map(lacks).collect())
            }
            Ok(Order::Sweep { .. } | Order::Replay { .. }) => Event::Refused(why.to_owned()),
            Err(error) => Event::Refused(format!("not an order: {error}")),
        };
        println!("{}", serde_json::to_string(&event).unwrap_or_default());
    }
    ExitCode::SUCCESS
}
