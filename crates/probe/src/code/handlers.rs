//! The handlers that a program installs: the arguments of `signal`, `sigaction` and their kin, through the
//! program's own functions around them.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Call, Target};
use super::program::{Callee, Known, Place, Program};
use super::value::{Atom, Value};

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
    /// Functions whose addresses are taken for marks in the variable of a handler, not for handlers: see
    /// [`is_mark`](Search::is_mark).
    pub marks: BTreeSet<Place>,
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
    let search = Search {
        program,
        found: Handlers::default(),
        known: BTreeMap::new(),
        named: BTreeSet::new(),
        waiting: Vec::new(),
    };
    search.run()
}

/// The search, with what it has still to do.
struct Search<'a> {
    program: &'a Program,
    found: Handlers,
    /// For each handler, its signals, and where it is installed.
    known: BTreeMap<Place, (BTreeSet<u64>, BTreeSet<Place>)>,
    /// Handlers that an argument names, not a variable.
    named: BTreeSet<Place>,
    waiting: Vec<Installer>,
}

impl Search<'_> {
    fn run(mut self) -> Handlers {
        for object in self.program.own() {
            self.by_library(object, BY_VALUE, Source::Argument(1));
            self.by_library(object, BY_ACTION, Source::Field(1, 0));
            self.by_kernel(object);
        }
        let mut seen: BTreeSet<Installer> = BTreeSet::new();
        while let Some(installer) = self.waiting.pop() {
            if seen.insert(installer.clone()) {
                self.by_function(&installer);
            }
        }
        // A C library's own, for its threads' sake, which no program can send.
        let internal = |signals: &BTreeSet<u64>| signals.iter().all(|signal| matches!(signal, 32 | 33));
        self.known.retain(|_, (signals, _)| signals.is_empty() || !internal(signals));
        let marks: BTreeSet<Place> = self.known.keys().copied().filter(|place| self.is_mark(*place)).collect();
        self.known.retain(|place, _| !marks.contains(place));
        self.found.marks = marks;
        let found = self.known.into_iter().map(|(place, (signals, sites))| Handler { place, signals, sites });
        Handlers { found: found.collect(), ..self.found }
    }

    /// Whether a function is a mark: a program that keeps a handler in a variable may store there the
    /// address of any function, by which it knows that no handler was kept. No argument names such a
    /// function as a handler, and the program calls it itself.
    fn is_mark(&self, (object, start): Place) -> bool {
        let scan = self.program.scan(object);
        let calls = scan.and_then(|scan| scan.callers.get(&start));
        !self.named.contains(&(object, start)) && calls.is_some_and(|callers| callers.iter().any(|from| *from != start))
    }

    /// Calls of functions of the C library.
    fn by_library(&mut self, object: usize, names: &[&str], handler: Source) {
        let program = self.program;
        let installer = Installer { function: None, signal: Source::Argument(0), handler };
        let is = |name: &str| names.contains(&name);
        for function in program.users(object, &is) {
            self.calls((object, function), &installer, |callee| match callee {
                Callee::Library(name, _) => is(name),
                Callee::Code((object, at)) => program.objects[*object].symbol(*at).is_some_and(is),
                Callee::Nothing => false,
            });
        }
    }

    /// Calls of a function of the program.
    fn by_function(&mut self, installer: &Installer) {
        let Some((object, start)) = installer.function else { return };
        let program = self.program;
        for user in program.own() {
            let callers: BTreeSet<u64> = if user == object {
                let scan = program.scan(object);
                scan.and_then(|scan| scan.callers.get(&start)).into_iter().flatten().copied().collect()
            } else {
                let file = &program.objects[object];
                program.users(user, &|name: &str| file.exports.get(name) == Some(&start))
            };
            for caller in callers {
                self.calls((user, caller), installer, |callee| *callee == Callee::Code((object, start)));
            }
        }
    }

    /// The calls of a function that go to an installer.
    fn calls(&mut self, function: Place, installer: &Installer, goes: impl Fn(&Callee) -> bool) {
        let facts = self.program.facts(function);
        for (at, call) in &facts.calls {
            if self.program.callees(function, call).iter().any(&goes) {
                self.installed(function, *at, call, installer);
            }
        }
    }

    /// Programs without a C library whose functions have names ask the kernel.
    fn by_kernel(&mut self, object: usize) {
        let program = self.program;
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
            let facts = program.facts((object, *start));
            for (at, call) in &facts.calls {
                if matches!(&call.target, Target::Kernel(value) if value.as_number() == Some(number)) {
                    self.installed((object, *start), *at, call, &installer);
                }
            }
        }
    }

    fn installed(&mut self, function: Place, at: u64, call: &Call, installer: &Installer) {
        let program = self.program;
        let site = (function.0, at);
        let value = |source: &Source| match source {
            Source::Argument(number) => call.arguments[usize::from(*number)].clone(),
            // Nothing is installed: the action is only asked for.
            Source::Field(number, _) if call.arguments[usize::from(*number)].as_number() == Some(0) => Value::number(0),
            Source::Field(number, offset) => program.behind(function.0, call, *number, *offset),
            Source::Known(_) => Value::Any,
        };
        self.found.sites.insert(site);
        let signal = match &installer.signal {
            Source::Known(known) => Source::Known(known.clone()),
            source => match value(source) {
                Value::Is(Atom::Argument(number, 0)) => Source::Argument(number),
                other => Source::Known(program.known(function, &other)),
            },
        };
        let handler = value(&installer.handler);
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
            self.waiting.push(Installer { function: Some(function), signal: signal.clone(), handler: source });
        }
        // What a structure in memory begins with is no mark either.
        let is_kept =
            |number: u8| call.arguments[usize::from(number)].atoms().iter().any(|a| matches!(a, Atom::Number(_)));
        let in_structure = matches!(installer.handler, Source::Field(number, _) if is_kept(number));
        // Nor is what stands beside the handler of before: a local variable that begins with a mark.
        let has_old = rest.contains(&Atom::Old);
        let by_variable = |atom: &&Atom| (matches!(atom, Atom::Global(..)) || has_old) && !in_structure;
        let named = Value::of(rest.iter().filter(|atom| !by_variable(atom)).copied().collect::<Vec<_>>());
        if !named.atoms().is_empty() {
            let known = program.known(function, &named).into_iter();
            self.named
                .extend(known.filter_map(|known| if let Known::Code(place) = known { Some(place) } else { None }));
        }
        let handlers = match &handler {
            Value::Any => BTreeSet::from([Known::Nothing]),
            _ if rest.is_empty() => return,
            _ => program.known(function, &Value::of(rest)),
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
                    let (all, sites) = self.known.entry(place).or_default();
                    all.extend(&signals);
                    sites.insert(site);
                }
                Known::Nothing => {
                    self.found.unknown.insert(site);
                }
                // SIG_DFL, SIG_IGN, SIG_ERR; a function of the C library.
                Known::Number(_) | Known::Symbol(_) => {}
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

/// A signal's number.
fn number(known: &Known) -> Option<u64> {
    /// No handler can be installed for them: a number that stands for something else comes there, too.
    const KILL_AND_STOP: [u64; 2] = [9, 19];
    match known {
        Known::Number(number @ 1..=64) if !KILL_AND_STOP.contains(number) => Some(*number),
        _ => None,
    }
}
