//! All boundaries of a path, one after the other, and the verdict.
//!
//! 1. The engine records the path until two recordings agree.
//! 2. The engine delivers a signal at each boundary, each in an execution of its own. An execution that takes
//!    another path is repeated and counted. If no repetition reaches the boundary, the path is recorded once
//!    more: the target may take another path by now (`anew`).
//!    By [`Kind::Undo`], copies of one child do that where they can, and both ends of each run of one outcome
//!    are confirmed by an execution of their own (`confirm`).
//! 3. Of a handler that lets signals in, the same is done with a second signal, at each boundary of the
//!    handler's own path; the first one then comes at the beginning, at the end, and wherever the target
//!    sleeps.
//! 4. The engine visits the first boundary of each vulnerable range once more and diagnoses a hang there.
//!
//! 5. Where the subject wants it, the engine steps through the handler at each boundary once more
//!    (`measure`).
//!
//! If the diagnosis gives another outcome than the quick look, the whole range is visited again with a
//! diagnosis.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Instant;

use super::engine::{self, Ended, Engine, Kind, OnlyThread, Shot, Trouble};
use super::token::{Located, Token};
use super::{Boundary, Judged, Subject, Swept};
use serde::{Deserialize, Serialize};
use sigproof_inspect::diagnose::Symbols;
use sigproof_report::seen::{HandlerCost, Undone};
use sigproof_report::{Finding, Outcome, Run};

mod anew;
mod confirm;
mod measure;
mod verdict;

/// How often an execution that goes astray is tried again.
const TRIES: u32 = 5;

/// How often a path is written down until two agree.
const RECORDINGS: u32 = 12;

/// After how many hangs that patience has decided, 10 s each, a sweep ends early. A fixed window has none.
const PRESUMED: usize = 2;

/// How many ranges are diagnosed.
const DIAGNOSED: usize = 12;

/// Which of a window's boundaries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// Each of them.
    All,
    /// One, by its number.
    Number(usize),
    /// The one that a token names.
    Named(Token),
}

/// Told while a window is swept.
pub trait Observer {
    /// So many of the boundaries are done.
    fn boundary(&self, done: usize, known: usize);
}

impl Observer for () {
    fn boundary(&self, _done: usize, _known: usize) {}
}

/// A second signal: the first one's boundary, and the handler's own path with its results.
#[derive(Clone, Debug, PartialEq)]
pub struct Nested {
    /// Where the first signal came.
    pub first: usize,
    /// The handler's.
    pub swept: Swept,
}

/// Everything that was seen of a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The window's path.
    pub swept: Swept,
    /// The outcome without a signal.
    pub without: Option<Outcome>,
    /// Two signals.
    pub nested: Vec<Nested>,
    /// Why there were no two signals, where there should have been.
    pub without_nested: Option<String>,
    /// The first signal's boundaries whose handler could not be stepped through, and why: no second signal
    /// was sent there.
    pub unrecorded: Vec<(usize, String)>,
    /// The only boundary that was visited, if not all were, and what had to be done to find it.
    pub only: Option<Located>,
    /// The first boundary of a vulnerable range, and what was found out there.
    pub findings: Vec<(usize, Finding)>,
    /// Why hangs are decided by patience, where a child cannot be looked at.
    pub unwatchable: Option<String>,
    /// The first signal's boundary of each hang that patience has decided. After `PRESUMED` of them the sweep
    /// ends, and the rest of the boundaries is not visited.
    pub presumed: Vec<usize>,
    /// What the handler costs, if that was measured.
    pub handler: Option<HandlerCost>,
    /// Why the sweep ended before its end, if a bystander did not come to rest.
    pub restless: Option<String>,
    /// What copies have judged, if there were any.
    pub undo: Option<Undone>,
    /// How often the path was recorded anew, since the target no longer took it.
    pub recorded_anew: usize,
    /// Executions, those of copies included.
    pub executions: u64,
    /// Seconds that they took.
    pub seconds: f64,
    /// When the first bad outcome was seen.
    pub first_seconds: Option<f64>,
}

