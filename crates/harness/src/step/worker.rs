//! The process that sweeps: it is given orders, one JSON object a line, and answers each with events.
//!
//! It has one thread, so that it can fork children in which every address is the same.

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
