//! The interpreter of litmus tests. It runs over a [`Seam`]: the atomics, the threads and the kernel of an
//! engine.
//!
//! `run.rs` is the seam of this explorer. Another engine brings its own, and gives the same statements the
//! same meaning: only what an access does, it does by itself.

use std::cell::{Cell, RefCell};

use super::call::Call;
use super::statement::{Expected, Expression, Modify, Statement};
use super::{Body, Litmus, Location};
use crate::atomic::Ordering;

/// What an engine has, for one execution of a test.
pub trait Seam: 'static {
    /// A location.
    type Place;
    /// What a thread or a handler holds: locks, a mask. What it still holds at its end stays held.
    type Held<'a>: Default;

    /// Makes the location with this number.
    fn place(&self, number: usize, location: &Location) -> Self::Place;
    /// Loads a word. `None` as an order is a plain access.
    fn load(place: &Self::Place, order: Option<Ordering>) -> i64;
    /// Stores into a word.
    fn store(place: &Self::Place, value: i64, order: Option<Ordering>);
    /// Reads, modifies and writes a word; the old value.
    fn modify(place: &Self::Place, modify: Modify, operand: i64, order: Ordering) -> i64;
    /// Compares and exchanges a word: the orders of success and of failure.
    ///
    /// # Errors
    ///
    /// The value, if it was another.
    fn exchange(place: &Self::Place, old: i64, new: i64, orders: [Ordering; 2], is_weak: bool) -> Result<i64, i64>;
    /// A fence between threads.
    fn fence(order: Ordering);
    /// A fence between a thread and its handlers.
    fn compiler_fence(order: Ordering);
    /// A turn of a loop has ended.
    fn turn();
    /// A call of thread `thread`, or of a handler in it.
    fn call<'a>(
        &'a self,
        call: Call,
        place: Option<&'a Self::Place>,
        value: i64,
        thread: usize,
        held: &mut Self::Held<'a>,
    ) -> i64;
}

/// What an execution gave.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Values {
    /// The registers of the threads, then those of the handlers.
    pub registers: Vec<Vec<Option<i64>>>,
    /// The last values of the locations.
    pub last: Vec<i64>,
    /// Whether plain accesses race. The execution goes on all the same, as in herd.
    pub races: bool,
}

/// A test in execution.
pub struct Machine<S: Seam, T> {
    test: T,
    /// The engine.
    pub seam: S,
    /// The locations of the test, in its order.
    pub places: Vec<S::Place>,
    registers: Vec<Vec<Cell<Option<i64>>>>,
}

/// Who runs: a thread, or a handler in it.
struct Context<'a, S: Seam> {
    thread: usize,
    registers: &'a [Cell<Option<i64>>],
    held: RefCell<S::Held<'a>>,
}

impl<S: Seam, T: std::ops::Deref<Target = Litmus>> Machine<S, T> {
    /// The initial state.
    pub fn new(test: T, seam: S) -> Self {
        let places = test.locations.iter().enumerate();
        let places = places.map(|(number, location)| seam.place(number, location)).collect();
        let bodies = test.threads.iter().chain(test.handlers.iter().map(|(_, body)| body));
        let registers = bodies.map(|body| body.registers.iter().map(|_| Cell::new(None)).collect()).collect();
        Self { test, seam, places, registers }
    }

    /// Runs a thread.
    pub fn thread(&self, number: usize) {
        self.body(&self.test.threads[number], number, number);
    }

    /// Runs a handler, on the thread that it interrupts.
    pub fn handler(&self, number: usize) {
        let (thread, body) = &self.test.handlers[number];
        self.body(body, *thread, self.test.threads.len() + number);
    }

    /// What the execution gave, with the last values of the locations.
    pub fn values(&self, last: Vec<i64>, races: bool) -> Values {
        let registers = self.registers.iter().map(|all| all.iter().map(Cell::get).collect()).collect();
        Values { registers, last, races }
    }

    fn body(&self, body: &Body, thread: usize, number: usize) {
        let context = Context { thread, registers: &self.registers[number], held: RefCell::default() };
        self.block(&body.statements, &context);
    }

    fn block<'a>(&'a self, statements: &[Statement], context: &Context<'a, S>) {
        let value = |expression: &Expression| self.value(expression, context);
        for statement in statements {
            match statement {
                Statement::Set(register, expression) => context.registers[*register].set(Some(value(expression))),
                Statement::Store(at, expression, order) => {
                    let value = value(expression);
                    S::store(&self.places[*at], value, *order);
                }
                Statement::Do(expression) => {
                    value(expression);
                }
                Statement::If(condition, then, otherwise) => {
                    let branch = if value(condition) != 0 { then } else { otherwise };
                    self.block(branch, context);
                }
                Statement::DoWhile(body, condition) => loop {
                    self.block(body, context);
                    if value(condition) == 0 {
                        break;
                    }
                    S::turn();
                },
                Statement::While(condition, body) => {
                    while value(condition) != 0 {
                        self.block(body, context);
                        S::turn();
                    }
                }
            }
        }
    }

    fn value<'a>(&'a self, expression: &Expression, context: &Context<'a, S>) -> i64 {
        let inner = |expression: &Expression| self.value(expression, context);
        match expression {
            Expression::Number(number) => *number,
            Expression::Register(register) => context.registers[*register].get().unwrap_or(0),
            Expression::Load(at, order) => S::load(&self.places[*at], *order),
            Expression::Store(at, value, order) => {
                let value = inner(value);
                S::store(&self.places[*at], value, Some(*order));
                0
            }
            Expression::Init(at, value) => {
                let value = inner(value);
                S::store(&self.places[*at], value, None);
                0
            }
            Expression::Choose(condition, then, otherwise) => {
                let branch = if inner(condition) != 0 { then } else { otherwise };
                inner(branch)
            }
            Expression::Modify(at, modify, operand, order) => {
                let operand = inner(operand);
                S::modify(&self.places[*at], *modify, operand, *order)
            }
            Expression::Exchange { at, expected, new, orders, weak } => {
                let new = inner(new);
                let old = match expected {
                    Expected::Register(register) => context.registers[*register].get().unwrap_or(0),
                    Expected::Location(at) => S::load(&self.places[*at], None),
                };
                let result = S::exchange(&self.places[*at], old, new, *orders, *weak);
                if let Err(found) = result {
                    match expected {
                        Expected::Register(register) => context.registers[*register].set(Some(found)),
                        Expected::Location(at) => S::store(&self.places[*at], found, None),
                    }
                }
                i64::from(result.is_ok())
            }
            Expression::Fence(Ordering::Relaxed) | Expression::CompilerFence(Ordering::Relaxed) => 0,
            Expression::Fence(order) => {
                S::fence(*order);
                0
            }
            Expression::CompilerFence(order) => {
                S::compiler_fence(*order);
                0
            }
            Expression::Not(value) => i64::from(inner(value) == 0),
            Expression::Negative(value) => inner(value).wrapping_neg(),
            Expression::Binary(operator, a, b) => {
                let a = inner(a);
                match operator.as_str() {
                    "&&" if a == 0 => 0,
                    "||" if a != 0 => 1,
                    operator => binary(operator, a, inner(b)),
                }
            }
            Expression::Call(call, at, value) => {
                let value = value.as_ref().map_or(0, |value| inner(value));
                let held = &mut *context.held.borrow_mut();
                self.seam.call(*call, self.places.get(*at), value, context.thread, held)
            }
        }
    }
}

fn binary(operator: &str, a: i64, b: i64) -> i64 {
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
