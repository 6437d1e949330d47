//! From what was seen of a window to a run of the report.

use serde_json::json;

use super::super::Entry;
use super::super::engine::{Kind, Trouble};
use super::super::map::{Map, Spot};
use super::super::token::Token;
use super::{DIAGNOSED, Nested, Seen, Which, symbols};
use crate::case::{Grade, Outcome};
use crate::refusal::Refusal;
use crate::report::{Finding, Run, Verdict};

/// Fills in what was seen, and judges it.
pub(super) fn judge(run: &mut Run, entry: &Entry, kind: Kind, seen: &Seen, which: &Which) {
    show(run, entry, kind, seen);
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
    let unvisited = if *which == Which::All { unvisited(seen) } else { 0 };
    if unvisited > 0 {
        more("not_visited", json!(unvisited));
    }
    let per_execution = seen.seconds * 1e6 / seen.executions.max(1) as f64;
    more("microseconds_per_execution", json!((per_execution * 10.0).round() / 10.0));
    run.observed = seen.observed();
    run.attempts = seen.executions;
    run.signals_in_window = injected as u64;
    run.signals = run.observed.values().sum();
    run.first_seconds = seen.first_seconds;
    let forbidden: Vec<_> = run.forbidden().map(|(outcome, _)| outcome.as_str()).collect();
    let missing: Vec<_> = run.missing().map(Outcome::as_str).collect();
    let asked_for_all = *which == Which::All;
    let well = run.observed.keys().all(|outcome| *outcome == Outcome::Delivered);
    let must = run.expected.must_occur().any(|outcome| outcome != Outcome::Delivered);
    let without = seen.without.filter(|outcome| entry.expected().grade(*outcome) == Grade::Never);
    let first_astray = astray.clone().next().map(|judged| judged.detail.clone()).unwrap_or_default();
    // What happens without a signal is no effect of one.
    (run.verdict, run.reason) = if let Some(without) = without {
        (Verdict::Unexpected, Some(format!("without any signal: {without}")))
    } else if !forbidden.is_empty() {
        (Verdict::Unexpected, Some(format!("{} was seen and must never occur", forbidden.join(", "))))
    } else if astray.clone().count() > 0 {
        let count = astray.count();
        (Verdict::Inconclusive, Some(format!("{count} boundaries were not reached; the first: {first_astray}")))
    } else if let Some((first, why)) = seen.unrecorded.first() {
        let reason =
            format!("no second signal was sent behind boundary {first}: the handler's path was not recorded: {why}");
        (Verdict::Inconclusive, Some(reason))
    } else if matches!(which, Which::Named(_)) && well && must {
        (Verdict::Inconclusive, Some("nothing bad came of this boundary".to_owned()))
    } else if let (true, false, Some(why)) = (asked_for_all, missing.is_empty(), &seen.without_nested) {
        (
            Verdict::Inconclusive,
            Some(format!("{why}, where {} may occur; an engine that traces can", missing.join(", "))),
        )
    } else if asked_for_all && !missing.is_empty() && unvisited > 0 {
        let reason =
            format!("{} must occur and was not seen yet; {}", missing.join(", "), ended_early(seen, unvisited));
        (Verdict::Inconclusive, Some(reason))
    } else if asked_for_all && !missing.is_empty() {
        (Verdict::Unexpected, Some(format!("{} must occur and was seen at no boundary", missing.join(", "))))
    } else {
        (Verdict::AsExpected, (unvisited > 0).then(|| ended_early(seen, unvisited)))
    };
}

/// How many boundaries a sweep that ended early has left out, those of handlers included.
fn unvisited(seen: &Seen) -> usize {
    let all = seen.nested.iter().map(|nested| &nested.swept).chain([&seen.swept]);
    all.map(|swept| swept.path.len().saturating_sub(swept.judged.len())).sum()
}

/// Why a sweep has left boundaries out.
fn ended_early(seen: &Seen, unvisited: usize) -> String {
    let why = seen.unwatchable.as_deref().unwrap_or("a child cannot be looked at");
    let hangs = seen.presumed.len();
    format!(
        "the sweep is not exhaustive: {unvisited} boundaries were not visited, because each hang is decided by patience \
         here ({why}); it ended after {hangs} of them"
    )
}

