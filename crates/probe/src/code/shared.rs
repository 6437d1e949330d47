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

use super::flow::{Call, Facts};
use super::handlers::{Handler, Handlers};
use super::program::{Callee, Place, Program};
use super::reach::{Reach, called, chain, where_is};
use super::special;
use super::value::{Atom, Masks, Value};
use crate::lint::{Fault, Rule};

/// Faults that are told of for one handler.
const MOST: usize = 20;

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
    for (number, (function, _)) in reach.functions.iter().enumerate() {
        let facts = program.facts(*function);
        for (at, touch) in &facts.touches {
            for atom in touch.address.atoms() {
                match *atom {
                    Atom::Global(variable, _) => {
                        uses.behind.entry((function.0, variable)).or_insert((number, *at));
                    }
                    Atom::Number(variable) if touch.written => {
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
        context
            .each(*object, *variable, |function, facts| context.freed(function, facts, *variable, *used, &mut faults));
    }
    for ((object, variable), used) in &uses.written {
        context
            .each(*object, *variable, |function, facts| context.lost(function, facts, *variable, *used, &mut faults));
    }
    faults.truncate(MOST);
    faults
}

struct Context<'a> {
    program: &'a Program,
    reach: &'a Reach,
    inside: &'a BTreeSet<Place>,
    signals: u64,
}

impl Context<'_> {
    /// The functions outside the handler that mention a variable.
    fn each(&self, object: usize, variable: u64, mut judge: impl FnMut(Place, &Facts)) {
        let Some(scan) = self.program.scan(object) else { return };
        for function in scan.mentions.get(&variable).into_iter().flatten() {
            let function = (object, *function);
            if !self.inside.contains(&function) {
                judge(function, &self.program.facts(function));
            }
        }
    }

    /// Whether the handler may run there.
    fn may_come(&self, function: Place, masks: Masks) -> bool {
        self.signals & !masks.of(self.program.entry(function)) != 0
    }

    fn freed(&self, function: Place, facts: &Facts, variable: u64, used: (usize, u64), faults: &mut Vec<Fault>) {
        for (at, call) in &facts.calls {
            let frees = call.arguments.iter().enumerate().any(|(number, value)| {
                value.atoms().contains(&Atom::Global(variable, 0)) && self.frees(function, call, number)
            });
            if frees && self.may_come(function, call.masks) {
                let what = format!(
                    "{} frees what {} points to ({}), and the signal may come before the pointer is changed",
                    called(self.program, function),
                    self.variable(function.0, variable),
                    where_is(self.program, (function.0, *at)),
                );
                faults.push(self.fault(Rule::Freed, what, used));
            }
        }
    }

    fn lost(&self, function: Place, facts: &Facts, variable: u64, used: (usize, u64), faults: &mut Vec<Fault>) {
        for (at, touch) in &facts.touches {
            let sum = touch.value.iter().flat_map(Value::atoms);
            let changes =
                sum.into_iter().any(|atom| matches!(atom, Atom::Global(other, by) if *other == variable && *by != 0));
            let here = touch.address.only() == Some(Atom::Number(variable));
            if here && changes && self.may_come(function, touch.masks) {
                let what = format!(
                    "{} reads {}, and stores the changed value by another instruction ({}): what the handler \
                     writes in between is lost",
                    called(self.program, function),
                    self.variable(function.0, variable),
                    where_is(self.program, (function.0, *at)),
                );
                faults.push(self.fault(Rule::LostUpdate, what, used));
            }
        }
    }

    fn fault(&self, rule: Rule, what: String, used: (usize, u64)) -> Fault {
        let (chain, at) = chain(self.program, self.reach, used.0, used.1);
        Fault { rule, what, chain, at }
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
    matches!(name.key.as_str(), "free" | "cfree" | "realloc" | "reallocarray" | "munmap" | "g_free" | "fclose")
        || name.path.starts_with("operator delete")
        || symbol.starts_with("_ZdlPv")
        || symbol.starts_with("_ZdaPv")
}
