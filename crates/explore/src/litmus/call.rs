//! The calls of litmus tests: atomic operations, fences, and our extensions.

use super::parse::Reader;
use super::statement::{Expected, Expression, Modify, TYPES};
use super::{Kind, Refused};
use crate::atomic::Ordering;

/// The calls that are no operations of C11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `futex_wait`
    Wait,
    /// `futex_wait_timeout`
    WaitTimeout,
    /// `futex_wake`
    Wake,
    /// `mutex_lock`
    Lock,
    /// `mutex_unlock`
    Unlock,
    /// `sem_wait`
    Take,
    /// `sem_post`
    Post,
    /// `park`
    Park,
    /// `unpark`
    Unpark,
    /// `sigmask`
    Mask,
    /// `sigunmask`
    Unmask,
    /// `raise`
    Raise,
    /// `assume`
    Assume,
    /// `sched_yield`
    Yield,
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
    ("sched_yield", Call::Yield, None, false),
];

impl Call {
    /// Its name in a test.
    pub fn name(self) -> &'static str {
        CALLS.iter().find(|(_, call, ..)| *call == self).map_or("", |(name, ..)| name)
    }
}

impl Reader {
    /// The name of a pointer, in parentheses and with casts if need be; `&*x` is `x`.
    fn target(&mut self) -> Result<String, Refused> {
        if self.eat("(") {
            if TYPES.contains(&self.peek()) || self.peek().starts_with("atomic_") || self.peek() == "_Atomic" {
                while !self.eat(")") {
                    self.next()?;
                }
                return self.target();
            }
            let name = self.target()?;
            self.expect(")")?;
            return Ok(name);
        }
        if self.peek() == "&" && self.ahead(1) == "*" {
            self.at += 2;
        }
        self.next()
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

    pub(super) fn call(&mut self) -> Result<Expression, Refused> {
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
        let target = self.target()?;
        let (at, _) = self.pointer(&target)?;
        let modify = match operation {
            "load" => {
                let order = self.last_order(is_explicit)?;
                self.must_be(!matches!(order, Ordering::Release | Ordering::AcqRel), order, "load")?;
                return Ok(Expression::Load(at, Some(order)));
            }
            "store" => {
                self.expect(",")?;
                let value = self.expression(0)?;
                let order = self.last_order(is_explicit)?;
                self.must_be(!matches!(order, Ordering::Acquire | Ordering::AcqRel), order, "store")?;
                return Ok(Expression::Store(at, Box::new(value), order));
            }
            "init" => {
                self.expect(",")?;
                let value = self.expression(0)?;
                self.expect(")")?;
                return Ok(Expression::Init(at, Box::new(value)));
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

    /// An operation does not have every order.
    fn must_be(&self, is_possible: bool, order: Ordering, operation: &str) -> Result<(), Refused> {
        let refused = || self.refuse(&format!("the order {order:?} of a {operation}"));
        if is_possible { Ok(()) } else { Err(refused()) }
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
        self.must_be(!matches!(orders[1], Ordering::Release | Ordering::AcqRel), orders[1], "failing exchange")?;
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
