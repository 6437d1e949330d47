//! Litmus tests over loom: the interpreter of [`sigproof_explore::litmus`] over the shim.
//!
//! A test that needs what the shim has not over loom is refused by that name. Where loom is known to be
//! inexact, the answer says so. Loom ends a search at its first deadlock, livelock or race: then the answer
//! says that there may be more outcomes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::mem;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sigproof_explore::End;
use sigproof_explore::litmus::machine::{Machine, Values};
use sigproof_explore::litmus::{Call, Ends, Executions, Kind, Litmus, Use};
use sigproof_report::Verdict;
use sigproof_shim::atomic::Ordering;
use sigproof_shim::model::{self as engine, FailureKind, Limits, Plan};
use sigproof_shim::native::os::clock;
use sigproof_shim::os::errno::ErrnoGuard;

use super::super::{Depth, Model, SIGNAL, plans};
use super::{Judgement, Order};

mod seam;

use seam::{Loom, Place};

/// Explores a test, and compares its outcomes with what its file says.
pub fn judge(order: &Order) -> Judgement {
    let test = match Litmus::read(&order.text) {
        Ok(test) => Arc::new(test),
        Err(refused) => return Judgement::refused(refused.to_string()),
    };
    let target = match target(&test) {
        Ok(target) => target,
        Err(lacking) => return Judgement::refused(format!("loom has no {lacking}")),
    };
    let Explored { ends, cut } = explore(&test, target, clock::now() + order.budget);
    let judged = test.judge(ends);
    let verdict = match judged.verdict_of_file() {
        Some(true) => Verdict::AsExpected,
        Some(false) => Verdict::Unexpected,
        None if !judged.extra.is_empty() => Verdict::Unexpected,
        None => Verdict::Inconclusive,
    };
    let inexact = inexact(&test);
    let mut text = judged.show(&test, Executions::None);
    for line in cut.iter().chain(&inexact) {
        let _ = writeln!(text, "  {line}");
    }
    Judgement {
        verdict,
        refused: None,
        names: judged.names.iter().map(ToString::to_string).collect(),
        outcomes: judged.outcomes.iter().map(|(line, (count, _))| (line.to_string(), *count)).collect(),
        cut,
        inexact,
        text,
    }
}

/// The thread that plans perturb, if any; or what the test needs and loom has not.
fn target(test: &Litmus) -> Result<Option<usize>, String> {
    let uses = test.uses();
    if test.threads.len() > engine::THREADS {
        return Err(format!("more than {} threads", engine::THREADS));
    }
    if test.reorders {
        return Err("reordering by the compiler between a thread and its handler".to_owned());
    }
    let is_narrow = |value: i64| i32::try_from(value).is_ok();
    let wide = |used: &Use| matches!(used, Use::Number(number) if !is_narrow(*number));
    if uses.iter().any(|(_, used)| wide(used)) || test.locations.iter().any(|location| !is_narrow(location.init)) {
        return Err("words of more than 32 bits".to_owned());
    }
    for (number, location) in test.locations.iter().enumerate() {
        let is_plain = |plain: bool| {
            let is =
                |used: &Use| matches!(used, Use::Access { at, order, .. } if *at == number && order.is_none() == plain);
            uses.iter().any(|(_, used)| is(used))
        };
        if is_plain(true) && (is_plain(false) || location.kind != Kind::Word) {
            return Err(format!("plain accesses to an atomic: `{}`", location.name));
        }
    }
    if uses.iter().any(|(_, used)| *used == Use::WeakExchange) {
        return Err("weak exchange that fails for nothing".to_owned());
    }
    let lacks = |call: Call| matches!(call, Call::Park | Call::Unpark | Call::Raise | Call::Assume);
    let lacking = uses.iter().find_map(|(_, used)| match used {
        Use::Call(call) if lacks(*call) => Some(format!("`{}`", call.name())),
        _ => None,
    });
    if let Some(lacking) = lacking {
        return Err(lacking);
    }
    let timed = uses.iter().filter(|(_, used)| *used == Use::Call(Call::WaitTimeout)).map(|(thread, _)| *thread);
    let targets: BTreeSet<usize> = test.handlers.iter().map(|(thread, _)| *thread).chain(timed).collect();
    match targets.len() {
        0 | 1 => Ok(targets.first().copied()),
        _ => Err("handlers and time-outs of two threads in one execution".to_owned()),
    }
}

/// What of the test loom is known to be inexact about.
fn inexact(test: &Litmus) -> Vec<String> {
    let uses = test.uses();
    let mut all = Vec::new();
    let is_sc = |used: &Use| matches!(used, Use::Access { order: Some(Ordering::SeqCst), .. });
    if uses.iter().any(|(_, used)| is_sc(used)) {
        all.push("loom: sequentially consistent accesses acquire and release only".to_owned());
    }
    for (number, location) in test.locations.iter().enumerate() {
        let is_store = |used: &Use| matches!(used, Use::Access { at, stores: true, .. } if *at == number);
        let stores = uses.iter().filter(|(_, used)| is_store(used)).count();
        if stores > HISTORY {
            all.push(format!("loom: it keeps {HISTORY} stores of a location, and `{}` has {stores}", location.name));
        }
    }
    if uses.iter().any(|(_, used)| *used == Use::Call(Call::Wake)) {
        all.push("loom: a sleeper that a futex wakes is ordered after its waker".to_owned());
    }
    all
}

/// Stores of a location that loom keeps.
const HISTORY: usize = 7;

