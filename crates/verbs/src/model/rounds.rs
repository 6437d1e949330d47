//! The time of all models, shared out among them.
//!
//! At first each model gets an equal part of what is left. A small model ends early, and the others get the
//! rest. After that each thread takes the open model that needs the least time to end, and goes on with it
//! from where it was stopped: so the time ends as many models as it can.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sigproof_harness::model::driver::OUT_OF_TIME;
use sigproof_harness::model::state::State;
use sigproof_report::{Run, Verdict};
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use crate::parallel;
use crate::progress::{Event, Progress};
use crate::trouble::Trouble;

/// How long a model is explored at a time, at least: a process is started for it.
const LEAST: Duration = Duration::from_millis(300);

/// The time of a model that is begun at least.
const BEGUN: Duration = Duration::from_millis(100);

/// What is known of a model.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// All of it, so far.
    pub run: Run,
    /// From where its search can go on.
    pub state: Option<State>,
}

impl Part {
    /// Whether more time helps.
    pub(super) fn is_open(&self) -> bool {
        let end = self.run.model().and_then(|model| model.end.as_ref());
        end.and_then(|end| end.not_exhausted.as_deref()).is_some_and(|why| why.starts_with(OUT_OF_TIME))
    }

    /// About how many seconds it needs, from what it has done in its time.
    fn needs(&self) -> Option<f64> {
        let explored = self.run.model()?.explored.as_ref()?;
        let rate = explored.executions as f64 / self.run.elapsed_seconds;
        let needs = explored.remaining.filter(|_| rate > 0.0).map(|left| left as f64 / rate);
        // A bug that must be found may be anywhere: as much time again.
        let is_undecided = self.run.verdict == Verdict::Inconclusive;
        if is_undecided { Some(needs.unwrap_or(f64::MAX).min(self.run.elapsed_seconds)) } else { needs }
    }
}

/// How the time is shared.
pub(super) struct Rounds {
    /// When it is over.
    pub until: Option<Instant>,
    /// Whether every model is begun, though the time is over.
    pub begins_all: bool,
    /// Models at a time.
    pub jobs: usize,
    /// Whether a search goes on from where it was stopped. Else it begins again, where there is more time for
    /// it than before.
    pub goes_on: bool,
}

impl Rounds {
    fn left(&self) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// Explores `count` models, of which some are known; gives all that is known then, and the trouble that
    /// ended it. `explore` gets the model, its time, how many threads it may have, and its state.
    pub(super) fn all(
        &self,
        known: BTreeMap<usize, Part>,
        count: usize,
        stop: &AtomicBool,
        progress: &Progress,
        explore: impl Explore,
    ) -> (BTreeMap<usize, Part>, Option<Trouble>) {
        let open: Vec<_> = (0..count).filter(|index| known.get(index).is_none_or(Part::is_open)).collect();
        let work = Work { rounds: self, parts: Mutex::new(known), stop, progress, explore };
        let share = work.share(open.len());
        let trouble = work.round(open, "model");
        let trouble = match (trouble, self.goes_on) {
            (Some(trouble), _) => Some(trouble),
            (None, true) => work.go_on(),
            (None, false) => work.again(share),
        };
        (work.parts.into_inner().unwrap_or_default(), trouble)
    }
}

/// Explores a model; `None` if it was interrupted.
pub(super) trait Explore:
    Fn(usize, Option<Duration>, usize, Option<State>) -> Result<Option<(Run, Option<State>)>, Trouble> + Sync
{
}

impl<F> Explore for F where
    F: Fn(usize, Option<Duration>, usize, Option<State>) -> Result<Option<(Run, Option<State>)>, Trouble> + Sync
{
}

struct Work<'a, F> {
    rounds: &'a Rounds,
    parts: Mutex<BTreeMap<usize, Part>>,
    stop: &'a AtomicBool,
    progress: &'a Progress,
    explore: F,
}

