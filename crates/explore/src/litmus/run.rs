//! A litmus test as a program of the explorer.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use super::call::Call;
use super::statement::{Expected, Expression, Modify, Statement};
use super::{Body, Kind, Litmus};
use crate::atomic::{AtomicI64, Ordering, compiler_fence, fence};
use crate::futex::{Queue, Wait};
use crate::run::with;
use crate::sync::{Mutex, Semaphore};
use crate::{hint, signal, thread};

/// What an execution gave.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Values {
    /// Those of the threads, then those of the handlers.
    pub(super) registers: Vec<Vec<Option<i64>>>,
    /// The last values of the locations.
    pub(super) last: Vec<i64>,
    /// Whether plain accesses race. The execution goes on all the same, as in herd.
    pub(super) races: bool,
}

enum Place {
    Word(AtomicI64),
    Futex(AtomicI64, Queue),
    Mutex(Mutex),
    Semaphore(Semaphore),
}

/// A test in execution.
pub(super) struct Machine {
    test: Rc<Litmus>,
    places: Vec<Place>,
    registers: Vec<Vec<Cell<Option<i64>>>>,
    threads: Vec<OnceCell<thread::Thread>>,
}

impl Machine {
    pub(super) fn start(test: Rc<Litmus>) -> impl FnOnce() -> Values {
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
            Values { registers, last: last.collect(), races: with(|run| run.search.graph.race().is_some()) }
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
                Statement::DoWhile(body, condition) => loop {
                    self.block(body, thread, registers);
                    if value(condition) == 0 {
                        break;
                    }
                    hint::spin_loop();
                },
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
            Expression::Init(at, value) => {
                let value = inner(value);
                self.word(*at).store_plain(value);
                0
            }
            Expression::Choose(condition, then, otherwise) => {
                let branch = if inner(condition) != 0 { then } else { otherwise };
                inner(branch)
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
            "<<" => a.checked_shl(b as u32).unwrap_or(0),
            ">>" => a.checked_shr(b as u32).unwrap_or(0),
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
