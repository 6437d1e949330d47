//! What a handler and the program have in common.
//!
//! | rule | in the handler | in the program, while the signal may come |
//! |---|---|---|
//! | freed | it reads a pointer, and uses what that points to | it frees what the pointer points to, before it changes the pointer |
//! | lost update | it writes a variable | it reads the variable, and stores a sum of that by another instruction |
//!
//! A signal may come where no way through the program has blocked it, reset its action, or not installed the
//! handler yet. A structure of several words, of which the handler may see one half, is not judged: machine
//! code does not say which words belong together.

use std::collections::{BTreeMap, BTreeSet};

use sigproof_inspect::rules::name::Name;

use super::facts::{Call, Facts};
use super::handlers::{Handler, Handlers};
use super::program::{Callee, Place, Program};
use super::reach::{Reach, called, chain, where_is};
use super::special;
use super::value::{Atom, Masks, Value};
use crate::lint::{Fault, Rule};

/// Places that the sentence about one variable names.
const PLACES: usize = 3;

/// What a handler does with the variables of an object file.
#[derive(Default)]
struct Uses {
    /// Pointers whose target it uses, each with the function and the instruction.
    behind: BTreeMap<(usize, u64), (usize, u64)>,
    /// Variables that it writes.
    written: BTreeMap<(usize, u64), (usize, u64)>,
}

/// Judges what the handler shares with the program.
pub(crate) fn shared(program: &Program, handlers: &Handlers, handler: &Handler, reach: &Reach) -> Vec<Fault> {
    let mut uses = Uses::default();
    let mut inside: BTreeSet<Place> = reach.functions.iter().map(|(place, _)| *place).collect();
    // Whether one handler interrupts another is decided by masks that are not read.
    inside.extend(handlers.found.iter().map(|handler| handler.place));
    // Where the C library's functions cannot be told from the program's, only the handler itself is the
    // program's for sure: the library's own variables are its own affair.
    let certain = if program.is_nameless() { 1 } else { reach.functions.len() };
    for (number, (function, _)) in reach.functions.iter().take(certain).enumerate() {
        let facts = program.facts(*function);
        for (at, touch) in &facts.touches {
            for atom in touch.address.atoms() {
                match *atom {
                    Atom::Global(variable, _) => {
                        uses.behind.entry((function.0, variable)).or_insert((number, *at));
                    }
                    // One that never returns to the interrupted code loses it no update.
                    Atom::Number(variable) if touch.written && (facts.returns.is_some() || facts.cut) => {
                        uses.written.entry((function.0, variable)).or_insert((number, *at));
                    }
                    _ => {}
                }
            }
        }
        for (at, call) in &facts.calls {
            for atom in call.arguments.iter().flat_map(Value::atoms) {
                if let Atom::Global(variable, 0) = *atom {
                    uses.behind.entry((function.0, variable)).or_insert((number, *at));
                }
            }
        }
    }
    let mut signals = handler.signals.iter().fold(0_u64, |all, signal| all | 1 << (signal - 1));
    if signals == 0 {
        signals = special::ALL;
    }
    let context = Context { program, reach, inside: &inside, signals };
    let mut faults = Vec::new();
    for ((object, variable), used) in &uses.behind {
        let (functions, places) =
            context.each(*object, *variable, |function, facts| context.freed(function, facts, *variable));
        if !places.is_empty() {
            let what = format!(
                "what {} points to is freed in {}, and the signal may come before the pointer is changed",
                context.variable(*object, *variable),
                counted(&places),
            );
            faults.push(context.fault(Rule::Freed, what, *used, functions));
        }
    }
    for ((object, variable), used) in &uses.written {
        let (functions, places) =
            context.each(*object, *variable, |function, facts| context.lost(function, facts, *variable));
        if !places.is_empty() {
            let what = format!(
                "{} is read, and its changed value stored by another instruction, in {}: what the handler writes in \
                 between is lost",
                context.variable(*object, *variable),
                counted(&places),
            );
            faults.push(context.fault(Rule::LostUpdate, what, *used, functions));
        }
    }
    faults
}

/// The first of some places, and how many more there are.
fn counted(places: &[String]) -> String {
    let shown = places[..places.len().min(PLACES)].join(", ");
    match places.len().saturating_sub(PLACES) {
        0 => shown,
        more => format!("{shown}, and {more} more places"),
    }
}

