//! The claim of a library against what was seen, in a sentence.
//!
//! | claim | seen | verdict | exit |
//! |---|---|---|---|
//! | any | a broken contract; or a bad end without a signal, or with one that interrupted nothing | does what its contract forbids | 1 |
//! | safe | a bad end at a boundary, or under stress | claims to be safe; self-deadlocks at .. | 1 |
//! | safe | none, every boundary visited | safe as claimed | 0 |
//! | unsafe | a bad end at a boundary, or under stress | unsafe as claimed | 0 |
//! | unsafe | none | claims to be unsafe; was not seen to fail | 3 |
//! | safe | none, but not everything was looked at | not decided | 3, or 4 where the machine lacks something |
//!
//! A window claims to be safe.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sigproof_report::seen::Range;
use sigproof_report::{Exit, Outcome, Run, Verdict};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// It does what its contract forbids.
    Forbidden,
    /// It claims to be safe and fails.
    ClaimsSafe,
    /// It claims to be safe, and was not seen to fail.
    SafeAsClaimed,
    /// It claims to be unsafe and fails.
    UnsafeAsClaimed,
    /// It claims to be unsafe, and was not seen to fail.
    NotSeenToFail,
    /// Not everything was looked at.
    Undecided,
    /// Nothing could be looked at, because of this machine.
    Lacking,
}

impl Judgement {
    /// What it makes of the command.
    pub const fn exit(self) -> Exit {
        match self {
            Self::Forbidden | Self::ClaimsSafe => Exit::Unexpected,
            Self::SafeAsClaimed | Self::UnsafeAsClaimed => Exit::AsExpected,
            Self::NotSeenToFail | Self::Undecided => Exit::Inconclusive,
            Self::Lacking => Exit::Environment,
        }
    }

    /// As a verdict of a test.
    pub const fn verdict(self) -> Verdict {
        match self.exit() {
            Exit::AsExpected => Verdict::AsExpected,
            Exit::Inconclusive => Verdict::Inconclusive,
            Exit::Environment => Verdict::Skipped,
            _ => Verdict::Unexpected,
        }
    }
}

/// What was seen of a note or a window.
#[derive(Debug, Default)]
pub struct Evidence<'a> {
    /// Whether it claims to be safe.
    pub claims_safety: bool,
    /// The checks of the contract.
    pub contract: &'a [Run],
    pub sweeps: &'a [Run],
    pub stress: &'a [Run],
    /// What was not done, and why.
    pub left_out: &'a [String],
}

/// The verdict, and its sentence.
pub fn judge(evidence: &Evidence<'_>) -> (Judgement, String) {
    let forbidden = forbidden(evidence);
    if !forbidden.is_empty() {
        return (Judgement::Forbidden, format!("does what its contract forbids: {}", forbidden.join("; ")));
    }
    let coverage = coverage(evidence);
    if let Some(fails) = fails(evidence) {
        return match evidence.claims_safety {
            true => (Judgement::ClaimsSafe, format!("claims to be safe; {fails}")),
            false => (Judgement::UnsafeAsClaimed, format!("unsafe as claimed; {fails}")),
        };
    }
    let all = evidence.contract.iter().chain(evidence.sweeps).chain(evidence.stress);
    let refused: Vec<&Run> = all.clone().filter(|run| run.verdict == Verdict::Skipped).collect();
    // A bystander that spins while the owner of a lock is held is the sweep's doing, and no sign of anything.
    let is_cut = |run: &&Run| match run.verdict {
        Verdict::Inconclusive => !is_apart(run) || run.step().is_none_or(|step| step.counts.is_none()),
        verdict => verdict == Verdict::Unexpected,
    };
    let cut: Vec<&Run> = all.filter(is_cut).collect();
    let mut reasons: Vec<String> = Vec::new();
    for run in refused.iter().chain(&cut) {
        // One reason may keep all parts from running.
        let (why, part) = (reason(run), part(run));
        if !reasons.iter().any(|other| other.ends_with(&why)) {
            reasons.push(format!("{part}: {why}"));
        }
    }
    reasons.extend_from_slice(evidence.left_out);
    match evidence.claims_safety {
        _ if !refused.is_empty() => (Judgement::Lacking, format!("not decided: {} ({coverage})", reasons.join("; "))),
        _ if !reasons.is_empty() => (Judgement::Undecided, format!("not decided: {} ({coverage})", reasons.join("; "))),
        true => (Judgement::SafeAsClaimed, format!("safe as claimed ({coverage})")),
        false => (Judgement::NotSeenToFail, format!("claims to be unsafe; was not seen to fail ({coverage})")),
    }
}

