//! What is known of a value at one place of a function: a few possibilities, or anything.
//!
//! An address in memory that is fixed, on the stack, or relative to an argument stands for itself, so that a
//! structure which is filled before a call can be read at the call.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::elf::{Object, Slot};
use super::step::{Address, Operand, REGS, Reg};

/// Possibilities that are kept apart.
const MOST: usize = 12;

/// One possibility.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Atom {
    /// A number, or an address of this object file.
    Number(u64),
    /// The address of a symbol of another file.
    Import(u32),
    /// This far from the stack pointer at the function's start.
    Stack(i64),
    /// The function's argument, and this much more.
    Argument(u8, i32),
    /// What memory holds this far behind the function's argument.
    Field(u8, i32),
    /// What memory holds at the fixed address, and this much more.
    Global(u64, i32),
    /// The handler that was installed before, or the action.
    Old,
    /// Some multiple of the number.
    Multiple(u32),
    /// An address that is some multiple of the second number behind the first.
    Walk(u64, u32),
    /// The word that memory holds at such an address.
    Word(u64, u32),
    /// One of the signed 32-bit numbers that begin there.
    Distance(u64),
    /// That number and the address.
    Jump(u64),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Value {
    #[default]
    Any,
    Is(Atom),
    /// In order.
    Of(Rc<[Atom]>),
}

impl Value {
    pub(crate) fn number(number: u64) -> Self {
        Self::Is(Atom::Number(number))
    }

    /// The possibilities; none for anything.
    pub(crate) fn atoms(&self) -> &[Atom] {
        match self {
            Self::Any => &[],
            Self::Is(atom) => std::slice::from_ref(atom),
            Self::Of(atoms) => atoms,
        }
    }

    /// The only possibility.
    pub(crate) fn only(&self) -> Option<Atom> {
        if let Self::Is(atom) = self { Some(*atom) } else { None }
    }

    /// The number, if it can be no other.
    pub(crate) fn as_number(&self) -> Option<u64> {
        if let Self::Is(Atom::Number(number)) = self { Some(*number) } else { None }
    }

    pub(crate) fn of(mut atoms: Vec<Atom>) -> Self {
        atoms.sort_unstable();
        atoms.dedup();
        match *atoms {
            [] => Self::Any,
            [atom] => Self::Is(atom),
            _ if atoms.len() <= MOST => Self::Of(atoms.into()),
            _ => walk(&atoms).map_or(Self::Any, Self::Is),
        }
    }

    /// Either.
    pub(crate) fn or(&self, other: &Self) -> Self {
        if self == other {
            return self.clone();
        }
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => Self::Any,
            _ => Self::of(self.atoms().iter().chain(other.atoms()).copied().collect()),
        }
    }

    /// Each possibility by `change`, and anything if that knows none.
    fn map(&self, change: impl Fn(Atom) -> Option<Atom>) -> Self {
        match self {
            Self::Any => Self::Any,
            Self::Is(atom) => change(*atom).map_or(Self::Any, Self::Is),
            Self::Of(atoms) => {
                let changed: Option<Vec<Atom>> = atoms.iter().map(|atom| change(*atom)).collect();
                changed.map_or(Self::Any, Self::of)
            }
        }
    }

    pub(crate) fn times(&self, by: u32) -> Self {
        let factor = match self.only() {
            Some(Atom::Number(number)) => return Self::number(number.wrapping_mul(u64::from(by))),
            Some(Atom::Multiple(stride)) => stride.checked_mul(by),
            _ => Some(by),
        };
        match factor {
            Some(factor @ 2..4096) => Self::Is(Atom::Multiple(factor)),
            _ => Self::Any,
        }
    }

    fn mentions(&self, address: u64) -> bool {
        self.atoms().iter().any(|atom| matches!(atom, Atom::Global(other, _) if *other == address))
    }
}

