//! A brute-force enumerator of RC11: every choice, every source of every load, every modification order; then
//! the axioms, written down as they stand in the paper. It shares nothing with the engine.

use std::collections::BTreeSet;

use sigproof_explore::End;
use sigproof_explore::atomic::Ordering;

use crate::arrive::{self, permutations};
use crate::program::{Op, Outcome, Program};
use crate::relation::Relation;
use crate::reorder;

/// Operations: number in the program, operation, whether a weak one fails by choice.
pub type Ops = Vec<(usize, Op, bool)>;

/// The operations that each thread does in one candidate, after all choices.
struct Plan {
    /// For each thread its operations: number in the program, operation, whether a weak one fails by choice.
    threads: Vec<Vec<(usize, Op, bool)>>,
    /// Threads that end in a load that waits for ever.
    blocked: Vec<bool>,
    stuck: bool,
}

#[derive(Debug, Clone, Copy)]
struct Event {
    thread: usize,
    number: usize,
    op: Op,
    kind: Kind,
    at: usize,
    order: Ordering,
    fails: bool,
    waits: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Fence,
    Other,
}

/// All outcomes, and the number of consistent executions. `reordered`: handlers find the accesses of their
/// threads as the compiler may have reordered them.
pub fn enumerate(program: &Program, reordered: bool) -> (BTreeSet<Outcome>, u64) {
    enumerate_with(program, reordered, u32::MAX)
}

/// The same, with at most so many weak exchanges of each thread that fail by choice.
pub fn enumerate_with(program: &Program, reordered: bool, failures: u32) -> (BTreeSet<Outcome>, u64) {
    let mut found = Found { outcomes: BTreeSet::new(), executions: 0, failures };
    let offsets = program.offsets();
    let numbered = |first: usize, ops: &[Op]| -> Ops {
        ops.iter().enumerate().map(|(nth, &op)| (first + nth, op, false)).collect()
    };
    let texts: Vec<Ops> = program.threads.iter().zip(&offsets).map(|(ops, &first)| numbered(first, ops)).collect();
    let handlers: Vec<(usize, Ops)> = program
        .handlers
        .iter()
        .zip(&offsets[program.threads.len()..])
        .map(|((thread, ops), &first)| (*thread, numbered(first, ops)))
        .collect();
    // Only the text of a thread that is interrupted can be seen in another order.
    let mut all = vec![texts];
    if reordered {
        for &(thread, _) in &handlers {
            all = all.iter().flat_map(|texts| reorder::orders_of(texts, thread)).collect();
        }
    }
    let mut done = BTreeSet::new();
    for texts in all {
        for order in arrive::orders(handlers.len()) {
            arrive::place(&handlers, &order, &texts, &mut Vec::new(), &mut |texts, inserted| {
                // A thread may have the same text in several ways.
                if done.insert(format!("{texts:?} {inserted:?}")) {
                    truncate(program, texts, inserted, &mut vec![None; texts.len()], 0, &mut found);
                }
            });
        }
    }
    (found.outcomes, found.executions)
}

/// What is found, and how many weak exchanges of each thread may fail by choice.
struct Found {
    outcomes: BTreeSet<Outcome>,
    executions: u64,
    failures: u32,
}

/// Chooses for each thread the waiting load at which it stays blocked, if at any.
fn truncate(
    program: &Program,
    threads: &[Vec<(usize, Op, bool)>],
    inserted: &[(usize, usize)],
    cuts: &mut Vec<Option<usize>>,
    next: usize,
    found: &mut Found,
) {
    if next == threads.len() {
        if let Some(plan) = plan(threads, cuts, inserted) {
            weak(program, plan, found);
        }
        return;
    }
    cuts[next] = None;
    truncate(program, threads, inserted, cuts, next + 1, found);
    for (nth, (_, op, _)) in threads[next].iter().enumerate() {
        if matches!(op, Op::Await(..)) {
            cuts[next] = Some(nth);
            truncate(program, threads, inserted, cuts, next + 1, found);
        }
    }
    cuts[next] = None;
}

