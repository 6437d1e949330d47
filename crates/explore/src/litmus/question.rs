//! The questions behind the threads of a litmus test: conditions, filters, and locations that are shown.

use super::condition::{Condition, Formula, Quantifier};
use super::parse::Reader;
use super::statement::is_word;
use super::{Litmus, Name, Refused};

/// The longest chain of a condition that is read.
const LONGEST: usize = 2_000;

impl Reader {
    pub(super) fn questions(&mut self, test: &mut Litmus) -> Result<(), Refused> {
        loop {
            match self.peek() {
                "" => return Ok(()),
                "locations" => {
                    self.at += 1;
                    self.expect("[")?;
                    while !self.eat("]") {
                        if !self.eat(";") && !self.eat(",") {
                            // A type may stand before the name.
                            while is_word(self.peek()) && (is_word(self.ahead(1)) || self.ahead(2) == ":") {
                                self.at += 1;
                            }
                            let name = self.name()?;
                            test.shown.push(name);
                        }
                    }
                }
                "filter" => {
                    self.at += 1;
                    test.filter = Some(self.formula()?);
                }
                "exists" | "~" | "forall" | "not" => {
                    let quantifier = match self.next()?.as_str() {
                        "exists" => Quantifier::Exists,
                        "forall" => Quantifier::Forall,
                        _ => {
                            self.expect("exists")?;
                            Quantifier::NotExists
                        }
                    };
                    test.condition = Some(Condition { quantifier, formula: self.formula()? });
                }
                other => return Err(self.refuse(&format!("`{other}` after the threads"))),
            }
        }
    }

    /// The names in the questions must be there: a misspelt one would make a condition false.
    pub(super) fn check_names(&self, test: &Litmus) -> Result<(), Refused> {
        let mut names = test.shown.clone();
        let formulas = test.condition.iter().map(|condition| &condition.formula).chain(&test.filter);
        formulas.for_each(|formula| formula.names(&mut names));
        let bodies: Vec<_> = test.threads.iter().chain(test.handlers.iter().map(|(_, body)| body)).collect();
        let is_known = |name: &Name| match name {
            Name::Location(name) => self.locations.iter().any(|location| location.name == *name),
            Name::Register(thread, register) => {
                bodies.iter().any(|body| body.name == *thread && body.registers.contains(register))
            }
        };
        match names.iter().find(|name| !is_known(name)) {
            Some(name) => Err(self.refuse(&format!("the question about `{name}`, which is not there,"))),
            None => Ok(()),
        }
    }

    fn name(&mut self) -> Result<Name, Refused> {
        if self.eat("[") {
            let name = self.next()?;
            self.expect("]")?;
            return Ok(Name::Location(name));
        }
        let first = self.next()?;
        // `P0:r0` is `0:r0`.
        let thread = first.strip_prefix('P').filter(|number| number.parse::<usize>().is_ok());
        if self.eat(":") {
            Ok(Name::Register(thread.unwrap_or(&first).to_owned(), self.next()?))
        } else {
            Ok(Name::Location(first))
        }
    }

    fn formula(&mut self) -> Result<Formula, Refused> {
        let left = self.or()?;
        if !self.eat("=>") {
            return Ok(left);
        }
        let right = self.deeper(Self::formula)?;
        Ok(Formula::Or(Box::new(Formula::Not(Box::new(left))), Box::new(right)))
    }

    /// A formula of a chain is as deep as the chain is long.
    fn limit(&self, count: usize) -> Result<(), Refused> {
        let refused = || self.refuse(&format!("a chain of more than {LONGEST} parts"));
        if count < LONGEST { Ok(()) } else { Err(refused()) }
    }

    fn or(&mut self) -> Result<Formula, Refused> {
        let mut all = self.and()?;
        for count in 0.. {
            if !self.eat("\\/") {
                break;
            }
            self.limit(count)?;
            all = Formula::Or(Box::new(all), Box::new(self.and()?));
        }
        Ok(all)
    }

    fn and(&mut self) -> Result<Formula, Refused> {
        let mut all = self.atom()?;
        for count in 0.. {
            if !self.eat("/\\") {
                break;
            }
            self.limit(count)?;
            all = Formula::And(Box::new(all), Box::new(self.atom()?));
        }
        Ok(all)
    }

    fn atom(&mut self) -> Result<Formula, Refused> {
        self.deeper(Self::atom_within)
    }

    fn atom_within(&mut self) -> Result<Formula, Refused> {
        if self.eat("~") || self.eat("not") {
            return Ok(Formula::Not(Box::new(self.atom()?)));
        }
        if self.eat("(") {
            let inner = self.formula()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.eat("true") {
            return Ok(Formula::True(true));
        }
        if self.eat("false") {
            return Ok(Formula::True(false));
        }
        let name = self.name()?;
        let is_not = self.eat("!=");
        if !is_not && !self.eat("==") {
            self.expect("=")?;
        }
        let is_number = self.peek().starts_with(|c: char| c.is_ascii_digit() || c == '-') && self.ahead(1) != ":";
        let is = if is_number { Formula::Is(name, self.number()?) } else { Formula::Same(name, self.name()?) };
        Ok(if is_not { Formula::Not(Box::new(is)) } else { is })
    }
}
