//! Comparing many random sequences: the order, the events and the result of the program `sigproof-conform`,
//! which is in the workbench. It needs a library for random sequences that is slow to build.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sigproof_inspect::process::lines::Dialect;

use super::rule::Rule;
use super::sequence::Sequence;
use super::single::Disagreement;
use crate::driver::Driver;

/// [`Contestant::tries`] that make a sequence as short as it gets.
pub const TRIES: u32 = 4000;

/// A runtime, and the policy that it is compared with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Contestant {
    pub driver: Driver,
    pub rule: Rule,
    /// About how many sequences are tried to find a shorter one that disagrees.
    pub tries: u32,
}

/// The result of a contest.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Sequences compared.
    pub sequences: u64,
    /// Operations in them.
    pub operations: u64,
    /// Sequences that end in a death: of a double wake-up, by our reckoning.
    pub deaths_expected: u64,
    /// How many of these were sent whole.
    pub deaths_tried: u64,
    /// How many of these died so.
    pub deaths_seen: u64,
    /// Where they differ. The contest ends there.
    pub finding: Option<Finding>,
    /// How long it took.
    pub elapsed: Duration,
}

/// A sequence on which two sides differ.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Finding {
    /// The shortest one that was found.
    Shortest(Disagreement),
    /// It happened once, and not again when it was tried operation by operation.
    Once {
        /// One of this many sequences.
        sequence: Sequence,
        /// What happened.
        said: String,
    },
}

/// Which sequences are compared with which runtimes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    pub contestants: Vec<Contestant>,
    /// How many sequences.
    pub cases: u64,
    /// Which ones.
    pub seed: u64,
}

/// What the program is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// To begin. It does one comparison.
    Compare(Comparison),
    /// To make no more sequences, and to tell its result. The end of the orders says the same.
    Stop,
}

/// What the program tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A contest has come so many sequences further.
    Further(u64),
    /// The result, in the order of the contestants, or what cannot be run. The program then ends.
    Done(Result<Vec<Tally>, String>),
}

/// The dialect of the program.
#[derive(Debug)]
pub enum Comparing {}

impl Dialect for Comparing {
    const NAME: &'static str = "conform";
    const VERSION: u32 = 1;
    type Order = Order;
    type Event = Event;
}
