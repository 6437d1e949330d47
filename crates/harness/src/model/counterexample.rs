//! The counterexample that is shortest to read, and its replay.

use std::time::{Duration, Instant};

use serde_json::Value;
use sigproof_shim::model::graph::Memory;
use sigproof_shim::model::{self as engine, End, Engine, Exploration, Failure, FailureKind, Instead, Limits, Seen};
use sigproof_shim::native::os::clock;

use super::driver::{self, Failing};
use super::token::{Perturbed, Token};
use super::trace::Sources;
use super::{Entry, memory, strengthen, trace, verdict};
use sigproof_report::{Finding, Run, Verdict};
use sigproof_report::{Grade, Outcome, PROGRAM};

/// Why a token cannot be repeated.
const MISFIT: &str = "the token does not fit this source: its operations are others";

/// How long the search for fewer preemptions may take, for each number of them.
const SHORTER: Duration = Duration::from_secs(2);

/// An execution of a model.
#[derive(Clone, Copy)]
pub(super) struct Execution<'a> {
    pub(super) entry: &'a Entry,
    /// Which execution.
    pub(super) token: &'a Token,
    /// The orderings that the model has in place of its own.
    pub(super) instead: &'a [Instead],
}

/// Runs the execution of a token.
fn run_again(Execution { entry, token, instead }: Execution<'_>) -> Exploration {
    let (limits, body) = (Limits { instead: instead.to_vec(), ..Limits::default() }, &entry.model.body);
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
        let token = explained(&mut finding, entry, token, &[]);
        finding.replay = Some(format!("{PROGRAM} replay {token}"));
    } else {
        let why = engine::lacking().unwrap_or_else(|| "the checker's path could not be read".to_owned());
        finding.text = format!("{}\nno counterexample and no replay token: {why}", finding.sentence);
    }
    finding
}

/// Puts what there is to say of a failure into its finding.
fn tell(finding: &mut Finding, execution: Execution<'_>, failure: &Failure, plainer: &Plainer) {
    let mut sources = Sources::default();
    finding.sentence = verdict::judge(failure).1;
    finding.fingerprint = verdict::fingerprint(failure);
    finding.text = trace::render(failure, &finding.sentence, &mut sources);
    finding.details = trace::details(failure, &execution.token.perturbed, &mut sources);
    let mut add = |text: &str| {
        if !text.is_empty() {
            finding.text = format!("{}\n{}", finding.text, text.trim_end());
        }
    };
    add(&memory::render(failure, &mut sources));
    add(&plainer.text());
    if let Plainer::Found(_) = plainer {
        return;
    }
    if let Some(found) = strengthen::strengthen(execution, failure) {
        add(&found.text());
        if let Some(memory) = finding.details.get_mut("memory").and_then(Value::as_object_mut) {
            memory.insert("strengthened".to_owned(), found.details());
        }
    }
}

/// Whether the failure needs a weak memory order: another execution may fail in the same way without one.
enum Plainer {
    /// It does not need one.
    NotNeeded,
    /// There is another execution.
    Found(Box<(Token, Failure)>),
    /// No other was found, in so many executions; whether these were all.
    None(u64, bool),
}

/// How long an execution without a weak memory order is searched for.
const PLAINER: Duration = Duration::from_secs(2);

/// So many failing executions are looked at.
const FAILING: usize = 256;

impl Plainer {
    fn search(execution: Execution<'_>, failure: &Failure) -> Self {
        let Execution { entry, token, instead } = execution;
        let Perturbed::By(environment) = token.perturbed else { return Self::NotNeeded };
        if !needs_weak_order(failure) {
            return Self::NotNeeded;
        }
        let (outcome, _) = verdict::judge(failure);
        let until = Some(clock::now() + PLAINER);
        let limits = Limits { until, instead: instead.to_vec(), ..Limits::default() };
        let mut failing = Vec::new();
        let explored = engine::search(environment, &limits, &entry.model.body, 1, &mut |seen| {
            if let Seen::Failed(failure, choices) = seen
                && verdict::judge(&failure).0 == outcome
            {
                failing.push(choices());
            }
            failing.len() < FAILING
        });
        let is_all = matches!(explored.end, End::Exhausted) && failing.len() < FAILING;
        for choices in failing {
            let token = Token { choices, ..token.clone() };
            if let End::Failed(failure) = run_again(Execution { token: &token, ..execution }).end
                && !needs_weak_order(&failure)
            {
                return Self::Found(Box::new((token, failure)));
            }
        }
        Self::None(explored.executions, is_all)
    }

    fn text(&self) -> String {
        match self {
            Self::NotNeeded => String::new(),
            Self::Found(plain) => format!(
                "another execution fails so without a weak memory order, so no stronger ordering forbids the failure:\n  \
                 {PROGRAM} replay {}",
                plain.0
            ),
            Self::None(executions, true) => {
                format!("under sequential consistency nothing fails so: shown by all {executions} executions")
            }
            Self::None(executions, false) => {
                format!(
                    "in the {executions} executions that were looked at, none fails so under sequential consistency"
                )
            }
        }
    }
}

/// Whether a stronger ordering could forbid this execution.
fn needs_weak_order(failure: &Failure) -> bool {
    match failure.graph.as_ref().map(|graph| &graph.memory) {
        Some(Memory::Weak(_)) => true,
        Some(Memory::Race(race)) => race.path.is_some(),
        _ => false,
    }
}

/// Tells of a failing execution; or of another one that fails in the same way without a weak memory order,
/// if there is one. Gives the token of the one that is told of.
pub(super) fn explained(finding: &mut Finding, entry: &Entry, token: Token, instead: &[Instead]) -> Token {
    let execution = Execution { entry, token: &token, instead };
    let End::Failed(failure) = run_again(execution).end else { return token };
    if verdict::judge(&failure).0 != finding.outcome {
        return token;
    }
    match Plainer::search(execution, &failure) {
        Plainer::Found(plain) => {
            let (token, failure) = *plain;
            tell(finding, Execution { entry, token: &token, instead }, &failure, &Plainer::NotNeeded);
            token
        }
        plainer => {
            tell(finding, execution, &failure, &plainer);
            token
        }
    }
}

/// Runs the execution of a token once more, in one of these models. `None`: none of them has its label.
pub fn replay(models: &[Entry], token: &Token) -> Option<Run> {
    let started = Instant::now();
    let entry = models.iter().find(|entry| entry.label() == token.label)?;
    let execution = Execution { entry, token, instead: &[] };
    let explored = run_again(execution);
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
            tell(&mut finding, execution, failure, &Plainer::search(execution, failure));
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
fn stale(failure: &Failure) -> bool {
    let says = |part| failure.message.contains(part);
    // A thread cannot come to wait for another without a step.
    let no_step = matches!(failure.kind, FailureKind::Deadlock | FailureKind::Livelock) && failure.steps.is_empty();
    says("unexpected exploration state") || says("loom internal bug") || no_step
}