impl Seen {
    /// How often each outcome was seen: with one signal, with two, and a bad one without any.
    pub fn observed(&self) -> BTreeMap<Outcome, u64> {
        let all = self.nested.iter().map(|nested| &nested.swept).chain([&self.swept]);
        let mut observed = BTreeMap::new();
        let without = self.without.filter(|outcome| *outcome != Outcome::Delivered);
        for outcome in
            without.into_iter().chain(all.flat_map(|swept| swept.judged.iter().filter_map(|judged| judged.outcome)))
        {
            *observed.entry(outcome).or_default() += 1;
        }
        observed
    }
}

/// By which means a window is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// The engine.
    pub kind: Kind,
    /// Whether it was asked for by its name: a window that it cannot do is then left out. Else
    /// [`Kind::Breakpoint`] does a window that [`Kind::Undo`] cannot do.
    pub named: bool,
}

impl By {
    fn copies(self) -> Copies {
        match self {
            Self { kind: Kind::Undo, named: true } => Copies::Demanded,
            Self { kind: Kind::Undo, named: false } => Copies::Tried,
            _ => Copies::None,
        }
    }
}

/// Whether copies judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copies {
    /// No.
    None,
    /// Where they can.
    Tried,
    /// Or the window is left out.
    Demanded,
}

/// Sweeps a window, or visits one boundary of it.
///
/// # Errors
/// [`Trouble::NoSuchBoundary`]: there is no such one. Whatever else goes wrong is told by the run.
pub fn sweep(
    subject: &dyn Subject,
    by: By,
    which: &Which,
    observer: &dyn Observer,
    only: OnlyThread,
) -> Result<Run, Trouble> {
    let started = Instant::now();
    // A copy judges one boundary no better than an execution of its own.
    let copies = if *which == Which::All { by.copies() } else { Copies::None };
    let engine = engine::open(by.kind, subject, only);
    let looked = engine.and_then(|engine| look_by(engine, copies, subject.nests(), Some(subject), which, observer));
    let kind = match (by.kind, &looked) {
        (Kind::Undo, Ok(seen)) if seen.undo.as_ref().is_none_or(|undo| undo.boundaries == 0) => Kind::Breakpoint,
        (kind, _) => kind,
    };
    let mut run = run_of(subject, kind);
    match looked {
        Ok(seen) => verdict::judge(&mut run, subject, kind, &seen, which),
        Err(trouble @ Trouble::NoSuchBoundary { .. }) => return Err(trouble),
        Err(trouble) => verdict::refuse(&mut run, &trouble),
    }
    run.elapsed_seconds = started.elapsed().as_secs_f64();
    Ok(run)
}

/// A run of this subject in which nothing was seen yet.
fn run_of(subject: &dyn Subject, kind: Kind) -> Run {
    let mut run = subject.run();
    if let Some(step) = run.step_mut() {
        step.engine = Some(kind.as_str().to_owned());
    }
    run
}

fn look_by(
    engine: Box<dyn Engine + '_>,
    copies: Copies,
    nests: bool,
    measured: Option<&dyn Subject>,
    which: &Which,
    observer: &dyn Observer,
) -> Result<Seen, Trouble> {
    let mut sweeper = Sweeper::new(engine);
    let (mut path, without) = sweeper.record()?;
    if path.is_empty() {
        return Err(Trouble::Astray("the engine recorded a path without a boundary".to_owned()));
    }
    sweeper.seen.without = Some(without);
    if let Some(located) = locate(which, &path)? {
        let judged = sweeper.visit(Shot { path: &path, at: located.k, second: None, explain: true })?;
        sweeper.seen.swept = Swept { path, judged: vec![judged] };
        sweeper.seen.only = Some(located);
        return Ok(sweeper.seen);
    }
    let mut copied = sweeper.by_copies(copies, &path, observer)?;
    let mut judged = Vec::with_capacity(path.len());
    while judged.len() < path.len() {
        let at = judged.len();
        let by_copy = copied.get_mut(at).and_then(Option::take);
        judged.push(match by_copy {
            Some(judged) => judged,
            None => sweeper.visit(Shot { path: &path, at, second: None, explain: false })?,
        });
        observer.boundary(at + 1, path.len());
        if sweeper.patience_is_over() {
            break;
        }
        if judged[at].outcome.is_none() {
            sweeper.record_anew(&mut path, &mut judged)?;
        }
    }
    sweeper.confirm(&path, &mut judged)?;
    if nests && judged.len() == path.len() {
        sweeper.nested(&path, &judged, observer)?;
    }
    sweeper.diagnose(&path, &mut judged)?;
    if let Some(subject) = measured {
        measure::measure(&mut sweeper, subject, &path, &mut judged);
    }
    sweeper.seen.swept = Swept { path, judged };
    Ok(sweeper.seen)
}

