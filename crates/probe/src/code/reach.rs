//! What a handler reaches: the call graph below it, to the functions that the lists judge.
//!
//! The program and its own libraries are followed. A function of the C library is a leaf: the lists judge it,
//! and its machine code is read only to say which locks it takes.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use sigproof_inspect::rules::locks::{self, Lock};
use sigproof_inspect::rules::name::Name;
use sigproof_inspect::rules::safety;

use super::program::{Callee, Place, Program};
use super::scan;
use crate::lint::{Call, Fault, Listed, Rule, listed, own_lock};

/// Functions that are followed from one handler at most.
const MOST: usize = 20_000;
/// Functions of a library that are read for one call.
const INSIDE: usize = 4_000;
/// Functions that take locks, of one call.
const LOCKS: usize = 40;

/// What was reached.
#[derive(Default)]
pub(crate) struct Reach {
    /// The functions, the handler first, each with the number of its caller and the place of the call.
    pub functions: Vec<(Place, Option<(usize, u64)>)>,
    pub calls: Vec<Call>,
    pub faults: Vec<Fault>,
    /// Where it is not known what is called.
    pub unknown: BTreeSet<Place>,
    /// Functions that are on no list and do no harm.
    pub bare: BTreeSet<String>,
    /// Functions that throw where a check of the C++ library fails.
    pub checks: BTreeSet<String>,
    /// Functions without a name, which no list can judge.
    pub nameless: BTreeSet<Place>,
    /// A function that may change `errno`, and whether `errno` is asked for anywhere.
    pub changes_errno: Option<String>,
    pub asks_errno: bool,
    /// Functions that were not followed to their ends.
    pub cut: bool,
}

/// Follows the handler.
pub(crate) fn reach(program: &Program, handler: Place) -> Reach {
    let mut reach = Reach { functions: vec![(handler, None)], ..Reach::default() };
    let mut known: HashMap<Place, usize> = HashMap::from([(handler, 0)]);
    let mut waiting = VecDeque::from([0]);
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(number) = waiting.pop_front() {
        let (function, _) = reach.functions[number];
        let facts = program.facts(function);
        reach.cut |= facts.cut;
        reach.unknown.extend(facts.lost.iter().map(|at| (function.0, *at)));
        for (at, call) in &facts.calls {
            for callee in program.callees(function, call) {
                match callee {
                    Callee::Nothing => {
                        reach.unknown.insert((function.0, *at));
                    }
                    Callee::Library(name, place) => {
                        leaf(program, &mut reach, &mut told, number, *at, &name, place);
                    }
                    Callee::Code(place) => {
                        let symbol = program.objects[place.0].symbol(place.1);
                        if let Some(symbol) = symbol.filter(|symbol| is_leaf(program, symbol)) {
                            let symbol = symbol.to_owned();
                            leaf(program, &mut reach, &mut told, number, *at, &symbol, Some(place));
                            continue;
                        }
                        if program.is_static() && symbol.is_none() {
                            reach.nameless.insert(place);
                        }
                        if known.len() < MOST && !known.contains_key(&place) {
                            known.insert(place, reach.functions.len());
                            waiting.push_back(reach.functions.len());
                            reach.functions.push((place, Some((number, *at))));
                        }
                    }
                }
            }
        }
    }
    reach.cut |= known.len() >= MOST;
    reach
}

/// Whether a function of the program is judged by its name: where the C library is a part of the program, and
/// where the name is that of an allocator or of a language's own library.
fn is_leaf(program: &Program, symbol: &str) -> bool {
    let judged = listed(symbol);
    if program.is_static() {
        return judged != Listed::Neither || safety::is_jump(&Name::of(symbol));
    }
    let name = Name::of(symbol);
    let lock = locks::of(&name).map(|(lock, _)| lock);
    judged == Listed::Unsafe && (lock == Some(Lock::Heap) || (name.key.contains("::") && lock.is_some()))
}

/// Names that never change `errno`, among those that a handler may call.
fn keeps_errno(symbol: &str) -> bool {
    let key = Name::of(symbol).key;
    let starts = [
        "pthread_mutex",
        "pthread_rwlock",
        "pthread_spin",
        "pthread_cond",
        "pthread_once",
        "pthread_sigmask",
        "mem",
        "str",
        "wcs",
        "wmem",
        "stp",
        "sigempty",
        "sigfill",
        "sigadd",
        "sigdel",
        "sigismember",
        "get",
        "_exit",
    ];
    starts.iter().any(|start| key.starts_with(start))
        || safety::is_jump(&Name::of(symbol))
        || matches!(
            key.as_str(),
            "abort"
                | "raise"
                | "umask"
                | "time"
                | "htonl"
                | "htons"
                | "ntohl"
                | "ntohs"
                | "errno_location"
                | "stack_chk_fail"
                | "pthread_self"
                | "setjmp"
                | "sigsetjmp"
                | "alarm"
                | "ctype_b_loc"
                | "tls_get_addr"
        )
}

