//! One search, shared by threads: each walks through graphs of its own, and gives some to those without any.
//!
//! A search that the time ends keeps an eighth of its time, at most four seconds, for an estimate of what is
//! left ([`super::left`]).

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Condvar, Mutex};
use std::time::Duration;
use std::vec::Vec;

use sigproof_explore::graph::Graph;
use sigproof_explore::{Trail, Walk};

use super::check::{Perturb, explorer, failure, nothing, program, run, take};
use super::left;
use crate::model::{Body, Choices, End, Exploration, Limits, Seen};
use crate::native::os::clock;
use crate::simulated::engine::Quiet;
use crate::simulated::world;

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
    /// When the search ends, if it has not.
    until: Option<Duration>,
    /// The signatures of the graphs of all executions.
    distinct: Option<Mutex<HashSet<u128>>>,
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

pub(super) fn check(
    perturb: Perturb<'_>,
    limits: &Limits,
    body: &Body,
    jobs: usize,
    each: &mut (dyn FnMut(Seen<'_>) -> bool + Send),
) -> Exploration {
    let jobs = jobs.max(1);
    let begun = clock::now();
    let first = match limits.from.is_empty() {
        true => Walk::new(&explorer(limits)),
        false => match left::restored(&limits.from, perturb, limits, body) {
            Some(graphs) => Walk::from(&explorer(limits), graphs),
            None => return nothing(End::Misfit),
        },
    };
    let kept = |until: Duration| match limits.estimate {
        true => left::time(until.saturating_sub(begun)),
        false => Duration::ZERO,
    };
    let search = Search {
        perturb,
        limits,
        body,
        each: Mutex::new(each),
        executions: AtomicU64::new(0),
        waiting: AtomicUsize::new(0),
        until: limits.until.map(|until| until.saturating_sub(kept(until))),
        distinct: limits.distinct.then(Mutex::default),
        over: Mutex::default(),
        is_over: AtomicBool::new(false),
        pool: Mutex::new(Pool { graphs: Vec::new(), idle: 0, threads: 1 }),
        changed: Condvar::new(),
    };
    let (mut found, mut rest) = if jobs == 1 {
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
            let (mut found, mut rest) = search.work(Some(first));
            for other in others {
                match other.join() {
                    Ok((other, graphs)) => {
                        found.add(other);
                        rest.extend(graphs);
                    }
                    Err(payload) => std::panic::resume_unwind(payload),
                }
            }
            (found, rest)
        })
    };
    rest.extend(search.lock_pool(|pool| std::mem::take(&mut pool.graphs)));
    found.left = rest.len();
    found.distinct = search.distinct.as_ref().map(|seen| lock(seen).len() as u64);
    if let Some(end) = lock(&search.over).take() {
        found.end = end;
    }
    if limits.keep {
        found.waiting = left::texts(&rest);
    }
    if limits.estimate && matches!(found.end, End::OutOfTime) {
        found.remaining = left::estimate(&rest, perturb, limits, body);
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
    fn work(&self, first: Option<Walk>) -> (Exploration, Vec<Graph>) {
        let _quiet = Quiet::new();
        let _leaves = Leaves(self);
        world::take_sites();
        let program = program(&self.perturb.perturbed(), self.limits, self.body, false);
        let mut found = nothing(End::Exhausted);
        let mut next = first;
        let mut rest = Vec::new();
        while let Some(mut walk) = next.or_else(|| self.wait()) {
            if !walk.is_over() {
                self.walk(&mut walk, &program, &mut found);
                found.weak_bound_met |= walk.weak_bound_met();
            }
            rest.extend(walk.rest());
            next = None;
        }
        found.sites = world::take_sites();
        (found, rest)
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

    fn walk(&self, walk: &mut Walk, program: &Rc<dyn Fn()>, found: &mut Exploration) {
        let mut runs = 0_u64;
        loop {
            if runs.is_multiple_of(LOOK) {
                if self.until.is_some_and(|until| clock::now() >= until) {
                    return self.end(Some(End::OutOfTime));
                }
                self.share(walk);
                self.waiting.store(walk.waiting(), Relaxed);
                let progress =
                    Seen::Progress { executions: self.executions.load(Relaxed), waiting: self.waiting.load(Relaxed) };
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
                    if let Some(seen) = &self.distinct {
                        lock(seen).insert(walk.signature());
                    }
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
