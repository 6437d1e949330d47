//! What the handlers of a program do that no handler may do, found in its machine code: the program is read,
//! and never run.
//!
//! ```text
//!  elf ──► scan ──► handlers ──► reach ──► shared ──► Lint
//!  bytes,  who      arguments    the call  variables
//!  symbols calls    of sigaction graph     of both
//!          whom     and its kin  below
//!                       └──── flow: one function, by step and value ────┘
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `elf`, `search` | object files; the libraries that the loader would bind |
//! | `step`, `x86`, `arm` | what one instruction does, on each processor |
//! | `value`, `flow`, `facts`, `special` | what a function's registers, stack and signal masks hold |
//! | `scan`, `program` | who calls whom; what a pointer may be, when all callers are asked |
//! | `handlers`, `reach`, `shared` | the three questions |
//! | `meets` | where to sweep: functions that use what the handler uses |
//!
//! # Limits
//! A handler whose address is computed is not found. A call through a pointer that is computed, such as a
//! virtual function, is not followed. Both are counted and said. A variable is followed by its address; what
//! is written through another pointer to it is not seen.

mod arm;
mod elf;
mod facts;
mod flow;
mod frames;
mod handlers;
mod meets;
mod program;
mod reach;
mod scan;
mod search;
mod shared;
mod special;
mod step;
mod value;
mod x86;

use std::collections::BTreeSet;
use std::path::Path;

use sigproof_inspect::rules::signals;

use crate::Trouble;
use crate::lint::{Lint, Source};
use handlers::{Handler, Handlers};
use program::Program;
use reach::{called, where_is};

/// The stack of the thread that reads: functions ask about those that they call.
const STACK: usize = 512 << 20;

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    pub lints: Vec<Lint>,
    /// What the reader has to know of the program as a whole.
    pub notes: Vec<String>,
    /// There may be handlers that were not found.
    pub incomplete: bool,
}

/// Reads the program at `path`, and judges the handlers of these signals, or of all.
///
/// # Errors
/// [`Trouble::Usage`] if it is no program that can be read.
pub fn read(path: &Path, asked: &[i32]) -> Result<Reading, Trouble> {
    let (path, asked) = (path.to_owned(), asked.to_owned());
    let reader = std::thread::Builder::new().stack_size(STACK).spawn(move || whole(&path, &asked));
    let reader = reader.map_err(crate::refused("clone"))?;
    match reader.join() {
        Ok(read) => read,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn whole(path: &Path, asked: &[i32]) -> Result<Reading, Trouble> {
    let program = program::read(path).map_err(Trouble::Usage)?;
    let handlers = handlers::handlers(&program);
    let mut notes = Vec::new();
    if !program.missing.is_empty() {
        notes.push(format!("libraries that were not found, and so not read: {}", program.missing.join(", ")));
    }
    if !handlers.unknown.is_empty() {
        let places: Vec<String> = handlers.unknown.iter().take(4).map(|place| where_is(&program, *place)).collect();
        let count = handlers.unknown.len();
        notes.push(format!(
            "at {count} of {} places, which handler is installed is computed: it was not found ({}{})",
            handlers.sites.len(),
            places.join(", "),
            if count > places.len() { ", ..." } else { "" },
        ));
    }
    if !handlers.marks.is_empty() {
        let marks: Vec<String> = handlers.marks.iter().map(|place| called(&program, *place)).collect();
        notes.push(format!(
            "taken for marks, not for handlers: {}; each is stored in a variable from which handlers are installed, no \
             argument names it, and the program calls it itself",
            marks.join(", ")
        ));
    }
    let wanted = |handler: &&Handler| {
        asked.is_empty()
            || handler.signals.is_empty()
            || asked.iter().any(|signal| handler.signals.contains(&u64::from(signal.unsigned_abs())))
    };
    let lints = handlers.found.iter().filter(wanted).map(|handler| judged(&program, &handlers, handler)).collect();
    let nameless = program.is_nameless();
    if nameless {
        notes.push(
            "the C library is a part of the program, and its symbols are stripped: its functions cannot be told from \
             the program's own; remedy: name the file as it was before it was stripped, or a build with a shared C library"
                .to_owned(),
        );
    }
    Ok(Reading {
        lints,
        notes,
        incomplete: nameless || !handlers.marks.is_empty() || handlers.unknown.iter().any(|(object, _)| *object == 0),
    })
}

fn judged(program: &Program, handlers: &Handlers, handler: &Handler) -> Lint {
    let names: Vec<String> = handler.signals.iter().filter_map(|signal| signals::by_number(*signal, false)).collect();
    let signal = if names.is_empty() { "a signal that is computed".to_owned() } else { names.join(", ") };
    let name = called(program, handler.place);
    let mut lint = Lint::new(program.objects[0].name.clone(), signal, name, Source::Code);
    let installed: BTreeSet<String> = handler.sites.iter().map(|site| where_is(program, *site)).collect();
    lint.installed = installed.into_iter().collect();
    let reach = reach::reach(program, handler.place);
    lint.functions = reach.functions.len() as u64;
    lint.faults.clone_from(&reach.faults);
    lint.faults.extend(shared::shared(program, handlers, handler, &reach));
    lint.unknown = reach.unknown.iter().map(|place| where_is(program, *place)).collect();
    lint.unknown.extend(reach.nameless.iter().map(|place| called(program, *place)));
    if handler.place.0 != 0 {
        let library = &program.objects[handler.place.0].name;
        lint.notes.push(format!("{library} has this handler, and installs it if the program asks for that"));
    }
    if !reach.bare.is_empty() {
        let bare: Vec<&str> = reach.bare.iter().map(String::as_str).collect();
        lint.notes
            .push(format!("on no list, and bare system calls or without state of their own: {}", bare.join(", ")));
    }
    if !reach.checks.is_empty() {
        let checks: Vec<&str> = reach.checks.iter().map(String::as_str).collect();
        lint.notes.push(format!("throws an exception if a check fails: {}", checks.join(", ")));
    }
    if !reach.nameless.is_empty() {
        lint.notes.push(format!(
            "{} functions have no name that a list could judge: the C library is a part of the program, and its \
             symbols are stripped",
            reach.nameless.len()
        ));
    }
    if reach.cut {
        lint.notes.push("it is too large to be followed to its end".to_owned());
        lint.unknown.push("what follows".to_owned());
    }
    let returns = program.facts(handler.place).returns.is_some();
    if let Some(function) =
        reach.changes_errno.as_ref().filter(|_| returns && !reach.asks_errno && !program.is_static())
    {
        lint.notes.push(format!("errno is not saved: {function} may change it; save it first, and put it back last"));
    }
    lint.meets = meets::meets(program, handlers, &reach);
    lint.calls = reach.calls;
    lint
}
