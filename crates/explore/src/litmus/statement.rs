//! The C of litmus tests: statements and expressions.

use super::parse::Reader;
use super::{Kind, Refused};
use crate::atomic::Ordering;

#[derive(Debug, Clone)]
pub(crate) enum Statement {
    Set(usize, Expression),
    Store(usize, Expression, Option<Ordering>),
    Do(Expression),
    If(Expression, Vec<Statement>, Vec<Statement>),
    While(Expression, Vec<Statement>),
}

/// `None` as an order is a plain access.
#[derive(Debug, Clone)]
pub(crate) enum Expression {
    Number(i64),
    Register(usize),
    Load(usize, Option<Ordering>),
    Modify(usize, Modify, Box<Expression>, Ordering),
    Exchange { at: usize, expected: Expected, new: Box<Expression>, orders: [Ordering; 2], weak: bool },
    Store(usize, Box<Expression>, Ordering),
    Fence(Ordering),
    CompilerFence(Ordering),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    Binary(String, Box<Expression>, Box<Expression>),
    Call(Call, usize, Option<Box<Expression>>),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Modify {
    Add,
    Sub,
    And,
    Or,
    Xor,
    Swap,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    Register(usize),
    Location(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Wait,
    WaitTimeout,
    Wake,
    Lock,
    Unlock,
    Take,
    Post,
    Park,
    Unpark,
    Mask,
    Unmask,
    Raise,
    Assume,
}

const CALLS: &[(&str, Call, Option<Kind>, bool)] = &[
    ("futex_wait", Call::Wait, Some(Kind::Futex), true),
    ("futex_wait_timeout", Call::WaitTimeout, Some(Kind::Futex), true),
    ("futex_wake", Call::Wake, Some(Kind::Futex), true),
    ("mutex_lock", Call::Lock, Some(Kind::Mutex), false),
    ("mutex_unlock", Call::Unlock, Some(Kind::Mutex), false),
    ("sem_wait", Call::Take, Some(Kind::Semaphore), false),
    ("sem_post", Call::Post, Some(Kind::Semaphore), false),
    ("park", Call::Park, None, false),
    ("unpark", Call::Unpark, None, true),
    ("sigmask", Call::Mask, None, false),
    ("sigunmask", Call::Unmask, None, false),
    ("raise", Call::Raise, None, false),
    ("assume", Call::Assume, None, true),
];

/// The binary operators, from those that bind least.
const LEVELS: &[&[&str]] =
    &[&["||"], &["&&"], &["|"], &["^"], &["&"], &["==", "!="], &["<", ">", "<=", ">="], &["+", "-"], &["*"]];

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

impl Reader {
    pub(crate) fn register(&mut self, name: &str) -> usize {
        let known = self.registers.iter().position(|register| register == name);
        known.unwrap_or_else(|| {
            self.registers.push(name.to_owned());
            self.registers.len() - 1
        })
    }

    /// A block, or a single statement.
    pub(crate) fn block(&mut self, into: &mut Vec<Statement>) -> Result<(), Refused> {
        if !self.eat("{") {
            return self.statement(into);
        }
        while !self.eat("}") {
            self.statement(into)?;
        }
        Ok(())
    }

    fn statement(&mut self, into: &mut Vec<Statement>) -> Result<(), Refused> {
        match self.peek() {
            "" => return Err(self.refuse("the end of the file in a thread")),
            ";" => {
                self.next()?;
            }
            "{" => self.block(into)?,
            "if" | "while" => {
                let word = self.next()?;
                self.expect("(")?;
                let condition = self.expression(0)?;
                self.expect(")")?;
                let mut then = Vec::new();
                self.block(&mut then)?;
                if word == "while" {
                    into.push(Statement::While(condition, then));
                    return Ok(());
                }
                let mut otherwise = Vec::new();
                if self.eat("else") {
                    self.block(&mut otherwise)?;
                }
                into.push(Statement::If(condition, then, otherwise));
            }
            word @ ("for" | "do" | "switch" | "goto" | "return" | "break" | "continue") => {
                return Err(self.refuse(&format!("`{word}`")));
            }
            "*" => {
                self.next()?;
                let name = self.next()?;
                let (at, is_atomic) = self.pointer(&name)?;
                self.expect("=")?;
                let value = self.expression(0)?;
                self.expect(";")?;
                into.push(Statement::Store(at, value, is_atomic.then_some(Ordering::SeqCst)));
            }
            word if is_word(word) && is_word(self.ahead(1)) => self.declaration(into)?,
            word if is_word(word) && self.ahead(1) == "=" => {
                let name = self.next()?;
                if self.parameters.contains_key(&name) {
                    return Err(self.refuse(&format!("a store to the pointer `{name}`")));
                }
                let register = self.register(&name);
                self.next()?;
                let value = self.expression(0)?;
                self.expect(";")?;
                into.push(Statement::Set(register, value));
            }
            _ => {
                let value = self.expression(0)?;
                self.expect(";")?;
                into.push(Statement::Do(value));
            }
        }
        Ok(())
    }

    fn declaration(&mut self, into: &mut Vec<Statement>) -> Result<(), Refused> {
        while is_word(self.ahead(1)) {
            self.next()?;
        }
        loop {
            let name = self.next()?;
            if !is_word(&name) {
                return Err(self.refuse(&format!("`{name}` in a declaration")));
            }
            let register = self.register(&name);
            if self.eat("=") {
                let value = self.expression(0)?;
                into.push(Statement::Set(register, value));
            }
            if self.eat(";") {
                return Ok(());
            }
            self.expect(",")?;
        }
    }

    fn pointer(&mut self, name: &str) -> Result<(usize, bool), Refused> {
        match self.parameters.get(name).copied() {
            Some(is_atomic) => Ok((self.location(name, Kind::Word), is_atomic)),
            None => Err(self.refuse(&format!("`{name}`, which is no parameter of the thread,"))),
        }
    }

    pub(crate) fn expression(&mut self, level: usize) -> Result<Expression, Refused> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.expression(level + 1)?;
        while operators.contains(&self.peek()) {
            let operator = self.next()?;
            let right = self.expression(level + 1)?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, Refused> {
        match self.peek() {
            "!" => {
                self.next()?;
                Ok(Expression::Not(Box::new(self.unary()?)))
            }
            "-" => {
                self.next()?;
                Ok(Expression::Negative(Box::new(self.unary()?)))
            }
            "*" => {
                self.next()?;
                let name = self.next()?;
                let (at, is_atomic) = self.pointer(&name)?;
                Ok(Expression::Load(at, is_atomic.then_some(Ordering::SeqCst)))
            }
            "(" => {
                self.next()?;
                if self.peek() == "void" || (is_word(self.peek()) && self.ahead(1) == ")" && is_word(self.ahead(2))) {
                    self.next()?;
                    self.expect(")")?;
                    return self.unary();
                }
                let inner = self.expression(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            word if is_word(word) && self.ahead(1) == "(" => self.call(),
            word if is_word(word) => {
                let name = self.next()?;
                if self.parameters.contains_key(&name) || matches!(self.peek(), "[" | "." | "->") {
                    return Err(self.refuse(&format!("the address `{name}` as a value")));
                }
                Ok(Expression::Register(self.register(&name)))
            }
            word if word.starts_with(|c: char| c.is_ascii_digit()) => Ok(Expression::Number(self.number()?)),
            word => Err(self.refuse(&format!("`{word}` in an expression"))),
        }
    }

    fn order(&mut self) -> Result<Ordering, Refused> {
        let name = self.next()?;
        match name.trim_start_matches("memory_order_") {
            "relaxed" => Ok(Ordering::Relaxed),
            "acquire" | "consume" => Ok(Ordering::Acquire),
            "release" => Ok(Ordering::Release),
            "acq_rel" => Ok(Ordering::AcqRel),
            "seq_cst" => Ok(Ordering::SeqCst),
            _ => Err(self.refuse(&format!("the memory order `{name}`"))),
        }
    }

    fn call(&mut self) -> Result<Expression, Refused> {
        let name = self.next()?;
        self.expect("(")?;
        if let Some(&(_, call, kind, has_value)) = CALLS.iter().find(|(known, ..)| *known == name) {
            return self.own_call(call, kind, has_value);
        }
        if let Some(kind) = name.strip_prefix("atomic_").filter(|kind| kind.ends_with("_fence")) {
            let order = self.order()?;
            self.expect(")")?;
            return match kind {
                "thread_fence" => Ok(Expression::Fence(order)),
                "signal_fence" => Ok(Expression::CompilerFence(order)),
                _ => Err(self.refuse(&format!("`{name}`"))),
            };
        }
        let plain = name.strip_suffix("_explicit").unwrap_or(&name).to_owned();
        let is_explicit = plain != name;
        let Some(operation) = plain.strip_prefix("atomic_") else {
            return Err(self.refuse(&format!("`{name}`")));
        };
        let target = self.next()?;
        let (at, _) = self.pointer(&target)?;
        let modify = match operation {
            "load" => {
                let order = self.last_order(is_explicit)?;
                return Ok(Expression::Load(at, Some(order)));
            }
            "store" => {
                self.expect(",")?;
                let value = self.expression(0)?;
                let order = self.last_order(is_explicit)?;
                return Ok(Expression::Store(at, Box::new(value), order));
            }
            "compare_exchange_strong" | "compare_exchange_weak" => {
                return self.exchange(at, operation.ends_with("weak"), is_explicit);
            }
            "fetch_add" => Modify::Add,
            "fetch_sub" => Modify::Sub,
            "fetch_and" => Modify::And,
            "fetch_or" => Modify::Or,
            "fetch_xor" => Modify::Xor,
            "exchange" => Modify::Swap,
            _ => return Err(self.refuse(&format!("`{name}`"))),
        };
        self.expect(",")?;
        let operand = self.expression(0)?;
        let order = self.last_order(is_explicit)?;
        Ok(Expression::Modify(at, modify, Box::new(operand), order))
    }

    fn last_order(&mut self, is_explicit: bool) -> Result<Ordering, Refused> {
        let order = if is_explicit {
            self.expect(",")?;
            self.order()?
        } else {
            Ordering::SeqCst
        };
        self.expect(")")?;
        Ok(order)
    }

    fn exchange(&mut self, at: usize, weak: bool, is_explicit: bool) -> Result<Expression, Refused> {
        self.expect(",")?;
        let expected = if self.eat("&") {
            let name = self.next()?;
            Expected::Register(self.register(&name))
        } else {
            let name = self.next()?;
            Expected::Location(self.pointer(&name)?.0)
        };
        self.expect(",")?;
        let new = Box::new(self.expression(0)?);
        let mut orders = [Ordering::SeqCst; 2];
        if is_explicit {
            for order in &mut orders {
                self.expect(",")?;
                *order = self.order()?;
            }
        }
        self.expect(")")?;
        Ok(Expression::Exchange { at, expected, new, orders, weak })
    }

    fn own_call(&mut self, call: Call, kind: Option<Kind>, has_value: bool) -> Result<Expression, Refused> {
        let mut at = 0;
        if let Some(kind) = kind {
            let target = self.next()?;
            self.pointer(&target)?;
            at = self.location(&target, kind);
            if has_value {
                self.expect(",")?;
            }
        }
        let value = if has_value { Some(Box::new(self.expression(0)?)) } else { None };
        self.expect(")")?;
        Ok(Expression::Call(call, at, value))
    }
}
