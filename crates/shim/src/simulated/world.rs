//! One execution's state.

use std::boxed::Box;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::Location;
use std::rc::Rc;
use std::string::String;
use std::time::Duration;
use std::vec::Vec;

use core::sync::atomic::Ordering;

use super::below;
use super::tables::{Files, Queues};
use crate::model::{Access, Environment, FailureKind, Instead, Limits, Plan, Role, Site, Step, ThreadEnd, Waiting};

/// What an execution did.
#[derive(Default)]
pub(super) struct Trace {
    pub steps: Vec<Step>,
    /// The accesses to plain memory, which are no steps unless they race.
    pub plain: Vec<Plain>,
}

/// An access to plain memory.
#[cfg_attr(loom, expect(dead_code, reason = "loom does not tell which accesses race"))]
pub(super) struct Plain {
    /// The memory, by its address.
    pub cell: usize,
    /// How many steps there were before it.
    pub place: usize,
    pub step: Step,
}

/// A handler, as the body has registered it.
#[derive(Clone)]
pub(super) struct Handler {
    pub name: &'static str,
    /// The bits of the signals that are blocked while it runs, its own among them.
    pub masks: u64,
    /// The bit of its signal.
    pub signal: u64,
    pub body: Rc<dyn Fn()>,
}

/// A thread of the execution.
pub(super) struct Thread {
    pub name: &'static str,
    /// What it takes to let it sleep, and to wake it.
    pub sleeper: below::Sleeper,
    /// The handlers that it is in.
    pub frames: Vec<&'static str>,
    pub ended: bool,
    pub errno: i32,
    /// The bits of the signals that it blocks.
    pub mask: u64,
    pub waits_for: Option<Waiting>,
    /// Turns of a spin since another thread did anything but spin.
    pub spins: u32,
    /// Operations since the last turn.
    pub since_spin: u32,
    /// Whether the environment has chosen whether to send a signal since the last operation.
    pub has_chosen: bool,
}

/// What happened to the plan, and where the target is.
#[derive(Default)]
pub(super) struct Progress {
    pub points: u32,
    pub timed_waits: u32,
    pub waits: u32,
    /// How many of the plan's signals have been sent.
    pub sent: usize,
    /// Sent and not yet delivered, as handlers' numbers.
    pub pending: Vec<u32>,
    pub delivered: u64,
    pub timeouts: usize,
    pub spurious: usize,
}

pub(super) struct World {
    /// Who runs (invariant 2).
    pub active: usize,
    pub threads: Vec<Thread>,
    /// Who is interrupted, while it lets itself be.
    pub target: Option<usize>,
    pub plan: Rc<Plan>,
    /// What the environment may do, where it chooses; what is left of it.
    pub environment: Option<Environment>,
    pub progress: Progress,
    pub handlers: Vec<Handler>,
    pub clock: Duration,
    pub files: Files,
    pub futexes: Queues,
    /// Numbers of the kernel's objects, in the order in which they are made.
    pub numbers: u32,
    pub instead: Vec<Instead>,
    pub fence: Option<Site>,
    pub survey: bool,
    /// What was recorded, if anything is.
    pub trace: Option<Trace>,
    pub failed: Option<(FailureKind, String)>,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
    /// What a survey has found, over all executions of an exploration.
    static SITES: RefCell<BTreeSet<(Site, Strength)>> = const { RefCell::new(BTreeSet::new()) };
}

/// An ordering that can be sorted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Strength(u8);

const ORDERINGS: [Ordering; 5] =
    [Ordering::Relaxed, Ordering::Acquire, Ordering::Release, Ordering::AcqRel, Ordering::SeqCst];

impl From<Ordering> for Strength {
    fn from(ordering: Ordering) -> Self {
        Self(ORDERINGS.iter().position(|o| *o == ordering).unwrap_or(0) as u8)
    }
}

fn is_at(site: &Site, at: &'static Location<'static>, role: Role) -> bool {
    site.line == at.line() && site.column == at.column() && site.role == role && site.file == at.file()
}

/// Begins an execution.
pub(super) fn begin(world: World) {
    // The old one is dropped outside of the borrow: its handlers may own what touches the world.
    let old = WORLD.with(|w| w.borrow_mut().take());
    drop(old);
    WORLD.with(|w| *w.borrow_mut() = Some(world));
}

/// Ends it, and gives what is left of it.
pub(super) fn end() -> Option<World> {
    WORLD.with(|w| w.borrow_mut().take())
}

/// Runs `f` with the world; `None` outside of an execution, and in one that has failed (invariant 3).
#[inline]
pub(super) fn with<R>(f: impl FnOnce(&mut World) -> R) -> Option<R> {
    if std::thread::panicking() {
        return None;
    }
    WORLD.with(|w| w.borrow_mut().as_mut().filter(|w| w.failed.is_none()).map(f))
}

/// Runs an operation of the engine, and says again who runs (invariant 2).
#[inline]
pub(super) fn switching<R>(me: usize, operation: impl FnOnce() -> R) -> R {
    let result = operation();
    with(|w| {
        w.active = me;
        w.threads[me].has_chosen = false;
    });
    result
}

/// Ends the execution as a failure.
pub(super) fn fail(kind: FailureKind, message: String) -> ! {
    with(|w| w.failed = Some((kind, message)));
    // No message and no backtrace: the failure is in the world.
    std::panic::resume_unwind(Box::new(Stopped))
}

/// Who perturbs an execution.
#[derive(Clone, Debug)]
pub(super) enum Perturbed {
    /// A plan.
    As(Rc<Plan>),
    /// The environment, in every way that this leaves to it.
    #[cfg_attr(loom, expect(dead_code, reason = "loom explores plans"))]
    By(Environment),
}