/// A pointer that walks through a table, seen at its first places.
fn walk(atoms: &[Atom]) -> Option<Atom> {
    let number = |atom: &Atom| if let Atom::Number(number) = atom { Some(*number) } else { None };
    let mut numbers = atoms.iter().map(|atom| match atom {
        Atom::Walk(base, _) => Some(*base),
        other => number(other),
    });
    let first = numbers.next()??;
    let stride = numbers.next()??.checked_sub(first)?;
    let even = |number: Option<u64>| number.is_some_and(|n| n.wrapping_sub(first).is_multiple_of(stride));
    let stride = u32::try_from(stride).ok().filter(|stride| (4..4096).contains(stride))?;
    (first > 4096 && numbers.all(even)).then_some(Atom::Walk(first, stride))
}

fn moved(atom: Atom, by: i64) -> Option<Atom> {
    let near = |offset: i32| i32::try_from(i64::from(offset).checked_add(by)?).ok();
    Some(match atom {
        Atom::Number(number) => Atom::Number(number.wrapping_add_signed(by)),
        Atom::Stack(at) => Atom::Stack(at.checked_add(by)?),
        Atom::Argument(number, offset) => Atom::Argument(number, near(offset)?),
        Atom::Global(address, offset) => Atom::Global(address, near(offset)?),
        Atom::Walk(_, stride) if by.unsigned_abs().is_multiple_of(u64::from(stride)) => atom,
        Atom::Walk(base, stride) => Atom::Walk(base.wrapping_add_signed(by), stride),
        Atom::Multiple(stride) if by > 4096 => Atom::Walk(by.cast_unsigned(), stride),
        Atom::Distance(base) if by.cast_unsigned() == base => Atom::Jump(base),
        _ if by == 0 => atom,
        _ => return None,
    })
}

/// What is known at one place.
#[derive(Clone, Debug)]
pub(crate) struct State {
    registers: [Value; REGS],
    /// What the function has stored on the stack: width and value, by distance.
    slots: BTreeMap<i64, (u8, Value)>,
    /// Sets of signals on the stack: those that are surely in them.
    pub sets: BTreeMap<i64, u64>,
    pub masks: Masks,
}

/// Signals whose handler cannot run: those of `keep` if it could not run when the function began, and those
/// of `shut`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Masks {
    pub keep: u64,
    pub shut: u64,
}

impl Masks {
    /// As it was when the function began.
    pub(crate) const NONE: Self = Self { keep: u64::MAX, shut: 0 };

    pub(crate) fn shut(&mut self, signals: u64) {
        self.shut |= signals;
    }

    pub(crate) fn open(&mut self, signals: u64) {
        self.keep &= !signals;
        self.shut &= !signals;
    }

    /// After the other.
    pub(crate) fn then(self, next: Self) -> Self {
        Self { keep: self.keep & next.keep, shut: (self.shut & next.keep) | next.shut }
    }

    /// What is so in both.
    pub(crate) fn both(self, other: Self) -> Self {
        Self { keep: (self.keep | self.shut) & (other.keep | other.shut), shut: self.shut & other.shut }
    }

    /// The signals, where those of `entry` were shut when the function began.
    pub(crate) fn of(self, entry: u64) -> u64 {
        (entry & self.keep) | self.shut
    }
}

impl State {
    /// At a function's start.
    pub(crate) fn new(arguments: &[Reg], stack: Reg) -> Self {
        let mut registers = [const { Value::Any }; REGS];
        for (number, register) in arguments.iter().enumerate() {
            registers[usize::from(*register)] = Value::Is(Atom::Argument(number as u8, 0));
        }
        registers[usize::from(stack)] = Value::Is(Atom::Stack(0));
        Self { registers, slots: BTreeMap::new(), sets: BTreeMap::new(), masks: Masks::NONE }
    }

    pub(crate) fn get(&self, register: Reg) -> &Value {
        self.registers.get(usize::from(register)).unwrap_or(&Value::Any)
    }

    pub(crate) fn set(&mut self, register: Reg, value: Value) {
        if let Some(place) = self.registers.get_mut(usize::from(register)) {
            *place = value;
        }
    }

    pub(crate) fn operand(&self, operand: Operand) -> Value {
        match operand {
            Operand::Reg(register) => self.get(register).clone(),
            Operand::Number(number) => Value::number(number),
        }
    }

