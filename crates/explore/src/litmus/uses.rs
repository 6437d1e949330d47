//! What the threads and the handlers of a test use: an engine that lacks something of it refuses the test by
//! its name.

use super::call::Call;
use super::statement::{Expected, Expression, Statement};
use super::{Body, Litmus};
use crate::atomic::Ordering;

/// Something that a body uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// An access to a location, by its place among those of the test. `None` as an order is a plain access.
    Access {
        /// Which location.
        at: usize,
        /// The order.
        order: Option<Ordering>,
        /// Whether it may store.
        stores: bool,
    },
    /// A weak compare-and-exchange.
    WeakExchange,
    /// A constant.
    Number(i64),
    /// A call.
    Call(Call),
}

impl Litmus {
    /// Everything that is used, with the thread that uses it: by itself, or by a handler in it.
    pub fn uses(&self) -> Vec<(usize, Use)> {
        let handlers = self.handlers.iter().map(|(thread, body)| (*thread, body));
        let mut all = Vec::new();
        for (thread, Body { statements, .. }) in self.threads.iter().enumerate().chain(handlers) {
            statements.iter().for_each(|statement| statement.uses(&mut |used| all.push((thread, used))));
        }
        all
    }
}

impl Statement {
    fn uses(&self, each: &mut impl FnMut(Use)) {
        match self {
            Self::Set(_, value) | Self::Do(value) => value.uses(each),
            Self::Store(at, value, order) => {
                value.uses(each);
                each(Use::Access { at: *at, order: *order, stores: true });
            }
            Self::If(condition, then, otherwise) => {
                condition.uses(each);
                then.iter().chain(otherwise).for_each(|statement| statement.uses(each));
            }
            Self::While(condition, body) | Self::DoWhile(body, condition) => {
                condition.uses(each);
                body.iter().for_each(|statement| statement.uses(each));
            }
        }
    }
}

impl Expression {
    fn uses(&self, each: &mut impl FnMut(Use)) {
        match self {
            Self::Number(number) => each(Use::Number(*number)),
            Self::Load(at, order) => each(Use::Access { at: *at, order: *order, stores: false }),
            Self::Modify(at, _, operand, order) => {
                operand.uses(each);
                each(Use::Access { at: *at, order: Some(*order), stores: true });
            }
            Self::Exchange { at, expected, new, orders, weak } => {
                new.uses(each);
                if let Expected::Location(at) = expected {
                    each(Use::Access { at: *at, order: None, stores: true });
                }
                orders.iter().for_each(|order| each(Use::Access { at: *at, order: Some(*order), stores: true }));
                if *weak {
                    each(Use::WeakExchange);
                }
            }
            Self::Store(at, value, order) => {
                value.uses(each);
                each(Use::Access { at: *at, order: Some(*order), stores: true });
            }
            Self::Init(at, value) => {
                value.uses(each);
                each(Use::Access { at: *at, order: None, stores: true });
            }
            Self::Not(value) | Self::Negative(value) => value.uses(each),
            Self::Choose(condition, then, otherwise) => {
                [condition, then, otherwise].into_iter().for_each(|value| value.uses(each));
            }
            Self::Binary(_, a, b) => {
                a.uses(each);
                b.uses(each);
            }
            Self::Call(call, _, value) => {
                each(Use::Call(*call));
                value.iter().for_each(|value| value.uses(each));
            }
            Self::Register(_) | Self::Fence(_) | Self::CompilerFence(_) => {}
        }
    }
}
