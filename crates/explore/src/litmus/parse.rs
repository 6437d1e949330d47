//! The reader of litmus files: initial values, threads, and our comments. See `statement.rs` for C, and
//! `question.rs` for conditions.

use std::collections::{BTreeMap, BTreeSet};

use super::statement::is_word;
use super::token::{Token, tokens};
use super::{Body, Expect, Kind, Line, Litmus, Location, Name, Refused};
use crate::graph::THREADS;

pub(crate) use super::statement::{Expression, Statement};

pub(crate) struct Reader {
    tokens: Vec<Token>,
    pub(super) at: usize,
    pub(crate) locations: Vec<Location>,
    /// The parameters of the current thread: whether they are atomic.
    pub(crate) parameters: BTreeMap<String, bool>,
    pub(crate) registers: Vec<String>,
    /// How deep the parser is in brackets and blocks.
    depth: usize,
}

/// The deepest nesting that is read: each level takes a part of the stack.
pub(super) const DEEPEST: usize = 100;

pub(crate) fn read(text: &str) -> Result<Litmus, Refused> {
    // Some editors begin a file with a mark of the byte order.
    let (tokens, comments) = tokens(text.trim_start_matches('\u{feff}'))?;
    let mut reader =
        Reader { tokens, at: 0, locations: Vec::new(), parameters: BTreeMap::new(), registers: Vec::new(), depth: 0 };
    if !reader.eat("C") {
        return Err(reader.refuse(&format!("a test of the language {}", reader.peek())));
    }
    let mut name = String::new();
    let line = reader.line();
    while reader.peek() != "{" && reader.line() == line {
        name.push_str(&reader.next()?);
    }
    while reader.peek() != "{" && !reader.peek().is_empty() {
        reader.at += 1;
    }
    let mut first = reader.initial()?;
    let (mut threads, mut handlers) = (Vec::new(), Vec::new());
    while let Some((kind, number)) = reader.body_name() {
        reader.at += 1;
        let given = first.remove(&reader.tokens[reader.at - 1].text[1..]).unwrap_or_default();
        let body = reader.body(number, given)?;
        if kind == 'P' {
            if number != threads.len() {
                return Err(reader.refuse(&format!("thread P{number} as number {}", threads.len())));
            }
            threads.push(body);
        } else {
            handlers.push((number, Body { name: format!("H{number}"), ..body }));
        }
    }
    if threads.len() > THREADS {
        return Err(reader.refuse(&format!("a test of {} threads, of which {THREADS} are possible,", threads.len())));
    }
    if handlers.iter().any(|(thread, _)| *thread >= threads.len()) {
        return Err(reader.refuse("a handler of a thread that is not there"));
    }
    let mut test = Litmus {
        name,
        locations: Vec::new(),
        threads,
        handlers,
        condition: None,
        filter: None,
        shown: Vec::new(),
        expect: None,
        executions: None,
        reorders: false,
    };
    reader.questions(&mut test)?;
    reader.check_names(&test)?;
    for comment in &comments {
        reader.comment(comment, &mut test)?;
    }
    test.locations = reader.locations;
    Ok(test)
}

impl Reader {
    pub(crate) fn peek(&self) -> &str {
        self.ahead(0)
    }

    pub(crate) fn ahead(&self, count: usize) -> &str {
        self.tokens.get(self.at + count).map_or("", |token| &token.text)
    }

    pub(crate) fn line(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(0, |token| token.line)
    }

    pub(crate) fn refuse(&self, what: &str) -> Refused {
        Refused { line: self.line(), what: what.to_owned() }
    }

    pub(crate) fn next(&mut self) -> Result<String, Refused> {
        let token = self.tokens.get(self.at).cloned().ok_or_else(|| self.refuse("the end of the file"))?;
        self.at += 1;
        Ok(token.text)
    }

    pub(crate) fn eat(&mut self, text: &str) -> bool {
        let is = self.peek() == text;
        self.at += usize::from(is);
        is
    }

    pub(crate) fn expect(&mut self, text: &str) -> Result<(), Refused> {
        if self.eat(text) { Ok(()) } else { Err(self.refuse(&format!("`{}` where `{text}` is expected", self.peek()))) }
    }

    pub(crate) fn number(&mut self) -> Result<i64, Refused> {
        let sign = if self.eat("-") { -1 } else { 1 };
        let text = self.next()?;
        let digits = text.trim_end_matches(['u', 'U', 'l', 'L']);
        let hexadecimal = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
        let octal = digits.strip_prefix('0').filter(|digits| !digits.is_empty());
        let value = match (hexadecimal, octal) {
            (Some(digits), _) => i128::from_str_radix(digits, 16),
            (None, Some(digits)) => i128::from_str_radix(digits, 8),
            (None, None) => digits.parse(),
        };
        let value = value.ok().and_then(|value| i64::try_from(sign * value).ok());
        value.ok_or_else(|| {
            self.at -= 1;
            self.refuse(&format!("`{text}` where a number is expected"))
        })
    }

    /// Reads what is one level deeper.
    pub(crate) fn deeper<R>(&mut self, inner: impl FnOnce(&mut Self) -> Result<R, Refused>) -> Result<R, Refused> {
        if self.depth == DEEPEST {
            return Err(self.refuse(&format!("a nesting of more than {DEEPEST} levels")));
        }
        self.depth += 1;
        let read = inner(self);
        self.depth -= 1;
        read
    }

    pub(crate) fn location(&mut self, name: &str, kind: Kind) -> usize {
        let known = self.locations.iter().position(|location| location.name == name);
        let index = known.unwrap_or_else(|| {
            self.locations.push(Location { name: name.to_owned(), init: 0, kind: Kind::Word });
            self.locations.len() - 1
        });
        if kind != Kind::Word {
            self.locations[index].kind = kind;
        }
        index
    }

