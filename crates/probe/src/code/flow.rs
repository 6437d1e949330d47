//! One function, followed through all its branches: what it calls with which arguments, and which shared
//! memory it uses.
//!
//! ```text
//!  start ──► block ──► block ──► return          a block's state is what holds on every way to it;
//!              │  ▲      │                        a way that adds a possibility visits it again
//!              └──┴──────┴──► tail call
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::elf::Object;
use super::facts::{ARGUMENTS, Call, Facts, Target, Touch};
use super::scan;
use super::special::{self, Special};
use super::step::{Convention, Effect, Flow, Step, Via};
use super::value::{Atom, Masks, State, Value};

/// Instructions of one function that are followed at most, each visit counted.
const LONGEST: usize = 200_000;
/// Visits of a block after which values that differ are given up.
const PATIENCE: u32 = 24;
/// Words behind a pointer to the stack that are kept with a call.
const WORDS: i64 = 4;
/// Targets of one jump through a table.
const CASES: u64 = 1024;
/// What the function's surroundings know.
pub(crate) struct Around<'a> {
    pub object: &'a Object,
    pub convention: &'static Convention,
    /// The name of what is called.
    pub name: &'a dyn Fn(&Target) -> Option<String>,
    /// What a function of this object does to the masks, and its result; none if it does not return.
    pub after: &'a dyn Fn(u64) -> Option<(Masks, Value)>,
}

struct Follower<'a, 'b> {
    around: &'a Around<'b>,
    start: u64,
    end: u64,
    blocks: HashMap<u64, (State, u32)>,
    waiting: BTreeSet<u64>,
    steps: HashMap<u64, Option<Step>>,
    facts: Facts,
}

/// Follows the function that starts at `start`.
pub(crate) fn follow(around: &Around<'_>, start: u64) -> Facts {
    let end = around.object.function(start).map_or(start, |range| range.end);
    let mut follower = Follower {
        around,
        start,
        end,
        blocks: HashMap::new(),
        waiting: BTreeSet::new(),
        steps: HashMap::new(),
        facts: Facts::default(),
    };
    follower.enter(start, &State::new(around.convention.arguments, around.convention.stack));
    let mut done = 0;
    while let Some(block) = follower.waiting.pop_first() {
        if done > LONGEST {
            follower.facts.cut = true;
            break;
        }
        let Some((state, _)) = follower.blocks.get(&block) else { continue };
        let state = state.clone();
        done += follower.block(block, state);
    }
    follower.facts
}

impl Follower<'_, '_> {
    /// A way leads to a block.
    fn enter(&mut self, block: u64, state: &State) {
        match self.blocks.get_mut(&block) {
            None => {
                self.blocks.insert(block, (state.clone(), 0));
                self.waiting.insert(block);
            }
            Some((known, visits)) => {
                if known.join(state, *visits > PATIENCE) {
                    *visits += 1;
                    self.waiting.insert(block);
                }
            }
        }
    }

    fn step(&mut self, at: u64) -> Option<Step> {
        let object = self.around.object;
        let decoded = self.steps.entry(at).or_insert_with(|| {
            let mut step = Step::default();
            (object.is_code(at) && object.machine.decode(object.bytes(at), at, &mut step)).then_some(step)
        });
        decoded.clone()
    }

