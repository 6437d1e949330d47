//! The C of litmus tests: statements and expressions.

use super::call::Call;
use super::parse::{DEEPEST, Reader};
use super::{Kind, Refused};
use crate::atomic::Ordering;

#[derive(Debug, Clone)]
pub(crate) enum Statement {
    Set(usize, Expression),
    Store(usize, Expression, Option<Ordering>),
    Do(Expression),
    If(Expression, Vec<Statement>, Vec<Statement>),
    While(Expression, Vec<Statement>),
    DoWhile(Vec<Statement>, Expression),
}

/// `None` as an order is a plain access.
#[derive(Debug, Clone)]
pub(crate) enum Expression {
    Number(i64),
    Register(usize),
    Load(usize, Option<Ordering>),
    Modify(usize, Modify, Box<Expression>, Ordering),
    Exchange {
        at: usize,
        expected: Expected,
        new: Box<Expression>,
        orders: [Ordering; 2],
        weak: bool,
    },
    Store(usize, Box<Expression>, Ordering),
    /// A plain store.
    Init(usize, Box<Expression>),
    Fence(Ordering),
    CompilerFence(Ordering),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    Choose(Box<Expression>, Box<Expression>, Box<Expression>),
    Binary(String, Box<Expression>, Box<Expression>),
    Call(Call, usize, Option<Box<Expression>>),
}

/// What a read-modify-write does.
#[derive(Debug, Clone, Copy)]
pub enum Modify {
    /// Adds.
    Add,
    /// Subtracts.
    Sub,
    /// And, bit by bit.
    And,
    /// Or, bit by bit.
    Or,
    /// Exclusive or, bit by bit.
    Xor,
    /// Replaces.
    Swap,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    Register(usize),
    Location(usize),
}

/// The binary operators, from those that bind least.
const LEVELS: &[&[&str]] = &[
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<", ">", "<=", ">="],
    &["<<", ">>"],
    &["+", "-"],
    &["*"],
];

/// Assignments that combine.
const ASSIGNMENTS: &[(&str, &str)] =
    &[("+=", "+"), ("-=", "-"), ("|=", "|"), ("&=", "&"), ("^=", "^"), ("*=", "*"), ("++", "+"), ("--", "-")];

/// Words of which the types of C consist.
pub(super) const TYPES: &[&str] = &[
    "void",
    "int",
    "long",
    "short",
    "char",
    "unsigned",
    "signed",
    "const",
    "volatile",
    "_Bool",
    "bool",
    "size_t",
    "int8_t",
    "int16_t",
    "int32_t",
    "int64_t",
    "uint8_t",
    "uint16_t",
    "uint32_t",
    "uint64_t",
    "intptr_t",
    "uintptr_t",
    "__int128",
];

