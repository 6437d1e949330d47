//! Small programs: their random generation, and how the explorer runs one.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;

use fastrand::Rng;
use sigproof_explore::atomic::{AtomicU32, Ordering, compiler_fence, fence};
use sigproof_explore::{End, Explorer, signal, thread};

/// One operation. The first number is the location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Load(usize, Ordering),
    Store(usize, u32, Ordering),
    Add(usize, u32, Ordering),
    Swap(usize, u32, Ordering),
    Cas(usize, u32, u32, Ordering, Ordering),
    /// May fail though the value is the expected one.
    Weak(usize, u32, u32, Ordering, Ordering),
    /// Waits for a value that is not 0.
    Await(usize, Ordering),
    Fence(Ordering),
    /// A fence for the compiler only.
    Compiler(Ordering),
    Spawn(usize),
    Join(usize),
    /// From here on no handler comes (true), or they do again. A text whose first one is false begins
    /// without.
    Closed(bool),
}

/// A program. Thread 0 starts the others.
#[derive(Clone)]
pub struct Program {
    pub locations: usize,
    pub threads: Vec<Vec<Op>>,
    /// For each handler the thread that it interrupts, and what it does. A handler may interrupt another one.
    pub handlers: Vec<(usize, Vec<Op>)>,
}

/// What each operation read (`None`: not done, or nothing to read), the handler's last; and the last values.
pub type Outcome = End<(Vec<Option<u32>>, Vec<u32>)>;

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, thread) in self.threads.iter().enumerate() {
            writeln!(f, "  {number}: {thread:?}")?;
        }
        for (number, handler) in &self.handlers {
            writeln!(f, "  !{number}: {handler:?}")?;
        }
        Ok(())
    }
}

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

/// What kinds of operations a program has.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub sc: bool,
    pub waits: bool,
    pub weak: bool,
    pub spawns_late: bool,
    pub compiler: bool,
}

fn operation(rng: &mut Rng, shape: Shape, locations: usize, value: &mut u32) -> Op {
    let sc = shape.sc && rng.bool();
    let at = rng.usize(..locations);
    let read = if sc { Ordering::SeqCst } else { pick(rng, &[Ordering::Relaxed, Ordering::Acquire]) };
    let write = if sc { Ordering::SeqCst } else { pick(rng, &[Ordering::Relaxed, Ordering::Release]) };
    let both = [Ordering::Relaxed, Ordering::Acquire, Ordering::Release, Ordering::AcqRel];
    let both = if sc { Ordering::SeqCst } else { pick(rng, &both) };
    match rng.u32(..20) {
        0..=6 => Op::Load(at, read),
        7..=12 => {
            *value += 1;
            Op::Store(at, *value, write)
        }
        13..=14 => Op::Add(at, 16, both),
        15 => Op::Cas(at, 0, 32, both, read),
        16 if shape.weak => Op::Weak(at, 0, 64, both, read),
        16 => Op::Cas(at, 1, 64, both, read),
        17 if shape.waits => Op::Await(at, read),
        17 => Op::Load(at, read),
        18 if shape.compiler => {
            Op::Compiler(pick(rng, &[Ordering::Acquire, Ordering::Release, Ordering::AcqRel, Ordering::SeqCst]))
        }
        _ if sc => Op::Fence(Ordering::SeqCst),
        _ => Op::Fence(pick(rng, &[Ordering::Acquire, Ordering::Release, Ordering::AcqRel])),
    }
}

impl Program {
    /// A random program with so many operations, and so many handlers.
    pub fn random(rng: &mut Rng, operations: usize, handlers: usize) -> Self {
        let shape = Shape {
            sc: rng.bool(),
            waits: rng.u8(..3) == 0,
            weak: rng.u8(..3) == 0,
            spawns_late: rng.u8(..3) == 0,
            compiler: false,
        };
        let count = rng.usize(if handlers > 0 { 1..=3 } else { 2..=3 });
        let locations = rng.usize(1..=2);
        let mut threads = vec![Vec::new(); count];
        let mut value = 0;
        // Of several handlers each has an operation, so that their places differ.
        let mut handlers: Vec<_> = (0..handlers).map(|_| (rng.usize(..count), Vec::new())).collect();
        if handlers.len() > 1 {
            handlers.iter_mut().for_each(|(_, ops)| ops.push(operation(rng, shape, locations, &mut value)));
        }
        let own: usize = handlers.iter().map(|(_, ops)| ops.len()).sum();
        for _ in own..operations {
            let operation = operation(rng, shape, locations, &mut value);
            let at = rng.usize(..count + handlers.len());
            match at.checked_sub(count).and_then(|at| handlers.get_mut(at)) {
                Some((_, handler)) if handler.len() < 3 => handler.push(operation),
                _ => threads[at.min(count - 1)].push(operation),
            }
        }
        for number in 1..count {
            let before = threads[0].iter().rposition(|op| matches!(op, Op::Spawn(_))).map_or(0, |at| at + 1);
            let at = if shape.spawns_late { rng.usize(before..=threads[0].len()) } else { before };
            threads[0].insert(at, Op::Spawn(number));
        }
        for number in 1..count {
            if shape.spawns_late && rng.bool() {
                let after = threads[0].iter().position(|&op| op == Op::Spawn(number)).expect("its start") + 1;
                let at = rng.usize(after..=threads[0].len());
                threads[0].insert(at, Op::Join(number));
            }
        }
        Self { locations, threads, handlers }
    }