/// The boundary that is asked for, unless all are.
fn locate(which: &Which, path: &[Boundary]) -> Result<Option<Located>, Trouble> {
    match which {
        Which::All => Ok(None),
        Which::Number(k) if *k < path.len() => Ok(Some(Located { k: *k, moved: None })),
        Which::Number(asked) => Err(Trouble::NoSuchBoundary { asked: *asked, boundaries: path.len() }),
        Which::Named(token) => match token.locate(path, symbols()) {
            Some(located) => Ok(Some(located)),
            None => Err(Trouble::NotOnThePath { symbol: token.symbol.clone().unwrap_or_default() }),
        },
    }
}

/// What lies where in this process, and so in its children.
fn symbols() -> &'static Symbols {
    static SYMBOLS: OnceLock<Symbols> = OnceLock::new();
    SYMBOLS.get_or_init(Symbols::of_self)
}

/// An engine, and what it has seen.
struct Sweeper<'s> {
    engine: Box<dyn Engine + 's>,
    seen: Seen,
    started: Instant,
    /// The boundaries that copies have judged, and that are not confirmed.
    copied: Vec<usize>,
}

impl<'s> Sweeper<'s> {
    fn new(engine: Box<dyn Engine + 's>) -> Self {
        Self { engine, seen: Seen::default(), started: Instant::now(), copied: Vec::new() }
    }

    /// The path, and the outcome without a signal.
    fn record(&mut self) -> Result<(Vec<Boundary>, Outcome), Trouble> {
        let mut before: Vec<engine::Recorded> = Vec::new();
        let mut trouble = Trouble::Astray("the path is another each time".to_owned());
        for _ in 0..RECORDINGS {
            // The path is that of a fresh child, which a boundary that is not reached in an older one is
            // tried in.
            self.engine.renew();
            match self.engine.record() {
                Ok(recorded) if before.iter().any(|other| other.path == recorded.path) => {
                    self.seen.unwatchable = self.engine.unwatchable();
                    return Ok((recorded.path, recorded.ended.outcome));
                }
                Ok(recorded) => before.push(recorded),
                Err(astray @ Trouble::Astray(_)) => trouble = astray,
                Err(other) => return Err(other),
            }
        }
        Err(trouble)
    }

    /// Whether enough hangs were decided by patience, or enough waits for a bystander were in vain.
    fn patience_is_over(&self) -> bool {
        self.seen.presumed.len() >= PRESUMED || self.seen.restless.is_some()
    }

    /// One execution with a signal; a few, if it goes astray, each of them in a fresh child.
    fn visit(&mut self, shot: Shot<'_>) -> Result<Judged, Trouble> {
        let mut retries = 0;
        loop {
            let started = Instant::now();
            let ended = self.engine.inject(shot);
            self.seen.executions += 1;
            self.seen.seconds += started.elapsed().as_secs_f64();
            match ended {
                Ok(ended) => return Ok(take(&mut self.seen, self.started, shot.at, ended, retries)),
                Err(Trouble::Astray(detail)) if retries == TRIES => {
                    return Ok(Judged { outcome: None, detail, retries });
                }
                // Once more: the machine may have been busy.
                Err(Trouble::Restless(detail)) if retries > 0 => {
                    self.seen.restless.get_or_insert(detail.clone());
                    return Ok(Judged { outcome: None, detail, retries });
                }
                Err(Trouble::Astray(_) | Trouble::Restless(_)) => retries += 1,
                Err(other) => return Err(other),
            }
        }
    }