    /// Follows a block to its end; how many instructions that were.
    fn block(&mut self, start: u64, mut state: State) -> usize {
        let mut at = start;
        let mut done = 0;
        loop {
            // The next function begins: what was called before did not return.
            if at != start && (self.blocks.contains_key(&at) || (at >= self.end && self.around.object.is_start(at))) {
                if self.blocks.contains_key(&at) {
                    self.enter(at, &state);
                }
                return done;
            }
            let Some(step) = self.step(at) else { return done };
            done += 1;
            for effect in &step.effects {
                self.apply(at, effect, &mut state);
            }
            let next = at + u64::from(step.length);
            match step.flow {
                Flow::Next => {}
                Flow::Jump(to) => {
                    self.jump(at, to, &state);
                    return done;
                }
                Flow::Branch(to) => {
                    // A call in the place of a return, on one condition.
                    let leaves = !(self.start..self.end).contains(&to) && self.around.object.is_start(to);
                    if leaves && state.get(self.around.convention.stack).only() == Some(Atom::Stack(0)) {
                        self.tail(at, Target::Code(to), &state);
                    } else {
                        self.enter(to, &state);
                    }
                    self.enter(next, &state);
                    return done;
                }
                Flow::JumpVia(via) => {
                    let value = self.via(via, &state);
                    self.jump_to(at, &value, &state);
                    return done;
                }
                Flow::Call(to) => {
                    if !self.call(at, Target::Code(to), &mut state) {
                        return done;
                    }
                }
                Flow::CallVia(via) => {
                    let target = match self.via(via, &state) {
                        Value::Is(Atom::Import(number)) => Target::Import(number),
                        Value::Is(Atom::Number(to)) => Target::Code(to),
                        value => Target::Value(value),
                    };
                    if !self.call(at, target, &mut state) {
                        return done;
                    }
                }
                Flow::Kernel => {
                    let (number, arguments) = self.around.convention.kernel;
                    let target = Target::Kernel(state.get(number).clone());
                    self.record(at, target, arguments, &state);
                    state.set(self.around.convention.result, Value::Any);
                    // System V: the kernel keeps its own in these.
                    if number == 0 {
                        state.set(1, Value::Any);
                        state.set(11, Value::Any);
                    }
                }
                Flow::Return => {
                    self.returns(&state);
                    return done;
                }
                Flow::Stop => return done,
            }
            at = next;
        }
    }

    fn returns(&mut self, state: &State) {
        let (masks, result) = (state.masks, state.get(self.around.convention.result));
        self.facts.returns = Some(self.facts.returns.map_or(masks, |known| known.both(masks)));
        self.facts.result = Some(self.facts.result.as_ref().map_or_else(|| result.clone(), |known| known.or(result)));
    }

    /// A jump: inside the function, or a call in the place of a return.
    fn jump(&mut self, at: u64, to: u64, state: &State) {
        let object = self.around.object;
        let inside = (self.start..self.end).contains(&to) && to != self.start;
        if !inside && scan::stub(object, to).is_some() {
            self.tail(at, Target::Code(to), state);
            return;
        }
        // To its own start, the frame gone: it calls itself.
        let has_frame = state.get(self.around.convention.stack).only() != Some(Atom::Stack(0));
        let is_block = if to == self.start { has_frame } else { inside || !object.is_start(to) };
        if is_block {
            self.enter(to, state);
        } else {
            self.tail(at, Target::Code(to), state);
        }
    }

    fn tail(&mut self, at: u64, target: Target, state: &State) {
        let mut state = state.clone();
        if self.call(at, target, &mut state) {
            self.returns(&state);
        }
    }

    fn jump_to(&mut self, at: u64, value: &Value, state: &State) {
        let object = self.around.object;
        match value {
            Value::Is(Atom::Import(number)) => self.tail(at, Target::Import(*number), state),
            Value::Is(Atom::Number(to)) => self.jump(at, *to, state),
            Value::Is(Atom::Jump(table)) => {
                let case = |n: u64| {
                    let distance = i64::from(object.number(table + 4 * n, 4)? as u32 as i32);
                    Some(table.wrapping_add_signed(distance))
                };
                self.cases(at, case, state);
            }
            Value::Is(Atom::Word(table, stride)) => {
                let case = |n: u64| object.word(table + u64::from(*stride) * n);
                self.cases(at, case, state);
            }
            // Behind an epilogue: a call in the place of a return.
            value if state.get(self.around.convention.stack).only() == Some(Atom::Stack(0)) => {
                self.tail(at, Target::Value(value.clone()), state);
            }
            _ => {
                self.facts.lost.insert(at);
            }
        }
    }

