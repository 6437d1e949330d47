//! From what was seen of a window to a run of the report.

use serde_json::json;

use super::super::Entry;
use super::super::engine::Trouble;
use super::Seen;
use crate::case::{Grade, Outcome};
use crate::report::{Run, Verdict};

/// Fills in what was seen, and judges it.
pub(super) fn judge(run: &mut Run, entry: &Entry, seen: &Seen, only: Option<usize>) {
    let judged = &seen.swept.judged;
    let injected = judged.iter().filter(|judged| judged.outcome.is_some()).count();
    let nested = seen.nested.iter().flat_map(|nested| &nested.swept.judged);
    let bad = |outcome: Option<Outcome>| outcome.is_some_and(|outcome| outcome != Outcome::Delivered);
    let vulnerable = judged.iter().filter(|judged| bad(judged.outcome)).count();
    let retries: u32 = judged.iter().chain(nested.clone()).map(|judged| judged.retries).sum();
    let astray = nested.clone().chain(judged).filter(|judged| judged.outcome.is_none());
    let mut more = |key: &str, value: serde_json::Value| {
        run.more.insert(key.into(), value);
    };
    more("boundaries", json!(seen.swept.path.len()));
    more("injected", json!(injected));
    more("vulnerable", json!(vulnerable));
    more("diverged", json!(astray.clone().count()));
    more("retries", json!(retries));
    more("nested", json!(nested.clone().filter(|judged| judged.outcome.is_some()).count()));
    more("without_signal", json!(seen.without));
    let per_execution = seen.seconds * 1e6 / seen.executions.max(1) as f64;
    more("microseconds_per_execution", json!((per_execution * 10.0).round() / 10.0));
    run.observed = seen.observed();
    run.attempts = seen.executions;
    run.signals_in_window = injected as u64;
    run.signals = run.observed.values().sum();
    run.first_seconds = seen.first_seconds;
    let forbidden: Vec<_> = run.forbidden().map(|(outcome, _)| outcome.as_str()).collect();
    let missing: Vec<_> = run.missing().map(Outcome::as_str).collect();
    let asked_for_all = only.is_none();
    let without = seen.without.filter(|outcome| entry.expected().grade(*outcome) == Grade::Never);
    let first_astray = astray.clone().next().map(|judged| judged.detail.clone()).unwrap_or_default();
    (run.verdict, run.reason) = if !forbidden.is_empty() {
        (Verdict::Unexpected, Some(format!("{} was seen and must never occur", forbidden.join(", "))))
    } else if let Some(without) = without {
        (Verdict::Unexpected, Some(format!("without any signal: {without}")))
    } else if astray.clone().count() > 0 {
        let count = astray.count();
        (Verdict::Inconclusive, Some(format!("{count} boundaries were not reached; the first: {first_astray}")))
    } else if asked_for_all && !missing.is_empty() {
        (Verdict::Unexpected, Some(format!("{} must occur and was seen at no boundary", missing.join(", "))))
    } else {
        (Verdict::AsExpected, None)
    };
}

/// The run of a window that could not be swept.
pub(super) fn refuse(run: &mut Run, trouble: &Trouble) {
    run.verdict = match trouble {
        Trouble::Incapable { .. } => Verdict::Skipped,
        _ => Verdict::Inconclusive,
    };
    run.reason = Some(match trouble {
        Trouble::Incapable { .. } => format!("{trouble}; an engine that traces can"),
        _ => trouble.to_string(),
    });
}
