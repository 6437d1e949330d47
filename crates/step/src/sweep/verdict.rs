//! From what was seen of a window to a run of the report.

use crate::engine::{Kind, Trouble};
use crate::map::{Map, spot};
use crate::token::Token;
use crate::{Judged, Subject};

use super::{DIAGNOSED, Nested, Seen, Which, symbols};
use sigproof_inspect::refusal::Refusal;
use sigproof_report::seen::{Counts, Folded, RangeDiagnosis, Spot, Undone};
use sigproof_report::{Finding, Grade, Looked, Outcome, PROGRAM, Run, Verdict};

/// Fills in what was seen, and grades it.
pub(super) fn judge(run: &mut Run, subject: &dyn Subject, kind: Kind, seen: &Seen, which: &Which) {
    show(run, subject, kind, seen);
    let judged = &seen.swept.judged;
    let injected = judged.iter().filter(|judged| judged.outcome.is_some()).count();
    let nested = seen.nested.iter().flat_map(|nested| &nested.swept.judged);
    let bad = |outcome: Option<Outcome>| outcome.is_some_and(|outcome| outcome != Outcome::Delivered);
    let astray: Vec<&Judged> = nested.clone().chain(judged).filter(|judged| judged.outcome.is_none()).collect();
    let unvisited = if *which == Which::All { unvisited(seen) } else { 0 };
    let per_execution = seen.seconds * 1e6 / seen.executions.max(1) as f64;
    let counts = Counts {
        boundaries: seen.swept.path.len(),
        injected,
        vulnerable: judged.iter().filter(|judged| bad(judged.outcome)).count(),
        diverged: astray.len(),
        retries: judged.iter().chain(nested.clone()).map(|judged| judged.retries).sum(),
        nested: nested.filter(|judged| judged.outcome.is_some()).count(),
        without_signal: seen.without,
        recorded_anew: (seen.recorded_anew > 0).then_some(seen.recorded_anew),
        not_visited: (unvisited > 0).then_some(unvisited),
        microseconds_per_execution: (per_execution * 10.0).round() / 10.0,
    };
    if let Some(step) = run.step_mut() {
        step.counts = Some(counts);
        step.handler = seen.handler.clone();
        step.undo = seen.undo.clone();
    }
    run.observed = seen.observed();
    run.attempts = seen.executions;
    run.signals_in_window = injected as u64;
    run.signals = run.observed.values().sum();
    run.first_seconds = seen.first_seconds;
    grade(run, seen, which, &astray, unvisited);
    // What happens without a signal is no effect of one.
    let without = seen.without.filter(|outcome| run.expected.grade(*outcome) == Grade::Never);
    if let Some(without) = without {
        run.reason = Some(format!("without any signal: {without}"));
    }
}

fn grade(run: &mut Run, seen: &Seen, which: &Which, astray: &[&Judged], unvisited: usize) {
    let not_reached = || {
        let first = astray.first()?;
        Some(format!("{} boundaries were not reached; the first: {}", astray.len(), first.detail))
    };
    let not_recorded = || {
        let (first, why) = seen.unrecorded.first()?;
        Some(format!("no second signal was sent behind boundary {first}: the handler's path was not recorded: {why}"))
    };
    let mut looked =
        Looked { cut: not_reached().or_else(not_recorded), within: "at any boundary".to_owned(), ..Looked::default() };
    let early = (unvisited > 0).then(|| ended_early(seen, unvisited));
    if *which == Which::All {
        let without_nested = seen.without_nested.as_ref().map(|why| format!("{why}; an engine that traces can"));
        looked.shallow = without_nested.or_else(|| early.clone());
        run.grade(looked);
    } else {
        // One boundary says nothing of the others.
        let well = run.observed.keys().all(|outcome| *outcome == Outcome::Delivered);
        let nothing = matches!(which, Which::Named(_)) && well && run.expected.is_shown_by_an_outcome();
        looked.cut = looked.cut.or_else(|| nothing.then(|| "nothing bad came of this boundary".to_owned()));
        (run.verdict, run.reason) = sigproof_report::grade(&run.expected.incomplete(), &run.observed, looked);
    }
    if run.verdict == Verdict::AsExpected {
        run.reason = early.or_else(|| seen.undo.as_ref()?.fell_back.clone());
    }
}

