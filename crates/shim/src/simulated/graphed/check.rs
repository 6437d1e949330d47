//! Explorations and replays over execution graphs.

use std::boxed::Box;
use std::cell::RefCell;
use std::rc::Rc;
use std::string::String;
use std::vec::Vec;

use sigproof_explore::{End as Ended, Explorer, Trail, Walk, Went};

use super::search::check;
use super::{statics, witness};
use crate::model::{Body, Chances, Choices, End, Environment, Exploration, Failure, FailureKind, Limits, Plan, Seen};
use crate::simulated::engine::{Quiet, SPINS, STUCK};
use crate::simulated::world::{self, Perturbed, Trace, World, with};

/// What this machine lacks for counterexamples: nothing.
#[must_use]
pub const fn lacking() -> Option<String> {
    None
}

/// Runs `body` in every execution under `plan`, until one fails. Of a failure, also the choices that led to
/// it.
#[must_use]
pub fn explore(plan: &Plan, limits: &Limits, body: &Body) -> (Exploration, Option<Choices>) {
    let mut first = None;
    let mut found = check(Perturb::As(plan), limits, body, 1, &mut |seen| match seen {
        Seen::Failed(failure, choices) => {
            first = Some((failure, choices()));
            false
        }
        Seen::Progress { .. } => true,
    });
    let choices = first.map(|(failure, choices)| {
        found.end = End::Failed(failure);
        choices
    });
    (found, choices)
}

/// Runs `body` in every execution in which the environment does what it may, in so many threads. Tells
/// `each` of what fails, and now and then of progress; its answer says whether to go on.
#[must_use]
pub fn search(
    environment: Environment,
    limits: &Limits,
    body: &Body,
    jobs: usize,
    each: &mut (dyn FnMut(Seen<'_>) -> bool + Send),
) -> Exploration {
    check(Perturb::By(environment), limits, body, jobs, each)
}

/// Who perturbs the executions of a search.
#[derive(Clone, Copy)]
pub(super) enum Perturb<'a> {
    As(&'a Plan),
    By(Environment),
}

impl Perturb<'_> {
    pub(super) fn perturbed(self) -> Perturbed {
        match self {
            Self::As(plan) => Perturbed::As(Rc::new(plan.clone())),
            Self::By(environment) => Perturbed::By(environment),
        }
    }
}

/// Runs the one execution of these choices, and records its steps. It ends as [`End::Exhausted`] if it does
/// not fail, and as [`End::Unsupported`] if it is none of this body.
#[must_use]
pub fn replay(plan: &Plan, limits: &Limits, choices: &Choices, body: &Body) -> Exploration {
    again(Perturb::As(plan), limits, choices, body)
}

/// As [`replay`], of an execution that a [`search`] found.
#[must_use]
pub fn repeat(environment: Environment, limits: &Limits, choices: &Choices, body: &Body) -> Exploration {
    again(Perturb::By(environment), limits, choices, body)
}

fn again(perturb: Perturb<'_>, limits: &Limits, choices: &Choices, body: &Body) -> Exploration {
    let Some(trail) = Trail::read(&choices.0) else { return nothing(End::Unsupported) };
    let _quiet = Quiet::new();
    let program = program(&perturb.perturbed(), limits, body, true);
    let mut walk = Walk::along(&explorer(limits), trail);
    let Some((ended, world)) = run(&mut walk, &program) else { return nothing(End::Unsupported) };
    let mut found = nothing(End::Exhausted);
    found.executions = 1;
    match failure(ended, world) {
        Ok(world) => take(&mut found, &world),
        Err(None) => found.end = End::TooLarge,
        Err(Some(failed)) => {
            let (mut failure, trace) = *failed;
            witness::explain(&mut failure, trace, walk.graph(), walk.raced());
            found.end = End::Failed(failure);
        }
    }
    found
}

pub(super) fn explorer(limits: &Limits) -> Explorer {
    // An operation is an event, or two.
    Explorer::new().events(2 * limits.branches).weak_failures(limits.weak_failures)
}

pub(super) fn nothing(end: End) -> Exploration {
    Exploration {
        executions: 0,
        carried_out: 0,
        deliveries: 0,
        chances: Chances::default(),
        end,
        sites: Vec::new(),
        discarded: 0,
        weak_bound_met: false,
        distinct: None,
        left: 0,
        waiting: Vec::new(),
        remaining: None,
    }
}

/// The program of the explorer: the body, in a world of its own.
pub(super) fn program(perturbed: &Perturbed, limits: &Limits, body: &Body, tracing: bool) -> Rc<dyn Fn()> {
    let (perturbed, limits, body) = (perturbed.clone(), limits.clone(), body.clone());
    Rc::new(move || {
        world::begin(World::new(perturbed.clone(), &limits, tracing));
        body();
        super::thread_ends();
        // They may own what touches the world.
        let handlers = with(|w| {
            w.threads[0].ended = true;
            core::mem::take(&mut w.handlers)
        });
        drop(handlers);
    })
}

/// Runs the program along the current graph: how the execution ended, and in which state, if it is one.
pub(super) fn run(walk: &mut Walk, program: &Rc<dyn Fn()>) -> Option<(Ended<()>, Option<Box<World>>)> {
    let last: RefCell<Option<Box<World>>> = RefCell::default();
    let went = walk.execute(program, |_| {
        // What is unwound after this has no world: see invariant 3 of `simulated`.
        *last.borrow_mut() = world::end().map(Box::new);
    });
    let world = last.take();
    statics::end_of_execution();
    match went {
        Went::Ended(end) => Some((end, world)),
        Went::Discarded => None,
    }
}

/// What an end means: none is a failure; a failure without a text is a limit.
pub(super) fn failure(
    ended: Ended<()>,
    world: Option<Box<World>>,
) -> Result<Box<World>, Option<Box<(Failure, Trace)>>> {
    let Some(mut world) = world else { return Err(None) };
    let (kind, message) = match (world.failed.take(), ended) {
        (_, Ended::Limit(_)) => return Err(None),
        (Some(failed), _) => failed,
        (None, Ended::Done(())) => return Ok(world),
        (None, Ended::Deadlock) => (FailureKind::Deadlock, String::from(STUCK)),
        (None, Ended::Livelock) => (FailureKind::Livelock, String::from(SPINS)),
        (None, Ended::Race(text)) => (FailureKind::Race, text),
        (None, Ended::Panic(text)) => (FailureKind::Panicked, text),
        (None, Ended::Unrepeatable(text)) => {
            (FailureKind::Panicked, format!("the body is not a function of what it reads: {text}"))
        }
    };
    let threads = world.thread_ends();
    let trace = world.trace.take().unwrap_or_default();
    let failure = Failure { kind, message, threads, steps: Vec::new(), graph: None };
    Err(Some(Box::new((failure, trace))))
}

pub(super) fn take(found: &mut Exploration, world: &World) {
    let progress = &world.progress;
    found.deliveries += progress.delivered;
    found.carried_out += u64::from(world.carried_out());
    found.chances.signals = found.chances.signals.max(progress.points);
    found.chances.timeouts = found.chances.timeouts.max(progress.timed_waits);
    found.chances.spurious = found.chances.spurious.max(progress.waits);
}
