//! The handlers that a program installs: the arguments of `signal`, `sigaction` and their kin, through the
//! program's own functions around them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::flow::{Call, Target};
use super::program::{Known, Place, Program};
use super::value::{Atom, Value};

/// A handler.
#[derive(Clone, Debug)]
pub(crate) struct Handler {
    pub place: Place,
    /// The signals; none that are known if the number is computed.
    pub signals: BTreeSet<u64>,
    /// Where it is installed.
    pub sites: BTreeSet<Place>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handlers {
    pub found: Vec<Handler>,
    /// Places at which what is installed is not known.
    pub unknown: BTreeSet<Place>,
    /// Places at which something is installed at all.
    pub sites: BTreeSet<Place>,
}

/// Where a function takes something from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Argument(u8),
    /// What its argument points to, so far behind it.
    Field(u8, i32),
    Known(BTreeSet<Known>),
}

/// A function that installs a handler which its caller names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Installer {
    /// It, if it is one of the program's own.
    function: Option<Place>,
    signal: Source,
    handler: Source,
}

/// Functions whose second argument is the handler.
const BY_VALUE: &[&str] =
    &["signal", "bsd_signal", "__bsd_signal", "sysv_signal", "__sysv_signal", "ssignal", "sigset"];
/// Functions whose second argument points to it.
const BY_ACTION: &[&str] = &["sigaction", "__sigaction", "__libc_sigaction", "sigvec"];

/// Finds the handlers.
pub(crate) fn handlers(program: &Program) -> Handlers {
    let mut found = Handlers::default();
    let mut known: BTreeMap<Place, (BTreeSet<u64>, BTreeSet<Place>)> = BTreeMap::new();
    let mut waiting: Vec<Installer> = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    let library = |names: &[&str], handler: Source| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        (names, Installer { function: None, signal: Source::Argument(0), handler })
    };
    let libraries = [library(BY_VALUE, Source::Argument(1)), library(BY_ACTION, Source::Field(1, 0))];
    for object in program.own() {
        for (names, installer) in &libraries {
            let is = |name: &str| names.iter().any(|other| other == name);
            for function in program.users(object, &is) {
                let function = (object, function);
                let facts = program.facts(function);
                for (at, call) in &facts.calls {
                    let named = program.callees(function, call).iter().any(|callee| match callee {
                        super::program::Callee::Library(name, _) => is(name),
                        super::program::Callee::Code((object, at)) => {
                            program.objects[*object].symbol(*at).is_some_and(is)
                        }
                        super::program::Callee::Nothing => false,
                    });
                    if named {
                        installed(program, function, *at, call, installer, &mut known, &mut found, &mut waiting);
                    }
                }
            }
        }
        by_kernel(program, object, &mut known, &mut found, &mut waiting);
    }
    // Functions of the program around them.
    while let Some(installer) = waiting.pop() {
        let Some((object, start)) = installer.function else { continue };
        if !seen.insert(format!("{installer:?}")) {
            continue;
        }
        for user in program.own() {
            let callers: BTreeSet<u64> = if user == object {
                let scan = program.scan(object);
                scan.and_then(|scan| scan.callers.get(&start)).into_iter().flatten().copied().collect()
            } else {
                let file = &program.objects[object];
                let is = |name: &str| file.exports.get(name) == Some(&start);
                program.users(user, &is)
            };
            for caller in callers {
                let function = (user, caller);
                let facts = program.facts(function);
                for (at, call) in &facts.calls {
                    let goes = program
                        .callees(function, call)
                        .iter()
                        .any(|callee| *callee == super::program::Callee::Code((object, start)));
                    if goes {
                        installed(program, function, *at, call, &installer, &mut known, &mut found, &mut waiting);
                    }
                }
            }
        }
    }
    // A C library's own, for its threads' sake, which no program can send.
    let internal =
        |signals: &BTreeSet<u64>| !signals.is_empty() && signals.iter().all(|signal| matches!(signal, 32 | 33));
    known.retain(|_, (signals, _)| !internal(signals));
    found.found = known.into_iter().map(|(place, (signals, sites))| Handler { place, signals, sites }).collect();
    found
}