/// How many boundaries a sweep that ended early has left out, those of handlers included.
fn unvisited(seen: &Seen) -> usize {
    let all = seen.nested.iter().map(|nested| &nested.swept).chain([&seen.swept]);
    all.map(|swept| swept.path.len().saturating_sub(swept.judged.len())).sum()
}

/// Why a sweep has left boundaries out.
fn ended_early(seen: &Seen, unvisited: usize) -> String {
    if let Some(why) = &seen.restless {
        return format!("the sweep is not exhaustive: {unvisited} boundaries were not visited: {why}");
    }
    let why = seen.unwatchable.as_deref().unwrap_or("a child cannot be looked at");
    let hangs = seen.presumed.len();
    format!(
        "the sweep is not exhaustive: {unvisited} boundaries were not visited, because each hang is decided by patience \
         here ({why}); it ended after {hangs} of them"
    )
}

/// What lies where, and what was found there.
fn show(run: &mut Run, subject: &dyn Subject, kind: Kind, seen: &Seen) {
    let label = subject.label();
    let path = &seen.swept.path;
    for (at, finding) in &seen.findings {
        let token = Token::of(&label, path, *at, symbols());
        let here = spot(path, *at, symbols());
        let asleep = if here.asleep { "asleep in " } else { "" };
        let text = format!("{}\nthe signal came at boundary {at}, {asleep}{}", finding.text.trim_end(), here.place);
        let replay = Some(format!("{PROGRAM} replay {token}"));
        run.add_finding(Finding { text: text.trim_start().to_owned(), replay, ..finding.clone() });
    }
    if let Some(only) = &seen.only {
        let Spot { k, asleep, place, object, source, instruction } = spot(path, only.k, symbols());
        let asleep = if asleep { "asleep in " } else { "" };
        let source = source.map(|source| format!(", {source}")).unwrap_or_default();
        if let Some(step) = run.step_mut() {
            step.map = Some(format!("k {k} of {}: {asleep}{place} ({object}{source}): {instruction}", path.len()));
            step.moved = only.moved.clone();
        }
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
    if let Some(Undone { boundaries, confirmed, fell_back }) = &seen.undo {
        text += &match fell_back {
            None => format!(
                "engine undo: copies judged {boundaries} of {} boundaries, {confirmed} of them confirmed by engine breakpoint\n",
                path.len()
            ),
            Some(why) => format!("engine breakpoint: {why}\n"),
        };
    }
    if kind == Kind::TrapFlag {
        text += "out of this engine's reach, and not counted: the boundary right behind each system call\n";
    }
    for nested in &seen.nested {
        let mut within = Map::of(&label, &nested.swept, symbols());
        // A token names a boundary of the window's own path.
        within.ranges.iter_mut().for_each(|range| range.token = None);
        text += &format!("a second signal in the handler, the first one at k {}:\n{within}", nested.first);
    }
    let of_range = |(k, finding): &(usize, Finding)| RangeDiagnosis { k: *k, diagnosis: finding.clone() };
    let folded = Folded {
        strip: map.strip,
        ranges: map.ranges,
        functions: map.functions,
        range_diagnoses: seen.findings.iter().map(of_range).collect(),
        out_of_reach: (kind == Kind::TrapFlag).then(|| "the boundary right behind each system call".to_owned()),
    };
    if let Some(step) = run.step_mut() {
        step.map = Some(text);
        step.folded = Some(folded);
    }
}

/// The bad outcomes of second signals.
fn tell_nested(run: &mut Run, label: &str, Nested { first, swept }: &Nested) {
    for (second, judged) in swept.judged.iter().enumerate() {
        let Some(outcome) = judged.outcome.filter(|outcome| *outcome != Outcome::Delivered) else { continue };
        let place = spot(&swept.path, second, symbols()).place;
        let text = format!(
            "the first signal came at boundary {first}, the second one at boundary {second} of its handler, {place}"
        );
        let replay = Some(format!("{PROGRAM} step {label}"));
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