    /// A jump through a table that lies in this function.
    fn cases(&mut self, at: u64, case: impl Fn(u64) -> Option<u64>, state: &State) {
        let object = self.around.object;
        let inside =
            |to: &u64| object.is_code(*to) && ((self.start..self.end).contains(to) || self.blocks.contains_key(to));
        let targets: BTreeSet<u64> = (0..CASES).map_while(|n| case(n).filter(inside)).collect();
        if targets.is_empty() {
            if let Some(Some(to)) = (0..1).map(&case).next()
                && object.is_start(to)
            {
                let all: Vec<Atom> =
                    (0..CASES).map_while(|n| case(n).filter(|to| object.is_start(*to))).map(Atom::Number).collect();
                self.tail(at, Target::Value(Value::of(all)), state);
                return;
            }
            self.facts.lost.insert(at);
        }
        for target in targets {
            self.enter(target, state);
        }
    }

    fn via(&self, via: Via, state: &State) -> Value {
        match via {
            Via::Reg(register) => state.get(register).clone(),
            Via::Memory(address) => {
                let at = state.address(self.around.object, &address);
                state.load(self.around.object, &at, 8, false)
            }
        }
    }

    /// A call; whether it may return.
    fn call(&mut self, at: u64, target: Target, state: &mut State) -> bool {
        let convention = self.around.convention;
        self.record(at, target.clone(), convention.arguments, state);
        let name = (self.around.name)(&target);
        let special = name.as_deref().and_then(special::of);
        let arguments: Vec<Value> = convention.arguments.iter().map(|register| state.get(*register).clone()).collect();
        let mut result = Value::Any;
        match special {
            Some(Special::NeverReturns) => return false,
            Some(special) => {
                special::apply(special, &arguments, state);
                if special == Special::Signal {
                    result = Value::Is(Atom::Old);
                }
            }
            None => {
                if let Target::Code(to) = target
                    && to != self.start
                    && name.is_none_or(|_| self.around.object.is_code(to))
                {
                    match (self.around.after)(to) {
                        Some((masks, value)) => {
                            state.masks = state.masks.then(masks);
                            // What is the callee's own affair says nothing here.
                            let plain = |atom: &Atom| matches!(atom, Atom::Old | Atom::Number(_));
                            if value.atoms().iter().all(plain) {
                                result = value;
                            }
                        }
                        None => return false,
                    }
                }
            }
        }
        for register in convention.lost {
            state.set(*register, Value::Any);
        }
        state.set(convention.result, result);
        true
    }

    fn record(&mut self, at: u64, target: Target, registers: &[u8], state: &State) {
        let mut arguments = [const { Value::Any }; ARGUMENTS];
        let mut words = BTreeMap::new();
        for (number, register) in registers.iter().enumerate().take(ARGUMENTS) {
            arguments[number] = state.get(*register).clone();
            let stack = arguments[number].atoms().iter().find_map(|atom| match atom {
                Atom::Stack(start) => Some(*start),
                _ => None,
            });
            if let Some(start) = stack {
                for word in 0..WORDS {
                    words.insert((number as u8, 8 * word), state.slot(start + 8 * word, 8));
                }
            }
        }
        self.take(&arguments.iter().chain(words.values()).cloned().collect::<Vec<_>>());
        let call = Call { target, arguments, words, masks: state.masks };
        self.facts.record(at, call);
    }

    /// Functions whose addresses leave the function.
    fn take(&mut self, values: &[Value]) {
        let object = self.around.object;
        for atom in values.iter().flat_map(Value::atoms) {
            match atom {
                Atom::Number(to) if object.is_start(*to) => {
                    self.facts.taken.insert(*atom);
                }
                Atom::Import(_) => {
                    self.facts.taken.insert(*atom);
                }
                _ => {}
            }
        }
    }