fn plan(threads: &[Vec<(usize, Op, bool)>], cuts: &[Option<usize>], inserted: &[(usize, usize)]) -> Option<Plan> {
    let mut kept: Vec<_> = threads.to_vec();
    for (thread, cut) in cuts.iter().enumerate() {
        if let Some(cut) = *cut {
            kept[thread].truncate(cut + 1);
        }
    }
    let mut blocked: Vec<bool> = cuts.iter().map(Option::is_some).collect();
    // Thread 0 waits at a join of a thread that never ends. There the handler may come, after that it may
    // not.
    let join = kept[0].iter().position(|(_, op, _)| matches!(op, Op::Join(other) if cuts[*other].is_some()));
    if let Some(join) = join {
        if cuts[0].is_some() {
            return None;
        }
        kept[0].truncate(join);
        blocked[0] = false;
    }
    let stuck = join.is_some() || cuts.iter().any(Option::is_some);
    for &(thread, position) in inserted {
        let reaches = match (cuts[thread], join.filter(|_| thread == 0)) {
            (Some(cut), _) => position <= cut,
            (None, Some(join)) => position <= join,
            (None, None) => true,
        };
        if !reaches {
            return None;
        }
    }
    for other in 1..threads.len() {
        if !kept[0].iter().any(|(_, op, _)| *op == Op::Spawn(other)) {
            // Never started: it can neither be blocked nor be interrupted.
            if cuts[other].is_some() || inserted.iter().any(|&(thread, _)| thread == other) {
                return None;
            }
            kept[other].clear();
        }
    }
    Some(Plan { threads: kept, blocked, stuck })
}

fn weak(program: &Program, mut plan: Plan, found: &mut Found) {
    let weak: Vec<(usize, usize)> = (0..plan.threads.len())
        .flat_map(|thread| (0..plan.threads[thread].len()).map(move |nth| (thread, nth)))
        .filter(|&(thread, nth)| matches!(plan.threads[thread][nth].1, Op::Weak(..)))
        .collect();
    for set in 0..1_u32 << weak.len() {
        for (bit, &(thread, nth)) in weak.iter().enumerate() {
            plan.threads[thread][nth].2 = set >> bit & 1 != 0;
        }
        let failures = |ops: &Ops| ops.iter().filter(|(_, _, fails)| *fails).count();
        if plan.threads.iter().any(|ops| failures(ops) > found.failures as usize) {
            continue;
        }
        Candidate::new(program, &plan).sources(found);
    }
}

struct Candidate<'a> {
    program: &'a Program,
    plan: &'a Plan,
    events: Vec<Event>,
    reads: Vec<usize>,
    source: Vec<Option<usize>>,
    sb: Relation,
    /// From a start to the thread's events, and from these to a join.
    starts: Relation,
}

fn writes_after(op: Op) -> bool {
    matches!(op, Op::Add(..) | Op::Swap(..) | Op::Cas(..) | Op::Weak(..))
}

impl<'a> Candidate<'a> {
    fn new(program: &'a Program, plan: &'a Plan) -> Self {
        let mut events = Vec::new();
        for (thread, ops) in plan.threads.iter().enumerate() {
            for (nth, &(number, op, fails)) in ops.iter().enumerate() {
                let waits = plan.blocked[thread] && nth + 1 == ops.len();
                let mut add = |kind, at, order| {
                    events.push(Event { thread, number, op, kind, at, order, fails, waits });
                };
                match op {
                    Op::Load(at, order) | Op::Await(at, order) => add(Kind::Read, at, order),
                    Op::Store(at, _, order) => add(Kind::Write, at, order),
                    Op::Add(at, _, order)
                    | Op::Swap(at, _, order)
                    | Op::Cas(at, _, _, order, _)
                    | Op::Weak(at, _, _, order, _) => {
                        add(Kind::Read, at, order);
                        add(Kind::Write, at, order);
                    }
                    Op::Fence(order) => add(Kind::Fence, usize::MAX, order),
                    Op::Spawn(_) | Op::Join(_) | Op::Compiler(_) | Op::Closed(_) => {
                        add(Kind::Other, usize::MAX, Ordering::Relaxed)
                    }
                }
            }
        }
        assert!(events.len() <= 32, "a program that is small enough");
        let count = events.len();
        let sb = Relation::of(count, |a, b| a < b && events[a].thread == events[b].thread);
        let starts = Relation::of(count, |a, b| {
            matches!(events[a].op, Op::Spawn(other) if other == events[b].thread)
                || matches!(events[b].op, Op::Join(other) if other == events[a].thread)
        });
        let reads = (0..count).filter(|&event| events[event].kind == Kind::Read).collect();
        let source = vec![None; count];
        Self { program, plan, events, reads, source, sb, starts }
    }

    fn sources(&mut self, found: &mut Found) {
        self.source_of(0, found);
    }