/// What unwinds the stack of a thread whose execution has failed, or is given up.
pub(super) struct Stopped;

impl World {
    pub(super) fn new(perturbed: Perturbed, limits: &Limits, tracing: bool) -> Self {
        let (plan, environment) = match perturbed {
            Perturbed::As(plan) => (plan, None),
            Perturbed::By(environment) => (Rc::default(), Some(environment)),
        };
        let mut world = Self {
            active: 0,
            threads: Vec::new(),
            target: None,
            plan,
            environment,
            progress: Progress::default(),
            handlers: Vec::new(),
            // Not zero, so that a deadline can lie behind.
            clock: Duration::from_secs(1),
            files: Files::default(),
            futexes: Queues::new(),
            numbers: 0,
            instead: limits.instead.clone(),
            fence: limits.fence,
            survey: limits.survey,
            trace: tracing.then(Trace::default),
            failed: None,
        };
        world.add_thread("main");
        world
    }

    pub(super) fn add_thread(&mut self, name: &'static str) -> usize {
        self.threads.push(Thread {
            name,
            sleeper: below::Sleeper::new(),
            frames: Vec::new(),
            ended: false,
            errno: 0,
            mask: 0,
            waits_for: None,
            spins: 0,
            since_spin: 0,
            has_chosen: false,
        });
        self.threads.len() - 1
    }

    /// The number of a new object of the kernel.
    pub(super) fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn me(&mut self) -> &mut Thread {
        &mut self.threads[self.active]
    }

    /// Notes that the running thread does something: one that does more than to spin may let those that do go
    /// on.
    #[inline]
    pub(super) fn step(&mut self) {
        let me = self.active;
        let thread = &mut self.threads[me];
        thread.since_spin += 1;
        if thread.since_spin > 2 {
            thread.spins = 0;
            for (_, other) in self.threads.iter_mut().enumerate().filter(|(n, _)| *n != me) {
                other.spins = 0;
            }
        }
    }

    /// The ordering with which an operation is carried out.
    pub(super) fn ordering(&self, at: &'static Location<'static>, role: Role, written: Ordering) -> Ordering {
        if self.survey {
            let site = Site { file: at.file(), line: at.line(), column: at.column(), role };
            SITES.with(|s| s.borrow_mut().insert((site, written.into())));
        }
        let instead = self.instead.iter().find(|instead| is_at(&instead.site, at, role));
        instead.map_or(written, |instead| instead.to)
    }

    /// Whether a fence stands before the operation there.
    pub(super) fn is_fenced(&self, at: &'static Location<'static>, role: Role) -> bool {
        self.fence.is_some_and(|site| is_at(&site, at, role))
    }

    pub(super) fn record(&mut self, at: &'static Location<'static>, what: impl FnOnce() -> String) {
        let step = self.trace.is_some().then(|| self.step_of(at, what(), None));
        if let (Some(trace), Some(step)) = (&mut self.trace, step) {
            trace.steps.push(step);
        }
    }

    pub(super) fn record_access(
        &mut self,
        at: &'static Location<'static>,
        access: Access,
        what: impl FnOnce() -> String,
    ) {
        let step = self.trace.is_some().then(|| self.step_of(at, what(), Some(access)));
        if let (Some(trace), Some(step)) = (&mut self.trace, step) {
            trace.steps.push(step);
        }
    }

    /// An access to the plain memory that this address names.
    pub(super) fn record_plain(&mut self, at: &'static Location<'static>, cell: usize, what: &'static str) {
        let step = self.trace.is_some().then(|| self.step_of(at, String::from(what), None));
        if let (Some(trace), Some(step)) = (&mut self.trace, step) {
            trace.plain.push(Plain { cell, place: trace.steps.len(), step });
        }
    }

    fn step_of(&self, at: &'static Location<'static>, what: String, access: Option<Access>) -> Step {
        let (thread, depth) = (self.active, self.threads[self.active].frames.len());
        let (file, line, column) = (at.file(), at.line(), at.column());
        Step { thread, depth, what, file, line, column, access, event: below::latest_event() }
    }

    pub(super) fn thread_ends(&self) -> Vec<ThreadEnd> {
        let end = |t: &Thread| ThreadEnd {
            name: t.name,
            handlers: t.frames.clone(),
            ended: t.ended,
            waits_for: t.waits_for.clone(),
        };
        self.threads.iter().map(end).collect()
    }

    /// The handlers whose signals the environment may send to this thread now, as bits.
    #[inline]
    pub(super) fn may_send(&self, me: usize) -> u64 {
        let is_able = self.target == Some(me) && self.environment.is_some_and(|environment| environment.most > 0);
        if !is_able {
            return 0;
        }
        let mask = self.threads[me].mask;
        let open = self.handlers.iter().enumerate().filter(|(_, handler)| handler.signal & mask == 0);
        open.fold(0, |set, (number, _)| set | 1 << number)
    }

    /// The environment has perturbed the execution once.
    pub(super) fn spend(&mut self) {
        if let Some(environment) = &mut self.environment {
            environment.most = environment.most.saturating_sub(1);
        }
    }

    /// Whether all of the plan has happened.
    pub(super) fn carried_out(&self) -> bool {
        let (plan, progress) = (&*self.plan, &self.progress);
        progress.delivered == plan.signals.len() as u64
            && progress.timeouts == plan.timeouts.len()
            && progress.spurious == plan.spurious.len()
    }
}

/// What the surveys since the last call have found.
pub(super) fn take_sites() -> Vec<(Site, Ordering)> {
    let sites = SITES.with(|s| core::mem::take(&mut *s.borrow_mut()));
    sites.into_iter().map(|(site, strength)| (site, ORDERINGS[usize::from(strength.0)])).collect()
}
