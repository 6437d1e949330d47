//! Explorations and replays over execution graphs.

use std::boxed::Box;
use std::cell::RefCell;
use std::rc::Rc;
use std::string::String;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Condvar, Mutex};
use std::vec::Vec;

use sigproof_explore::graph::Graph;
use sigproof_explore::{End as Ended, Explorer, Trail, Walk, Went};

use super::{statics, witness};
use crate::model::{Body, Chances, Choices, End, Environment, Exploration, Failure, FailureKind, Limits, Plan, Seen};
use crate::native::os::clock;
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
enum Perturb<'a> {
    As(&'a Plan),
    By(Environment),
}

impl Perturb<'_> {
    fn perturbed(self) -> Perturbed {
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
        explored: 0.0,
    }
}

/// The program of the explorer: the body, in a world of its own.
fn program(perturbed: &Perturbed, limits: &Limits, body: &Body, tracing: bool) -> Rc<dyn Fn()> {
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

/// How often a search looks at the clock and at those who want work, in runs.
const LOOK: u64 = 64;

/// What the threads of one search share.
struct Search<'a> {
    perturb: Perturb<'a>,
    limits: &'a Limits,
    body: &'a Body,
    each: Mutex<&'a mut (dyn FnMut(Seen<'_>) -> bool + Send)>,
    executions: AtomicU64,
    waiting: AtomicUsize,
    /// Of each walk, its runs and about how many it has left.
    sizes: Mutex<Vec<(u64, f64)>>,
    /// Whether to end, and how.
    over: Mutex<Option<End>>,
    is_over: AtomicBool,
    pool: Mutex<Pool>,
    changed: Condvar,
}

/// Work to be had.
struct Pool {
    graphs: Vec<Graph>,
    /// Threads without work.
    idle: usize,
    threads: usize,
}

fn check(
    perturb: Perturb<'_>,
    limits: &Limits,
    body: &Body,
    jobs: usize,
    each: &mut (dyn FnMut(Seen<'_>) -> bool + Send),
) -> Exploration {
    let jobs = jobs.max(1);
    let search = Search {
        perturb,
        limits,
        body,
        each: Mutex::new(each),
        executions: AtomicU64::new(0),
        waiting: AtomicUsize::new(0),
        sizes: Mutex::default(),
        over: Mutex::default(),
        is_over: AtomicBool::new(false),
        pool: Mutex::new(Pool { graphs: Vec::new(), idle: 0, threads: 1 }),
        changed: Condvar::new(),
    };
    let first = Walk::new(&explorer(limits));
    let mut found = if jobs == 1 {
        search.work(Some(first))
    } else {
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..jobs)
                .filter_map(|_| {
                    search.lock_pool(|pool| pool.threads += 1);
                    let started = std::thread::Builder::new().spawn_scoped(scope, || search.work(None));
                    if started.is_err() {
                        // Where the machine refuses a thread, those that there are do the work.
                        search.lock_pool(|pool| pool.threads -= 1);
                    }
                    started.ok()
                })
                .collect();
            let mut found = search.work(Some(first));
            for other in others {
                match other.join() {
                    Ok(other) => found.add(other),
                    Err(payload) => std::panic::resume_unwind(payload),
                }
            }
            found
        })
    };
    found.left += search.lock_pool(|pool| pool.graphs.len());
    let (runs, left) = lock(&search.sizes).iter().fold((0.0, 0.0), |(a, b), (runs, left)| (a + *runs as f64, b + left));
    found.explored = if left + runs > 0.0 { runs / (runs + left) } else { 0.0 };
    if let Some(end) = lock(&search.over).take() {
        found.end = end;
    }
    found
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A thread of the search that panics leaves no work behind.
struct Leaves<'a, 'b>(&'a Search<'b>);

impl Drop for Leaves<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(None);
        }
    }
}

