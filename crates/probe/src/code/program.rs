//! A program with its libraries: what a call goes to, and what a value is when all callers are asked.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use super::elf::{self, Object, Slot};
use super::facts::{Call, Facts, Target};
use super::flow::{self, Around};
use super::scan::{self, Scan};
use super::search;
use super::special::{self, Special};
use super::value::{Atom, Masks, Value, loaded};
use crate::lint::is_system;
use sigproof_inspect::rules::name::Name;

/// An address of code: the number of the object file, and the address in it.
pub(crate) type Place = (usize, u64);

/// Words of a table that are read.
const TABLE: u64 = 512;
/// Steps from caller to caller.
const CALLERS: usize = 64;

/// A value in the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Known {
    Code(Place),
    /// A function that no object file at hand defines.
    Symbol(String),
    Number(u64),
    /// Not known.
    Nothing,
}

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Callee {
    Code(Place),
    /// By this name, from a library; with the place of its definition, if it is at hand.
    Library(String, Option<Place>),
    /// Not known.
    Nothing,
}

pub(crate) struct Program {
    /// The program first, then its libraries in the order of the search for symbols.
    pub objects: Vec<Object>,
    scans: HashMap<usize, Scan>,
    /// Libraries that were not found.
    pub missing: Vec<String>,
    /// Functions that may decide whether a handler runs, themselves or in what they call.
    deciding: HashMap<usize, HashSet<u64>>,
    facts: RefCell<HashMap<Place, Option<Rc<Facts>>>>,
    entries: RefCell<HashMap<Place, Option<u64>>>,
    /// By symbol. A large program has tens of thousands, and each handler asks for all of them again.
    keys: RefCell<HashMap<String, Rc<str>>>,
}

/// Reads a program and its libraries.
pub(crate) fn read(path: &Path) -> Result<Program, String> {
    let program = elf::open(path)?;
    let (libraries, missing) = search::libraries(&program);
    let mut objects = vec![program];
    objects.extend(libraries);
    let mut this = Program {
        objects,
        scans: HashMap::new(),
        missing,
        deciding: HashMap::new(),
        facts: RefCell::default(),
        entries: RefCell::default(),
        keys: RefCell::default(),
    };
    for number in 0..this.objects.len() {
        if number == 0 || !is_system(&this.objects[number].name) {
            let scan = scan::scan(&mut this.objects[number]);
            this.scans.insert(number, scan);
            let deciding = this.deciding(number);
            this.deciding.insert(number, deciding);
        }
    }
    Ok(this)
}

