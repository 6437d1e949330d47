//! From how a child ended, or hangs, to an outcome and a finding.

use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use sigproof_inspect::diagnose::{self, Diagnosis, HangKind};
use sigproof_inspect::hang::{self, Stuck};
use sigproof_inspect::process::ending;
use sigproof_inspect::stacks::Told;
use sigproof_report::{Finding, Outcome};

use crate::inject::SIGNAL;
use crate::page::State;

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum End {
    /// With an outcome.
    Outcome(Outcome),
    /// It has no outcome, because of this machine: the reason and the remedy.
    Unsupported(String),
    /// It was abandoned.
    Abandoned,
}

/// The outcome of a child that has ended.
pub(crate) fn judge(state: State, status: ExitStatus, last_words: impl FnOnce() -> String) -> (End, Option<Finding>) {
    let crash = |sentence: String| {
        let words = last_words();
        let finding = Finding { text: words, ..Finding::new(Outcome::Crash, sentence) };
        (End::Outcome(Outcome::Crash), Some(finding))
    };
    match (state, status.code(), status.signal()) {
        (_, _, Some(_)) => crash(format!("the process {}", ending(status))),
        (State::Garbage(what), ..) => crash(format!("the process reported nonsense: {what}")),
        (_, Some(code), _) if code != 0 => crash(format!("the process {}", ending(status))),
        (State::Failed(failure), ..) => {
            (End::Outcome(failure.outcome), Some(Finding::new(failure.outcome, failure.detail)))
        }
        (State::Refused(refusal), ..) => (End::Unsupported(refusal.to_string()), None),
        (State::Done, ..) => (End::Outcome(Outcome::Delivered), None),
        (State::Starting | State::Running, ..) => crash("the process exited in the midst of its attempt".into()),
    }
}

/// The outcome of a child that is stuck, with the diagnosis. The diagnosis leaves out thread `but`.
pub(crate) fn explain(pid: u32, in_handler: bool, stuck: Stuck, but: Option<u32>) -> (Outcome, Finding) {
    match diagnose::diagnose(pid, stuck) {
        Ok(mut diagnosis) => {
            diagnosis.threads.retain(|thread| Some(thread.tid) != but);
            let outcome = outcome(diagnosis.kind, in_handler);
            let finding = finding(outcome, diagnosis);
            (outcome, if in_handler { finding } else { with_held_back(pid, finding) })
        }
        Err(error) => {
            let (outcome, what) = undiagnosed(in_handler, stuck);
            (outcome, Finding::new(outcome, format!("{what} (no stacks: {error})")))
        }
    }
}

/// The finding, with the threads that block the signal whose handler would have ended the hang perhaps.
fn with_held_back(pid: u32, finding: Finding) -> Finding {
    let mut sentence = finding.sentence.clone();
    for tid in hang::held_back(pid, SIGNAL) {
        let _ = write!(sentence, "; SIGPROF is pending for thread {tid}, which blocks it: no handler runs");
    }
    Finding { sentence, ..finding }
}

/// The outcome for a kind of hang. A sleeper with a handler on its stack has not lost a wake-up, whatever the
/// stacks could tell: the handler waits for something.
fn outcome(kind: HangKind, in_handler: bool) -> Outcome {
    match kind {
        HangKind::LostWakeup if in_handler => Outcome::SelfDeadlock,
        HangKind::SelfDeadlock => Outcome::SelfDeadlock,
        HangKind::CrossDeadlock => Outcome::CrossDeadlock,
        HangKind::LostWakeup => Outcome::LostWakeup,
        HangKind::Livelock => Outcome::Livelock,
    }
}

/// The finding in words that agree with the decided outcome.
fn finding(outcome: Outcome, mut diagnosis: Diagnosis) -> Finding {
    if outcome == Outcome::SelfDeadlock {
        diagnosis.is_in_handler();
    }
    let told = Told::of(&diagnosis);
    Finding {
        fingerprint: told.fingerprint.map(|fingerprint| fingerprint.to_string()),
        text: diagnosis.to_string(),
        details: serde_json::to_value(&diagnosis).unwrap_or_default(),
        ..Finding::new(outcome, diagnosis.sentence.clone())
    }
}

/// The kind of a hang, by what the child itself has noted, and in words.
pub(crate) fn undiagnosed(in_handler: bool, stuck: Stuck) -> (Outcome, &'static str) {
    match (stuck, in_handler) {
        (Stuck::Spinning { .. }, true) => (Outcome::Livelock, "a thread spins inside its signal handler"),
        (Stuck::Spinning { .. }, false) => (Outcome::Livelock, "a thread spins"),
        (Stuck::AllAsleep, true) => (Outcome::SelfDeadlock, "a thread is blocked inside its signal handler"),
        (Stuck::AllAsleep, false) => (Outcome::LostWakeup, "every thread sleeps and nothing is left to wake one"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;
    use rstest::rstest;

    /// The stacks may be cut short before the handler; the child's own note of it decides.
    #[test]
    fn a_finding_says_what_was_decided() {
        let blind = Diagnosis {
            kind: HangKind::LostWakeup,
            sentence: "thread 7 sleeps for ever on mutex S.m; no thread is left that can end the wait".to_owned(),
            threads: Vec::new(),
            method: diagnose::Method::Ptrace,
            remarks: Vec::new(),
            micros: 1,
        };
        let said = finding(Outcome::SelfDeadlock, blind.clone());
        assert!(said.text.starts_with("self-deadlock: a thread waits in a signal handler"), "{}", said.text);
        assert!(said.text.contains("on mutex S.m"), "{}", said.text);
        assert!(!said.text.contains("lost wake-up") && !said.text.contains("no thread is left"), "{}", said.text);
        assert_eq!(said.details["kind"], "self-deadlock");
        let lost = finding(Outcome::LostWakeup, blind);
        assert!(
            lost.text.starts_with("lost wake-up: thread 7") && lost.text.contains("no thread is left"),
            "{}",
            lost.text
        );
    }

    #[rstest]
    #[case::well(State::Done, 0, Outcome::Delivered)]
    #[case::own_verdict(State::Failed(Failure::new(Outcome::Late, "")), 0, Outcome::Late)]
    #[case::died_after_its_verdict(State::Done, 11, Outcome::Crash)]
    #[case::died(State::Running, 9, Outcome::Crash)]
    #[case::panicked(State::Running, 101 << 8, Outcome::Crash)]
    #[case::left(State::Running, 0, Outcome::Crash)]
    #[case::never_began(State::Starting, 0, Outcome::Crash)]
    #[case::nonsense(State::Garbage(String::new()), 0, Outcome::Crash)]
    fn every_end_is_an_outcome(#[case] state: State, #[case] wait_status: i32, #[case] expected: Outcome) {
        let (end, finding) = judge(state, ExitStatus::from_raw(wait_status), String::new);
        assert!(matches!(end, End::Outcome(o) if o == expected), "{end:?}");
        assert_eq!(finding.is_some(), expected != Outcome::Delivered);
    }
}