/// Branches in one execution, at most.
const BRANCHES: usize = 10_000;

struct Explored {
    ends: Ends,
    cut: Option<String>,
}

/// The values of the executions, and whether one is going on.
#[derive(Default)]
struct Gathered {
    values: BTreeMap<Values, u64>,
    is_running: bool,
    /// An execution came to no end. What runs after it is a repetition.
    has_failed: bool,
}

type Shared = Arc<Mutex<Gathered>>;

fn locked(gathered: &Shared) -> impl std::ops::DerefMut<Target = Gathered> + '_ {
    gathered.lock().unwrap_or_else(PoisonError::into_inner)
}

fn explore(test: &Arc<Litmus>, target: Option<usize>, until: Duration) -> Explored {
    let gathered = Shared::default();
    let body = {
        let (test, gathered) = (Arc::clone(test), Arc::clone(&gathered));
        move || execution(&test, target, &gathered)
    };
    let handlers = u32::try_from(test.handlers.len()).unwrap_or(u32::MAX);
    let depth = Depth { deliveries: 0, preemptions: None };
    let body = Arc::new(body);
    let model = Model { body, handlers, timeouts: true, spurious: false, weak_failures: 0, depth, expected: None };
    let limits = Limits { preemptions: None, branches: BRANCHES, until: Some(until), ..Limits::default() };
    let mut ends: BTreeMap<End<Values>, (u64, _)> = BTreeMap::new();
    let mut cut = None;
    let mut level = BTreeSet::from([Plan::default()]);
    while !level.is_empty() {
        let mut next = BTreeSet::new();
        for plan in &level {
            let (explored, _) = engine::explore(plan, &limits, &model.body);
            let found = mem::take(&mut *locked(&gathered));
            for (values, count) in found.values {
                ends.entry(End::Done(values)).or_insert((0, None)).0 += count;
            }
            let (end, why) = match explored.end {
                engine::End::Exhausted => (None, None),
                engine::End::OutOfTime => (None, Some("not exhausted: time budget".to_owned())),
                engine::End::TooLarge => {
                    (None, Some(format!("not exhausted: an execution has more than {BRANCHES} branches")))
                }
                engine::End::Unsupported | engine::End::Misfit => (None, Some("this build has no loom".to_owned())),
                engine::End::Failed(failure) => {
                    let (end, word) = match failure.kind {
                        FailureKind::Deadlock => (Some(End::Deadlock), "deadlock"),
                        FailureKind::Livelock => (Some(End::Livelock), "livelock"),
                        FailureKind::Race => (Some(End::Race(failure.message)), "race"),
                        _ => {
                            let why = format!("loom ended its search: {}", failure.message.trim());
                            cut.get_or_insert(why);
                            continue;
                        }
                    };
                    (end, Some(format!("loom ended its search at a {word}")))
                }
            };
            if let Some(end) = end {
                ends.entry(end).or_insert((0, None)).0 += 1;
            }
            cut = cut.or(why);
            if explored.carried_out > 0 {
                plans::successors(&model, plan, explored.chances, &mut next);
            }
        }
        // The environment delivers each signal once.
        next.retain(|plan| {
            plan.signals.iter().map(|(_, handler)| handler).collect::<BTreeSet<_>>().len() == plan.signals.len()
        });
        level = next;
    }
    Explored { ends: Ends { ends, is_complete: cut.is_none(), distinct: None, discarded: 0 }, cut }
}

/// The threads of a test have names for the engine.
const NAMES: [&str; 8] = ["P0", "P1", "P2", "P3", "P4", "P5", "P6", "P7"];

/// A test in execution, which its threads share.
#[derive(Clone)]
struct Running(Rc<Machine<Loom, Arc<Litmus>>>);

// SAFETY: all threads of a model are coroutines of one thread of the system (invariant 1 of the shim's
// `simulated`), so neither the machine nor its count of references is used by two threads of the system.
unsafe impl Send for Running {}

impl Running {
    fn thread(&self, number: usize, target: Option<usize>) {
        match target == Some(number) {
            true => engine::interruptible(|| self.0.thread(number)),
            false => self.0.thread(number),
        }
    }
}

fn execution(test: &Arc<Litmus>, target: Option<usize>, gathered: &Shared) {
    let mut before = locked(gathered);
    before.has_failed |= mem::replace(&mut before.is_running, true);
    drop(before);
    let plain = |number| {
        let is = |used: &Use| matches!(used, Use::Access { at, order: None, .. } if *at == number);
        test.uses().iter().any(|(_, used)| is(used))
    };
    let plain = (0..test.locations.len()).map(plain).collect();
    let running = Running(Rc::new(Machine::new(Arc::clone(test), Loom { plain })));
    for number in 0..test.handlers.len() {
        let running = running.clone();
        engine::handle("the handler", SIGNAL, &[], move || {
            let _guard = ErrnoGuard::new();
            running.0.handler(number);
        });
    }
    let spawned = |number: usize| {
        let running = running.clone();
        engine::spawn(NAMES[number], move || running.thread(number, target))
    };
    let others: Vec<_> = (1..test.threads.len()).map(spawned).collect();
    if !test.threads.is_empty() {
        running.thread(0, target);
    }
    others.into_iter().for_each(engine::Joiner::join);
    let last = running.0.places.iter().map(Place::last).collect();
    let values = running.0.values(last, false);
    let mut after = locked(gathered);
    after.is_running = false;
    if !after.has_failed {
        *after.values.entry(values).or_default() += 1;
    }
}
