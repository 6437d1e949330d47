//! An object file's code, read once from its first instruction to its last: which function calls which, and
//! which mentions which address. It decides which functions are worth to be followed.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::elf::{Object, Slot};
use super::step::{Address, Effect, Flow, Operand, REGS, Step, Via};

/// What was read.
#[derive(Default)]
pub(crate) struct Scan {
    /// The functions that call, or jump to, the function that starts there.
    pub callers: HashMap<u64, Vec<u64>>,
    /// The functions that use the symbol with this number.
    pub users: HashMap<u32, Vec<u64>>,
    /// The functions that mention an address of memory that may be written.
    pub mentions: HashMap<u64, Vec<u64>>,
    /// Functions whose addresses are taken, in code or in data.
    pub taken: HashSet<u64>,
}

/// Constants in registers, as far as a straight line shows them: some processors need two instructions for an
/// address.
struct Constants([Option<u64>; REGS]);

impl Constants {
    fn address(&self, address: &Address) -> Option<u64> {
        if address.thread {
            return None;
        }
        match address.base {
            None => Some(address.offset),
            Some(base) => {
                let base = self.0.get(usize::from(base)).copied().flatten()?;
                Some(base.wrapping_add(address.offset))
            }
        }
    }

    fn operand(&self, operand: Operand) -> Option<u64> {
        match operand {
            Operand::Number(number) => Some(number),
            Operand::Reg(register) => self.0.get(usize::from(register)).copied().flatten(),
        }
    }

    /// Applies the effect; the address that it mentions.
    fn apply(&mut self, effect: &Effect) -> Option<u64> {
        let (register, value, mentioned) = match *effect {
            Effect::Set(to, value) => (Some(to), self.operand(value), self.operand(value)),
            Effect::Choose(to, value) => (Some(to), None, self.operand(value)),
            Effect::Add(to, a, b) => {
                let sum = self.operand(a).zip(self.operand(b)).map(|(a, b)| a.wrapping_add(b));
                (Some(to), sum, sum)
            }
            Effect::Point(to, address) => (Some(to), self.address(&address), self.address(&address)),
            Effect::Load { to, from, .. } => (Some(to), None, self.address(&from)),
            Effect::Store { to, value, .. } => {
                let value = value.and_then(|value| self.operand(value));
                (None, None, self.address(&to).or(value))
            }
            Effect::Update { at, .. } | Effect::Read { at, .. } => (None, None, self.address(&at)),
            Effect::Subtract(to, ..) | Effect::Scale(to, ..) | Effect::Forget(to) => (Some(to), None, None),
            Effect::Fill(..) | Effect::Copy(..) => (None, None, None),
        };
        if let Some(place) = register.and_then(|register| self.0.get_mut(usize::from(register))) {
            *place = value;
        }
        mentioned
    }
}

/// What one instruction mentions.
struct Seen {
    at: u64,
    what: What,
}

enum What {
    Code(u64),
    Symbol(u32),
    Memory(u64),
    Taken(u64),
}

/// Reads the code. The targets of calls become starts of functions.
pub(crate) fn scan(object: &mut Object) -> Scan {
    let mut seen: Vec<Seen> = Vec::new();
    let mut starts: BTreeSet<u64> = object.starts.iter().copied().collect();
    for range in object.code.clone() {
        section(object, range.start, range.end, &mut seen);
    }
    for one in &seen {
        if let What::Code(to) = one.what
            && object.is_code(to)
        {
            starts.insert(to);
        }
    }
    object.starts = starts.into_iter().collect();
    let mut scan = Scan::default();
    for slot in object.slots.values() {
        if let Slot::Own(value) = slot
            && object.is_start(*value)
        {
            scan.taken.insert(*value);
        }
    }
    let add = |list: &mut Vec<u64>, function: u64| {
        if list.last() != Some(&function) {
            list.push(function);
        }
    };
    let mut last = 0..0;
    for one in seen {
        if !last.contains(&one.at) {
            last = object.function(one.at).unwrap_or(0..0);
        }
        if last.is_empty() {
            continue;
        }
        let function = last.start;
        match one.what {
            What::Code(to) => add(scan.callers.entry(to).or_default(), function),
            What::Symbol(number) => add(scan.users.entry(number).or_default(), function),
            What::Memory(at) => add(scan.mentions.entry(at).or_default(), function),
            What::Taken(at) if object.is_start(at) => {
                scan.taken.insert(at);
            }
            What::Taken(_) => {}
        }
    }
    scan
}

