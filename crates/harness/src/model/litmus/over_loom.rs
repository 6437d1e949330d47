//! Litmus tests over loom: the interpreter of [`sigproof_explore::litmus`] over the shim.
//!
//! A test that needs what the shim has not over loom is refused by that name. Where loom is known to be
//! inexact, the answer says so. Loom ends a search at its first deadlock, livelock or race: then the answer
//! says that there may be more outcomes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sigproof_explore::End;
use sigproof_explore::litmus::machine::{Machine, Seam, Values};
use sigproof_explore::litmus::{Call, Ends, Executions, Kind, Litmus, Location, Modify, Use};
use sigproof_report::Verdict;
use sigproof_shim::atomic::{self, AtomicU32, Ordering};
use sigproof_shim::cell::UnsafeCell;
use sigproof_shim::hint;
use sigproof_shim::model::{self as engine, FailureKind, Limits, Plan};
use sigproof_shim::native::os::clock;
use sigproof_shim::os::errno::ErrnoGuard;
use sigproof_shim::os::futex::{self, FutexWait};
use sigproof_shim::os::pthread::{self, MutexGuard};
use sigproof_shim::os::sem::{SemWait, Semaphore};
use sigproof_shim::os::sigmask::{self, MaskGuard};
use sigproof_shim::os::thread;

use super::super::{Depth, Model, SIGNAL, must, plans};
use super::{Judgement, Order};

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
    let is_narrow = |value: i64| i32::try_from(value).is_ok() || u32::try_from(value).is_ok();
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
    let model = Model { body: Arc::new(body), handlers, timeouts: true, spurious: false, depth, expected: None };
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
struct Running(Arc<Machine<Loom, Arc<Litmus>>>);

// SAFETY: all threads of a model are coroutines of one thread of the system (invariant 1 of the shim's
// `simulated`), so the cells of the machine are never used by two threads of the system.
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
    let running = Running(Arc::new(Machine::new(Arc::clone(test), Loom { plain })));
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

/// The shim below a test.
struct Loom {
    /// The locations with plain accesses.
    plain: Vec<bool>,
}

enum Place {
    Word(AtomicU32),
    Plain(UnsafeCell<i64>),
    Mutex(pthread::Mutex),
    Semaphore(Semaphore),
}

impl Place {
    fn word(&self) -> &AtomicU32 {
        match self {
            Self::Word(word) => word,
            Self::Plain(_) | Self::Mutex(_) | Self::Semaphore(_) => unreachable!("`target` refuses it"),
        }
    }

    fn last(&self) -> i64 {
        match self {
            Self::Word(word) => wide(word.load(Ordering::Relaxed)),
            Self::Plain(_) => Loom::load(self, None),
            Self::Mutex(_) | Self::Semaphore(_) => 0,
        }
    }
}

/// A word of the shim has 32 bits.
fn narrow(value: i64) -> u32 {
    value as u32
}

fn wide(value: u32) -> i64 {
    i64::from(value as i32)
}

/// What a body of a test holds. What it holds at its end stays held.
#[derive(Default)]
struct Held<'a> {
    locks: Vec<(&'a pthread::Mutex, MutexGuard<'a>)>,
    mask: Option<MaskGuard>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.locks.drain(..).for_each(mem::forget);
        mem::forget(self.mask.take());
    }
}

impl Seam for Loom {
    type Place = Place;
    type Held<'a> = Held<'a>;

    fn place(&self, number: usize, location: &Location) -> Place {
        match location.kind {
            Kind::Word if self.plain[number] => Place::Plain(UnsafeCell::new(location.init)),
            Kind::Word | Kind::Futex => Place::Word(AtomicU32::new(narrow(location.init))),
            Kind::Mutex => Place::Mutex(must(pthread::Mutex::new())),
            Kind::Semaphore => {
                let semaphore = must(Semaphore::new());
                (0..location.init).for_each(|_| must(semaphore.post()));
                Place::Semaphore(semaphore)
            }
        }
    }

    fn load(place: &Place, order: Option<Ordering>) -> i64 {
        match (place, order) {
            // SAFETY: the shim checks that no other access is unordered; all threads are one of the system.
            (Place::Plain(cell), None) => cell.with(|value| unsafe { *value }),
            (place, order) => wide(place.word().load(order.unwrap_or(Ordering::Relaxed))),
        }
    }

    fn store(place: &Place, value: i64, order: Option<Ordering>) {
        match (place, order) {
            // SAFETY: as in `load`.
            (Place::Plain(cell), None) => cell.with_mut(|place| unsafe { *place = value }),
            (place, order) => place.word().store(narrow(value), order.unwrap_or(Ordering::Relaxed)),
        }
    }

    fn modify(place: &Place, modify: Modify, operand: i64, order: Ordering) -> i64 {
        let (word, operand) = (place.word(), narrow(operand));
        wide(match modify {
            Modify::Add => word.fetch_add(operand, order),
            Modify::Sub => word.fetch_sub(operand, order),
            Modify::And => word.fetch_and(operand, order),
            Modify::Or => word.fetch_or(operand, order),
            Modify::Xor => word.fetch_xor(operand, order),
            Modify::Swap => word.swap(operand, order),
        })
    }

    fn exchange(place: &Place, old: i64, new: i64, orders: [Ordering; 2], _is_weak: bool) -> Result<i64, i64> {
        let result = place.word().compare_exchange(narrow(old), narrow(new), orders[0], orders[1]);
        result.map(wide).map_err(wide)
    }

    fn fence(order: Ordering) {
        atomic::fence(order);
    }

    /// A handler finds the accesses of its thread in the order of the text.
    fn compiler_fence(_order: Ordering) {}

    fn turn() {
        hint::spin_loop();
    }

    fn call<'a>(&'a self, call: Call, place: Option<&'a Place>, value: i64, thread: usize, held: &mut Held<'a>) -> i64 {
        match (call, place) {
            (Call::Wait | Call::WaitTimeout, Some(Place::Word(word))) => {
                let timeout = (call == Call::WaitTimeout).then_some(Duration::from_secs(1));
                match must(futex::wait(word, narrow(value), timeout)) {
                    FutexWait::Woken => 0,
                    FutexWait::Changed => 1,
                    FutexWait::Interrupted => 2,
                    FutexWait::TimedOut => 3,
                }
            }
            (Call::Wake, Some(Place::Word(word))) => {
                must(futex::wake(word, u32::try_from(value).unwrap_or(u32::MAX))) as i64
            }
            (Call::Lock, Some(Place::Mutex(mutex))) => {
                held.locks.push((mutex, must(mutex.lock())));
                0
            }
            (Call::Unlock, Some(Place::Mutex(mutex))) => {
                let place = held.locks.iter().rposition(|(own, _)| std::ptr::eq(*own, mutex));
                drop(place.map(|place| held.locks.remove(place)));
                0
            }
            (Call::Take, Some(Place::Semaphore(semaphore))) => {
                i64::from(must(semaphore.wait()) == SemWait::Interrupted)
            }
            (Call::Post, Some(Place::Semaphore(semaphore))) => {
                must(semaphore.post());
                0
            }
            (Call::Yield, _) => {
                thread::yield_now();
                0
            }
            (Call::Mask | Call::Unmask, _) => {
                let was_blocked = must(sigmask::is_blocked(SIGNAL));
                match call {
                    Call::Mask if held.mask.is_none() => held.mask = Some(must(sigmask::block(SIGNAL))),
                    Call::Unmask => drop(held.mask.take()),
                    _ => {}
                }
                i64::from(was_blocked) << thread
            }
            _ => unreachable!("`target` refuses it"),
        }
    }
}