    /// The handler's path behind a boundary; tried again, as a boundary is, if it goes astray.
    fn record_handler(&mut self, path: &[Boundary], first: usize) -> Result<Vec<Boundary>, Trouble> {
        let mut retries = 0;
        loop {
            match self.engine.record_handler(path, first) {
                Err(Trouble::Astray(_)) if retries < TRIES => retries += 1,
                other => return other,
            }
        }
    }

    /// Two signals, for a few places of the first.
    fn nested(&mut self, path: &[Boundary], judged: &[Judged], observer: &dyn Observer) -> Result<(), Trouble> {
        let well = |at: &usize| judged[*at].outcome == Some(Outcome::Delivered);
        let sleeps = (0..path.len()).filter(|at| path[*at].asleep);
        let mut firsts: Vec<usize> = [0, path.len() - 1].into_iter().chain(sleeps).filter(well).collect();
        firsts.sort_unstable();
        for first in firsts {
            let handler = match self.record_handler(path, first) {
                Ok(handler) => handler,
                // An engine that cannot look into handlers has done what it can.
                Err(incapable @ Trouble::Incapable { .. }) => {
                    self.seen.without_nested = Some(incapable.to_string());
                    return Ok(());
                }
                Err(Trouble::Astray(detail)) => {
                    self.seen.unrecorded.push((first, detail));
                    continue;
                }
                Err(other) => return Err(other),
            };
            let mut swept = Swept { path: handler, judged: Vec::new() };
            for second in 0..swept.path.len() {
                let shot = Shot { path, at: first, second: Some((&swept.path, second)), explain: false };
                swept.judged.push(self.visit(shot)?);
                observer.boundary(second + 1, swept.path.len());
                if self.patience_is_over() {
                    break;
                }
            }
            self.seen.nested.push(Nested { first, swept });
            if self.patience_is_over() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// A closer look at the beginning of each vulnerable range.
    fn diagnose(&mut self, path: &[Boundary], judged: &mut [Judged]) -> Result<(), Trouble> {
        let ranges = ranges(judged);
        // Patience decides the same again, and finds out no more.
        let presumed = self.seen.presumed.clone();
        let first_of_range = |at: &usize| ranges.iter().any(|(first, _)| first == at);
        self.seen.findings.retain(|(at, _)| presumed.contains(at) && first_of_range(at));
        let known = |(first, _): &(usize, usize)| presumed.contains(first);
        for (first, last) in ranges.into_iter().filter(|range| !known(range)).take(DIAGNOSED) {
            let closer = self.visit(Shot { path, at: first, second: None, explain: true })?;
            if closer.outcome != judged[first].outcome {
                for (at, judged) in judged.iter_mut().enumerate().take(last + 1).skip(first) {
                    *judged = self.visit(Shot { path, at, second: None, explain: true })?;
                }
            } else {
                judged[first].detail = closer.detail;
            }
        }
        Ok(())
    }
}

/// Takes note of the result of an execution.
fn take(seen: &mut Seen, started: Instant, at: usize, ended: Ended, retries: u32) -> Judged {
    if ended.outcome != Outcome::Delivered && seen.first_seconds.is_none() {
        seen.first_seconds = Some(started.elapsed().as_secs_f64());
    }
    if ended.presumed {
        seen.presumed.push(at);
    }
    if let Some(finding) = ended.finding {
        seen.findings.push((at, finding));
    }
    Judged { outcome: Some(ended.outcome), detail: ended.detail, retries }
}

/// The first and the last boundary of each run of the same bad outcome.
fn ranges(judged: &[Judged]) -> Vec<(usize, usize)> {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for (at, this) in judged.iter().enumerate() {
        match this.outcome {
            None | Some(Outcome::Delivered) => {}
            outcome => match ranges.last_mut() {
                Some((_, last)) if *last + 1 == at && judged[*last].outcome == outcome => *last = at,
                _ => ranges.push((at, at)),
            },
        }
    }
    ranges
}

#[cfg(test)]
mod tests;
