//! Explorations and replays over execution graphs.

use std::boxed::Box;
use std::cell::RefCell;
use std::rc::Rc;
use std::string::String;
use std::vec::Vec;

use sigproof_explore::{End as Ended, Explorer, Trail, Walk, Went};

use super::statics;
use crate::model::{Body, Chances, Choices, End, Environment, Exploration, Failure, FailureKind, Limits, Plan, Seen};
use crate::native::os::clock;
use crate::simulated::engine::{Quiet, SPINS, STUCK};
use crate::simulated::world::{self, Perturbed, World, with};

/// What this machine lacks for counterexamples: nothing.
#[must_use]
pub const fn lacking() -> Option<String> {
    None
}

/// Runs `body` in every execution under `plan`, until one fails. Of a failure, also the choices that led to
/// it.
#[must_use]
pub fn explore(plan: &Plan, limits: &Limits, body: &Body) -> (Exploration, Option<Choices>) {
    let perturbed = Perturbed::As(Rc::new(plan.clone()));
    let mut first = None;
    let mut found = check(&perturbed, limits, body, &mut |seen| match seen {
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

/// Runs `body` in every execution in which the environment does what it may. Tells `each` of what fails, and
/// now and then of progress; its answer says whether to go on.
#[must_use]
pub fn search(
    environment: Environment,
    limits: &Limits,
    body: &Body,
    each: &mut dyn FnMut(Seen<'_>) -> bool,
) -> Exploration {
    check(&Perturbed::By(environment), limits, body, each)
}

/// Runs the one execution of these choices, and records its steps. It ends as [`End::Exhausted`] if it does
/// not fail, and as [`End::Unsupported`] if it is none of this body.
#[must_use]
pub fn replay(plan: &Plan, limits: &Limits, choices: &Choices, body: &Body) -> Exploration {
    again(&Perturbed::As(Rc::new(plan.clone())), limits, choices, body)
}

/// As [`replay`], of an execution that a [`search`] found.
#[must_use]
pub fn repeat(environment: Environment, limits: &Limits, choices: &Choices, body: &Body) -> Exploration {
    again(&Perturbed::By(environment), limits, choices, body)
}

fn again(perturbed: &Perturbed, limits: &Limits, choices: &Choices, body: &Body) -> Exploration {
    let Some(trail) = Trail::read(&choices.0) else { return nothing(End::Unsupported) };
    let _quiet = Quiet::new();
    let program = program(perturbed, limits, body, true);
    let mut walk = Walk::along(&explorer(limits), trail);
    let Some((ended, world)) = run(&mut walk, &program) else { return nothing(End::Unsupported) };
    let mut found = nothing(End::Exhausted);
    found.executions = 1;
    match failure(ended, world) {
        Ok(world) => take(&mut found, &world),
        Err(failure) => found.end = failure.map_or(End::TooLarge, End::Failed),
    }
    found
}

fn explorer(limits: &Limits) -> Explorer {
    // An operation is an event, or two.
    Explorer::new().events(2 * limits.branches)
}

fn nothing(end: End) -> Exploration {
    Exploration {
        executions: 0,
        carried_out: 0,
        deliveries: 0,
        chances: Chances::default(),
        end,
        sites: Vec::new(),
        discarded: 0,
        left: 0,
    }
}

/// The program of the explorer: the body, in a world of its own.
fn program(perturbed: &Perturbed, limits: &Limits, body: &Body, tracing: bool) -> Rc<dyn Fn()> {
    let (perturbed, limits, body) = (perturbed.clone(), limits.clone(), body.clone());
    Rc::new(move || {
        world::begin(World::new(perturbed.clone(), limits.weakening, limits.survey, tracing));
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

/// How often the clock is looked at, in runs.
const LOOK: u64 = 64;

fn check(
    perturbed: &Perturbed,
    limits: &Limits,
    body: &Body,
    each: &mut dyn FnMut(Seen<'_>) -> bool,
) -> Exploration {
    let _quiet = Quiet::new();
    world::take_sites();
    let program = program(perturbed, limits, body, false);
    let mut walk = Walk::new(&explorer(limits));
    let mut found = nothing(End::Exhausted);
    let mut runs = 0_u64;
    loop {
        if runs.is_multiple_of(LOOK) {
            if limits.until.is_some_and(|until| clock::now() >= until) {
                found.end = End::OutOfTime;
                break;
            }
            if !each(Seen::Progress { executions: found.executions, waiting: walk.waiting() }) {
                found.end = End::OutOfTime;
                break;
            }
        }
        runs += 1;
        match run(&mut walk, &program) {
            None => found.discarded += 1,
            Some((ended, world)) => {
                found.executions += 1;
                match failure(ended, world) {
                    Ok(world) => take(&mut found, &world),
                    Err(None) => {
                        found.end = End::TooLarge;
                        break;
                    }
                    Err(Some(failure)) => {
                        let choices = || Choices(Trail::of(walk.graph()).text());
                        if !each(Seen::Failed(failure, &choices)) {
                            break;
                        }
                    }
                }
            }
        }
        if !walk.advance() {
            break;
        }
    }
    found.left = if walk.is_over() { 0 } else { walk.waiting() + 1 };
    found.sites = world::take_sites();
    found
}

/// Runs the program along the current graph: how the execution ended, and in which state, if it is one.
fn run(walk: &mut Walk, program: &Rc<dyn Fn()>) -> Option<(Ended<()>, Option<Box<World>>)> {
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
fn failure(ended: Ended<()>, world: Option<Box<World>>) -> Result<Box<World>, Option<Failure>> {
    let Some(mut world) = world else { return Err(None) };
    let (kind, message) = match (world.failed.take(), ended) {
        (_, Ended::Limit(_)) => return Err(None),
        (Some(failed), _) => failed,
        (None, Ended::Done(())) => return Ok(world),
        (None, Ended::Deadlock) => (FailureKind::Deadlock, String::from(STUCK)),
        (None, Ended::Livelock) => (FailureKind::Livelock, String::from(SPINS)),
        (None, Ended::Race(text)) => (FailureKind::Race, text),
        (None, Ended::Panic(text)) => (FailureKind::Panicked, text),
    };
    let threads = world.thread_ends();
    Err(Some(Failure { kind, message, threads, steps: world.steps.take().unwrap_or_default() }))
}

fn take(found: &mut Exploration, world: &World) {
    let progress = &world.progress;
    found.deliveries += progress.delivered;
    found.carried_out += u64::from(world.carried_out());
    found.chances.signals = found.chances.signals.max(progress.points);
    found.chances.timeouts = found.chances.timeouts.max(progress.timed_waits);
    found.chances.spurious = found.chances.spurious.max(progress.waits);
}
