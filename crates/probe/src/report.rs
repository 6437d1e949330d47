//! What a sweep of one window with one signal has found, as data. [`Report`]'s `Display` is the text.

use serde::{Deserialize, Serialize};
use sigproof_inspect::explain::Answer;
use sigproof_report::seen::Spot;

use crate::{Ending, Means};

/// One window, one signal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// The program, as it was named.
    pub program: String,
    pub signal: String,
    /// The window, as it was named.
    pub window: String,
    /// The object file that has the function.
    pub object: String,
    /// What the program does when no signal comes.
    pub untouched: String,
    /// What it does when the signal comes outside the window.
    pub reference: String,
    /// The passes that were swept.
    pub paths: Vec<Path>,
    /// How many boundaries were judged by each means.
    pub engines: Vec<(Means, usize)>,
    /// How often the program was started.
    pub starts: usize,
    /// Single steps of the program: of walks, and on the way to boundaries that it is asked about itself.
    pub steps: u64,
    /// Wall time, in seconds.
    pub seconds: f64,
    /// Time per judged boundary of the walk alone, in boundaries a second; without confirmations.
    pub rate: f64,
    /// What the handler left in `errno`, which it must leave alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// What the reader has to know: what was not reached, what could not be used.
    pub notes: Vec<String>,
    /// Whether the sweep was ended before it was done.
    pub incomplete: bool,
}

/// One pass.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Path {
    /// Its number, counted from the first with a handler.
    pub pass: u64,
    /// A letter for each boundary.
    pub strip: String,
    /// Boundaries of the path.
    pub boundaries: usize,
    /// Those that were judged.
    pub judged: usize,
    /// Those at which something bad came of the signal.
    pub vulnerable: usize,
    /// Those that are not judged, since an earlier pass has a boundary with the same instruction and stack
    /// depth.
    #[serde(default)]
    pub alike: usize,
    /// Runs of boundaries with one bad ending.
    pub ranges: Vec<Range>,
}

/// Consecutive boundaries with one ending.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Range {
    pub ending: Ending,
    /// How many.
    pub count: usize,
    pub first: Spot,
    pub last: Spot,
    /// Whether a run of the whole program with all threads has shown the same at both ends.
    pub confirmed: bool,
    /// What was seen.
    pub detail: String,
    /// The token that repeats the first.
    pub token: String,
    /// What explain says of the first, if it hung.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

impl Report {
    /// Boundaries that were judged.
    pub fn judged(&self) -> usize {
        self.paths.iter().map(|path| path.judged).sum()
    }

    /// Boundaries that one of an earlier pass stands for.
    pub fn alike(&self) -> usize {
        self.paths.iter().map(|path| path.alike).sum()
    }

    /// Boundaries at which something bad came of the signal.
    pub fn vulnerable(&self) -> usize {
        self.paths.iter().map(|path| path.vulnerable).sum()
    }

    /// Boundaries on all paths.
    pub fn boundaries(&self) -> usize {
        self.paths.iter().map(|path| path.boundaries).sum()
    }

    /// The kinds of bad endings.
    pub fn endings(&self) -> Vec<Ending> {
        let mut endings: Vec<_> = self.paths.iter().flat_map(|path| &path.ranges).map(|range| range.ending).collect();
        endings.sort_unstable();
        endings.dedup();
        endings
    }
}
