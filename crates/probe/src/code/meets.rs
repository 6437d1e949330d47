//! Functions of the program in which the signal meets something that the handler uses. Each is a place to be
//! swept; none is a finding.
//!
//! | the handler | the function |
//! |---|---|
//! | uses a variable | uses it as well |
//! | calls a function that is on no list | calls it as well |
//! | may change `errno` and does not save it | asks for `errno` |
//! | leaves by a jump | prepares a jump |
//! | does anything | waits in a call that a handler interrupts |
//!
//! The kinds are in the order of the table, and functions with more variables in common come first. A
//! function that blocks the signal is proposed as well: a sweep shows whether it does so everywhere.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::handlers::Handlers;
use super::program::{Place, Program};
use super::reach::{Reach, called};
use super::value::{Atom, Value};
use crate::lint::{Fault, Meet, Rule};

/// Functions that are proposed for one handler at most, of each kind.
const MOST: usize = 6;

/// Variables that a sentence names.
const NAMED: usize = 3;

/// Variables of the C library that lie in the program, or that its start uses.
const STREAMS: &[&str] = &["stdin", "stdout", "stderr", "environ", "__environ", "optarg", "optind"];

/// Calls that may sleep, and that fail with `EINTR` after a handler: always, or without `SA_RESTART`.
const WAITS: &[&str] = &[
    "pause",
    "sigsuspend",
    "select",
    "pselect",
    "poll",
    "ppoll",
    "epoll_wait",
    "epoll_pwait",
    "nanosleep",
    "usleep",
    "sleep",
    "clock_nanosleep",
    "sem_wait",
    "sem_timedwait",
    "read",
    "recv",
    "recvfrom",
    "recvmsg",
    "accept",
    "accept4",
    "connect",
    "wait",
    "waitpid",
    "wait3",
    "wait4",
    "msgrcv",
    "semop",
    "sigwaitinfo",
    "sigtimedwait",
];

/// Calls that save where a jump comes back to.
const PREPARES: &[&str] = &["setjmp", "_setjmp", "sigsetjmp", "__sigsetjmp"];

/// Finds the functions.
pub(crate) fn meets(program: &Program, handlers: &Handlers, reach: &Reach) -> Vec<Meet> {
    // In a static program without names, functions of the C library cannot be told from the program's own.
    if program.is_nameless() {
        return Vec::new();
    }
    let mut inside: BTreeSet<Place> = reach.functions.iter().map(|(place, _)| *place).collect();
    inside.extend(handlers.found.iter().map(|handler| handler.place));
    let mut found = Found { program, inside, meets: Vec::new() };
    found.by_variables(reach);
    for call in &reach.calls {
        let key = program.key(&call.function);
        found
            .by_calls(&|name| program.key(name) == key, &|| format!("it calls {}, as the handler does", call.function));
    }
    if let Some(function) = reach.changes_errno.as_ref().filter(|_| !reach.asks_errno) {
        let why = || format!("it asks for errno, which the handler may change by {function}");
        found.by_calls(&|name| matches!(name, "__errno_location" | "___errno_location"), &why);
    }
    if reach.faults.iter().any(|fault: &Fault| fault.rule == Rule::Jump) {
        found.by_calls(&|name| PREPARES.contains(&name), &|| {
            "the handler may jump to it, out of what it calls".to_owned()
        });
    }
    found.by_calls(&|name| WAITS.contains(&name), &|| "it waits in a call that a handler interrupts".to_owned());
    found.meets
}

struct Found<'a> {
    program: &'a Program,
    /// Handlers, and what this one reaches.
    inside: BTreeSet<Place>,
    meets: Vec<Meet>,
}

impl Found<'_> {
    /// Whether a function is one of the program's own that can be swept: it is called more than once.
    fn is_window(&self, function: Place) -> bool {
        let file = &self.program.objects[function.0];
        let starts = function.0 == 0 && (function.1 == file.entry || Some(function.1) == self.program.main());
        let is_made = |name: &str| name.starts_with("_GLOBAL__sub_I_") || name.starts_with("_dl_relocate_static_pie");
        !starts && !self.inside.contains(&function) && !file.symbol(function.1).is_some_and(is_made)
    }

    /// Adds functions, as many as a kind may.
    fn add(&mut self, functions: impl IntoIterator<Item = (Place, String)>) {
        let mut left = MOST;
        for (place, why) in functions {
            let function = called(self.program, place);
            if left > 0 && !self.meets.iter().any(|meet| meet.function == function) {
                left -= 1;
                self.meets.push(Meet { function, why });
            }
        }
    }

    /// Functions that use a variable of the handler's.
    fn by_variables(&mut self, reach: &Reach) {
        let mut users: BTreeMap<Place, BTreeSet<u64>> = BTreeMap::new();
        for (object, variable) in self.variables(reach) {
            let Some(scan) = self.program.scan(object) else { continue };
            for function in scan.mentions.get(&variable).into_iter().flatten() {
                if self.is_window((object, *function)) {
                    users.entry((object, *function)).or_default().insert(variable);
                }
            }
        }
        let mut users: Vec<(Place, BTreeSet<u64>)> = users.into_iter().collect();
        users.sort_by_key(|(_, variables)| Reverse(variables.len()));
        let told: Vec<(Place, String)> = users
            .into_iter()
            .map(|(place, variables)| {
                let names: BTreeSet<String> = variables.iter().map(|at| self.variable(place.0, *at)).collect();
                let names: Vec<String> = names.into_iter().collect();
                let shown = names[..names.len().min(NAMED)].join(", ");
                (place, format!("it uses {shown}, as the handler does"))
            })
            .collect();
        self.add(told);
    }

    /// Variables that the handler uses, or whose addresses it passes on.
    fn variables(&self, reach: &Reach) -> BTreeSet<(usize, u64)> {
        let mut found = BTreeSet::new();
        for (function, _) in &reach.functions {
            let file = &self.program.objects[function.0];
            let facts = self.program.facts(*function);
            let touched = facts.touches.values().flat_map(|touch| touch.address.atoms());
            let passed = facts.calls.values().flat_map(|call| &call.arguments).flat_map(Value::atoms);
            for atom in touched.chain(passed) {
                if let Atom::Number(at) | Atom::Walk(at, _) | Atom::Global(at, _) = *atom
                    && file.is_writable(at)
                    && !STREAMS.contains(&self.variable(function.0, at).as_str())
                {
                    found.insert((function.0, at));
                }
            }
        }
        found
    }

    fn variable(&self, object: usize, at: u64) -> String {
        let file = &self.program.objects[object];
        match file.lines().and_then(|lines| lines.variable(at)) {
            Some((name, _)) => name,
            None => format!("{}+{at:#x}", file.name),
        }
    }

    /// Functions that call one of the C library's.
    fn by_calls(&mut self, is: &dyn Fn(&str) -> bool, why: &dyn Fn() -> String) {
        let mut found = Vec::new();
        for object in self.program.own() {
            let users = self.program.users(object, is).into_iter().map(|function| (object, function));
            found.extend(users.filter(|place| self.is_window(*place)).map(|place| (place, why())));
        }
        self.add(found);
    }
}
