//! The conditions of litmus tests.

use std::fmt;

use super::Name;

/// What is asked of the outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// Some outcome satisfies the formula.
    Exists,
    /// No outcome does.
    NotExists,
    /// Every outcome does.
    Forall,
}

/// A quantifier and a formula.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The quantifier.
    pub quantifier: Quantifier,
    pub(crate) formula: Formula,
}

#[derive(Debug, Clone)]
pub(crate) enum Formula {
    Is(Name, i64),
    Same(Name, Name),
    True(bool),
    Not(Box<Formula>),
    And(Box<Formula>, Box<Formula>),
    Or(Box<Formula>, Box<Formula>),
}

impl Formula {
    pub(crate) fn holds(&self, value: &impl Fn(&Name) -> Option<i64>) -> bool {
        match self {
            Self::Is(name, wanted) => value(name) == Some(*wanted),
            Self::Same(a, b) => value(a).is_some() && value(a) == value(b),
            Self::True(is) => *is,
            Self::Not(formula) => !formula.holds(value),
            Self::And(a, b) => a.holds(value) && b.holds(value),
            Self::Or(a, b) => a.holds(value) || b.holds(value),
        }
    }

    pub(crate) fn names(&self, all: &mut Vec<Name>) {
        let mut add = |name: &Name| {
            if !all.contains(name) {
                all.push(name.clone());
            }
        };
        match self {
            Self::Is(name, _) => add(name),
            Self::Same(a, b) => {
                add(a);
                add(b);
            }
            Self::True(_) => {}
            Self::Not(formula) => formula.names(all),
            Self::And(a, b) | Self::Or(a, b) => {
                a.names(all);
                b.names(all);
            }
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.quantifier {
            Quantifier::Exists => "exists",
            Quantifier::NotExists => "~exists",
            Quantifier::Forall => "forall",
        };
        write!(f, "{word} ({})", self.formula)
    }
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(name, value) => write!(f, "{name}={value}"),
            Self::Same(a, b) => write!(f, "{a}={b}"),
            Self::True(is) => write!(f, "{is}"),
            Self::Not(formula) => write!(f, "~({formula})"),
            Self::And(a, b) => write!(f, "{a} /\\ {b}"),
            Self::Or(a, b) => write!(f, "({a} \\/ {b})"),
        }
    }
}