pub(super) fn is_word(text: &str) -> bool {
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
        self.deeper(|reader| reader.statement_within(into))
    }

    fn statement_within(&mut self, into: &mut Vec<Statement>) -> Result<(), Refused> {
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
            "do" => {
                self.next()?;
                let mut body = Vec::new();
                self.block(&mut body)?;
                self.expect("while")?;
                self.expect("(")?;
                let condition = self.expression(0)?;
                self.expect(")")?;
                self.expect(";")?;
                into.push(Statement::DoWhile(body, condition));
            }
            word @ ("for" | "switch" | "goto" | "return" | "break" | "continue") => {
                return Err(self.refuse(&format!("`{word}`")));
            }
            "*" => {
                self.next()?;
                let name = self.next()?;
                let (at, is_atomic) = self.pointer(&name)?;
                if !self.eat("=") {
                    return Err(self.refuse(&format!("`*{name} {}`", self.peek())));
                }
                let value = self.expression(0)?;
                self.expect(";")?;
                into.push(Statement::Store(at, value, is_atomic.then_some(Ordering::SeqCst)));
            }
            word if TYPES.contains(&word) && self.ahead(1) == "*" => {
                return Err(self.refuse(&format!("the pointer `{}`", self.ahead(2))));
            }
            word if is_word(word) && is_word(self.ahead(1)) => self.declaration(into)?,
            word if is_word(word) && self.assignment().is_some() => {
                let operator = self.assignment().flatten();
                let name = self.next()?;
                if self.parameters.contains_key(&name) {
                    return Err(self.refuse(&format!("a store to the pointer `{name}`")));
                }
                let register = self.register(&name);
                let is_step = matches!(self.next()?.as_str(), "++" | "--");
                let mut value = if is_step { Expression::Number(1) } else { self.expression(0)? };
                if let Some(operator) = operator {
                    value = Expression::Binary(
                        operator.to_owned(),
                        Box::new(Expression::Register(register)),
                        Box::new(value),
                    );
                }
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

    /// Whether the next word is followed by an assignment, and with which operator.
    fn assignment(&self) -> Option<Option<&'static str>> {
        let sign = self.ahead(1);
        let combined = ASSIGNMENTS.iter().find(|(known, _)| *known == sign).map(|&(_, operator)| Some(operator));
        if sign == "=" { Some(None) } else { combined }
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
            if self.peek() == "[" {
                return Err(self.refuse(&format!("the array `{name}`")));
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

    pub(super) fn pointer(&mut self, name: &str) -> Result<(usize, bool), Refused> {
        match self.parameters.get(name).copied() {
            Some(is_atomic) => Ok((self.location(name, Kind::Word), is_atomic)),
            None => Err(self.refuse(&format!("`{name}`, which is no parameter of the thread,"))),
        }
    }

    pub(crate) fn expression(&mut self, level: usize) -> Result<Expression, Refused> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.expression(level + 1)?;
        let mut count = 0;
        while operators.contains(&self.peek()) {
            // The tree of a chain is as deep as the chain is long.
            count += 1;
            if count > DEEPEST {
                return Err(self.refuse(&format!("a chain of more than {DEEPEST} operators")));
            }
            let operator = self.next()?;
            let right = self.expression(level + 1)?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        if level == 0 && matches!(self.peek(), "/" | "%") {
            return Err(self.refuse(&format!("the operator `{}`", self.peek())));
        }
        if level == 0 && self.eat("?") {
            let then = self.expression(0)?;
            self.expect(":")?;
            let otherwise = self.expression(0)?;
            left = Expression::Choose(Box::new(left), Box::new(then), Box::new(otherwise));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, Refused> {
        self.deeper(Self::unary_within)
    }

    fn unary_within(&mut self) -> Result<Expression, Refused> {
        match self.peek() {
            "!" => {
                self.next()?;
                Ok(Expression::Not(Box::new(self.unary()?)))
            }
            "-" if self.ahead(1).starts_with(|c: char| c.is_ascii_digit()) => Ok(Expression::Number(self.number()?)),
            "-" => {
                self.next()?;
                Ok(Expression::Negative(Box::new(self.unary()?)))
            }
            "~" => {
                self.next()?;
                let value = Box::new(self.unary()?);
                Ok(Expression::Binary("^".to_owned(), value, Box::new(Expression::Number(-1))))
            }
            "+" => {
                self.next()?;
                self.unary()
            }
            "*" => {
                self.next()?;
                let name = self.next()?;
                let (at, is_atomic) = self.pointer(&name)?;
                Ok(Expression::Load(at, is_atomic.then_some(Ordering::SeqCst)))
            }
            "(" => {
                self.next()?;
                if TYPES.contains(&self.peek()) {
                    while TYPES.contains(&self.peek()) || self.peek() == "*" {
                        self.next()?;
                    }
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
                match name.as_str() {
                    "true" => Ok(Expression::Number(1)),
                    "false" => Ok(Expression::Number(0)),
                    // A constant of a header would be a register that nothing has set.
                    _ if !self.registers.contains(&name) => {
                        Err(self.refuse(&format!("`{name}`, which nothing declares or sets before,")))
                    }
                    _ => Ok(Expression::Register(self.register(&name))),
                }
            }
            word if word.starts_with(|c: char| c.is_ascii_digit()) => Ok(Expression::Number(self.number()?)),
            word => Err(self.refuse(&format!("`{word}` in an expression"))),
        }
    }
}