impl Search<'_> {
    fn lock_pool<R>(&self, what: impl FnOnce(&mut Pool) -> R) -> R {
        what(&mut lock(&self.pool))
    }

    fn end(&self, end: Option<End>) {
        if let Some(end) = end {
            lock(&self.over).get_or_insert(end);
        }
        self.is_over.store(true, Relaxed);
        self.changed.notify_all();
    }

    /// Explores from this walk on, then what others give away.
    fn work(&self, first: Option<Walk>) -> Exploration {
        let _quiet = Quiet::new();
        let _leaves = Leaves(self);
        world::take_sites();
        let program = program(&self.perturb.perturbed(), self.limits, self.body, false);
        let mut found = nothing(End::Exhausted);
        let mut next = first;
        while let Some(mut walk) = next.or_else(|| self.wait()) {
            let place = {
                let mut sizes = lock(&self.sizes);
                sizes.push((0, 0.0));
                sizes.len() - 1
            };
            if !walk.is_over() {
                self.walk(&mut walk, place, &program, &mut found);
            }
            if !walk.is_over() {
                found.left += walk.waiting() + 1;
            }
            self.explored(place, &walk);
            next = None;
        }
        found.sites = world::take_sites();
        found
    }

    /// Waits for work; `None` if there is none any more.
    fn wait(&self) -> Option<Walk> {
        let mut pool = lock(&self.pool);
        pool.idle += 1;
        loop {
            if self.is_over.load(Relaxed) {
                return None;
            }
            if !pool.graphs.is_empty() {
                pool.idle -= 1;
                let most = pool.graphs.len().div_ceil(pool.idle + 1);
                let graphs = pool.graphs.drain(..most).collect();
                return Some(Walk::from(&explorer(self.limits), graphs));
            }
            if pool.idle == pool.threads {
                drop(pool);
                self.end(None);
                return None;
            }
            pool = self.changed.wait(pool).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    fn walk(&self, walk: &mut Walk, place: usize, program: &Rc<dyn Fn()>, found: &mut Exploration) {
        let mut runs = 0_u64;
        loop {
            if runs.is_multiple_of(LOOK) {
                if self.limits.until.is_some_and(|until| clock::now() >= until) {
                    return self.end(Some(End::OutOfTime));
                }
                self.share(walk);
                self.waiting.store(walk.waiting(), Relaxed);
                let explored = self.explored(place, walk);
                let progress = Seen::Progress {
                    executions: self.executions.load(Relaxed),
                    waiting: self.waiting.load(Relaxed),
                    explored,
                };
                if !self.tell(progress) {
                    return self.end(Some(End::OutOfTime));
                }
            }
            if self.is_over.load(Relaxed) {
                return;
            }
            runs += 1;
            match run(walk, program) {
                None => found.discarded += 1,
                Some((ended, world)) => {
                    found.executions += 1;
                    self.executions.fetch_add(1, Relaxed);
                    match failure(ended, world) {
                        Ok(world) => take(found, &world),
                        Err(None) => {
                            walk.advance();
                            return self.end(Some(End::TooLarge));
                        }
                        Err(Some(failed)) => {
                            let (failure, _) = *failed;
                            let choices = || Choices(Trail::of(walk.graph()).text());
                            if !self.tell(Seen::Failed(failure, &choices)) {
                                walk.advance();
                                return self.end(None);
                            }
                        }
                    }
                }
            }
            if !walk.advance() {
                return;
            }
        }
    }

    /// Notes how far a walk is; about which part of the whole search is done.
    fn explored(&self, place: usize, walk: &Walk) -> f64 {
        let mut sizes = lock(&self.sizes);
        sizes[place] = (walk.runs(), walk.left());
        let (runs, left) =
            sizes.iter().fold((0.0, 0.0), |(runs, left), (more, rest)| (runs + *more as f64, left + rest));
        if runs + left > 0.0 { runs / (runs + left) } else { 0.0 }
    }

    fn tell(&self, seen: Seen<'_>) -> bool {
        (*lock(&self.each))(seen)
    }

    /// Gives half of its graphs to threads that have none.
    fn share(&self, walk: &mut Walk) {
        self.lock_pool(|pool| {
            if pool.idle > 0 && pool.graphs.is_empty() && walk.waiting() > 1 {
                pool.graphs = walk.give(walk.waiting().div_ceil(2));
                self.changed.notify_all();
            }
        });
    }
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
fn failure(ended: Ended<()>, world: Option<Box<World>>) -> Result<Box<World>, Option<Box<(Failure, Trace)>>> {
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
    let trace = world.trace.take().unwrap_or_default();
    let failure = Failure { kind, message, threads, steps: Vec::new(), graph: None };
    Err(Some(Box::new((failure, trace))))
}

fn take(found: &mut Exploration, world: &World) {
    let progress = &world.progress;
    found.deliveries += progress.delivered;
    found.carried_out += u64::from(world.carried_out());
    found.chances.signals = found.chances.signals.max(progress.points);
    found.chances.timeouts = found.chances.timeouts.max(progress.timed_waits);
    found.chances.spurious = found.chances.spurious.max(progress.waits);
}
