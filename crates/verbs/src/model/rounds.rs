//! The time of all models, shared out among them.
//!
//! In the first round each model gets an equal part of what is left. A small model ends early, and the others
//! get the rest. In each further round the models that are not done go on from where they were stopped, in the
//! order of the time that they still need: the more of them end, the better the time is spent.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sigproof_harness::model::driver::OUT_OF_TIME;
use sigproof_harness::model::state::State;
use sigproof_report::Run;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use crate::parallel;
use crate::progress::{Event, Progress};
use crate::trouble::Trouble;

/// How long a round of a model is at least: a process is started for it.
const LEAST: Duration = Duration::from_millis(300);

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
        (rate > 0.0).then_some(explored.remaining? as f64 / rate)
    }
}

/// How the time is shared.
pub(super) struct Rounds {
    /// When it is over.
    pub until: Option<Instant>,
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
        explore: impl Fn(usize, Option<Duration>, usize, Option<State>) -> Result<Option<(Run, Option<State>)>, Trouble>
        + Sync,
    ) -> (BTreeMap<usize, Part>, Option<Trouble>) {
        let mut open: Vec<usize> = (0..count).filter(|index| known.get(index).is_none_or(Part::is_open)).collect();
        let parts = Mutex::new(known);
        let known = |index: usize| parts.lock().ok().and_then(|parts| parts.get(&index).cloned());
        let mut is_first = true;
        let mut before = Duration::ZERO;
        let mut thing = "model";
        let trouble = loop {
            progress.event(Event::Planned { count: open.len(), thing });
            // With few models the work within each is shared out.
            let (outer, inner) = if open.len() >= self.jobs { (self.jobs, 1) } else { (open.len(), self.jobs) };
            let equal = |of: usize| self.left().map(|left| left.min(left.mul_f64(outer as f64 / of.max(1) as f64)));
            let first_share = equal(open.len());
            let trouble = parallel::each(
                outer,
                open.len(),
                stop,
                || (),
                |(), nth| {
                    let index = open[nth];
                    let part = known(index).filter(|_| self.goes_on);
                    let share = match part.as_ref().and_then(Part::needs).filter(|_| !is_first) {
                        // The need is an estimate.
                        Some(needs) => {
                            let enough = Duration::try_from_secs_f64(2.0 * needs).unwrap_or(Duration::MAX);
                            self.left().map(|left| left.min(enough.max(LEAST)))
                        }
                        None => equal(open.len() - nth),
                    };
                    let (state, spent) = match part {
                        Some(part) if part.state.is_some() => (part.state, part.run.elapsed_seconds),
                        _ => (None, 0.0),
                    };
                    if let Some((mut run, state)) = explore(index, share, inner, state)? {
                        run.elapsed_seconds += spent;
                        let part = Part { run, state };
                        progress.event(Event::Finished { index, run: Box::new(part.run.clone()) });
                        if let Ok(mut parts) = parts.lock() {
                            parts.insert(index, part);
                        }
                    }
                    Ok(())
                },
            );
            let all = parts.lock().map_or_else(|_| BTreeMap::new(), |parts| parts.clone());
            open = all.iter().filter(|(_, part)| part.is_open()).map(|(index, _)| *index).collect();
            let is_over = match (self.goes_on, self.left()) {
                (true, Some(left)) => left < LEAST,
                // From the start again: only with more time than before.
                (false, Some(left)) => {
                    before = before.max(first_share.unwrap_or_default());
                    left.mul_f64(self.jobs as f64 / open.len().max(1) as f64) <= before
                }
                (_, None) => true,
            };
            if open.is_empty() || trouble.is_some() || stop.load(Ordering::Relaxed) || is_over {
                break trouble;
            }
            if self.goes_on {
                let needs = |index: &usize| all.get(index).and_then(Part::needs).unwrap_or(f64::MAX);
                open.sort_by(|a, b| needs(a).total_cmp(&needs(b)));
            }
            (is_first, thing) = (false, "unfinished model");
        };
        (parts.into_inner().unwrap_or_default(), trouble)
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
            failing: nothing,
            graphs,
        }
    }

    /// Three models with 300, 20 and 100 executions. The first round stops each after 10.
    #[test]
    fn what_is_nearest_to_its_end_comes_first_and_goes_on() {
        let sizes = [300, 20, 100];
        let turns = Mutex::new(Vec::new());
        let rounds = Rounds { until: Some(Instant::now() + Duration::from_secs(600)), jobs: 1, goes_on: true };
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
    fn what_is_done_is_not_explored_again() {
        let rounds = Rounds { until: None, jobs: 2, goes_on: true };
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