    /// The sum, or the difference.
    pub(crate) fn sum(&self, object: &Object, a: &Value, b: &Value, negative: bool) -> Value {
        let by = |number: u64| if negative { number.wrapping_neg() } else { number }.cast_signed();
        if let Some(number) = b.as_number() {
            return a.map(|atom| moved(atom, by(number)));
        }
        if let (Some(number), false) = (a.as_number(), negative) {
            return match b {
                // A table, and a distance in it that is not known.
                Value::Is(Atom::Multiple(stride)) if is_table(object, number) => Value::Is(Atom::Walk(number, *stride)),
                Value::Any if is_table(object, number) => Value::Is(Atom::Walk(number, 8)),
                _ => b.map(|atom| moved(atom, number.cast_signed())),
            };
        }
        // Two multiples of one number.
        match (a, b) {
            (Value::Is(Atom::Multiple(first)), Value::Is(Atom::Multiple(other))) if first == other => a.clone(),
            _ => Value::Any,
        }
    }

    /// What an address is.
    pub(crate) fn address(&self, object: &Object, address: &Address) -> Value {
        let base = match address.base {
            None => Value::number(address.offset),
            Some(base) => {
                let base = self.get(base);
                // `[rbx + table]`, where the register holds the distance.
                if *base == Value::Any && address.index.is_none() && is_table(object, address.offset) {
                    return Value::Is(Atom::Walk(address.offset, 8));
                }
                base.map(|atom| moved(atom, address.offset.cast_signed()))
            }
        };
        let Some((index, scale)) = address.index else { return base };
        if scale == 255 {
            return Value::Any;
        }
        // `x + 2 * x` and its like.
        if address.base == Some(index) && address.offset == 0 {
            return self.get(index).times(u32::from(scale) + 1);
        }
        let distance = match self.get(index) {
            _ if scale > 1 => self.get(index).times(u32::from(scale)),
            other => other.clone(),
        };
        if address.base.is_none() && !is_table(object, address.offset) {
            return self.sum(object, &distance, &Value::number(address.offset), false);
        }
        if distance.as_number().is_some() || matches!(base.only(), Some(Atom::Number(_))) {
            let sum = self.sum(object, &base, &distance, false);
            // The table may be in either register.
            return if sum == Value::Any { self.sum(object, &distance, &base, false) } else { sum };
        }
        self.sum(object, &base, &distance, false)
    }

    /// What memory holds at the address.
    pub(crate) fn load(&self, object: &Object, at: &Value, width: u8, signed: bool) -> Value {
        match at.only() {
            Some(Atom::Stack(at)) => self.slot(at, width),
            _ => at.map(|atom| loaded(object, atom, width, signed)),
        }
    }

    /// What the stack holds.
    pub(crate) fn slot(&self, at: i64, width: u8) -> Value {
        match self.slots.get(&at) {
            Some((stored, value)) if *stored == width => value.clone(),
            Some((stored, Value::Is(Atom::Number(number)))) if *stored > width && width < 8 => {
                Value::number(number & ((1 << (8 * u32::from(width))) - 1))
            }
            _ => Value::Any,
        }
    }

    /// Stores on the stack.
    pub(crate) fn store(&mut self, at: i64, width: u8, value: Value) {
        self.forget(at, i64::from(width));
        self.slots.insert(at, (width, value));
    }

    /// Forgets what the stack holds there.
    pub(crate) fn forget(&mut self, at: i64, length: i64) {
        let end = at.saturating_add(length);
        let over: Vec<i64> = self
            .slots
            .range(at.saturating_sub(8)..end)
            .filter(|(start, (width, _))| **start + i64::from((*width).max(1)) > at)
            .map(|(start, _)| *start)
            .collect();
        for start in over {
            self.slots.insert(start, (0, Value::Any));
        }
    }

    /// A global variable is written: what was read from it is no longer what it holds.
    pub(crate) fn overwritten(&mut self, address: u64) {
        let slots = self.slots.values_mut().map(|(_, value)| value);
        for value in self.registers.iter_mut().chain(slots).filter(|value| value.mentions(address)) {
            *value = Value::Any;
        }
    }

