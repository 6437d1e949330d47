//! Explores a model over execution graphs: one search, in which the environment does what it may wherever it
//! may.
//!
//! A broken variant is explored with no perturbation first, then with one, and so on, until what must be seen
//! was seen: so the failure that is found has the fewest.
//!
//! What the time leaves of a search is a [`State`], from which another process goes on.

use std::time::{Duration, Instant};

use sigproof_shim::model::{self as engine, End, Environment, Limits, Remaining, Seen};
use sigproof_shim::native::os::clock;

use super::driver::{Failing, Found, OUT_OF_TIME, Observer, Options, is_broken, satisfied};
use super::state::State;
use super::token::Perturbed;
use super::{Entry, verdict};

/// What the progress of a search is told in: parts of its time.
pub(super) const WHOLE: usize = 1000;

/// How much was explored and how much there is, in words.
pub(super) fn amount(executions: u64, remaining: Option<Remaining>) -> String {
    let Some(remaining) = remaining else { return format!("{executions} executions") };
    // Two digits: it is an estimate.
    let whole = |left: f64| {
        let all = executions as f64 + left;
        let digit = 10_f64.powf(all.max(1.0).log10().floor() - 1.0).max(1.0);
        (all / digit).round() * digit
    };
    let [about, low, high] = [remaining.about, remaining.low, remaining.high].map(whole);
    let between = if low < high { format!(" ({low} to {high})") } else { String::new() };
    format!("{executions} executions of about {about}{between}")
}

/// What the environment may do in a model, at most so often in an execution.
pub(super) fn environment(entry: &Entry, most: u32) -> Environment {
    Environment { most, timeouts: entry.model.timeouts, spurious: entry.model.spurious }
}

/// Explores `entry` with at most so many perturbations in an execution.
pub(super) fn explore(
    entry: &Entry,
    options: &Options,
    deliveries: u32,
    observer: &dyn Observer,
    started: Instant,
    found: &mut Found,
) {
    let mut first = if is_broken(entry.expected()) { 0 } else { deliveries };
    let mut from = Vec::new();
    if let Some(state) = &options.state {
        first = state.most;
        from.clone_from(&state.graphs);
        state.put_into(found);
    }
    for most in first..=deliveries {
        level(entry, options, most, std::mem::take(&mut from), observer, started, found);
        if satisfied(found, entry.expected()) || found.unsupported {
            return;
        }
    }
}

fn level(
    entry: &Entry,
    options: &Options,
    most: u32,
    from: Vec<String>,
    observer: &dyn Observer,
    started: Instant,
    found: &mut Found,
) {
    let environment = environment(entry, most);
    let is_new = from.is_empty();
    let weak_failures = options.weak_failures.unwrap_or(entry.model.weak_failures);
    let limits = Limits {
        preemptions: None,
        weak_failures,
        until: options.until,
        from,
        keep: options.keep,
        distinct: options.distinct,
        estimate: true,
        ..Limits::default()
    };
    let mut failed = 0;
    let before = found.executions;
    let begun = clock::now();
    let gone = || match options.until.map(|until| until.saturating_sub(begun)) {
        Some(all) if all > Duration::ZERO => (clock::now() - begun).as_secs_f64() / all.as_secs_f64(),
        _ => 0.0,
    };
    let explored = engine::search(environment, &limits, &entry.model.body, options.jobs, &mut |seen| match seen {
        Seen::Progress { executions, .. } => {
            observer.plans(entry, (gone() * WHOLE as f64) as usize, WHOLE, before + executions);
            true
        }
        Seen::Failed(failure, choices) => {
            failed += 1;
            let (outcome, sentence) = verdict::judge(&failure);
            found.failing.entry(outcome).and_modify(|(count, _)| *count += 1).or_insert_with(|| {
                let seconds = started.elapsed().as_secs_f64();
                (1, Failing { perturbed: Perturbed::By(environment), choices: Some(choices()), sentence, seconds })
            });
            !satisfied(found, entry.expected())
        }
    });
    found.plans += usize::from(is_new);
    found.executions += explored.executions;
    found.discarded += explored.discarded;
    if explored.weak_bound_met {
        found.weak_failures = Some(weak_failures);
    }
    found.signals += explored.deliveries;
    found.well += explored.executions - failed;
    found.distinct = match (found.distinct, explored.distinct) {
        (Some(before), Some(more)) => Some(before + more),
        (None, more) if is_new && before == 0 => more,
        _ => None,
    };
    match explored.end {
        End::OutOfTime => {
            found.remaining = explored.remaining;
            let why = format!("{OUT_OF_TIME}; {}", amount(found.executions, explored.remaining));
            if options.time_bounds && !is_broken(entry.expected()) {
                found.bound = Some(why);
            } else {
                found.stopped = Some(why);
            }
            if options.keep {
                found.state = Some(State::of(entry, most, found, explored.waiting));
            }
        }
        End::TooLarge => {
            // The last execution has no end.
            found.well = found.well.saturating_sub(1);
            found.stopped = Some(format!("an execution of {} is too long", entry.label()));
        }
        End::Misfit => found.stopped = Some("the state is none of this model as this build has it".to_owned()),
        End::Unsupported => found.unsupported = true,
        End::Exhausted | End::Failed(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(500, Some([500.0, 500.0, 500.0]), "500 executions of about 1000")]
    #[case(68_352, Some([5_200_000.0, 2_600_000.0, 1.04e7]), "68352 executions of about 5300000 (2700000 to 10000000)")]
    #[case(3, Some([0.0, 0.0, 0.0]), "3 executions of about 3")]
    #[case(7, None, "7 executions")]
    fn an_estimate_has_two_digits(#[case] executions: u64, #[case] remaining: Option<[f64; 3]>, #[case] text: &str) {
        let remaining = remaining.map(|[about, low, high]| Remaining { about, low, high });
        assert_eq!(amount(executions, remaining), text);
    }
}
