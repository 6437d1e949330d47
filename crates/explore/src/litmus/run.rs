//! Runs a litmus test, and judges what came out.

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use super::statement::{Call, Expected, Expression, Modify, Statement};
use super::{Body, Kind, Litmus, Name, Quantifier};
use crate::atomic::{AtomicI64, Ordering, compiler_fence, fence};
use crate::end::End;
use crate::futex::{Queue, Wait};
use crate::graph::Graph;
use crate::sync::{Mutex, Semaphore};
use crate::{Explorer, hint, signal, thread};

/// How an execution of a test ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// With these values of the names.
    Values(Vec<Option<i64>>),
    /// Threads wait for ever.
    Deadlock,
    /// Threads spin for ever.
    Livelock,
    /// Plain accesses race: C gives the test no meaning.
    Race,
    /// A limit ended the execution.
    Limit,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Values(values) => {
                let text: Vec<_> = values.iter().map(|v| v.map_or("-".to_owned(), |v| v.to_string())).collect();
                f.write_str(&text.join(" "))
            }
            Self::Deadlock => f.write_str("deadlock"),
            Self::Livelock => f.write_str("livelock"),
            Self::Race => f.write_str("race"),
            Self::Limit => f.write_str("limit"),
        }
    }
}

/// What a test gave.
#[derive(Debug)]
pub struct Judged {
    /// The names whose values the outcomes have.
    pub names: Vec<Name>,
    /// The outcomes, with the number of executions and the graph of one.
    pub outcomes: BTreeMap<Line, (u64, Graph)>,
    /// How many executions there were.
    pub explored: u64,
    /// How many distinct graphs they had.
    pub distinct: u64,
    /// How many runs came to no end.
    pub discarded: u64,
    /// Whether everything was run.
    pub is_complete: bool,
    /// Whether the condition of the file holds; `None` without a condition, or with a race.
    pub holds: Option<bool>,
    /// Outcomes that the file names, and that did not occur.
    pub missing: Vec<Line>,
    /// Outcomes that occurred, and that the file does not name.
    pub extra: Vec<Line>,
    /// The number of executions that the file names, if it is another one.
    pub wrong_count: Option<u64>,
    /// Whether the file names outcomes.
    pub has_expectation: bool,
}

impl Judged {
    /// Whether all that the file says is so.
    pub fn is_as_said(&self) -> bool {
        let conditions = if self.has_expectation { Some(true) } else { self.holds };
        self.is_complete
            && conditions != Some(false)
            && self.missing.is_empty()
            && self.extra.is_empty()
            && self.wrong_count.is_none()
    }
}

type Values = (Vec<Vec<Option<i64>>>, Vec<i64>);