impl<F: Explore> Work<'_, F> {
    fn known(&self) -> BTreeMap<usize, Part> {
        self.parts.lock().map_or_else(|_| BTreeMap::new(), |parts| parts.clone())
    }

    fn open(&self) -> Vec<usize> {
        self.known().into_iter().filter(|(_, part)| part.is_open()).map(|(index, _)| index).collect()
    }

    /// An equal share of the time for each of these models.
    fn round(&self, open: Vec<usize>, thing: &'static str) -> Option<Trouble> {
        let most = self.rounds.jobs;
        // With few models the work within each is shared out.
        let (outer, inner) = if open.len() >= most { (most, 1) } else { (open.len(), most) };
        self.progress.event(Event::Planned { count: open.len(), thing });
        parallel::each(
            outer,
            open.len(),
            self.stop,
            || (),
            |(), nth| {
                let left = self.rounds.left();
                let share = left.map(|left| left.min(left.mul_f64(outer as f64 / (open.len() - nth) as f64)));
                let least = if self.rounds.begins_all { BEGUN } else { Duration::ZERO };
                let share = share.map(|share| share.max(least));
                self.one(open[nth], share, inner)
            },
        )
    }

    fn one(&self, index: usize, share: Option<Duration>, jobs: usize) -> Result<(), Trouble> {
        let part = self.known().remove(&index).filter(|part| self.rounds.goes_on && part.state.is_some());
        let spent = part.as_ref().map_or(0.0, |part| part.run.elapsed_seconds);
        if let Some((mut run, state)) = (self.explore)(index, share, jobs, part.and_then(|part| part.state))? {
            run.elapsed_seconds += spent;
            self.progress.event(Event::Finished { index, run: Box::new(run.clone()) });
            if let Ok(mut parts) = self.parts.lock() {
                parts.insert(index, Part { run, state });
            }
        }
        Ok(())
    }

    /// Goes on with the models that are open, the nearest to its end first, as long as there is time.
    fn go_on(&self) -> Option<Trouble> {
        let open = self.open();
        if open.is_empty() || self.rounds.until.is_none() {
            return None;
        }
        self.progress.event(Event::Planned { count: open.len(), thing: "unfinished model" });
        let busy = Mutex::new(BTreeSet::new());
        parallel::each(
            self.rounds.jobs,
            self.rounds.jobs,
            self.stop,
            || (),
            |(), _| {
                while !self.stop.load(Ordering::Relaxed)
                    && let Some((index, share, jobs)) = self.next(&busy)
                {
                    let done = self.one(index, Some(share), jobs);
                    if let Ok(mut busy) = busy.lock() {
                        busy.remove(&index);
                    }
                    done?;
                }
                Ok(())
            },
        )
    }

    /// The model to go on with, its time, and how many threads it may have.
    fn next(&self, busy: &Mutex<BTreeSet<usize>>) -> Option<(usize, Duration, usize)> {
        let left = self.rounds.left().filter(|left| *left >= LEAST)?;
        let mut busy = busy.lock().ok()?;
        let mut open = self.known();
        open.retain(|index, part| part.is_open() && !busy.contains(index));
        let needs = |part: &Part| part.needs().unwrap_or(f64::MAX);
        let (index, part) = open.iter().min_by(|(_, a), (_, b)| needs(a).total_cmp(&needs(b)))?;
        let is_alone = open.len() == 1 && busy.is_empty();
        busy.insert(*index);
        // What it needs is an estimate.
        let enough = Duration::try_from_secs_f64(2.0 * needs(part)).unwrap_or(Duration::MAX);
        Some((*index, left.min(enough.max(LEAST)), if is_alone { self.rounds.jobs } else { 1 }))
    }

    /// The part of each of so many models in what is left.
    fn share(&self, count: usize) -> Option<Duration> {
        Some(self.rounds.left()?.mul_f64(self.rounds.jobs as f64 / count.max(1) as f64))
    }

    /// Explores what is open from the start again, as long as there is more time for it than before.
    fn again(&self, mut before: Option<Duration>) -> Option<Trouble> {
        loop {
            let open = self.open();
            let share = self.share(open.len());
            if open.is_empty() || self.stop.load(Ordering::Relaxed) || share <= before {
                return None;
            }
            before = share;
            let trouble = self.round(open, "unfinished model");
            if trouble.is_some() {
                return trouble;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sigproof_report::seen::{Exhaustion, Explored, Model};
    use sigproof_report::{Expected, Seen, SetupId, Technique, Variant};

    /// A model of which so many executions are done, and so many left, after a time.
    fn run(done: u64, remaining: u64, seconds: f64) -> Run {
        let mut run = Run::new(Technique::Model, SetupId::new("a-model", Variant::Fixed), Expected::default());
        let explored =
            Explored { executions: done, remaining: (remaining > 0).then_some(remaining), ..Default::default() };
        let end = match remaining {
            0 => Exhaustion { exhausted: true, not_exhausted: None },
            _ => Exhaustion::cut(OUT_OF_TIME),
        };
        run.seen = Seen::Model(Box::new(Model { explored: Some(explored), end: Some(end), weakened: None }));
        run.elapsed_seconds = seconds;
        run
    }

    fn state(graphs: usize) -> State {
        let graphs = vec![String::new(); graphs];
        let label = "a-model/fixed".to_owned();
        let nothing = Vec::new();
        State {
            label,
            most: 1,
            executions: 0,
            discarded: 0,
            signals: 0,
            well: 0,
            searches: 1,
            weak_failures: None,
            failing: nothing,
            graphs,
        }
    }

    /// Three models with 300, 20 and 100 executions. The first round stops each after 10.
    #[test]
    fn what_is_nearest_to_its_end_comes_first_and_goes_on() {
        let sizes = [300, 20, 100];
        let turns = Mutex::new(Vec::new());
        let rounds = Rounds {
            until: Some(Instant::now() + Duration::from_secs(600)),
            begins_all: false,
            jobs: 1,
            goes_on: true,
        };
        let stop = AtomicBool::new(false);
        let (all, trouble) = rounds.all(BTreeMap::new(), 3, &stop, &Progress::start(), |index, time, _, before| {
            // So many graphs stand for so many executions done.
            let before = before.map_or(0, |state| state.graphs.len());
            let now = if turns.lock().unwrap().len() < 3 { 10 } else { (time.unwrap().as_secs_f64()) as usize };
            let done = (before + now).min(sizes[index]);
            turns.lock().unwrap().push((index, before));
            let run = run(done as u64, (sizes[index] - done) as u64, (done - before) as f64);
            Ok(Some((run, Some(state(done)))))
        });
        assert!(trouble.is_none() && all.values().all(|part| !part.is_open()));
        assert_eq!(turns.into_inner().unwrap(), [(0, 0), (1, 0), (2, 0), (1, 10), (2, 10), (0, 10)]);
        assert!((all[&0].run.elapsed_seconds - 300.0).abs() < 1e-9, "{}", all[&0].run.elapsed_seconds);
    }

    #[test]
    fn every_model_is_begun_if_it_is_to_be() {
        let rounds = Rounds { until: Some(Instant::now()), begins_all: true, jobs: 2, goes_on: true };
        let (all, _) = rounds.all(BTreeMap::new(), 3, &AtomicBool::new(false), &Progress::start(), |_, time, _, _| {
            Ok(Some((run(1, 3, time.unwrap().as_secs_f64()), Some(state(1)))))
        });
        assert_eq!(all.values().map(|part| part.run.elapsed_seconds).collect::<Vec<_>>(), [BEGUN.as_secs_f64(); 3]);
    }

    /// Where there is no time any more, what is known stays.
    #[test]
    fn what_is_known_stays_without_time() {
        let rounds = Rounds { until: Some(Instant::now()), begins_all: false, jobs: 2, goes_on: true };
        let open = Part { run: run(7, 3, 1.0), state: Some(state(7)) };
        let stop = AtomicBool::new(false);
        let (all, _) = rounds.all([(0, open)].into(), 1, &stop, &Progress::start(), |_, time, _, _| {
            assert_eq!(time, Some(Duration::ZERO));
            Ok(None)
        });
        assert_eq!(all[&0].run, run(7, 3, 1.0));
    }

    #[test]
    fn what_is_done_is_not_explored_again() {
        let rounds = Rounds { until: None, begins_all: false, jobs: 2, goes_on: true };
        let done = Part { run: run(7, 0, 1.0), state: None };
        let (all, _) =
            rounds.all([(0, done)].into(), 2, &AtomicBool::new(false), &Progress::start(), |index, _, _, _| {
                assert_eq!(index, 1);
                Ok(Some((run(9, 0, 1.0), None)))
            });
        assert_eq!(
            all.values().map(|part| part.run.model().unwrap().explored.clone().unwrap().executions).sum::<u64>(),
            16
        );
    }
}