    fn source_of(&mut self, next: usize, found: &mut Found) {
        let Some(&read) = self.reads.get(next) else {
            self.judge(found);
            return;
        };
        for write in (0..self.events.len()).map(Some).chain([None]) {
            if write.is_none_or(|write| {
                let (from, to) = (&self.events[write], &self.events[read]);
                from.kind == Kind::Write && from.at == to.at && !(from.thread == to.thread && write > read)
            }) {
                self.source[read] = write;
                self.source_of(next + 1, found);
            }
        }
    }

    fn judge(&self, found: &mut Found) {
        let count = self.events.len();
        let rf = Relation::of(count, |a, b| self.events[b].kind == Kind::Read && self.source[b] == Some(a));
        if !self.sb.or(&rf).or(&self.starts).is_acyclic() {
            return;
        }
        // Values, in some order of sb ∪ rf.
        let mut value = vec![None; count];
        let mut exists = vec![true; count];
        let mut done = vec![false; count];
        while done.contains(&false) {
            for event in 0..count {
                let is_ready = !done[event]
                    && (event == 0 || self.events[event - 1].thread != self.events[event].thread || done[event - 1])
                    && self.source[event].is_none_or(|source| done[source]);
                if is_ready {
                    if !self.value(event, &mut value, &mut exists) {
                        return;
                    }
                    done[event] = true;
                }
            }
        }
        if (0..count).any(|event| self.source[event].is_some_and(|source| !exists[source])) {
            return;
        }
        let mut orders = vec![Vec::new()];
        for at in 0..self.program.locations {
            let writes: Vec<_> = (0..count)
                .filter(|&event| exists[event] && self.events[event].kind == Kind::Write && self.events[event].at == at)
                .collect();
            let mut all = Vec::new();
            // Writes of one thread are in the order of its text.
            let may_pass = |a: usize, b: usize| self.events[a].thread != self.events[b].thread;
            permutations(&writes, &may_pass, &mut Vec::new(), &mut all);
            orders = orders
                .iter()
                .flat_map(|before: &Vec<Vec<usize>>| {
                    all.iter().map(move |order| before.iter().cloned().chain([order.clone()]).collect())
                })
                .collect();
        }
        for order in orders {
            if self.is_consistent(&rf, &order, &exists, &value) {
                found.executions += 1;
                found.outcomes.insert(self.outcome(&order, &value));
            }
        }
    }

    fn value(&self, event: usize, value: &mut [Option<u32>], exists: &mut [bool]) -> bool {
        let Event { kind, op, fails, waits, .. } = self.events[event];
        match kind {
            Kind::Read => {
                let read = self.source[event].map_or(Some(0), |source| value[source]);
                let Some(read) = read else { return false };
                value[event] = Some(read);
                match op {
                    Op::Await(..) => (read == 0) == waits,
                    Op::Weak(_, old, ..) if fails => read == old,
                    _ => true,
                }
            }
            Kind::Write => {
                value[event] = match op {
                    Op::Store(_, new, _) | Op::Swap(_, new, _) => Some(new),
                    Op::Add(_, operand, _) => value[event - 1].map(|old| old + operand),
                    Op::Cas(_, old, new, ..) | Op::Weak(_, old, new, ..) => {
                        (value[event - 1] == Some(old) && !fails).then_some(new)
                    }
                    _ => None,
                };
                exists[event] = value[event].is_some();
                true
            }
            Kind::Fence | Kind::Other => true,
        }
    }

    fn order_of(&self, event: usize, exists: &[bool]) -> Ordering {
        match self.events[event].op {
            Op::Cas(.., failure) | Op::Weak(.., failure)
                if self.events[event].kind == Kind::Read && !exists[event + 1] =>
            {
                failure
            }
            _ => self.events[event].order,
        }
    }