/// What lies where, and what was found there.
fn show(run: &mut Run, entry: &Entry, kind: Kind, seen: &Seen) {
    let label = entry.label();
    let path = &seen.swept.path;
    for (at, finding) in &seen.findings {
        let token = Token::of(&label, path, *at, symbols());
        let spot = Spot::of(path, *at, symbols());
        let asleep = if spot.asleep { "asleep in " } else { "" };
        let text = format!("{}\nthe signal came at boundary {at}, {asleep}{}", finding.text.trim_end(), spot.place);
        let replay = Some(format!("cargo xtask replay {token}"));
        run.add_finding(Finding { text: text.trim_start().to_owned(), replay, ..finding.clone() });
    }
    if let Some(only) = &seen.only {
        let Spot { k, asleep, place, object, source, instruction } = Spot::of(path, only.k, symbols());
        let asleep = if asleep { "asleep in " } else { "" };
        let source = source.map(|source| format!(", {source}")).unwrap_or_default();
        run.more.insert(
            "map".into(),
            format!("k {k} of {}: {asleep}{place} ({object}{source}): {instruction}", path.len()).into(),
        );
        run.more.insert("moved".into(), json!(only.moved));
        return;
    }
    for nested in &seen.nested {
        tell_nested(run, &label, nested);
    }
    let map = Map::of(&label, &seen.swept, symbols());
    let mut text = map.to_string();
    let undiagnosed = map.vulnerable_ranges().saturating_sub(DIAGNOSED);
    if undiagnosed > 0 {
        text += &format!("the last {undiagnosed} ranges were not diagnosed\n");
    }
    if kind == Kind::TrapFlag {
        text += "out of this engine's reach, and not counted: the boundary right behind each system call\n";
        run.more.insert("out_of_reach".into(), "the boundary right behind each system call".into());
    }
    // The findings of a run are one of each kind; these are one of each range.
    let of_range = |(k, finding): &(usize, Finding)| json!({ "k": k, "diagnosis": finding });
    run.more.insert("range_diagnoses".into(), seen.findings.iter().map(of_range).collect());
    for nested in &seen.nested {
        let mut within = Map::of(&label, &nested.swept, symbols());
        // A token names a boundary of the window's own path.
        within.ranges.iter_mut().for_each(|range| range.token = None);
        text += &format!("a second signal in the handler, the first one at k {}:\n{within}", nested.first);
    }
    run.more.insert("map".into(), text.into());
    run.more.insert("strip".into(), map.strip.into());
    run.more.insert("ranges".into(), json!(map.ranges));
    run.more.insert("functions".into(), json!(map.functions));
}

/// What came of a second signal, where no first one has come to the same.
fn tell_nested(run: &mut Run, label: &str, Nested { first, swept }: &Nested) {
    for (second, judged) in swept.judged.iter().enumerate() {
        let Some(outcome) = judged.outcome.filter(|outcome| *outcome != Outcome::Delivered) else { continue };
        let place = Spot::of(&swept.path, second, symbols()).place;
        let text = format!(
            "the first signal came at boundary {first}, the second one at boundary {second} of its handler, {place}"
        );
        let replay = Some(format!("cargo xtask step {label}"));
        run.add_finding(Finding { text, replay, ..Finding::new(outcome, judged.detail.clone()) });
    }
}

/// The run of a window that could not be swept.
pub(super) fn refuse(run: &mut Run, trouble: &Trouble) {
    run.refused = matches!(trouble, Trouble::System { .. } | Trouble::Refused(_));
    run.verdict = match trouble {
        Trouble::Incapable { .. } | Trouble::System { .. } | Trouble::Refused(_) => Verdict::Skipped,
        _ => Verdict::Inconclusive,
    };
    run.reason = Some(match trouble {
        Trouble::Incapable { .. } => format!("{trouble}; an engine that traces can"),
        Trouble::System { call, error } => Refusal::new(*call, error).to_string(),
        _ => trouble.to_string(),
    });
}

#[cfg(test)]
mod tests;
