//! What is known of one function, once it was followed.

use std::collections::{BTreeMap, BTreeSet};

use super::value::{Atom, Masks, Value};

/// Arguments that are kept with a call.
pub(crate) const ARGUMENTS: usize = 6;

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Code(u64),
    Import(u32),
    Value(Value),
    /// The kernel, with the value of the system call's number.
    Kernel(Value),
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub target: Target,
    pub arguments: [Value; ARGUMENTS],
    /// The first words that an argument points to, if that is on the stack.
    pub words: BTreeMap<(u8, i64), Value>,
    pub masks: Masks,
}

/// A use of memory.
#[derive(Clone, Debug)]
pub(crate) struct Touch {
    pub address: Value,
    pub written: bool,
    /// What is stored, by an instruction that does not read it as well.
    pub value: Option<Value>,
    pub masks: Masks,
}

/// What is known of a function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// By the address of the instruction.
    pub calls: BTreeMap<u64, Call>,
    pub touches: BTreeMap<u64, Touch>,
    /// Functions whose address it takes.
    pub taken: BTreeSet<Atom>,
    /// Masks where it returns; none if it does not.
    pub returns: Option<Masks>,
    pub result: Option<Value>,
    /// Jumps to places that are not known.
    pub lost: BTreeSet<u64>,
    /// It was not followed to its end.
    pub cut: bool,
}

impl Facts {
    /// A call, perhaps seen before with other values.
    pub(crate) fn record(&mut self, at: u64, call: Call) {
        let Some(known) = self.calls.get_mut(&at) else {
            self.calls.insert(at, call);
            return;
        };
        for (value, other) in known.arguments.iter_mut().zip(&call.arguments) {
            *value = value.or(other);
        }
        for (place, value) in call.words {
            let word = known.words.entry(place).or_insert_with(|| value.clone());
            *word = word.or(&value);
        }
        known.masks = known.masks.both(call.masks);
        if known.target != call.target {
            known.target = match (&known.target, &call.target) {
                (Target::Value(value), Target::Value(other)) => Target::Value(value.or(other)),
                _ => Target::Value(Value::Any),
            };
        }
    }

    /// A use of memory, perhaps seen before with other values.
    pub(crate) fn touch(&mut self, at: u64, touch: Touch) {
        let Some(known) = self.touches.get_mut(&at) else {
            self.touches.insert(at, touch);
            return;
        };
        known.address = known.address.or(&touch.address);
        known.written |= touch.written;
        known.masks = known.masks.both(touch.masks);
        known.value = match (known.value.take(), touch.value) {
            (Some(value), Some(other)) => Some(value.or(&other)),
            (value, other) => value.or(other),
        };
    }
}