    fn is_consistent(&self, rf: &Relation, order: &[Vec<usize>], exists: &[bool], value: &[Option<u32>]) -> bool {
        let count = self.events.len();
        let event = |a: usize| &self.events[a];
        let is = |a: usize, kind: Kind| exists[a] && event(a).kind == kind;
        let set = |holds: &dyn Fn(usize) -> bool| {
            (0..count).filter(|&a| exists[a] && holds(a)).fold(0_u32, |set, a| set | 1 << a)
        };
        let everything = set(&|_| true);
        let place = |a: usize| order[event(a).at].iter().position(|&write| write == a).map(|place| place + 1);
        let read_place = |a: usize| self.source[a].map_or(Some(0), place);
        let sb = self.sb.only(everything, everything);
        let mo = Relation::of(count, |a, b| {
            is(a, Kind::Write) && is(b, Kind::Write) && event(a).at == event(b).at && place(a) < place(b)
        });
        let rb = Relation::of(count, |a, b| {
            is(a, Kind::Read) && is(b, Kind::Write) && event(a).at == event(b).at && read_place(a) < place(b)
        });
        let is_pair = |a: usize, b: usize| {
            b == a + 1 && event(a).number == event(b).number && writes_after(event(a).op) && exists[b]
        };
        // Atomicity: no write between a read-modify-write's source and its write.
        for a in 0..count {
            if is(a, Kind::Read) && a + 1 < count && is_pair(a, a + 1) && read_place(a).map(|p| p + 1) != place(a + 1) {
                return false;
            }
        }
        let pair = Relation::of(count, is_pair);
        let order_of = |a: usize| self.order_of(a, exists);
        let releases = |a: usize| matches!(order_of(a), Ordering::Release | Ordering::AcqRel | Ordering::SeqCst);
        let acquires = |a: usize| matches!(order_of(a), Ordering::Acquire | Ordering::AcqRel | Ordering::SeqCst);
        let fences = set(&|a| is(a, Kind::Fence));
        let reads = set(&|a| is(a, Kind::Read));
        let writes = set(&|a| is(a, Kind::Write));
        let released = set(&|a| releases(a) && !is(a, Kind::Read));
        let acquired = set(&|a| acquires(a) && !is(a, Kind::Write));
        // sw = [release] ; ([F];sb)? ; [W] ; (rf;rmw)* ; rf ; [R] ; (sb;[F])? ; [acquire]
        let sequence = rf.then(&pair).closure().maybe();
        let from = sb.only(fences, writes).maybe();
        let to = sb.only(reads, fences).maybe();
        let core = sequence.only(writes, writes).then(rf);
        let sw = from.then(&core).then(&to).only(released, acquired);
        let hb = sb.or(&sw).or(&self.starts.only(everything, everything)).closure();
        let eco = rf.or(&mo).or(&rb).closure();
        if !hb.is_irreflexive() || !hb.then(&eco).is_irreflexive() || !eco.is_irreflexive() {
            return false;
        }
        if !self.blocked_reads_are_newest(order, exists) {
            return false;
        }
        let _ = value;
        let sc = set(&|a| order_of(a) == Ordering::SeqCst);
        let sc_fences = sc & fences;
        let memory = reads | writes;
        let same = |a: usize, b: usize| (memory >> a & memory >> b & 1) != 0 && event(a).at == event(b).at;
        let counted = memory | fences;
        let sb = sb.only(counted, counted);
        let apart = Relation::of(count, |a, b| sb.has(a, b) && !same(a, b));
        let hb_same = Relation::of(count, |a, b| hb.has(a, b) && same(a, b));
        let scb = sb.or(&apart.then(&hb).then(&apart)).or(&hb_same).or(&mo).or(&rb);
        let identity = Relation::EMPTY.maybe();
        let hb_maybe = hb.maybe();
        let left = identity.only(sc, sc).or(&hb_maybe.only(sc_fences, u32::MAX));
        let right = identity.only(sc, sc).or(&hb_maybe.only(u32::MAX, sc_fences));
        let base = left.then(&scb).then(&right);
        let of_fences = hb.or(&hb.then(&eco).then(&hb)).only(sc_fences, sc_fences);
        base.or(&of_fences).is_acyclic()
    }

    fn blocked_reads_are_newest(&self, order: &[Vec<usize>], exists: &[bool]) -> bool {
        (0..self.events.len()).all(|a| {
            let Event { kind, waits, at, .. } = self.events[a];
            !(exists[a] && kind == Kind::Read && waits) || self.source[a] == order[at].last().copied()
        })
    }

    fn outcome(&self, order: &[Vec<usize>], value: &[Option<u32>]) -> Outcome {
        if self.plan.stuck {
            return End::Deadlock;
        }
        let mut results = vec![None; self.program.operations()];
        for (a, event) in self.events.iter().enumerate().filter(|(_, event)| event.kind == Kind::Read) {
            let failed = matches!(event.op, Op::Cas(..) | Op::Weak(..)) && value[a + 1].is_none();
            // A spurious failure gives the expected value, in std as well.
            let marked = failed.then_some(1 << 16);
            results[event.number] = value[a].map(|value| value | marked.unwrap_or(0));
        }
        let last = order.iter().map(|writes| writes.last().and_then(|&write| value[write]).unwrap_or(0)).collect();
        End::Done((results, last))
    }
}