impl Litmus {
    /// The names of its outcomes.
    fn names(&self) -> Vec<Name> {
        let mut names = self.expect.as_ref().map(|expect| expect.names.clone()).unwrap_or_default();
        if names.is_empty() {
            if let Some(condition) = &self.condition {
                condition.formula.names(&mut names);
            }
            for name in &self.shown {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        names
    }

    fn value(&self, values: &Values, name: &Name) -> Option<i64> {
        match name {
            Name::Location(name) => {
                let index = self.locations.iter().position(|location| location.name == *name)?;
                values.1.get(index).copied()
            }
            Name::Register(thread, register) => {
                let bodies = self.threads.iter().chain(self.handlers.iter().map(|(_, body)| body));
                let (number, body) = bodies.enumerate().find(|(_, body)| body.name == *thread)?;
                let index = body.registers.iter().position(|known| known == register)?;
                values.0[number][index]
            }
        }
    }

    /// Runs all executions.
    pub fn run(&self, explorer: &Explorer) -> Judged {
        let test = Rc::new(self.clone());
        let report = explorer.clone().distinct().run_with_last(move || Machine::start(Rc::clone(&test)));
        let names = self.names();
        let is_complete = report.is_complete();
        let (explored, discarded) = (report.explored, report.discarded);
        let distinct = report.distinct.unwrap_or(explored);
        let mut outcomes: BTreeMap<Line, (u64, Graph)> = BTreeMap::new();
        let (mut some, mut all) = (false, true);
        for (end, found) in report.ends {
            let line = match &end {
                End::Done(values) => {
                    let value = |name: &Name| self.value(values, name);
                    if self.filter.as_ref().is_some_and(|filter| !filter.holds(&value)) {
                        continue;
                    }
                    if let Some(condition) = &self.condition {
                        let holds = condition.formula.holds(&value);
                        some |= holds;
                        all &= holds;
                    }
                    Line::Values(names.iter().map(value).collect())
                }
                End::Deadlock => Line::Deadlock,
                End::Livelock => Line::Livelock,
                End::Race(_) => Line::Race,
                End::Panic(_) | End::Limit(_) => Line::Limit,
            };
            outcomes.entry(line).or_insert_with(|| (0, found.graph)).0 += found.count;
        }
        let holds = self.condition.as_ref().filter(|_| !outcomes.contains_key(&Line::Race)).map(|condition| {
            match condition.quantifier {
                Quantifier::Exists => some,
                Quantifier::NotExists => !some,
                Quantifier::Forall => all,
            }
        });
        let occurred: BTreeSet<_> = outcomes.keys().cloned().collect();
        let wanted = self.expect.as_ref().map(|expect| &expect.lines);
        let missing = wanted.map_or(Vec::new(), |wanted| wanted.difference(&occurred).cloned().collect());
        let extra = wanted.map_or(Vec::new(), |wanted| occurred.difference(wanted).cloned().collect());
        let wrong_count = self.executions.filter(|&executions| executions != explored);
        let has_expectation = self.expect.is_some();
        Judged {
            names,
            outcomes,
            explored,
            distinct,
            discarded,
            is_complete,
            holds,
            missing,
            extra,
            wrong_count,
            has_expectation,
        }
    }
}

enum Place {
    Word(AtomicI64),
    Futex(AtomicI64, Queue),
    Mutex(Mutex),
    Semaphore(Semaphore),
}

/// A test in execution.
struct Machine {
    test: Rc<Litmus>,
    places: Vec<Place>,
    registers: Vec<Vec<Cell<Option<i64>>>>,
    threads: Vec<OnceCell<thread::Thread>>,
}

impl Machine {
    fn start(test: Rc<Litmus>) -> impl FnOnce() -> Values {
        let places = test.locations.iter().map(|location| match location.kind {
            Kind::Word => Place::Word(AtomicI64::new(location.init)),
            Kind::Futex => Place::Futex(AtomicI64::new(location.init), Queue::new()),
            Kind::Mutex => Place::Mutex(Mutex::new()),
            Kind::Semaphore => Place::Semaphore(Semaphore::new(u32::try_from(location.init).unwrap_or(0))),
        });
        let bodies = test.threads.iter().chain(test.handlers.iter().map(|(_, body)| body));
        let registers = bodies.map(|body| body.registers.iter().map(|_| Cell::new(None)).collect());
        let threads = test.threads.iter().map(|_| OnceCell::new());
        let places = places.collect();
        let (registers, threads) = (registers.collect(), threads.collect());
        let this = Rc::new(Self { test: Rc::clone(&test), places, registers, threads });
        for (number, (thread, _)) in test.handlers.iter().enumerate() {
            let inner = Rc::clone(&this);
            signal::action(*thread as u32, move || {
                let body = &inner.test.handlers[number].1;
                let registers = &inner.registers[inner.test.threads.len() + number];
                inner.block(&body.statements, inner.test.handlers[number].0, registers);
            });
        }
        for number in 1..test.threads.len() {
            let inner = Rc::clone(&this);
            let handle = thread::spawn(move || inner.thread(number));
            let _ = this.threads[number].set(handle.thread().clone());
        }
        let _ = this.threads[0].set(thread::current());
        this.thread(0);
        move || {
            let registers = this.registers.iter().map(|all| all.iter().map(Cell::get).collect()).collect();
            let last = this.places.iter().map(|place| match place {
                Place::Word(word) | Place::Futex(word, _) => word.load(Ordering::Relaxed),
                Place::Mutex(_) | Place::Semaphore(_) => 0,
            });
            (registers, last.collect())
        }
    }

    fn thread(&self, number: usize) {
        if self.test.handlers.iter().any(|(thread, _)| *thread == number) {
            signal::allow(number as u32, 1);
        }
        let Body { statements, .. } = &self.test.threads[number];
        self.block(statements, number, &self.registers[number]);
    }

    fn block(&self, statements: &[Statement], thread: usize, registers: &[Cell<Option<i64>>]) {
        let value = |expression: &Expression| self.value(expression, thread, registers);
        for statement in statements {
            match statement {
                Statement::Set(register, expression) => registers[*register].set(Some(value(expression))),
                Statement::Store(at, expression, order) => {
                    let value = value(expression);
                    match order {
                        Some(order) => self.word(*at).store(value, *order),
                        None => self.word(*at).store_plain(value),
                    }
                }
                Statement::Do(expression) => {
                    value(expression);
                }
                Statement::If(condition, then, otherwise) => {
                    let branch = if value(condition) != 0 { then } else { otherwise };
                    self.block(branch, thread, registers);
                }
                Statement::While(condition, body) => {
                    while value(condition) != 0 {
                        self.block(body, thread, registers);
                        hint::spin_loop();
                    }
                }
            }
        }
    }

    fn word(&self, at: usize) -> &AtomicI64 {
        match &self.places[at] {
            Place::Word(word) | Place::Futex(word, _) => word,
            Place::Mutex(_) | Place::Semaphore(_) => panic!("{} is no word", self.test.locations[at].name),
        }
    }

    fn value(&self, expression: &Expression, thread: usize, registers: &[Cell<Option<i64>>]) -> i64 {
        let inner = |expression: &Expression| self.value(expression, thread, registers);
        match expression {
            Expression::Number(number) => *number,
            Expression::Register(register) => registers[*register].get().unwrap_or(0),
            Expression::Load(at, Some(order)) => self.word(*at).load(*order),
            Expression::Load(at, None) => self.word(*at).load_plain(),
            Expression::Store(at, value, order) => {
                let value = inner(value);
                self.word(*at).store(value, *order);
                0
            }
            Expression::Modify(at, modify, operand, order) => {
                let (word, operand) = (self.word(*at), inner(operand));
                match modify {
                    Modify::Add => word.fetch_add(operand, *order),
                    Modify::Sub => word.fetch_sub(operand, *order),
                    Modify::And => word.fetch_and(operand, *order),
                    Modify::Or => word.fetch_or(operand, *order),
                    Modify::Xor => word.fetch_xor(operand, *order),
                    Modify::Swap => word.swap(operand, *order),
                }
            }
            Expression::Exchange { at, expected, new, orders: [success, failure], weak } => {
                let new = inner(new);
                let old = match expected {
                    Expected::Register(register) => registers[*register].get().unwrap_or(0),
                    Expected::Location(at) => self.word(*at).load_plain(),
                };
                let word = self.word(*at);
                let result = match weak {
                    true => word.compare_exchange_weak(old, new, *success, *failure),
                    false => word.compare_exchange(old, new, *success, *failure),
                };
                if let Err(found) = result {
                    match expected {
                        Expected::Register(register) => registers[*register].set(Some(found)),
                        Expected::Location(at) => self.word(*at).store_plain(found),
                    }
                }
                i64::from(result.is_ok())
            }
            Expression::Fence(Ordering::Relaxed) | Expression::CompilerFence(Ordering::Relaxed) => 0,
            Expression::Fence(order) => {
                fence(*order);
                0
            }
            Expression::CompilerFence(order) => {
                compiler_fence(*order);
                0
            }
            Expression::Not(value) => i64::from(inner(value) == 0),
            Expression::Negative(value) => inner(value).wrapping_neg(),
            Expression::Binary(operator, a, b) => self.binary(operator, a, b, thread, registers),
            Expression::Call(call, at, value) => {
                let value = value.as_ref().map_or(0, |value| inner(value));
                self.call(*call, *at, value, thread)
            }
        }
    }

    fn binary(
        &self,
        operator: &str,
        a: &Expression,
        b: &Expression,
        thread: usize,
        registers: &[Cell<Option<i64>>],
    ) -> i64 {
        let a = self.value(a, thread, registers);
        match operator {
            "&&" if a == 0 => return 0,
            "||" if a != 0 => return 1,
            _ => {}
        }
        let b = self.value(b, thread, registers);
        match operator {
            "&&" | "||" => i64::from(b != 0),
            "|" => a | b,
            "^" => a ^ b,
            "&" => a & b,
            "==" => i64::from(a == b),
            "!=" => i64::from(a != b),
            "<" => i64::from(a < b),
            ">" => i64::from(a > b),
            "<=" => i64::from(a <= b),
            ">=" => i64::from(a >= b),
            "+" => a.wrapping_add(b),
            "-" => a.wrapping_sub(b),
            _ => a.wrapping_mul(b),
        }
    }

    fn call(&self, call: Call, at: usize, value: i64, thread: usize) -> i64 {
        match (call, self.places.get(at)) {
            (Call::Wait | Call::WaitTimeout, Some(Place::Futex(word, queue))) => {
                match queue.wait_while(word.location(), value as u64, call == Call::WaitTimeout) {
                    Wait::Woken => 0,
                    Wait::Changed => 1,
                    Wait::Interrupted => 2,
                    Wait::TimedOut => 3,
                }
            }
            (Call::Wake, Some(Place::Futex(_, queue))) => {
                queue.wake_after_point(usize::try_from(value).unwrap_or(usize::MAX)) as i64
            }
            (Call::Lock, Some(Place::Mutex(mutex))) => {
                mutex.lock();
                0
            }
            (Call::Unlock, Some(Place::Mutex(mutex))) => {
                mutex.unlock();
                0
            }
            (Call::Take, Some(Place::Semaphore(semaphore))) => {
                i64::from(semaphore.acquire_interruptible() == Wait::Interrupted)
            }
            (Call::Post, Some(Place::Semaphore(semaphore))) => {
                semaphore.release();
                0
            }
            (Call::Park, _) => {
                thread::park();
                0
            }
            (Call::Unpark, _) => {
                let other =
                    usize::try_from(value).ok().and_then(|other| self.threads.get(other)).and_then(OnceCell::get);
                other.expect("unpark of a thread that is there").unpark();
                0
            }
            (Call::Assume, _) => {
                hint::assume(value != 0);
                0
            }
            (Call::Mask, _) => i64::from(signal::mask(&[thread as u32])),
            (Call::Unmask, _) => i64::from(signal::unmask(&[thread as u32])),
            (Call::Raise, _) => {
                signal::raise(thread as u32);
                0
            }
            _ => panic!("{call:?} of another kind of object"),
        }
    }
}