impl Program {
    /// The program's own objects: itself and libraries that are not the system's.
    pub(crate) fn own(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.objects.len()).filter(|number| self.is_own(*number))
    }

    pub(crate) fn is_own(&self, number: usize) -> bool {
        self.scans.contains_key(&number)
    }

    pub(crate) fn scan(&self, number: usize) -> Option<&Scan> {
        self.scans.get(&number)
    }

    /// Whether the program has the C library in itself.
    pub(crate) fn is_static(&self) -> bool {
        self.objects[0].needed.is_empty()
    }

    /// Whether it has, and without symbols: its functions cannot be told from the program's own.
    pub(crate) fn is_nameless(&self) -> bool {
        self.is_static() && self.objects[0].symbols.is_empty()
    }

    /// Where a symbol of another file is defined.
    pub(crate) fn definition(&self, object: usize, number: u32) -> Callee {
        let name = self.objects[object].import(number);
        let place = self.objects.iter().enumerate().find_map(|(other, file)| {
            let address = file.exports.get(name).copied().filter(|address| file.is_code(*address))?;
            Some((other, address))
        });
        match place {
            Some(place) if self.is_own(place.0) => Callee::Code(place),
            _ => Callee::Library(name.to_owned(), place),
        }
    }

    /// What a direct call goes to.
    pub(crate) fn code(&self, object: usize, to: u64) -> Callee {
        let file = &self.objects[object];
        match scan::stub(file, to) {
            Some(Slot::Import(number)) => self.definition(object, number),
            Some(Slot::Own(to)) if file.is_code(to) => Callee::Code((object, to)),
            Some(Slot::Chosen(chooser)) if file.is_code(chooser) => match file.symbol(chooser) {
                Some(name) => Callee::Library(name.to_owned(), None),
                None => Callee::Code((object, chooser)),
            },
            _ => Callee::Code((object, to)),
        }
    }

    /// What a call of a function goes to.
    pub(crate) fn callees(&self, function: Place, call: &Call) -> Vec<Callee> {
        match &call.target {
            Target::Code(to) => vec![self.code(function.0, *to)],
            Target::Import(number) => vec![self.definition(function.0, *number)],
            Target::Kernel(_) => Vec::new(),
            Target::Value(value) => {
                let known = self.known(function, value);
                let mut callees: Vec<Callee> = known
                    .into_iter()
                    .filter_map(|known| match known {
                        Known::Code((object, to)) => Some(self.code(object, to)),
                        Known::Symbol(name) => Some(Callee::Library(name, None)),
                        // A pointer that is not set yet is not called.
                        Known::Number(_) => None,
                        Known::Nothing => Some(Callee::Nothing),
                    })
                    .collect();
                if callees.is_empty() {
                    callees.push(Callee::Nothing);
                }
                callees
            }
        }
    }

    /// The name by which a library's function, or one of a static program, is known.
    fn name(&self, object: usize, target: &Target) -> Option<String> {
        let callee = match target {
            Target::Code(to) => self.code(object, *to),
            Target::Import(number) => self.definition(object, *number),
            _ => return None,
        };
        match callee {
            Callee::Library(name, _) => Some(name),
            Callee::Code((object, at)) => self.objects[object].symbol(at).map(str::to_owned),
            Callee::Nothing => None,
        }
    }

    /// What is known of a function.
    pub(crate) fn facts(&self, function: Place) -> Rc<Facts> {
        match self.facts.borrow().get(&function) {
            Some(Some(facts)) => return Rc::clone(facts),
            // Its own caller asks.
            Some(None) => return Rc::new(Facts { returns: Some(Masks::NONE), ..Facts::default() }),
            None => {}
        }
        self.facts.borrow_mut().insert(function, None);
        let (object, start) = function;
        let name = |target: &Target| self.name(object, target);
        let after = |to: u64| {
            let decides = self.deciding.get(&object).is_some_and(|deciding| deciding.contains(&to));
            if !decides {
                return Some((Masks::NONE, Value::Any));
            }
            let facts = self.facts((object, to));
            Some((facts.returns?, facts.result.clone().unwrap_or_default()))
        };
        let file = &self.objects[object];
        let around = Around { object: file, convention: file.machine.convention(), name: &name, after: &after };
        let facts = Rc::new(flow::follow(&around, start));
        self.facts.borrow_mut().insert(function, Some(Rc::clone(&facts)));
        facts
    }

    /// What a symbol is called once all is removed that a compiler or a linker has added.
    pub(crate) fn key(&self, symbol: &str) -> Rc<str> {
        if let Some(key) = self.keys.borrow().get(symbol) {
            return Rc::clone(key);
        }
        let key: Rc<str> = Rc::from(Name::of(symbol).key);
        self.keys.borrow_mut().insert(symbol.to_owned(), Rc::clone(&key));
        key
    }

    /// The functions of an object that use a symbol of this name, imported or its own.
    pub(crate) fn users(&self, object: usize, is: &dyn Fn(&str) -> bool) -> BTreeSet<u64> {
        let Some(scan) = self.scans.get(&object) else { return BTreeSet::new() };
        let file = &self.objects[object];
        let mut users = BTreeSet::new();
        let mut of_code = |to: u64| users.extend(scan.callers.get(&to).into_iter().flatten().copied());
        for (number, functions) in &scan.users {
            if is(file.import(*number)) {
                // A stub of the linkage table is no function of the program: who calls it is.
                for function in functions {
                    of_code(*function);
                }
            }
        }
        for (name, at) in &file.symbols {
            if is(name) && file.is_code(*at) {
                of_code(*at);
            }
        }
        for (number, functions) in &scan.users {
            if is(file.import(*number)) {
                let all = functions.iter().filter(|function| scan::stub(file, **function).is_none());
                users.extend(all.copied());
            }
        }
        users
    }

    fn deciding(&self, object: usize) -> HashSet<u64> {
        let Some(scan) = self.scans.get(&object) else { return HashSet::new() };
        let decides = |name: &str| {
            use Special::{Action, Hold, Masks, Release, Signal};
            matches!(special::of(name), Some(Action | Hold | Masks | Release | Signal))
        };
        let mut found: HashSet<u64> = HashSet::new();
        let mut waiting: Vec<u64> = self.users(object, &decides).into_iter().collect();
        while let Some(function) = waiting.pop() {
            if found.insert(function) {
                waiting.extend(scan.callers.get(&function).into_iter().flatten());
            }
        }
        found
    }

    /// The function in which the program begins.
    pub(crate) fn main(&self) -> Option<u64> {
        let file = &self.objects[0];
        if let Some(main) = file.symbols.get("main").filter(|main| file.is_code(**main)) {
            return Some(*main);
        }
        let facts = self.facts((0, file.entry));
        let mut calls = facts.calls.values();
        calls.find_map(|call| call.arguments[0].as_number().filter(|at| file.is_code(*at)))
    }

    /// The signals that cannot come when a function begins.
    pub(crate) fn entry(&self, function: Place) -> u64 {
        match self.entries.borrow().get(&function) {
            Some(Some(signals)) => return *signals,
            // It is asked about by way of itself.
            Some(None) => return special::ALL,
            None => {}
        }
        self.entries.borrow_mut().insert(function, None);
        let (object, start) = function;
        let signals = match self.scans.get(&object) {
            _ if object == 0 && (Some(start) == self.main() || start == self.objects[0].entry) => special::ALL,
            None => 0,
            Some(scan) if scan.taken.contains(&start) => 0,
            Some(_) if object != 0 => 0,
            Some(scan) => {
                let callers = scan.callers.get(&start).into_iter().flatten();
                let mut signals = special::ALL;
                for caller in callers {
                    let facts = self.facts((object, *caller));
                    let calls = facts.calls.values().filter(|call| call.target == Target::Code(start));
                    for call in calls {
                        signals &= call.masks.of(self.entry((object, *caller)));
                    }
                }
                signals
            }
        };
        self.entries.borrow_mut().insert(function, Some(signals));
        signals
    }

    /// What a value of a function is when its callers and the memory are asked.
    pub(crate) fn known(&self, function: Place, value: &Value) -> BTreeSet<Known> {
        let mut found = BTreeSet::new();
        self.find(function, value, CALLERS, &mut HashSet::new(), &mut found);
        found
    }

    fn find(
        &self,
        function: Place,
        value: &Value,
        depth: usize,
        seen: &mut HashSet<(Place, Atom)>,
        found: &mut BTreeSet<Known>,
    ) {
        let (object, start) = function;
        if *value == Value::Any || depth == 0 {
            found.insert(Known::Nothing);
            return;
        }
        for atom in value.atoms() {
            if !seen.insert((function, *atom)) {
                continue;
            }
            match *atom {
                // It is installed elsewhere.
                Atom::Old => {}
                Atom::Number(number) => {
                    found.insert(self.number(object, number));
                }
                Atom::Import(number) => {
                    found.insert(match self.definition(object, number) {
                        Callee::Code(place) => Known::Code(place),
                        Callee::Library(name, _) => Known::Symbol(name),
                        Callee::Nothing => Known::Nothing,
                    });
                }
                Atom::Global(address, 0) => self.stored(object, address, depth, seen, found),
                Atom::Word(base, stride) => {
                    let words = (0..TABLE).map(|n| base.wrapping_add(n * u64::from(stride)));
                    let words = words.map_while(|at| self.word(object, at));
                    let is_pointer =
                        |known: &Known| matches!(known, Known::Code(_) | Known::Symbol(_) | Known::Number(0 | 1));
                    found.extend(words.take_while(is_pointer));
                }
                Atom::Argument(number, 0) | Atom::Field(number, _) => {
                    let scan = self.scans.get(&object);
                    if scan.is_none_or(|scan| scan.taken.contains(&start)) {
                        found.insert(Known::Nothing);
                    }
                    for caller in scan.and_then(|scan| scan.callers.get(&start)).into_iter().flatten() {
                        let facts = self.facts((object, *caller));
                        for call in facts.calls.values().filter(|call| call.target == Target::Code(start)) {
                            let value = match *atom {
                                Atom::Field(_, offset) => self.behind(object, call, number, offset),
                                _ => call.arguments[usize::from(number)].clone(),
                            };
                            self.find((object, *caller), &value, depth - 1, seen, found);
                        }
                    }
                }
                _ => {
                    found.insert(Known::Nothing);
                }
            }
        }
    }

    fn number(&self, object: usize, number: u64) -> Known {
        let file = &self.objects[object];
        if file.is_code(number) { Known::Code((object, number)) } else { Known::Number(number) }
    }

    /// The word that the loader leaves at an address.
    fn word(&self, object: usize, at: u64) -> Option<Known> {
        match self.objects[object].slots.get(&at) {
            Some(Slot::Import(number)) => Some(match self.definition(object, *number) {
                Callee::Code(place) => Known::Code(place),
                Callee::Library(name, _) => Known::Symbol(name),
                Callee::Nothing => Known::Nothing,
            }),
            Some(Slot::Own(value)) => Some(self.number(object, *value)),
            Some(Slot::Chosen(_)) => Some(Known::Nothing),
            None => self.objects[object].number(at, 8).map(|number| self.number(object, number)),
        }
    }

    /// What a global variable may hold: what it begins with, and what is stored there by name.
    fn stored(
        &self,
        object: usize,
        address: u64,
        depth: usize,
        seen: &mut HashSet<(Place, Atom)>,
        found: &mut BTreeSet<Known>,
    ) {
        found.extend(self.word(object, address));
        let Some(scan) = self.scans.get(&object) else {
            found.insert(Known::Nothing);
            return;
        };
        for function in scan.mentions.get(&address).into_iter().flatten() {
            let facts = self.facts((object, *function));
            let here = |value: &Value| value.only() == Some(Atom::Number(address));
            for touch in facts.touches.values().filter(|touch| touch.written && here(&touch.address)) {
                match &touch.value {
                    Some(value) => self.find((object, *function), value, depth - 1, seen, found),
                    None => {
                        found.insert(Known::Nothing);
                    }
                }
            }
        }
    }

    /// What memory holds so far behind an argument of a call.
    pub(crate) fn behind(&self, object: usize, call: &Call, argument: u8, offset: i32) -> Value {
        let value = call.arguments.get(usize::from(argument)).unwrap_or(&Value::Any);
        let file = &self.objects[object];
        let atoms: Option<Vec<Vec<Atom>>> = value
            .atoms()
            .iter()
            .map(|atom| match *atom {
                Atom::Stack(_) => {
                    let word = call.words.get(&(argument, i64::from(offset)))?;
                    (*word != Value::Any).then(|| word.atoms().to_vec())
                }
                Atom::Argument(number, start) => Some(vec![Atom::Field(number, start.checked_add(offset)?)]),
                // No pointer.
                Atom::Number(0) => Some(Vec::new()),
                Atom::Number(base) => {
                    let at = Atom::Number(base.wrapping_add_signed(i64::from(offset)));
                    loaded(file, at, 8, false).map(|atom| vec![atom])
                }
                Atom::Walk(base, stride) => Some(vec![Atom::Word(base.wrapping_add_signed(i64::from(offset)), stride)]),
                _ => None,
            })
            .collect();
        atoms.map_or(Value::Any, |atoms| Value::of(atoms.concat()))
    }
}