fn reason(run: &Run) -> String {
    let mut reason = run.reason.clone().unwrap_or_else(|| run.verdict.to_string());
    if run.window().is_some() && reason.starts_with("the window has more than") {
        reason += ": it spins or polls where it should block, and a sweep of that has no end";
    }
    reason
}

/// The check or the window of a run.
fn part(run: &Run) -> String {
    match (run.window(), &run.setup.flavour) {
        (Some(window), None) => window.to_owned(),
        (_, Some(flavour)) => flavour.clone(),
        (None, None) => run.technique().to_string(),
    }
}

/// Whether the signal of a sweep interrupts nothing of the note's.
fn is_apart(run: &Run) -> bool {
    run.window() == Some("bystander")
}

/// What the contract forbids.
fn forbidden(evidence: &Evidence<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut broken = evidence.contract.iter().filter_map(|run| Some((run, run.forbidden().next()?.0)));
    if let Some((run, outcome)) = broken.next() {
        let said = if is_hang(outcome) { format!("it {}", verb(outcome)) } else { sentence(run, outcome) };
        found.push(format!("{said} (check {}: {})", part(run), promise(run)));
        let others: Vec<String> = broken.map(|(run, _)| part(run)).collect();
        if !others.is_empty() {
            found.push(format!("it also fails the checks {}", others.join(", ")));
        }
        return found;
    }
    for run in evidence.sweeps {
        let bad = |outcome: &Outcome| *outcome != Outcome::Delivered;
        let Some(counts) = run.step().and_then(|step| step.counts.as_ref()) else { continue };
        if let Some(outcome) = counts.without_signal.filter(bad) {
            let said = sentence(run, outcome);
            let verb = verb_of(outcome, &said);
            let said = if is_hang(outcome) { String::new() } else { format!(": {said}") };
            found.push(format!("without any signal, {} {verb}{said}", part(run)));
        } else if is_apart(run) && counts.vulnerable > 0 {
            let told = told(std::slice::from_ref(run));
            found.push(format!("woken by another thread, {}", told.unwrap_or_default()));
        }
    }
    found
}

/// The promise of a check.
fn promise(run: &Run) -> &'static str {
    let check = super::contract::CHECKS.iter().find(|check| Some(check.name) == run.setup.flavour.as_deref());
    check.map_or("", |check| check.promise)
}

/// How it fails, if it does.
fn fails(evidence: &Evidence<'_>) -> Option<String> {
    let sweeps: Vec<Run> = evidence.sweeps.iter().filter(|run| !is_apart(run)).cloned().collect();
    told(&sweeps).or_else(|| {
        let (run, (outcome, times)) = evidence.stress.iter().find_map(|run| Some((run, run.forbidden().next()?)))?;
        let said = sentence(run, outcome);
        let verb = verb_of(outcome, &said);
        let said = if is_hang(outcome) { String::new() } else { format!(": {said}") };
        Some(format!("{verb} in {times} of {} attempts under stress{said}", run.attempts))
    })
}

