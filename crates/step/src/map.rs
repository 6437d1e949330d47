//! The code at a path's boundaries and the outcomes there: the strip, folded by outcome and by function.
//!
//! | file | holds |
//! |---|---|
//! | this one | the map as data, and how it is made from a sweep |
//! | `text` | the map for people |
//! | [`instruction`] | one instruction as text |
//!
//! A map holds names and distances only, no address: two sweeps of one build give equal maps wherever the
//! kernel puts their code.

use serde::{Deserialize, Serialize};

use sigproof_report::seen::{Range, Spot, Stretch};

use super::token::Token;
use super::{Boundary, Judged, Swept};
use sigproof_inspect::diagnose::Places;
use sigproof_report::Outcome;

#[cfg(test)]
pub(crate) mod drawn;
pub mod instruction;
#[cfg(test)]
mod tests;
mod text;

/// The strip's character for a boundary whose turn did not come: the sweep was ended, or asked for one
/// boundary only.
pub const NOT_TRIED: char = '-';

/// A sweep, folded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Map {
    /// Boundaries on the path.
    pub boundaries: usize,
    /// Those at which a signal was delivered.
    pub injected: usize,
    /// Those where something bad came of it.
    pub vulnerable: usize,
    /// Those that were not reached, however often it was tried.
    pub diverged: usize,
    /// `vulnerable` of `injected`, from 0 to 1, to four digits.
    pub share: f64,
    /// The first vulnerable one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_vulnerable: Option<usize>,
    /// The last vulnerable one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_vulnerable: Option<usize>,
    /// One [`letter`] for each boundary, [`NOT_TRIED`] where there is no outcome to come.
    pub strip: String,
    /// Every run of boundaries with one outcome, but for those where all went well.
    pub ranges: Vec<Range>,
    /// The whole path, by the functions that it goes through.
    pub functions: Vec<Stretch>,
}

/// The strip's character for the outcome at a boundary; `None` is a boundary that was not reached.
pub const fn letter(outcome: Option<Outcome>) -> char {
    match outcome {
        Some(Outcome::Delivered) => '.',
        Some(Outcome::SelfDeadlock) => 'D',
        Some(Outcome::CrossDeadlock) => 'X',
        Some(Outcome::LostWakeup) => 'L',
        Some(Outcome::DoubleWakeup) => '2',
        Some(Outcome::SpuriousWakeup) => 'S',
        Some(Outcome::Livelock) => 'V',
        Some(Outcome::CorruptRecord) => 'C',
        Some(Outcome::ErrnoSpoiled) => 'E',
        Some(Outcome::DescriptorLeak) => 'F',
        Some(Outcome::Late) => 'T',
        Some(Outcome::DataRace) => 'R',
        Some(Outcome::Disagreement) => 'A',
        Some(Outcome::Crash) => '!',
        Some(Outcome::Refused) => 'N',
        None => '?',
    }
}

/// Whether something bad came of it.
fn is_vulnerable(judged: &Judged) -> bool {
    judged.outcome.is_some_and(|outcome| outcome != Outcome::Delivered)
}

impl Map {
    /// The map of a sweep of the window `label` ([`Subject::label`](crate::Subject::label)), in which what
    /// lies where is known to `places`.
    pub fn of(label: &str, swept: &Swept, places: &dyn Places) -> Self {
        let Swept { path, judged } = swept;
        let judged = &judged[..judged.len().min(path.len())];
        let is_vulnerable_at = |k: &usize| is_vulnerable(&judged[*k]);
        let injected = judged.iter().filter(|judged| judged.outcome.is_some()).count();
        let vulnerable = judged.iter().filter(|judged| is_vulnerable(judged)).count();
        let letters = judged.iter().map(|judged| letter(judged.outcome));
        let untried = std::iter::repeat_n(NOT_TRIED, path.len() - judged.len());
        Self {
            boundaries: path.len(),
            injected,
            vulnerable,
            diverged: judged.len() - injected,
            share: share(vulnerable, injected),
            first_vulnerable: (0..judged.len()).find(is_vulnerable_at),
            last_vulnerable: (0..judged.len()).rfind(is_vulnerable_at),
            strip: letters.chain(untried).collect(),
            ranges: ranges(label, path, judged, places),
            functions: functions(path, judged, places),
        }
    }
}

impl Map {
    /// How many ranges have a bad outcome.
    pub fn vulnerable_ranges(&self) -> usize {
        self.ranges.iter().filter(|range| range.outcome.is_some()).count()
    }
}

/// To four digits, which come back from JSON as they went.
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 1e4).round() / 1e4 }
}

fn ranges(label: &str, path: &[Boundary], judged: &[Judged], places: &dyn Places) -> Vec<Range> {
    let mut start = 0;
    let mut ranges = Vec::new();
    for run in judged.chunk_by(|a, b| a.outcome == b.outcome) {
        let (first, last) = (start, start + run.len() - 1);
        start += run.len();
        let outcome = run[0].outcome;
        if outcome == Some(Outcome::Delivered) {
            continue;
        }
        ranges.push(Range {
            outcome,
            count: run.len(),
            first: spot(path, first, places),
            last: spot(path, last, places),
            token: outcome.map(|_| Token::of(label, path, first, places).to_string()),
            detail: run[0].detail.clone(),
        });
    }
    ranges
}

fn functions(path: &[Boundary], judged: &[Judged], places: &dyn Places) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    // The same name in another object file is another function.
    let mut object_before = None;
    for (k, boundary) in path.iter().enumerate() {
        let place = places.place(boundary.pc);
        let symbol = place.symbol.or(place.object.clone()).unwrap_or_else(|| "code of no file".to_owned());
        let vulnerable = usize::from(judged.get(k).is_some_and(is_vulnerable));
        match stretches.last_mut() {
            Some(stretch) if stretch.symbol == symbol && object_before == place.object => {
                stretch.last = k;
                stretch.count += 1;
                stretch.vulnerable += vulnerable;
            }
            _ => stretches.push(Stretch { symbol, first: k, last: k, count: 1, vulnerable }),
        }
        object_before = place.object;
    }
    stretches
}

/// What lies at boundary `k` of a path.
///
/// # Panics
/// If the path has no `k`.
pub fn spot(path: &[Boundary], k: usize, places: &dyn Places) -> Spot {
    let Boundary { pc, asleep, .. } = path[k];
    // A sleeper's own address is behind its system call, which is the last thing that was to be executed.
    let call = asleep.then(|| path[..k].iter().rfind(|before| !before.asleep)).flatten();
    let pc = call.map_or(pc, |call| call.pc);
    let place = places.place(pc);
    let code = places.code(pc, instruction::LONGEST);
    Spot {
        k,
        asleep,
        place: place.name(),
        object: place.in_object(),
        source: place.source(),
        instruction: instruction::text(pc, &code, &|target| places.place(target).name()),
    }
}