fn leaf(
    program: &Program,
    reach: &mut Reach,
    told: &mut BTreeMap<String, usize>,
    caller: usize,
    at: u64,
    symbol: &str,
    place: Option<Place>,
) {
    let name = Name::of(symbol);
    if name.key == "errno_location" {
        reach.asks_errno = true;
    }
    if safety::is_check(&name) {
        reach.checks.insert(shown(symbol));
        return;
    }
    if !keeps_errno(symbol) && reach.changes_errno.is_none() {
        reach.changes_errno = Some(shown(symbol));
    }
    if safety::is_jump(&name) {
        let (chain, places) = chain(program, reach, caller, at);
        let what = format!("{}: the code that it leaves must call nothing that is on no list", shown(symbol));
        let fault = Fault { rule: Rule::Jump, what, chain, at: places, functions: Vec::new() };
        if !reach.faults.contains(&fault) {
            reach.faults.push(fault);
        }
        return;
    }
    match listed(symbol) {
        Listed::Safe => return,
        Listed::Bare => {
            reach.bare.insert(shown(symbol));
            return;
        }
        Listed::Unsafe | Listed::Neither => {}
    }
    // The first chain that leads there is the shortest.
    if told.contains_key(symbol) {
        return;
    }
    let (functions, places) = chain(program, reach, caller, at);
    let object = place.map_or("a library that was not found", |(object, _)| program.objects[object].name.as_str());
    let function = shown(symbol);
    let mut call = Call {
        locking: if locks::of(&name).is_some() || own_lock(symbol).is_some() {
            vec![function.clone()]
        } else {
            Vec::new()
        },
        way: vec![function.clone()],
        function,
        object: object.to_owned(),
        chain: functions,
        at: places,
    };
    // A lock of the program's own. What such a function reaches besides is for rare kinds of it.
    if let Some(place) = place.filter(|_| own_lock(symbol).is_none()) {
        inside(program, place, &mut call);
    }
    told.insert(symbol.to_owned(), reach.calls.len());
    reach.calls.push(call);
}

/// A symbol as its author wrote it.
fn shown(symbol: &str) -> String {
    sigproof_inspect::diagnose::demangled(symbol)
}

/// The functions from the handler to a call, and where each calls the next.
pub(crate) fn chain(program: &Program, reach: &Reach, caller: usize, at: u64) -> (Vec<String>, Vec<String>) {
    let (mut functions, mut places) = (Vec::new(), Vec::new());
    let mut next = Some((caller, at));
    while let Some((number, at)) = next {
        let Some((function, from)) = reach.functions.get(number) else { break };
        functions.push(called(program, *function));
        places.push(where_is(program, (function.0, at)));
        next = *from;
    }
    functions.reverse();
    places.reverse();
    (functions, places)
}

/// A function's name.
pub(crate) fn called(program: &Program, place: Place) -> String {
    let (object, at) = place;
    let file = &program.objects[object];
    let known = file.lines().map(|lines| lines.place(at)).filter(|place| place.offset == 0);
    known.and_then(|place| place.symbol).unwrap_or_else(|| format!("{}+{at:#x}", file.name))
}

/// A place: the source line, if it is known.
pub(crate) fn where_is(program: &Program, place: Place) -> String {
    let (object, at) = place;
    let file = &program.objects[object];
    let source = file.lines().and_then(|lines| lines.place(at).source());
    source.unwrap_or_else(|| format!("{}+{at:#x}", file.name))
}

/// Where the C library ends the process: locks do not matter any more.
fn is_end(symbol: &str) -> bool {
    let key = Name::of(symbol).key;
    matches!(
        key.as_str(),
        "abort"
            | "fatal"
            | "libc_fatal"
            | "libc_message"
            | "message"
            | "assert_fail"
            | "assert_fail_base"
            | "assert"
            | "fortify_fail"
            | "stack_chk_fail"
            | "chk_fail"
            | "malloc_printerr"
            | "malloc_assert"
            | "pthread_unwind"
            | "unwind"
            | "Unwind_Resume"
            | "do_cancel"
            | "pthread_exit"
            | "exit"
            | "run_exit_handlers"
            | "IO_vtable_check"
    ) || key.starts_with("libc_fatal")
}

/// The locks that a library's function takes in what it calls, as far as calls go to a known place.
fn inside(program: &Program, place: Place, call: &mut Call) {
    let mut from: HashMap<Place, Place> = HashMap::new();
    let mut waiting = VecDeque::from([place]);
    let name = |place: Place| program.objects[place.0].symbol(place.1);
    let mut seen = BTreeSet::from([place]);
    while let Some(function) = waiting.pop_front() {
        if seen.len() > INSIDE || call.locking.len() > LOCKS {
            return;
        }
        let symbol = name(function);
        if function != place && symbol.is_some_and(|symbol| listed(symbol) == Listed::Unsafe) {
            let mut way = Vec::new();
            let mut at = function;
            loop {
                way.push(called(program, at));
                match from.get(&at) {
                    Some(caller) => at = *caller,
                    None => break,
                }
            }
            way.reverse();
            if let Some(first) = way.first_mut() {
                call.function.clone_into(first);
            }
            call.leads_to(way);
        }
        if symbol.is_some_and(is_end) && function != place {
            continue;
        }
        let file = &program.objects[function.0];
        let (code, symbols) = scan::direct(file, function.1);
        let code = code.into_iter().map(|to| program.code(function.0, to));
        let symbols = symbols.into_iter().map(|number| program.definition(function.0, number));
        for callee in code.chain(symbols).collect::<Vec<_>>() {
            let (Callee::Code(to) | Callee::Library(_, Some(to))) = callee else { continue };
            if seen.insert(to) {
                from.insert(to, function);
                waiting.push_back(to);
            }
        }
    }
}