    fn touch(&mut self, at: u64, address: &Value, written: bool, value: Option<Value>, masks: Masks) {
        let object = self.around.object;
        let shared = |atom: &Atom| match atom {
            Atom::Number(address) => object.is_writable(*address),
            Atom::Global(..) | Atom::Field(..) | Atom::Argument(..) | Atom::Walk(..) => true,
            _ => false,
        };
        if !address.atoms().iter().any(shared) {
            return;
        }
        self.facts.touch(at, Touch { address: address.clone(), written, value, masks });
    }

    fn apply(&mut self, at: u64, effect: &Effect, state: &mut State) {
        let object = self.around.object;
        match *effect {
            Effect::Set(to, value) => state.set(to, state.operand(value)),
            Effect::Choose(to, value) => state.set(to, state.get(to).or(&state.operand(value))),
            Effect::Add(to, a, b) => {
                state.set(to, state.sum(object, &state.operand(a), &state.operand(b), false));
            }
            Effect::Subtract(to, a, b) => {
                state.set(to, state.sum(object, &state.operand(a), &state.operand(b), true));
            }
            Effect::Scale(to, value, by) => state.set(to, state.operand(value).times(by)),
            Effect::Point(to, address) => state.set(to, state.address(object, &address)),
            Effect::Load { to, from, width, signed } => {
                if from.thread {
                    state.set(to, Value::Any);
                    return;
                }
                let address = state.address(object, &from);
                self.touch(at, &address, false, None, state.masks);
                state.set(to, state.load(object, &address, width, signed));
            }
            Effect::Store { to, width, value } if !to.thread => {
                let address = state.address(object, &to);
                let value = value.map_or(Value::Any, |value| state.operand(value));
                match address.only() {
                    Some(Atom::Stack(at)) => state.store(at, width, value),
                    Some(Atom::Number(fixed)) => {
                        self.take(std::slice::from_ref(&value));
                        self.touch(at, &address, true, Some(value), state.masks);
                        state.overwritten(fixed);
                    }
                    _ => {
                        self.take(std::slice::from_ref(&value));
                        self.touch(at, &address, true, Some(value), state.masks);
                    }
                }
            }
            Effect::Update { at: place, width } if !place.thread => {
                let address = state.address(object, &place);
                match address.only() {
                    Some(Atom::Stack(at)) => state.forget(at, i64::from(width)),
                    Some(Atom::Number(fixed)) => {
                        self.touch(at, &address, true, None, state.masks);
                        state.overwritten(fixed);
                    }
                    _ => self.touch(at, &address, true, None, state.masks),
                }
            }
            Effect::Read { at: place, .. } if !place.thread => {
                let address = state.address(object, &place);
                self.touch(at, &address, false, None, state.masks);
            }
            Effect::Store { .. } | Effect::Update { .. } | Effect::Read { .. } => {}
            Effect::Forget(register) => state.set(register, Value::Any),
            Effect::Fill(to, count, value) => {
                let (to, count) = (state.get(to).only(), state.get(count).as_number());
                if let (Some(Atom::Stack(start)), Some(count @ 1..64)) = (to, count) {
                    let value = state.get(value).clone();
                    (0..count.cast_signed()).for_each(|n| state.store(start + 8 * n, 8, value.clone()));
                }
            }
            Effect::Copy(to, from, count) => {
                let (to, from, count) = (state.get(to).only(), state.get(from).clone(), state.get(count).as_number());
                if let (Some(Atom::Stack(start)), Some(count @ 1..64)) = (to, count) {
                    for n in 0..count {
                        let place = state.sum(object, &from, &Value::number(8 * n), false);
                        let value = state.load(object, &place, 8, false);
                        state.store(start + 8 * n.cast_signed(), 8, value);
                    }
                }
            }
        }
    }
}
