//! Models of the core itself, which no historical bug belongs to: what the buffer, the notes and their
//! clients promise.
//!
//! | file | what must hold |
//! |---|---|
//! | `profbuf` | every record once, in order, or counted; tags cleared; no lost and no double wake-up; the end after all else |
//! | `notes` | one wake-up for each sleep, before, during and after it; a time-out that races with a wake-up |
//! | `clients` | no signal lost by the queue; the profile log against its handlers |
//! | `contract` | the note that checks its clients |
//! | `selftest` | what the tool says of models whose plans, executions and ends are known (hidden) |
//! | `weak` | what a counterexample says of memory orderings (hidden) |

use sigproof_harness::model::{Entry, Model};
use sigproof_harness::setup::Setup;
use sigproof_osnote::Backends;

mod clients;
mod contract;
mod notes;
mod profbuf;
mod selftest;
pub(crate) mod tally;
mod weak;

/// A model of the core: its name and the ways to run it.
#[derive(Clone, Copy)]
pub(super) struct Core {
    pub name: &'static str,
    pub setups: Ways,
}

/// How the ways to run a model are made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ways {
    /// The model needs no list of notes.
    Alone(fn() -> Vec<(Setup, Model)>),
    /// The model runs over each note of a list that allows it.
    Over(fn(Backends) -> Vec<(Setup, Model)>),
}

impl Ways {
    fn over(self, notes: Backends) -> Vec<(Setup, Model)> {
        match self {
            Self::Alone(make) => make(),
            Self::Over(make) => make(notes),
        }
    }
}

/// All of them. A new one is one line in its file's `ALL`.
pub(crate) fn entries(notes: Backends) -> Vec<Entry> {
    let parts =
        [(profbuf::ALL, false), (notes::ALL, false), (clients::ALL, false), (selftest::ALL, true), (weak::ALL, true)];
    let of = |(core, hidden): (&Core, bool)| {
        let name = core.name;
        core.setups.over(notes).into_iter().map(move |(setup, model)| Entry { name, hidden, setup, model })
    };
    parts.iter().flat_map(|(cores, hidden)| cores.iter().map(|core| (core, *hidden))).flat_map(of).collect()
}