struct Context<'a> {
    program: &'a Program,
    reach: &'a Reach,
    inside: &'a BTreeSet<Place>,
    signals: u64,
}

impl Context<'_> {
    /// Of the functions outside the handler that mention a variable: those in which something is found, and
    /// the places.
    fn each(
        &self,
        object: usize,
        variable: u64,
        judge: impl Fn(Place, &Facts) -> Vec<u64>,
    ) -> (Vec<String>, Vec<String>) {
        let (mut functions, mut places) = (Vec::new(), Vec::new());
        let Some(scan) = self.program.scan(object) else { return (functions, places) };
        for function in scan.mentions.get(&variable).into_iter().flatten() {
            let function = (object, *function);
            if !self.inside.contains(&function) {
                let found = judge(function, &self.program.facts(function));
                let name = called(self.program, function);
                if !found.is_empty() {
                    functions.push(name.clone());
                }
                places.extend(found.into_iter().map(|at| format!("{name} ({})", where_is(self.program, (object, at)))));
            }
        }
        (functions, places)
    }

    /// Whether the handler may run there.
    fn may_come(&self, function: Place, masks: Masks) -> bool {
        self.signals & !masks.of(self.program.entry(function)) != 0
    }

    /// The calls that free what the variable points to.
    fn freed(&self, function: Place, facts: &Facts, variable: u64) -> Vec<u64> {
        let frees = |call: &Call| {
            let mut arguments = call.arguments.iter().enumerate();
            arguments.any(|(number, value)| {
                value.atoms().contains(&Atom::Global(variable, 0)) && self.frees(function, call, number)
            })
        };
        let calls = facts.calls.iter();
        let found = calls.filter(|(_, call)| self.may_come(function, call.masks) && frees(call));
        found.map(|(at, _)| *at).collect()
    }

    /// The stores of what was read from the variable, and changed.
    fn lost(&self, function: Place, facts: &Facts, variable: u64) -> Vec<u64> {
        let changed = |atom: &Atom| matches!(atom, Atom::Global(other, by) if *other == variable && *by != 0);
        let touches = facts.touches.iter().filter(|(_, touch)| {
            touch.address.only() == Some(Atom::Number(variable))
                && touch.value.iter().flat_map(Value::atoms).any(changed)
                && self.may_come(function, touch.masks)
        });
        touches.map(|(at, _)| *at).collect()
    }

    fn fault(&self, rule: Rule, what: String, used: (usize, u64), functions: Vec<String>) -> Fault {
        let (chain, at) = chain(self.program, self.reach, used.0, used.1);
        Fault { rule, what, chain, at, functions }
    }

    fn variable(&self, object: usize, at: u64) -> String {
        let file = &self.program.objects[object];
        match file.lines().and_then(|lines| lines.variable(at)) {
            Some((name, 0)) => name,
            Some((name, offset)) => format!("{name}+{offset:#x}"),
            None => format!("{}+{at:#x}", file.name),
        }
    }

    /// Whether a call frees what its argument points to: itself, or in a function of the program around it.
    fn frees(&self, function: Place, call: &Call, argument: usize) -> bool {
        let Some(callee) = self.program.callees(function, call).into_iter().next() else { return false };
        match callee {
            Callee::Library(name, _) => argument == 0 && is_free(&name),
            Callee::Code((object, at)) => {
                if self.program.objects[object].symbol(at).is_some_and(|name| argument == 0 && is_free(name)) {
                    return true;
                }
                let facts = self.program.facts((object, at));
                facts.calls.values().any(|inner| {
                    let passed = inner.arguments[0].only() == Some(Atom::Argument(argument as u8, 0));
                    let goes = self.program.callees((object, at), inner).into_iter().next();
                    passed && matches!(goes, Some(Callee::Library(name, _)) if is_free(&name))
                })
            }
            Callee::Nothing => false,
        }
    }
}

/// Whether the function frees its first argument.
fn is_free(symbol: &str) -> bool {
    let name = Name::of(symbol);
    matches!(name.key.as_str(), "free" | "cfree" | "realloc" | "reallocarray" | "munmap" | "g_free")
        || name.path.starts_with("operator delete")
        || symbol.starts_with("_ZdlPv")
        || symbol.starts_with("_ZdaPv")
}
