//! The counterexample that is shortest to read, and its replay.

use std::time::{Duration, Instant};

use sigproof_shim::model::{self as engine, End, Engine, Exploration, FailureKind, Limits};
use sigproof_shim::native::os::clock;

use super::driver::{self, Failing};
use super::token::{Perturbed, Token};
use super::{Entry, trace, verdict};
use sigproof_report::{Finding, Run, Verdict};
use sigproof_report::{Grade, Outcome, PROGRAM};

/// Why a token cannot be repeated.
const MISFIT: &str = "the token does not fit this source: its operations are others";

/// How long the search for fewer preemptions may take, for each number of them.
const SHORTER: Duration = Duration::from_secs(2);

/// Runs the execution of a token.
fn run_again(token: &Token, entry: &Entry) -> Exploration {
    let (limits, body) = (Limits::default(), &entry.model.body);
    match &token.perturbed {
        Perturbed::Plan(plan) => engine::replay(plan, &limits, &token.choices, body),
        Perturbed::By(environment) => engine::repeat(*environment, &limits, &token.choices, body),
    }
}

/// The failure as a finding: with the fewest preemptions below `bound`, if there is one to look below, its
/// steps, and how to see it again.
pub(super) fn finding(entry: &Entry, bound: Option<u8>, outcome: Outcome, mut failing: Failing) -> Finding {
    for preemptions in 0..bound.unwrap_or(0) {
        let Perturbed::Plan(plan) = &failing.perturbed else { break };
        let until = Some(clock::now() + SHORTER);
        let limits = Limits { preemptions: Some(preemptions), until, ..Limits::default() };
        let (again, choices) = engine::explore(plan, &limits, &entry.model.body);
        if let End::Failed(failure) = &again.end
            && let (same, sentence) = verdict::judge(failure)
            && same == outcome
        {
            failing = Failing { choices, sentence, ..failing };
            break;
        }
    }
    let mut finding = Finding::new(outcome, failing.sentence);
    finding.seconds = Some(failing.seconds);
    if let Some(choices) = failing.choices {
        let token = Token { label: entry.label(), perturbed: failing.perturbed, choices };
        if let End::Failed(failure) = run_again(&token, entry).end {
            let (again, sentence) = verdict::judge(&failure);
            if again == outcome {
                finding.sentence = sentence;
                finding.fingerprint = verdict::fingerprint(&failure);
                finding.text = trace::render(&failure, &finding.sentence);
                finding.details = trace::details(&failure, &token.perturbed);
            }
        }
        finding.replay = Some(format!("{PROGRAM} replay {token}"));
    } else {
        let why = engine::lacking().unwrap_or_else(|| "the checker's path could not be read".to_owned());
        finding.text = format!("{}\nno counterexample and no replay token: {why}", finding.sentence);
    }
    finding
}

/// Runs the execution of a token once more, in one of these models. `None`: none of them has its label.
pub fn replay(models: &[Entry], token: &Token) -> Option<Run> {
    let started = Instant::now();
    let entry = models.iter().find(|entry| entry.label() == token.label)?;
    let explored = run_again(token, entry);
    let mut run = driver::run_of(entry);
    run.attempts = explored.executions;
    run.signals = explored.deliveries;
    run.verdict = Verdict::Inconclusive;
    match &explored.end {
        End::Failed(failure) if !stale(failure) => {
            let (outcome, sentence) = verdict::judge(failure);
            run.observed.insert(outcome, 1);
            let expected = entry.expected().grade(outcome) != Grade::Never;
            run.verdict = if expected { Verdict::AsExpected } else { Verdict::Unexpected };
            let mut finding = Finding::new(outcome, sentence);
            finding.fingerprint = verdict::fingerprint(failure);
            finding.text = trace::render(failure, &finding.sentence);
            finding.details = trace::details(failure, &token.perturbed);
            finding.seconds = Some(started.elapsed().as_secs_f64());
            finding.replay = Some(format!("{PROGRAM} replay {token}"));
            run.add_finding(finding);
        }
        End::Failed(_) => run.reason = Some(MISFIT.to_owned()),
        End::Exhausted => {
            run.observed.insert(Outcome::Delivered, 1);
            run.reason = Some("this execution does not fail (any more)".to_owned());
        }
        End::Unsupported if Engine::own() == Some(token.engine()) => run.reason = Some(MISFIT.to_owned()),
        End::Unsupported | End::Misfit => {
            run.verdict = Verdict::Skipped;
            run.reason = Some(engine::lacking().unwrap_or_else(|| "this build has no models".to_owned()));
        }
        End::OutOfTime | End::TooLarge => run.reason = Some("the execution could not be run to its end".to_owned()),
    }
    run.elapsed_seconds = started.elapsed().as_secs_f64();
    Some(run)
}

/// Whether the checker found other operations than the choices were made for.
fn stale(failure: &engine::Failure) -> bool {
    let says = |part| failure.message.contains(part);
    // A thread cannot come to wait for another without a step.
    let no_step = matches!(failure.kind, FailureKind::Deadlock | FailureKind::Livelock) && failure.steps.is_empty();
    says("unexpected exploration state") || says("loom internal bug") || no_step
}
