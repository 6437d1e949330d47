//! What has been seen of one setup, when that is enough, and what it amounts to.
//!
//! | what was seen | verdict |
//! |---|---|
//! | an outcome that must never occur | unexpected |
//! | all outcomes that must occur, none that must never, enough signals inside the window | as expected |
//! | an outcome that must occur is missing after an honest effort ([`EFFORT`], [`HITS`]) | unexpected: the reproducer has stopped reproducing |
//! | less than that when the budget ran out | inconclusive |
//! | the machine refused what an attempt needs, and nothing that must never occur was seen before | skipped, and refused |

use std::time::{Duration, Instant};

use super::plan::Planned;
use super::{Event, ROUNDS};
use crate::inject::Delivery;
use crate::supervise::Attempted;
use crate::worker::Order;
use sigproof_report::{Looked, Outcome, PROGRAM, Run, Technique, Variant, Verdict};

/// So many attempts without an outcome that must occur are an honest effort; fewer are inconclusive.
const EFFORT: u64 = 10;

/// And so many signals inside the window (or as many as the delivery is asked for, if fewer): a bug that was
/// never met cannot be missing.
const HITS: u64 = 100;

/// So many attempts at least, of each setup: what shows once must show again.
const ATTEMPTS: u64 = 5;

/// When it is enough.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal {
    /// Exactly so many attempts.
    pub(super) attempts: Option<u64>,
    /// At least so many signals inside the window, for a fixed variant.
    pub(super) coverage: u64,
    /// No more time than this.
    pub(super) time: Duration,
    /// And no less, for a fixed variant.
    pub(super) use_all_time: bool,
}

/// What has been seen.
pub(super) struct Tally<'a> {
    planned: &'a Planned,
    goal: Goal,
    started: Instant,
    bad_seconds: Vec<f64>,
    /// Up to the end of the last attempt.
    spent: Duration,
    refused: Option<String>,
    /// Rounds asked for, no attempt counted for more than [`ROUNDS`].
    rounds: u64,
    run: Run,
}

impl<'a> Tally<'a> {
    pub(super) fn new(planned: &'a Planned, goal: Goal) -> Self {
        let id = planned.setup.id(planned.case.name());
        let run = Run::new(Technique::Stress, id, planned.setup.expected.clone());
        Self {
            planned,
            goal,
            started: Instant::now(),
            bad_seconds: Vec::new(),
            spent: Duration::ZERO,
            refused: None,
            rounds: 0,
            run,
        }
    }

    pub(super) fn attempts(&self) -> u64 {
        self.run.attempts
    }

    /// It does not run, and this is why.
    pub(super) fn skip(&mut self, reason: String) {
        self.run.verdict = Verdict::Skipped;
        self.run.reason = Some(reason);
    }

    /// The machine refused what its attempts need, and this is what.
    pub(super) fn refuse(&mut self, reason: String) {
        self.refused = Some(reason);
    }

    /// Takes in one attempt, just ended. Whether its outcome is bad and new.
    pub(super) fn count(&mut self, outcome: Outcome, attempted: &Attempted, seed: u64, order: &Order) -> bool {
        let begun = core::mem::replace(&mut self.spent, self.started.elapsed());
        self.run.attempts += 1;
        self.rounds += order.rounds.min(ROUNDS);
        self.run.signals += attempted.signals;
        self.run.signals_in_window += attempted.inside;
        *self.run.observed.entry(outcome).or_default() += 1;
        if outcome == Outcome::Delivered {
            return false;
        }
        self.bad_seconds.push(attempted.elapsed.as_secs_f64());
        // Without the diagnosis, which comes after the outcome.
        self.run.first_seconds.get_or_insert((begun + attempted.elapsed).as_secs_f64());
        let Some(mut finding) = attempted.finding.clone() else { return false };
        finding.replay = Some(self.command(order.delivery, order.rounds, Some(seed)));
        self.run.add_finding(finding)
    }