/// The bad boundaries of sweeps: each outcome with how often, and the first and the last of all.
fn told(sweeps: &[Run]) -> Option<String> {
    let total: usize = sweeps.iter().filter_map(|run| Some(run.step()?.counts.as_ref()?.boundaries)).sum();
    let mut by_outcome: BTreeMap<Outcome, usize> = BTreeMap::new();
    let mut bad: Vec<(&Run, &Range)> = Vec::new();
    for run in sweeps {
        let ranges = run.step().and_then(|step| step.folded.as_ref()).map_or(&[][..], |folded| &folded.ranges);
        for range in ranges {
            let Some(outcome) = range.outcome else { continue };
            *by_outcome.entry(outcome).or_default() += range.count;
            bad.push((run, range));
        }
    }
    let several = sweeps.len() > 1;
    let at = |run: &Run, spot: &sigproof_report::seen::Spot| {
        let asleep = if spot.asleep { "asleep in " } else { "" };
        let of = if several { format!("{} ", part(run)) } else { String::new() };
        format!("{asleep}{} ({of}k {})", spot.place, spot.k)
    };
    let ((run, first), (last_run, last)) = (bad.first()?, bad.last()?);
    let mut text = String::new();
    for (outcome, count) in &by_outcome {
        let comma = if text.is_empty() { "" } else { ", " };
        let of_outcome = bad.iter().find(|(_, range)| range.outcome == Some(*outcome));
        let verb = verb_of(*outcome, of_outcome.map_or("", |(_, range)| range.detail.as_str()));
        let _ = write!(text, "{comma}{verb} at {count} of {total} boundaries");
    }
    let _ = write!(text, ", first at {}, last at {}", at(run, &first.first), at(last_run, &last.last));
    // A hang has its diagnosis; of other ends the sentence is all there is.
    let is_told = |range: &Range| range.outcome.is_some_and(|outcome| !is_hang(outcome)) && !range.detail.is_empty();
    let said = bad.iter().find(|(_, range)| is_told(range)).map(|(_, range)| range.detail.as_str());
    if let Some(said) = said {
        let _ = write!(text, ": {said}");
    }
    Some(text)
}

/// The same, where the sentence tells whether the process died.
fn verb_of(outcome: Outcome, sentence: &str) -> &'static str {
    match outcome {
        Outcome::Crash if !sentence.is_empty() && !sentence.starts_with("the process") => "breaks its contract",
        outcome => verb(outcome),
    }
}

/// Whether it is a hang. Its sentence names threads and addresses, which are others in each run: the findings
/// have it.
const fn is_hang(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::SelfDeadlock | Outcome::CrossDeadlock | Outcome::LostWakeup | Outcome::Livelock)
}

/// What was seen, for an outcome that is no hang.
fn sentence(run: &Run, outcome: Outcome) -> String {
    let finding = run.findings().find(|finding| finding.outcome == outcome);
    finding.map_or_else(|| outcome.to_string(), |finding| finding.sentence.clone())
}

/// What a library does whose outcome is this.
fn verb(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::SelfDeadlock => "self-deadlocks",
        Outcome::CrossDeadlock => "deadlocks with another thread",
        Outcome::LostWakeup => "loses the wake-up and sleeps for ever",
        Outcome::DoubleWakeup => "is woken twice",
        Outcome::SpuriousWakeup => "returns without a wake-up",
        Outcome::Livelock => "spins for ever",
        Outcome::CorruptRecord => "fails its check",
        Outcome::ErrnoSpoiled => "spoils errno",
        Outcome::DescriptorLeak => "leaks or closes descriptors",
        Outcome::Late => "is late",
        Outcome::Refused => "refuses",
        _ => "crashes",
    }
}

/// How much was looked at.
fn coverage(evidence: &Evidence<'_>) -> String {
    let mut parts = Vec::new();
    if !evidence.contract.is_empty() {
        parts.push(format!("{} checks of its contract", evidence.contract.len()));
    }
    let counts = evidence.sweeps.iter().filter_map(|run| run.step()?.counts.as_ref());
    let (windows, injected) = counts.fold((0, 0), |(windows, sum), counts| (windows + 1, sum + counts.injected));
    if windows > 0 {
        let windows = if windows == 1 { "1 window".to_owned() } else { format!("{windows} windows") };
        parts.push(format!("a signal at each of {injected} boundaries of {windows}"));
    }
    let signals: u64 = evidence.stress.iter().map(|run| run.signals_in_window).sum();
    if !evidence.stress.is_empty() {
        parts.push(format!("{signals} signals inside the window under stress"));
    }
    if parts.is_empty() { "nothing was looked at".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests;