/// Programs without a C library at hand ask the kernel.
fn by_kernel(
    program: &Program,
    object: usize,
    known: &mut BTreeMap<Place, (BTreeSet<u64>, BTreeSet<Place>)>,
    found: &mut Handlers,
    waiting: &mut Vec<Installer>,
) {
    let file = &program.objects[object];
    if object != 0 || !program.is_static() || file.symbols.contains_key("sigaction") {
        return;
    }
    let number = file.machine.convention().sigaction;
    let installer = Installer { function: None, signal: Source::Argument(0), handler: Source::Field(1, 0) };
    for start in &file.starts {
        let Some(range) = file.function(*start) else { continue };
        if !enters_kernel(program, object, range.start, range.end, number) {
            continue;
        }
        let function = (object, *start);
        let facts = program.facts(function);
        for (at, call) in &facts.calls {
            if matches!(&call.target, Target::Kernel(value) if value.as_number() == Some(number)) {
                installed(program, function, *at, call, &installer, known, found, waiting);
            }
        }
    }
}

/// Whether the code has the system call's number and an entry into the kernel, in a straight line.
fn enters_kernel(program: &Program, object: usize, start: u64, end: u64, number: u64) -> bool {
    use super::step::{Effect, Flow, Operand, Step};
    let file = &program.objects[object];
    let mut step = Step::default();
    let (mut named, mut at) = (false, start);
    while at < end && file.machine.decode(file.bytes(at), at, &mut step) && step.length > 0 {
        named |= step.effects.iter().any(|effect| matches!(effect, Effect::Set(_, Operand::Number(n)) if *n == number));
        if named && step.flow == Flow::Kernel {
            return true;
        }
        at += u64::from(step.length);
    }
    false
}

#[allow(clippy::too_many_arguments)]
fn installed(
    program: &Program,
    function: Place,
    at: u64,
    call: &Call,
    installer: &Installer,
    known: &mut BTreeMap<Place, (BTreeSet<u64>, BTreeSet<Place>)>,
    found: &mut Handlers,
    waiting: &mut Vec<Installer>,
) {
    let site = (function.0, at);
    let value = |source: &Source| match source {
        Source::Argument(number) => call.arguments[usize::from(*number)].clone(),
        Source::Field(number, offset) => {
            let pointer = &call.arguments[usize::from(*number)];
            // Nothing is installed: the action is only asked for.
            if pointer.as_number() == Some(0) {
                return Value::number(0);
            }
            program.behind(function.0, call, *number, *offset)
        }
        Source::Known(_) => Value::Any,
    };
    found.sites.insert(site);
    let signal = match &installer.signal {
        Source::Known(known) => Source::Known(known.clone()),
        source => match value(source) {
            Value::Is(Atom::Argument(number, 0)) => Source::Argument(number),
            other => Source::Known(program.known(function, &other)),
        },
    };
    let handler = match &installer.handler {
        Source::Known(_) => return,
        source => value(source),
    };
    let mut rest = Vec::new();
    for atom in handler.atoms() {
        let source = match *atom {
            Atom::Argument(number, 0) => Source::Argument(number),
            Atom::Field(number, offset) => Source::Field(number, offset),
            other => {
                rest.push(other);
                continue;
            }
        };
        waiting.push(Installer { function: Some(function), signal: signal.clone(), handler: source });
    }
    let handlers = if handler == Value::Any {
        BTreeSet::from([Known::Nothing])
    } else if rest.is_empty() {
        return;
    } else {
        program.known(function, &Value::of(rest))
    };
    let signals: BTreeSet<u64> = match &signal {
        Source::Known(known) => known.iter().filter_map(number).collect(),
        // The callers name it; the handler is this function's.
        Source::Argument(argument) => {
            let value = Value::Is(Atom::Argument(*argument, 0));
            program.known(function, &value).iter().filter_map(number).collect()
        }
        Source::Field(..) => BTreeSet::new(),
    };
    for handler in handlers {
        match handler {
            Known::Code(place) => {
                let (all, sites) = known.entry(place).or_default();
                all.extend(&signals);
                sites.insert(site);
            }
            Known::Nothing => {
                found.unknown.insert(site);
            }
            // SIG_DFL, SIG_IGN, SIG_ERR; a function of the C library.
            Known::Number(_) | Known::Symbol(_) => {}
        }
    }
}

/// A signal's number.
fn number(known: &Known) -> Option<u64> {
    match known {
        Known::Number(number @ 1..=64) => Some(*number),
        _ => None,
    }
}