    /// When to end an attempt that is still at it.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.goal.attempts.is_some() && !self.goal.use_all_time {
            return None;
        }
        Some(self.started + self.goal.time)
    }

    /// Whether to stop.
    pub(super) fn enough(&self) -> bool {
        let late = self.started.elapsed() >= self.goal.time;
        match self.goal.attempts {
            Some(attempts) => self.run.attempts >= attempts || (self.goal.use_all_time && late),
            // A bad outcome where none may be: five of a kind tell no more than one, but say how often.
            None if self.forbidden() => self.run.attempts >= ATTEMPTS || late,
            None if self.goal.use_all_time && self.planned.setup.variant == Variant::Fixed => late,
            None => late || self.reached(),
        }
    }

    /// What the setup asks for has been seen.
    fn reached(&self) -> bool {
        self.missing().is_none() && self.covered() && self.run.attempts >= self.goal.attempts.unwrap_or(ATTEMPTS)
    }

    fn forbidden(&self) -> bool {
        self.run.forbidden().next().is_some()
    }

    fn missing(&self) -> Option<Outcome> {
        self.run.missing().next()
    }

    /// Whether an outcome other than `delivered` must occur.
    fn is_shown_by_an_outcome(&self) -> bool {
        self.run.expected.is_shown_by_an_outcome()
    }

    /// A variant that must show an outcome needs no coverage: the outcome proves that the window was hit.
    fn covered(&self) -> bool {
        self.is_shown_by_an_outcome() || self.run.signals_in_window >= self.goal.coverage
    }

    /// The event that says how far it is.
    pub(super) fn progress(&self, index: usize) -> Event {
        let of = |done: u64, goal: u64| if goal == 0 { 1.0 } else { done as f64 / goal as f64 };
        let time = self.started.elapsed().as_secs_f64() / self.goal.time.as_secs_f64();
        let fraction = match self.goal.attempts {
            Some(attempts) => of(self.run.attempts, attempts),
            None if self.goal.use_all_time && self.planned.setup.variant == Variant::Fixed => time,
            None if self.is_shown_by_an_outcome() => time.max(of(self.run.attempts, ATTEMPTS)),
            None => time.max(of(self.run.signals_in_window, self.goal.coverage).min(of(self.run.attempts, ATTEMPTS))),
        };
        Event::Progress {
            index,
            attempts: self.run.attempts,
            signals: self.run.signals,
            signals_in_window: self.run.signals_in_window,
            fraction: fraction.clamp(0.0, 1.0),
        }
    }

    /// What it amounts to.
    pub(super) fn into_run(mut self, delivery: Delivery) -> Run {
        self.run.elapsed_seconds = self.started.elapsed().as_secs_f64();
        self.run.replay = Some(self.command(delivery, ROUNDS, None));
        if !self.bad_seconds.is_empty() {
            self.bad_seconds.sort_by(f64::total_cmp);
            self.run.first_seconds_median = quantile(&self.bad_seconds, 0.5);
            self.run.first_seconds_p95 = quantile(&self.bad_seconds, 0.95);
        }
        if self.run.reason.is_none() {
            let looked = self.looked(delivery);
            self.run.grade(looked);
            self.run.refused = self.run.verdict == Verdict::Skipped;
        }
        self.run
    }

    /// How far it has looked.
    fn looked(&self, delivery: Delivery) -> Looked {
        let uncovered = || {
            let (inside, goal) = (self.run.signals_in_window, self.goal.coverage);
            format!("{inside} signals hit the window, {goal} were asked for")
        };
        Looked {
            refused: self.refused.clone(),
            cut: (self.missing().is_none() && !self.covered()).then(uncovered),
            shallow: self.too_little(delivery),
            within: format!("in {}", of(self.run.attempts, "attempt")),
            ..Looked::default()
        }
    }

    /// Why an outcome that did not occur may still be possible.
    fn too_little(&self, delivery: Delivery) -> Option<String> {
        let (attempts, inside) = (self.run.attempts, self.run.signals_in_window);
        let aimed = self.planned.case.aimed();
        let wanted = self.goal.coverage.max(HITS.min(delivery.coverage()));
        // A case that is not aimed has no window: its effort is its rounds.
        if attempts < EFFORT || (!aimed && self.rounds < EFFORT * ROUNDS) {
            let few = if attempts == 1 { "is too few" } else { "are too few" };
            let mut made = of(attempts, "attempt");
            if self.rounds < attempts * ROUNDS {
                made += &format!(" of {} in all", of(self.rounds, "round"));
            }
            return Some(format!("{made} {few} to say that it does not occur"));
        }
        let hits = of(inside, "signal");
        (aimed && inside < wanted)
            .then(|| format!("{hits} hit the window, and {wanted} are needed to say that it does not occur"))
    }

    fn command(&self, delivery: Delivery, rounds: u64, seed: Option<u64>) -> String {
        let mut words = vec![format!("{PROGRAM} stress {}", self.run.setup.arguments())];
        let flag = |name: &str, value: Option<String>| value.map(|v| format!("--{name} {v}"));
        words.extend(flag("rounds", (rounds != ROUNDS).then(|| rounds.to_string())));
        words.extend(flag("delivery", (delivery != Delivery::best()).then(|| delivery.to_string())));
        words.extend(flag("seed", seed.map(|s| s.to_string())));
        words.extend(flag("attempts", seed.map(|_| "1".into())));
        words.join(" ")
    }
}

/// `1 attempt`, `2 attempts`.
fn of(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The value below which that share of the sorted values lies.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * share).round() as usize).copied()
}

#[cfg(test)]
mod tests;
