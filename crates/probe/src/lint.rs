//! What a handler calls that no handler may call, as data, and the windows that follow from it.

use std::fmt;

use serde::{Deserialize, Serialize};
use sigproof_inspect::rules::locks::{self, Lock};
use sigproof_inspect::rules::name::Name;
use sigproof_inspect::rules::safety::{self, RULE};

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
    /// Instructions that it executed, of all its executions.
    pub instructions: u64,
    /// How often it was run.
    pub runs: u32,
    /// Calls that are on no list.
    pub calls: Vec<Call>,
    /// What the reader has to know.
    pub notes: Vec<String>,
}

/// A call of a handler that is on no list of async-signal-safe functions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Call {
    /// The function.
    pub function: String,
    /// The object file that has it.
    pub object: String,
    /// The callers, the handler first.
    pub chain: Vec<String>,
    /// Functions that take a lock, called from there, itself included.
    pub locking: Vec<String>,
}

/// What the lists say about a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// It is async-signal-safe.
    Safe,
    /// It is known not to be.
    Unsafe,
    /// Nothing.
    Neither,
}

/// Ends of names that a libc gives to implementations of one function for different processors.
const VARIANTS: &[&str] = &["_avx", "_sse", "_evex", "_erms", "_unaligned", "_ssse", "_generic"];

/// Helpers that a compiler or a loader calls by itself, and that take no lock once symbols are bound.
const HELPERS: &[&str] = &[
    "errno_location",
    "stack_chk_fail",
    "tls_get_addr",
    "pthread_enable_asynccancel",
    "pthread_disable_asynccancel",
    "syscall_cancel",
    "restore_rt",
    "setjmp",
    "sigsetjmp",
    "sigjmp_save",
    "longjmp_chk",
    "sigprocmask",
    "longjmp_unwind",
];

/// What the lists say about a function of this name.
pub fn listed(symbol: &str) -> Listed {
    let name = Name::of(symbol);
    let key = name.key.as_str();
    let plain = VARIANTS.iter().filter_map(|end| key.find(end)).min().map_or(key, |at| &key[..at]);
    // POSIX.1-2024 has added the one, and removed the other: it takes the allocator's locks.
    if symbol == "_Fork" {
        return Listed::Safe;
    }
    if plain == "fork" {
        return Listed::Unsafe;
    }
    let plain = Name::of(plain);
    if safety::is_safe(&plain) || HELPERS.contains(&plain.key.as_str()) {
        return Listed::Safe;
    }
    if safety::is_unsafe(&name) { Listed::Unsafe } else { Listed::Neither }
}

/// Functions of the C library that take each lock and that programs call, the likeliest first.
const WINDOWS: &[(Lock, &[&str])] = &[
    (Lock::Heap, &["malloc", "free", "calloc", "realloc"]),
    (Lock::TimeZone, &["localtime_r", "localtime", "gmtime_r", "mktime", "strftime", "tzset"]),
    (Lock::Stdio, &["fwrite", "fputs", "puts", "printf", "fprintf", "vfprintf", "putc", "fflush"]),
    (Lock::Syslog, &["syslog", "vsyslog", "openlog", "closelog"]),
    (Lock::Loader, &["dlopen", "dlsym", "dlclose", "dl_iterate_phdr"]),
    (Lock::Random, &["random", "rand", "srandom"]),
    (Lock::Environment, &["setenv", "putenv", "unsetenv"]),
    (Lock::Exit, &["atexit", "exit"]),
];

/// The windows in which a signal may meet a lock that these calls take, the likeliest first: what is called
/// on the way itself, then its kin.
pub fn windows(lints: &[Lint]) -> Vec<String> {
    let locking = || lints.iter().flat_map(|lint| &lint.calls).flat_map(|call| &call.locking);
    let taken: Vec<Lock> = locking().filter_map(|name| locks::of(&Name::of(name))).map(|(lock, _)| lock).collect();
    let mut found: Vec<String> = Vec::new();
    let kin = WINDOWS.iter().filter(|(lock, _)| taken.contains(lock)).flat_map(|(_, names)| *names);
    for name in kin {
        if !found.iter().any(|other| other == name) {
            found.push((*name).to_owned());
        }
    }
    // A lock of the program's own: the function that takes it says nothing of where else it is taken.
    found
}

/// Functions that take a lock that the text names.
const SHOWN: usize = 8;

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, signal, handler, calls, .. } = self;
        let count = match calls.len() {
            0 => "nothing that is on no list".to_owned(),
            1 => "1 call that is on no list".to_owned(),
            count => format!("{count} calls that are on no list"),
        };
        writeln!(f, "## the handler of {signal}, {handler}, of {program}: {count}")?;
        for call in calls {
            writeln!(f, "  {} ({})", call.function, call.object)?;
            writeln!(f, "     called by {}", call.chain.join(" > "))?;
            // The C library's inner functions have names of their own making.
            let public = |name: &&String| !name.starts_with('_') && !name.contains('.');
            let locking: Vec<&str> = call.locking.iter().filter(public).map(String::as_str).collect();
            if !locking.is_empty() {
                let more = locking.len().saturating_sub(SHOWN);
                let more = if more == 0 { String::new() } else { format!(", and {more} more") };
                writeln!(f, "     takes locks in {}{more}", locking[..locking.len().min(SHOWN)].join(", "))?;
            }
        }
        if !calls.is_empty() {
            writeln!(f, "  rule: {RULE}")?;
        }
        writeln!(f, "  seen in {} executions, of {} instructions", self.runs, self.instructions)?;
        self.notes.iter().try_for_each(|note| writeln!(f, "  note: {note}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("write", Listed::Safe)]
    #[case("__memcpy_avx_unaligned_erms", Listed::Safe)]
    #[case("__strlen_avx2", Listed::Safe)]
    #[case("__errno_location", Listed::Safe)]
    #[case("fork", Listed::Unsafe)]
    #[case("_Fork", Listed::Safe)]
    #[case("syslog", Listed::Unsafe)]
    #[case("__vsyslog_internal", Listed::Unsafe)]
    #[case("malloc", Listed::Unsafe)]
    #[case("on_alarm", Listed::Neither)]
    fn lists(#[case] name: &str, #[case] expected: Listed) {
        assert_eq!(listed(name), expected);
    }

    #[test]
    fn windows_are_those_of_the_locks() {
        let call = Call {
            function: "syslog".to_owned(),
            object: "libc.so.6".to_owned(),
            chain: vec!["on_alarm".to_owned()],
            locking: vec!["syslog".to_owned(), "malloc".to_owned()],
        };
        let lint = Lint {
            program: String::new(),
            signal: String::new(),
            handler: String::new(),
            instructions: 0,
            runs: 1,
            calls: vec![call],
            notes: Vec::new(),
        };
        let windows = windows(&[lint]);
        assert_eq!(windows[0], "malloc");
        assert!(windows.contains(&"syslog".to_owned()) && !windows.contains(&"localtime_r".to_owned()));
    }
}
