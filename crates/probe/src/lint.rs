//! What a handler does that no handler may do, as data.
//!
//! | source | what it sees | what it does not see |
//! |---|---|---|
//! | [`Source::Run`] | every call of the executions that were run, through all libraries | branches that were not taken |
//! | [`Source::Code`] | every branch of the handler and of what it calls | calls through pointers that are computed |

use serde::{Deserialize, Serialize};
use sigproof_inspect::rules::name::Name;
use sigproof_report::words;

mod lists;
mod own;
mod text;
mod windows;

pub use lists::{Listed, is_system, listed};
pub use own::{Own, own_lock};
pub use windows::{Window, windows};

words! {
    /// Where a finding comes from.
    Source, "source" {
        /// The handler was executed, instruction by instruction.
        Run = "as it runs",
        /// The program's machine code was read.
        Code = "in the machine code",
    }
}

words! {
    /// A rule about handlers that is not about the lists.
    Rule, "rule" {
        /// The handler ends by a jump into the interrupted code.
        Jump = "jump out of the handler",
        /// The program frees memory while the handler may still reach it.
        Freed = "freed while the handler may use it",
        /// The program changes a variable in several instructions, and the handler writes it.
        LostUpdate = "lost update",
    }
}

/// The handler of one signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lint {
    /// The program, as it was named.
    pub program: String,
    /// The signal, or several that have the same handler.
    pub signal: String,
    /// The handler's name.
    pub handler: String,
    /// How it was looked at.
    pub source: Source,
    /// Where the handler is installed, if the machine code was read.
    pub installed: Vec<String>,
    /// Instructions that it executed, of all its executions.
    pub instructions: u64,
    /// How often it was run.
    pub runs: u32,
    /// Functions of the program and of its libraries that were read: the handler, and what it reaches.
    pub functions: u64,
    /// Calls that are on no list.
    pub calls: Vec<Call>,
    /// What breaks another rule.
    pub faults: Vec<Fault>,
    /// Functions of the program in which the signal meets something that the handler uses: no findings.
    #[serde(default)]
    pub meets: Vec<Meet>,
    /// Places at which it was not known what is called.
    pub unknown: Vec<String>,
    /// What the reader has to know.
    pub notes: Vec<String>,
}

/// A call of a handler that is on no list of async-signal-safe functions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Call {
    pub function: String,
    /// The object file that has it.
    pub object: String,
    /// The callers, the handler first.
    pub chain: Vec<String>,
    /// Where each of them calls the next, if the machine code was read.
    pub at: Vec<String>,
    /// Functions that take a lock, called from there, itself included.
    pub locking: Vec<String>,
    /// The calls from the function to one that takes a lock, both included: to the allocator, if that is
    /// reached.
    pub way: Vec<String>,
}

/// What a handler does that breaks a rule which is not about the lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fault {
    pub rule: Rule,
    /// What was seen.
    pub what: String,
    /// The functions from the handler on.
    pub chain: Vec<String>,
    /// The places that take part.
    pub at: Vec<String>,
    /// The program's functions in which the signal does harm.
    #[serde(default)]
    pub functions: Vec<String>,
}

/// A function of the program in which the signal meets something that the handler uses. It is a place to be
/// swept: whether the signal does harm there, machine code does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Meet {
    /// The function, by which a window is named.
    pub function: String,
    /// What the two have in common.
    pub why: String,
}

impl Call {
    /// The function leads to another that takes a lock, the last of these.
    pub(crate) fn leads_to(&mut self, way: Vec<String>) {
        let Some(symbol) = way.last() else { return };
        // Of several locks, the allocator's says most; and of its functions, one that allocates.
        let rank = |symbol: &str| match Name::of(symbol).key.as_str() {
            "malloc" | "calloc" | "realloc" | "operator new" => 3,
            "free" => 2,
            _ => 1,
        };
        if !self.locking.contains(symbol) {
            self.locking.push(symbol.clone());
        }
        // Of the allocator itself no way is shown, nor one to a part of the function.
        if way.len() < 2 || rank(&self.function) > 1 || Name::of(symbol).key == Name::of(&self.function).key {
            return;
        }
        let shown = self.way.last().filter(|_| self.way.len() > 1).map_or(0, |symbol| rank(symbol));
        if rank(symbol) > shown {
            self.way = way;
        }
    }
}

impl Lint {
    /// Nothing is known yet.
    pub(crate) fn new(program: String, signal: String, handler: String, source: Source) -> Self {
        Self {
            program,
            signal,
            handler,
            source,
            installed: Vec::new(),
            instructions: 0,
            runs: 0,
            functions: 0,
            calls: Vec::new(),
            faults: Vec::new(),
            meets: Vec::new(),
            unknown: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Locks of the program's own that calls take: by their names; and, as the handler runs, further down,
    /// such as in a function of `pthread_atfork`. What the machine code of a library names besides is for
    /// rare kinds of the call.
    pub fn own_locks(&self) -> impl Iterator<Item = &'static Own> {
        let runs = self.source == Source::Run;
        let named = self.calls.iter().filter_map(|call| own_lock(&call.function));
        let below = self.calls.iter().filter(move |_| runs).flat_map(|call| &call.locking);
        named.chain(below.filter_map(|symbol| own_lock(symbol)))
    }

    /// Whether something was found.
    pub fn is_bad(&self) -> bool {
        !self.calls.is_empty() || !self.faults.is_empty()
    }

    /// Whether nothing was found, and that is not all that can be said.
    pub fn is_open(&self) -> bool {
        !self.is_bad() && !self.unknown.is_empty()
    }
}