    /// The initial values; those of registers are given to their threads.
    fn initial(&mut self) -> Result<BTreeMap<String, Vec<(String, i64)>>, Refused> {
        let mut registers: BTreeMap<String, Vec<_>> = BTreeMap::new();
        self.expect("{")?;
        while !self.eat("}") {
            if self.eat(";") {
                continue;
            }
            // A register may have a type: `int 0:r0 = 1;`.
            let typed = (0..).take_while(|&nth| is_word(self.ahead(nth))).count();
            if self.ahead(typed + 1) == ":" {
                self.at += typed;
                let thread = self.next()?;
                self.expect(":")?;
                let register = self.next()?;
                let value = if self.eat("=") { self.value()? } else { 0 };
                registers.entry(thread).or_default().push((register, value));
                continue;
            }
            let name = if self.eat("[") {
                let name = self.next()?;
                self.expect("]")?;
                name
            } else {
                let mut name = self.next()?;
                while !["=", ";", "}"].contains(&self.peek()) {
                    match self.peek() {
                        "[" => return Err(self.refuse(&format!("the array `{name}`"))),
                        "*" => return Err(self.refuse("a pointer")),
                        "," => break,
                        _ => name = self.next()?,
                    }
                }
                name
            };
            let index = self.location(&name, Kind::Word);
            if self.eat("=") {
                self.locations[index].init = self.value()?;
            }
            if !self.eat(";") && !self.eat(",") && self.peek() != "}" {
                return Err(self.refuse(&format!("`{}` after the initial value of `{name}`", self.peek())));
            }
        }
        Ok(registers)
    }

    /// A number, or a macro of the C library around one.
    fn value(&mut self) -> Result<i64, Refused> {
        if self.peek() == "ATOMIC_VAR_INIT" || self.peek() == "(" {
            self.eat("ATOMIC_VAR_INIT");
            self.expect("(")?;
            let value = self.number()?;
            self.expect(")")?;
            return Ok(value);
        }
        if self.peek() == "&" || is_word(self.peek()) {
            return Err(self.refuse(&format!("`{}` as an initial value", self.peek())));
        }
        self.number()
    }

    fn body_name(&mut self) -> Option<(char, usize)> {
        while matches!(self.peek(), "static" | "void") {
            self.at += 1;
        }
        let name = self.peek();
        let kind = name.chars().next().filter(|kind| ['P', 'H'].contains(kind))?;
        Some((kind, name[1..].parse().ok()?))
    }

    fn body(&mut self, number: usize, given: Vec<(String, i64)>) -> Result<Body, Refused> {
        self.parameters.clear();
        self.registers.clear();
        self.expect("(")?;
        while !self.eat(")") {
            let (mut words, mut stars, mut depth) = (Vec::new(), 0, 0_usize);
            while depth > 0 || !matches!(self.peek(), "," | ")") {
                match self.next()?.as_str() {
                    "*" => stars += 1,
                    "(" => depth += 1,
                    ")" => depth -= 1,
                    "[" => return Err(self.refuse(&format!("the array `{}`", words.pop().unwrap_or_default()))),
                    word => words.push(word.to_owned()),
                }
            }
            self.eat(",");
            let Some(name) = words.pop() else { return Err(self.refuse("an empty parameter")) };
            if words.is_empty() && name == "void" {
                continue;
            }
            if stars != 1 {
                return Err(self.refuse(&format!("the parameter `{name}`, which is not a pointer to a word,")));
            }
            let is_atomic = words.iter().any(|word| word.starts_with("atomic_") || word == "_Atomic");
            self.location(&name, Kind::Word);
            self.parameters.insert(name, is_atomic);
        }
        let mut statements = Vec::new();
        for (register, value) in given {
            statements.push(Statement::Set(self.register(&register), Expression::Number(value)));
        }
        self.block(&mut statements)?;
        Ok(Body { name: number.to_string(), registers: std::mem::take(&mut self.registers), statements })
    }

    /// Our comments: the outcomes and the number of executions to expect.
    fn comment(&mut self, comment: &str, test: &mut Litmus) -> Result<(), Refused> {
        let mut lines = comment.lines().map(str::trim).filter(|line| !line.is_empty());
        let head: Vec<_> = lines.next().unwrap_or("").split_whitespace().collect();
        let wrong = |what: &str| Refused { line: 0, what: format!("`{what}` in a comment with what to expect") };
        match head.split_first() {
            Some((&"executions", [number])) => {
                test.executions = Some(number.parse().map_err(|_| wrong(number))?);
            }
            Some((&"compiler", ["reorders"])) => test.reorders = true,
            Some((&"expect", names)) => {
                let names: Vec<_> = names
                    .iter()
                    .map(|name| match name.split_once(':') {
                        Some((thread, register)) => Name::Register(thread.to_owned(), register.to_owned()),
                        None => Name::Location((*name).to_owned()),
                    })
                    .collect();
                let mut outcomes = BTreeSet::new();
                for line in lines {
                    let values: Result<Vec<_>, _> = line
                        .split_whitespace()
                        .map(|value| if value == "-" { Ok(None) } else { value.parse().map(Some) })
                        .collect();
                    outcomes.insert(match (line, values) {
                        ("deadlock", _) => Line::Deadlock,
                        ("livelock", _) => Line::Livelock,
                        ("race", _) => Line::Race,
                        (_, Ok(values)) if values.len() == names.len() => Line::Values(values),
                        _ => return Err(wrong(line)),
                    });
                }
                test.expect = Some(Expect { names, lines: outcomes });
            }
            _ => {}
        }
        Ok(())
    }
}
