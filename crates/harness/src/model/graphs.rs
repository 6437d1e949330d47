//! Explores a model over execution graphs: one search, in which the environment does what it may wherever it
//! may.
//!
//! A broken variant is explored with no perturbation first, then with one, and so on, until what must be seen
//! was seen: so the failure that is found has the fewest.

use std::time::Instant;

use sigproof_shim::model::{self as engine, End, Environment, Limits, Seen};

use super::driver::{Failing, Found, OUT_OF_TIME, Observer, Options, is_broken, satisfied};
use super::token::Perturbed;
use super::{Entry, verdict};

/// What the progress of a search is told in: parts of the whole.
pub(super) const WHOLE: usize = 1000;

/// How many executions there are in all, in words: so many were `part` of them.
fn all(executions: u64, part: f64) -> String {
    let all = executions as f64 / part;
    if !all.is_finite() {
        return String::new();
    }
    // Two digits: it is an estimate, and too low rather than too high.
    let digit = 10_f64.powf(all.max(1.0).log10().floor() - 1.0).max(1.0);
    format!(" of about {} or more", (all / digit).round() * digit)
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
    let first = if is_broken(entry.expected()) { 0 } else { deliveries };
    for most in first..=deliveries {
        level(entry, options, most, observer, started, found);
        if satisfied(found, entry.expected()) || found.unsupported {
            return;
        }
    }
}

fn level(entry: &Entry, options: &Options, most: u32, observer: &dyn Observer, started: Instant, found: &mut Found) {
    let environment = environment(entry, most);
    let limits = Limits { preemptions: None, until: options.until, ..Limits::default() };
    let mut failed = 0;
    let before = found.executions;
    let explored = engine::search(environment, &limits, &entry.model.body, options.jobs, &mut |seen| match seen {
        Seen::Progress { executions, explored, .. } => {
            observer.plans(entry, (explored * WHOLE as f64) as usize, WHOLE, before + executions);
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
    found.plans += 1;
    found.executions += explored.executions;
    found.signals += explored.deliveries;
    found.well += explored.executions - failed;
    match explored.end {
        End::OutOfTime => {
            let executions = explored.executions;
            let why = format!("{OUT_OF_TIME}; {executions} executions{}", all(executions, explored.explored));
            if options.time_bounds && !is_broken(entry.expected()) {
                found.bound = Some(why);
            } else {
                found.stopped = Some(why);
            }
        }
        End::TooLarge => {
            // The last execution has no end.
            found.well = found.well.saturating_sub(1);
            found.stopped = Some(format!("an execution of {} is too long", entry.label()));
        }
        End::Unsupported => found.unsupported = true,
        End::Exhausted | End::Failed(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(500, 0.5, " of about 1000 or more")]
    #[case(68_352, 0.013, " of about 5300000 or more")]
    #[case(3, 1.0, " of about 3 or more")]
    #[case(0, 0.0, "")]
    fn an_estimate_has_two_digits(#[case] executions: u64, #[case] part: f64, #[case] text: &str) {
        assert_eq!(all(executions, part), text);
    }
}
