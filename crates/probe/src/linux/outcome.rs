//! The report of a sweep: ranges with the code at their ends.

use std::cell::OnceCell;

use sigproof_inspect::diagnose::{Place, Places};
use sigproof_step::Boundary;
use sigproof_step::follow;
use sigproof_step::map::spot;
use sigproof_step::token::Token;

use super::copy::Woken;
use super::grade::{Beside, Judged};
use super::sweep::arrivals;
use crate::report::{Path, Range};
use crate::{Ending, Means};

/// A boundary and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub boundary: Boundary,
    /// What came of the signal.
    pub judged: Option<Judged>,
    /// Whether it was tried, and nothing could be said.
    pub undecided: bool,
    /// Whether an earlier pass has a boundary with the same instruction and stack depth, which stands for it.
    pub alike: bool,
    /// The sleep of a copy that took the signal here, if a second signal has ended it: the program is asked.
    pub woken: Option<Woken>,
}

impl Point {
    /// One that is not judged yet.
    pub(crate) fn at(boundary: Boundary) -> Self {
        Self { boundary, judged: None, undecided: false, alike: false, woken: None }
    }

    /// The bad ending, if there is one.
    pub(crate) fn bad(&self) -> Option<Ending> {
        self.judged.as_ref().map(|judged| judged.ending).filter(|ending| *ending != Ending::Clean)
    }
}

/// A pass and what came of its boundaries.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    pub pass: u64,
    /// Its boundaries. None is added once the arrivals are counted.
    pub points: Vec<Point>,
    /// The first of them at which there is a signal to be placed.
    pub from: usize,
    arrivals: OnceCell<Vec<u32>>,
}

impl follow::Path for Walk {
    fn at(&self, number: usize) -> Option<Boundary> {
        self.points.get(number).map(|point| point.boundary)
    }
}

/// `=OBJECT+0xOFF`, of a place in an object file whose name has nothing that separates the parts of a token.
fn in_token(place: &Place) -> Option<String> {
    let object = place.object.as_ref()?;
    let is_plain = object.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte));
    is_plain.then(|| format!("={object}+{:#x}", place.object_offset))
}

impl Walk {
    /// Nothing of a pass yet.
    pub(crate) fn of(pass: u64) -> Self {
        Self { pass, points: Vec::new(), from: 0, arrivals: OnceCell::new() }
    }

    /// How many arrivals at its instruction each boundary is.
    pub(crate) fn arrivals(&self) -> &[u32] {
        self.arrivals.get_or_init(|| arrivals(self.points.iter().map(|point| point.boundary)))
    }

    /// Runs of boundaries with the same bad ending.
    pub(crate) fn ranges(&self) -> Vec<std::ops::Range<usize>> {
        let mut start = 0;
        let mut ranges = Vec::new();
        for run in self.points.chunk_by(|a, b| a.bad() == b.bad()) {
            if run[0].bad().is_some() {
                ranges.push(start..start + run.len());
            }
            start += run.len();
        }
        ranges
    }

    /// As a part of the report.
    pub(crate) fn report(&self, label: &str, places: &dyn Places) -> Path {
        let boundaries: Vec<Boundary> = self.points.iter().map(|point| point.boundary).collect();
        // A schedule other than the free one is a part of the token, and so is the place of the other thread.
        let label = |k: usize| match self.points[k].judged.as_ref().and_then(|judged| judged.beside) {
            None => label.to_owned(),
            Some(beside) => {
                let stands = beside.stands.and_then(|stands| in_token(&places.place(stands)));
                format!("{label},s{}{}", beside.number, stands.unwrap_or_default())
            }
        };
        let detail = |judged: &Judged| match judged.beside {
            None => judged.detail.clone(),
            Some(Beside { number, schedule, stands }) => {
                let way = schedule.map_or_else(|| "another thread ran first".to_owned(), |way| way.to_string());
                let stands = stands.map(|stands| {
                    let place = places.place(stands);
                    let source = place.source().map_or_else(String::new, |source| format!(" ({source})"));
                    format!(", up to {}{source}; the rest was held", place.name())
                });
                format!("{}\nschedule {number}: {way}{}", judged.detail, stands.unwrap_or_default())
            }
        };
        let letter = |point: &Point| match &point.judged {
            Some(judged) => judged.ending.letter(),
            None if point.undecided => '?',
            None if point.alike => '=',
            None => '-',
        };
        let range = |range: std::ops::Range<usize>| {
            let points = &self.points[range.clone()];
            // What a run of the whole program has shown says more than a copy.
            let told = points.iter().filter_map(|point| point.judged.as_ref());
            // Of equals the last one is taken: the first boundary is the one that is explained.
            let told = told.rev().max_by_key(|judged| (judged.answer.is_some(), judged.means == Means::Rerun))?;
            let (first, last) = (range.start, range.end - 1);
            let sure = |point: &Point| {
                point.judged.as_ref().is_some_and(|judged| matches!(judged.means, Means::Rerun | Means::Pass))
            };
            Some(Range {
                ending: told.ending,
                count: range.len(),
                first: spot(&boundaries, first, places),
                last: spot(&boundaries, last, places),
                confirmed: sure(&self.points[first]) && sure(&self.points[last]),
                detail: detail(told),
                token: Token::of(&label(first), &boundaries, first, places).to_string(),
                answer: told.answer.clone(),
            })
        };
        Path {
            pass: self.pass,
            strip: self.points.iter().map(letter).collect(),
            boundaries: self.points.len(),
            judged: self.points.iter().filter(|point| point.judged.is_some()).count(),
            vulnerable: self.points.iter().filter(|point| point.bad().is_some()).count(),
            alike: self.points.iter().filter(|point| point.alike && point.judged.is_none()).count(),
            ranges: self.ranges().into_iter().filter_map(range).collect(),
        }
    }
}