    /// A program of which a handler can see the order of a thread's accesses: three or four operations of it,
    /// most of them relaxed, two or three of the handler, and at most two of another thread.
    pub fn interrupted(rng: &mut Rng) -> Self {
        let shape = Shape {
            sc: rng.u8(..6) == 0,
            waits: rng.u8(..8) == 0,
            weak: rng.u8(..6) == 0,
            spawns_late: false,
            compiler: true,
        };
        let mut value = 0;
        let mut ops = |rng: &mut Rng, count: usize| -> Vec<Op> {
            (0..count)
                .map(|_| match rng.u8(..8) {
                    0..=2 => Op::Load(rng.usize(..2), Ordering::Relaxed),
                    3..=5 => {
                        value += 1;
                        Op::Store(rng.usize(..2), value, Ordering::Relaxed)
                    }
                    _ => operation(rng, shape, 2, &mut value),
                })
                .collect()
        };
        let (own, inner, other) = (rng.usize(3..=4), rng.usize(2..=3), rng.usize(..=2));
        let mut threads = vec![ops(rng, own)];
        let handlers = vec![(0, ops(rng, inner))];
        if other > 0 {
            threads.push(ops(rng, other));
            threads[0].insert(0, Op::Spawn(1));
        }
        Self { locations: 2, threads, handlers }
    }

    /// How many operations there are, those of the handlers included.
    pub fn operations(&self) -> usize {
        self.offsets().last().copied().unwrap_or(0)
    }

    /// The number of the first operation of each thread, then of each handler; then of all operations.
    pub fn offsets(&self) -> Vec<usize> {
        let lengths = self.threads.iter().chain(self.handlers.iter().map(|(_, ops)| ops)).map(Vec::len);
        let sums = lengths.scan(0, |sum, length| {
            *sum += length;
            Some(*sum)
        });
        std::iter::once(0).chain(sums).collect()
    }

    /// The explorer's outcomes, and its report's numbers: explored, distinct.
    pub fn explore(&self, explorer: &Explorer) -> (BTreeSet<Outcome>, u64, u64) {
        let program = Rc::new(self.clone());
        let report = explorer.clone().distinct().run_with_last(move || {
            let memory: Rc<Vec<_>> = Rc::new((0..program.locations).map(|_| AtomicU32::new(0)).collect());
            let results = Rc::new(RefCell::new(vec![None; program.operations()]));
            let this = State { program: Rc::clone(&program), memory, results };
            for number in 0..program.handlers.len() {
                let inner = this.clone();
                let first = program.offsets()[program.threads.len() + number];
                signal::action(number as u32, move || inner.run(&inner.program.handlers[number].1, first));
            }
            this.thread(0);
            move || {
                let last = this.memory.iter().map(|word| word.load(Ordering::Relaxed)).collect();
                (this.results.borrow().clone(), last)
            }
        });
        assert!(report.is_complete());
        (report.ends.into_keys().collect(), report.explored, report.distinct.expect("it was asked for"))
    }
}

#[derive(Clone)]
struct State {
    program: Rc<Program>,
    memory: Rc<Vec<AtomicU32>>,
    results: Rc<RefCell<Vec<Option<u32>>>>,
}

impl State {
    fn thread(&self, number: usize) {
        for (signal, _) in (0..).zip(&self.program.handlers).filter(|(_, (thread, _))| *thread == number) {
            signal::allow(signal, 1);
        }
        self.run(&self.program.threads[number], self.program.offsets()[number]);
    }

    fn run(&self, operations: &[Op], first: usize) {
        let mut threads: Vec<Option<thread::JoinHandle<()>>> = Vec::new();
        threads.resize_with(self.program.threads.len(), || None);
        for (nth, &operation) in operations.iter().enumerate() {
            let either = |result: Result<u32, u32>| Some(result.unwrap_or_else(|old| old | 1 << 16));
            let read = match operation {
                Op::Load(at, order) => Some(self.memory[at].load(order)),
                Op::Store(at, value, order) => {
                    self.memory[at].store(value, order);
                    None
                }
                Op::Add(at, value, order) => Some(self.memory[at].fetch_add(value, order)),
                Op::Swap(at, value, order) => Some(self.memory[at].swap(value, order)),
                Op::Closed(is_closed) => {
                    let all: Vec<u32> = (0..self.program.handlers.len() as u32).collect();
                    if is_closed {
                        signal::mask(&all)
                    } else {
                        signal::unmask(&all)
                    };
                    None
                }
                Op::Cas(at, old, new, success, failure) => {
                    either(self.memory[at].compare_exchange(old, new, success, failure))
                }
                Op::Weak(at, old, new, success, failure) => {
                    either(self.memory[at].compare_exchange_weak(old, new, success, failure))
                }
                Op::Await(at, order) => Some(self.memory[at].load_other_than(0, order)),
                Op::Fence(order) => {
                    fence(order);
                    None
                }
                Op::Compiler(order) => {
                    compiler_fence(order);
                    None
                }
                Op::Spawn(number) => {
                    let this = self.clone();
                    threads[number] = Some(thread::spawn(move || this.thread(number)));
                    None
                }
                Op::Join(number) => {
                    threads[number].take().expect("a thread that was started").join();
                    None
                }
            };
            self.results.borrow_mut()[first + nth] = read;
        }
    }
}
