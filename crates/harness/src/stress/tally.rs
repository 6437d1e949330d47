//! What has been seen of one setup, when that is enough, and what it amounts to.
//!
//! | what was seen | verdict |
//! |---|---|
//! | an outcome that must never occur | unexpected |
//! | all outcomes that must occur, none that must never, enough signals inside the window | as expected |
//! | an outcome that must occur is missing after an honest effort ([`EFFORT`], [`HITS`]) | unexpected: the reproducer has stopped reproducing |
//! | less than that when the budget ran out | inconclusive |
//! | the machine refused what an attempt needs, and nothing that must never occur was seen before | skipped, and refused |

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::plan::Planned;
use super::{Event, ROUNDS};
use crate::case::{Grade, Outcome, Variant};
use crate::inject::Delivery;
use crate::report::{Run, Technique, Verdict};
use crate::supervise::Attempted;
use crate::worker::Order;

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
    observed: BTreeMap<Outcome, u64>,
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
        let setup = &planned.setup;
        let run = Run {
            note: setup.note_name().map(Into::into),
            mode: setup.mode,
            flavour: setup.flavour.map(Into::into),
            ..Run::new(Technique::Stress, planned.case.name(), setup.variant, setup.expected.clone())
        };
        Self {
            planned,
            goal,
            started: Instant::now(),
            observed: BTreeMap::new(),
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
        *self.observed.entry(outcome).or_default() += 1;
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
        self.observed.keys().any(|o| self.planned.setup.expected.grade(*o) == Grade::Never)
    }

    fn missing(&self) -> Option<Outcome> {
        self.planned.setup.expected.must_occur().find(|o| !self.observed.contains_key(o))
    }

    /// Whether an outcome other than `delivered` must occur.
    fn is_shown_by_an_outcome(&self) -> bool {
        self.planned.setup.expected.must_occur().any(|outcome| outcome != Outcome::Delivered)
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
            (self.run.verdict, self.run.reason) = self.verdict(delivery);
            self.run.refused = self.run.verdict == Verdict::Skipped;
        }
        self.run.observed = self.observed;
        self.run
    }

    fn verdict(&self, delivery: Delivery) -> (Verdict, Option<String>) {
        let attempts = self.run.attempts;
        if let Some((outcome, n)) =
            self.observed.iter().find(|(o, _)| self.planned.setup.expected.grade(**o) == Grade::Never)
        {
            return (
                Verdict::Unexpected,
                Some(format!("{outcome} occurred in {n} of {attempts} attempts and must never")),
            );
        }
        if let Some(reason) = &self.refused {
            return (Verdict::Skipped, Some(reason.clone()));
        }
        if let Some(outcome) = self.missing() {
            return self.without(outcome, delivery);
        }
        if !self.covered() {
            let (inside, goal) = (self.run.signals_in_window, self.goal.coverage);
            return (Verdict::Inconclusive, Some(format!("{inside} signals hit the window, {goal} were asked for")));
        }
        (Verdict::AsExpected, None)
    }

    /// What it amounts to that an outcome which must occur did not.
    fn without(&self, outcome: Outcome, delivery: Delivery) -> (Verdict, Option<String>) {
        let (attempts, inside) = (self.run.attempts, self.run.signals_in_window);
        let aimed = self.planned.case.aimed();
        let wanted = self.goal.coverage.max(HITS.min(delivery.coverage()));
        let were = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        // What is not aimed has no window: its effort is its rounds.
        if attempts < EFFORT || (!aimed && self.rounds < EFFORT * ROUNDS) {
            let few = if attempts == 1 { "is too few" } else { "are too few" };
            let mut made = were(attempts, "attempt");
            if self.rounds < attempts * ROUNDS {
                made += &format!(" of {} in all", were(self.rounds, "round"));
            }
            let reason = format!("{outcome} must occur; {made} {few} to say that it does not");
            return (Verdict::Inconclusive, Some(reason));
        }
        if aimed && inside < wanted {
            let hits = were(inside, "signal");
            let reason =
                format!("{outcome} must occur; {hits} hit the window, and {wanted} are needed to say that it does not");
            return (Verdict::Inconclusive, Some(reason));
        }
        (Verdict::Unexpected, Some(format!("{outcome} must occur and did not in {attempts} attempts")))
    }

    /// The command that repeats it.
    fn command(&self, delivery: Delivery, rounds: u64, seed: Option<u64>) -> String {
        let setup = &self.planned.setup;
        let mut words = vec![format!("cargo xtask stress {} --variant {}", self.planned.case.name(), setup.variant)];
        let flag = |name: &str, value: Option<String>| value.map(|v| format!("--{name} {v}"));
        words.extend(flag("flavour", setup.flavour.map(Into::into)));
        words.extend(flag("note", setup.note_name().map(Into::into)));
        words.extend(flag("mode", setup.mode.map(|m| m.to_string())));
        words.extend(flag("rounds", (rounds != ROUNDS).then(|| rounds.to_string())));
        words.extend(flag("delivery", (delivery != Delivery::best()).then(|| delivery.to_string())));
        words.extend(flag("seed", seed.map(|s| s.to_string())));
        words.extend(flag("attempts", seed.map(|_| "1".into())));
        words.join(" ")
    }
}

/// The value below which that share of the sorted values lies.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * share).round() as usize).copied()
}

#[cfg(test)]
mod tests;