fn section(object: &Object, start: u64, end: u64, seen: &mut Vec<Seen>) {
    let mut step = Step::default();
    let mut at = start;
    let mut constants = Constants([None; REGS]);
    let mut next = object.starts.partition_point(|other| *other <= at);
    while at < end {
        while object.starts.get(next).is_some_and(|start| *start <= at) {
            next += 1;
            constants = Constants([None; REGS]);
        }
        if !object.machine.decode(object.bytes(at), at, &mut step) || step.length == 0 {
            // Data among the code: on at the next function.
            at = object.starts.get(next).copied().unwrap_or(end);
            continue;
        }
        let mut mention = |address: u64| {
            match object.slots.get(&address) {
                Some(Slot::Import(number)) => seen.push(Seen { at, what: What::Symbol(*number) }),
                Some(Slot::Own(value)) if object.is_code(*value) && !object.is_writable(address) => {
                    seen.push(Seen { at, what: What::Taken(*value) });
                }
                _ => {}
            }
            if object.is_writable(address) {
                seen.push(Seen { at, what: What::Memory(address) });
            } else if object.is_code(address) {
                seen.push(Seen { at, what: What::Taken(address) });
            }
        };
        for effect in &step.effects {
            if let Some(address) = constants.apply(effect) {
                mention(address);
            }
        }
        match step.flow {
            Flow::Call(to) => seen.push(Seen { at, what: What::Code(to) }),
            // A jump into another function, if one starts there, or to a stub of the linkage table.
            Flow::Jump(to) | Flow::Branch(to) if object.is_start(to) || stub(object, to).is_some() => {
                seen.push(Seen { at, what: What::Code(to) });
            }
            Flow::CallVia(Via::Memory(address)) | Flow::JumpVia(Via::Memory(address)) => {
                if let Some(address) = constants.address(&address) {
                    mention(address);
                }
            }
            _ => {}
        }
        at += u64::from(step.length);
    }
}

/// What the function that starts at `start` calls and jumps to, without following its branches.
pub(crate) fn direct(object: &Object, start: u64) -> (BTreeSet<u64>, BTreeSet<u32>) {
    let (mut code, mut symbols) = (BTreeSet::new(), BTreeSet::new());
    let Some(range) = object.function(start) else { return (code, symbols) };
    let mut seen = Vec::new();
    section(object, start, range.end, &mut seen);
    for one in seen {
        match one.what {
            What::Code(to) if !range.contains(&to) => {
                code.insert(to);
            }
            What::Symbol(number) => {
                symbols.insert(number);
            }
            _ => {}
        }
    }
    (code, symbols)
}

/// The symbol that a stub of the linkage table goes to: a few instructions that end in a jump through a word
/// which the loader fills.
pub(crate) fn stub(object: &Object, start: u64) -> Option<Slot> {
    let mut constants = Constants([None; REGS]);
    let mut loaded: Option<u64> = None;
    let mut at = start;
    for _ in 0..4 {
        let mut step = Step::default();
        if !object.is_code(at) || !object.machine.decode(object.bytes(at), at, &mut step) {
            return None;
        }
        for effect in &step.effects {
            if let Effect::Load { from, .. } = effect {
                loaded = constants.address(from);
            }
            constants.apply(effect);
        }
        match step.flow {
            Flow::Next => at += u64::from(step.length),
            Flow::JumpVia(Via::Memory(address)) => return object.slots.get(&constants.address(&address)?).copied(),
            Flow::JumpVia(Via::Reg(_)) => return object.slots.get(&loaded?).copied(),
            _ => return None,
        }
    }
    None
}
