//! Explorations and replays by loom.

use std::any::Any;
use std::boxed::Box;
use std::format;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::string::{String, ToString};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::vec::Vec;

use super::THREADS;
use super::path::{self, Scratch};
use crate::model::{Body, Chances, Choices, End, Exploration, Failure, FailureKind, Limits, Plan};
use crate::native::os::clock;
use crate::simulated::engine::{Quiet, STUCK};
use crate::simulated::world::{self, Perturbed, Stopped, World, with};

/// Counts of one exploration.
#[derive(Default)]
struct Counts {
    executions: AtomicU64,
    carried_out: AtomicU64,
    deliveries: AtomicU64,
    chances: [AtomicU32; 3],
}

/// What this machine lacks for counterexamples: loom tells its path, and is told one, by a temporary file.
#[must_use]
pub fn lacking() -> Option<String> {
    let error = Scratch::new().and_then(|scratch| scratch.write("{}")).err()?;
    let folder = std::env::temp_dir();
    Some(format!(
        "no temporary file can be made in {}: {error}; set TMPDIR to a folder that can be written",
        folder.display()
    ))
}

/// Runs `body` under every interleaving within the limits. Of a failure, also the choices that led to it.
#[must_use]
pub fn explore(plan: &Plan, limits: &Limits, body: &Body) -> (Exploration, Option<Choices>) {
    let found = check(plan, limits, body, false, None);
    let scratch = matches!(found.end, End::Failed(_)).then(Scratch::new);
    let choices = match scratch {
        // Once more as far as there, for loom to tell its path.
        Some(Ok(scratch)) => {
            let again = Limits { until: None, survey: false, ..limits.clone() };
            let last = usize::try_from(found.executions).unwrap_or(usize::MAX);
            check(plan, &again, body, false, Some((&scratch, last)));
            scratch.read().and_then(|text| path::to_choices(&text))
        }
        _ => None,
    };
    (found, choices)
}

/// Runs the one execution of these choices, and records its steps. It ends as [`End::Exhausted`] if it does
/// not fail.
#[must_use]
pub fn replay(plan: &Plan, limits: &Limits, choices: &Choices, body: &Body) -> Exploration {
    let ready = Scratch::new()
        .ok()
        .filter(|scratch| path::from_choices(choices).is_some_and(|text| scratch.write(&text).is_ok()));
    match ready {
        Some(scratch) => check(plan, limits, body, true, Some((&scratch, 1))),
        None => Exploration {
            executions: 0,
            carried_out: 0,
            deliveries: 0,
            chances: Chances::default(),
            end: End::Unsupported,
            sites: Vec::new(),
            discarded: 0,
            weak_bound_met: false,
            distinct: None,
            left: 0,
            waiting: Vec::new(),
            remaining: None,
        },
    }
}

fn check(plan: &Plan, limits: &Limits, body: &Body, tracing: bool, scratch: Option<(&Scratch, usize)>) -> Exploration {
    let quiet = Quiet::new();
    let counts = Arc::new(Counts::default());
    let mut builder = loom::model::Builder::new();
    builder.max_threads = THREADS;
    builder.max_branches = limits.branches;
    builder.preemption_bound = limits.preemptions.map(usize::from);
    builder.max_permutations = tracing.then_some(2);
    builder.max_duration = None;
    builder.checkpoint_file = scratch.map(|(scratch, _)| scratch.path().to_owned());
    builder.checkpoint_interval = scratch.map_or(usize::MAX, |(_, interval)| interval);
    builder.location = false;
    builder.log = false;

    world::take_sites();
    let run = {
        let (plan, limits, body, counts) = (plan.clone(), limits.clone(), body.clone(), counts.clone());
        move || execution(&plan, &limits, &body, &counts, tracing)
    };
    let result = catch_unwind(AssertUnwindSafe(|| builder.check(run)));
    let world = world::end();
    drop(quiet);
    let end = match result {
        Ok(()) => End::Exhausted,
        Err(payload) => ended_by(&*payload, world),
    };
    Exploration {
        executions: counts.executions.load(Relaxed),
        carried_out: counts.carried_out.load(Relaxed),
        deliveries: counts.deliveries.load(Relaxed),
        chances: Chances {
            signals: counts.chances[0].load(Relaxed),
            timeouts: counts.chances[1].load(Relaxed),
            spurious: counts.chances[2].load(Relaxed),
        },
        end,
        sites: world::take_sites(),
        discarded: 0,
        weak_bound_met: false,
        distinct: None,
        left: 0,
        waiting: Vec::new(),
        remaining: None,
    }
}

/// One execution, in its first thread.
fn execution(plan: &Plan, limits: &Limits, body: &Body, counts: &Counts, tracing: bool) {
    let number = counts.executions.load(Relaxed);
    if number.is_multiple_of(64) && limits.until.is_some_and(|until| clock::now() >= until) {
        // Without a world there is no failure.
        world::end();
        std::panic::resume_unwind(Box::new(Stopped));
    }
    counts.executions.store(number + 1, Relaxed);
    let perturbed = Perturbed::As(Rc::new(plan.clone()));
    world::begin(World::new(perturbed, limits, tracing));
    super::thread_begins(0);
    body();
    let handlers = with(|w| {
        counts.deliveries.fetch_add(w.progress.delivered, Relaxed);
        counts.carried_out.fetch_add(u64::from(w.carried_out()), Relaxed);
        let seen = [w.progress.points, w.progress.timed_waits, w.progress.waits];
        counts.chances.iter().zip(seen).for_each(|(most, n)| {
            most.fetch_max(n, Relaxed);
        });
        core::mem::take(&mut w.handlers)
    });
    // They may own what is made of loom's objects, which end with the execution.
    drop(handlers);
}

/// What a panic out of an execution means.
fn ended_by(payload: &(dyn Any + Send), world: Option<World>) -> End {
    let Some(mut world) = world else { return End::OutOfTime };
    let said = payload.downcast_ref::<String>().cloned();
    let said = said.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
    let (kind, message) = match world.failed.take() {
        Some(failed) => failed,
        None if said.starts_with("deadlock") => (FailureKind::Deadlock, String::from(STUCK)),
        None if said.contains("Causality violation") => (FailureKind::Race, said),
        None if said.contains("maximum number of branches") => return End::TooLarge,
        None => (FailureKind::Panicked, said),
    };
    let threads = world.thread_ends();
    let steps = world.trace.take().unwrap_or_default().steps;
    End::Failed(Failure { kind, message, threads, steps, graph: None })
}