    /// Makes it what is known in both; whether that changed it. With `coarse`, values that differ become
    /// anything.
    pub(crate) fn join(&mut self, other: &Self, coarse: bool) -> bool {
        let mut changed = false;
        let mut either = |value: &mut Value, other: &Value| {
            if value != other {
                let joined = if coarse { Value::Any } else { value.or(other) };
                changed |= *value != joined;
                *value = joined;
            }
        };
        for (value, other) in self.registers.iter_mut().zip(&other.registers) {
            either(value, other);
        }
        // What one way has not stored yet, it does not read.
        for (at, (width, value)) in &mut self.slots {
            match other.slots.get(at) {
                Some((stored, other)) if stored == width => either(value, other),
                Some(_) => either(value, &Value::Any),
                None => {}
            }
        }
        for (at, slot) in &other.slots {
            if !self.slots.contains_key(at) {
                changed = true;
                self.slots.insert(*at, slot.clone());
            }
        }
        let sets = self.sets.len();
        self.sets.retain(|at, _| other.sets.contains_key(at));
        changed |= sets != self.sets.len();
        for (at, set) in &mut self.sets {
            let both = *set & other.sets.get(at).copied().unwrap_or(0);
            changed |= both != *set;
            *set = both;
        }
        let masks = self.masks.both(other.masks);
        changed |= masks != self.masks;
        self.masks = masks;
        changed
    }
}

/// Whether a table may lie there: where the program is loaded, behind the header of its file.
fn is_table(object: &Object, address: u64) -> bool {
    address >= 0x200 && object.is_loaded(address)
}

/// What memory holds at such an address.
pub(crate) fn loaded(object: &Object, at: Atom, width: u8, signed: bool) -> Option<Atom> {
    Some(match at {
        Atom::Number(address) => match object.slots.get(&address) {
            Some(Slot::Import(number)) => Atom::Import(*number),
            _ if object.is_writable(address) => Atom::Global(address, 0),
            Some(Slot::Own(value)) => Atom::Number(*value),
            Some(Slot::Chosen(_)) => return None,
            None => {
                let number = object.number(address, width)?;
                let bits = 64 - 8 * u32::from(width.clamp(1, 8));
                Atom::Number(if signed { (number.cast_signed() << bits >> bits).cast_unsigned() } else { number })
            }
        },
        Atom::Argument(number, offset) => Atom::Field(number, offset),
        Atom::Walk(base, stride) if width == 8 => Atom::Word(base, stride),
        // With or without a sign: the compiler extends it by the next instruction.
        Atom::Walk(base, 4 | 8) if width == 4 => Atom::Distance(base),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_through_a_table_is_known_by_its_first_places() {
        let places = (0..20).map(|n| Atom::Number(0x4000 + 24 * n)).collect();
        assert_eq!(Value::of(places), Value::Is(Atom::Walk(0x4000, 24)));
        assert_eq!(Value::of((0..20).map(|n| Atom::Number(n * n)).collect()), Value::Any);
    }

    #[test]
    fn masks_follow_each_other_and_meet() {
        let mut first = Masks::NONE;
        first.shut(0b11);
        let mut second = Masks::NONE;
        second.open(0b10);
        assert_eq!(first.then(second).of(0b100), 0b101);
        assert_eq!(first.both(Masks::NONE).of(0b10), 0b10, "shut on one way, and kept on the other");
        assert_eq!(first.both(Masks::NONE).of(0), 0);
    }

    #[test]
    fn what_is_stored_over_a_slot_is_forgotten() {
        let mut state = State::new(&[7], 4);
        state.store(-16, 8, Value::number(5));
        assert_eq!(state.slot(-16, 8), Value::number(5));
        assert_eq!(state.slot(-16, 4), Value::number(5), "its lower half");
        state.store(-12, 4, Value::number(7));
        assert_eq!(state.slot(-16, 8), Value::Any);
        assert_eq!(*state.get(7), Value::Is(Atom::Argument(0, 0)));
    }
}
