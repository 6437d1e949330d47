//! The windows that follow from what handlers call: functions in which a signal may meet a lock that the
//! handler takes.

use std::fmt;

use serde::{Deserialize, Serialize};
use sigproof_inspect::rules::locks::{self, Lock};
use sigproof_inspect::rules::name::Name;

use super::{Lint, Source};

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

/// A window to be swept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Window {
    pub function: String,
    /// The lock, in words.
    pub lock: String,
    /// How it is known that the handler takes that lock.
    pub sources: Vec<Source>,
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: Vec<_> = self.sources.iter().map(|source| source.as_str()).collect();
        write!(f, "{}: {}, seen {}", self.function, self.lock, sources.join(" and "))
    }
}

/// The windows in which a signal may meet a lock that these calls take. First those that both sources have
/// seen, then those that were seen as the handler ran, then the others; within each, the likeliest lock
/// first.
pub fn windows(lints: &[Lint]) -> Vec<Window> {
    let taken = |source: Source| -> Vec<Lock> {
        let calls = lints.iter().filter(|lint| lint.source == source).flat_map(|lint| &lint.calls);
        calls
            .flat_map(|call| &call.locking)
            .filter_map(|name| locks::of(&Name::of(name)))
            .map(|(lock, _)| lock)
            .collect()
    };
    let (run, code) = (taken(Source::Run), taken(Source::Code));
    let mut found: Vec<Window> = Vec::new();
    for (lock, names) in WINDOWS {
        let mut sources = Vec::new();
        if run.contains(lock) {
            sources.push(Source::Run);
        }
        if code.contains(lock) {
            sources.push(Source::Code);
        }
        if sources.is_empty() {
            continue;
        }
        let window = |name: &&str| Window {
            function: (*name).to_owned(),
            lock: lock.what().to_owned(),
            sources: sources.clone(),
        };
        found.extend(names.iter().map(window));
    }
    found.extend(of_program(lints));
    found.sort_by_key(|window| match window.sources[..] {
        [_, _] => 0,
        [Source::Run] => 1,
        _ => 2,
    });
    found
}

/// What the program itself takes, and where it is written while the handler may write it.
fn of_program(lints: &[Lint]) -> Vec<Window> {
    let mut found: Vec<Window> = Vec::new();
    let mut add = |function: &str, lock: &str, source: Source| match found.iter_mut().find(|w| w.function == function) {
        Some(window) if window.sources.contains(&source) => {}
        Some(window) => window.sources.push(source),
        None => found.push(Window { function: function.to_owned(), lock: lock.to_owned(), sources: vec![source] }),
    };
    for lint in lints {
        for own in lint.own_locks() {
            own.windows.iter().for_each(|function| add(function, own.what, lint.source));
        }
        for fault in &lint.faults {
            // The first function is one call, and all of the program.
            let functions = fault.functions.iter().filter(|function| *function != "main");
            functions.for_each(|function| add(function, fault.rule.as_str(), lint.source));
        }
    }
    for lint in lints {
        lint.meets.iter().for_each(|meet| add(&meet.function, &meet.why, lint.source));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::Call;

    fn lint(source: Source, function: &str, locking: &[&str]) -> Lint {
        let mut lint = Lint::new(String::new(), String::new(), String::new(), source);
        lint.calls.push(Call {
            function: function.to_owned(),
            object: "libc.so.6".to_owned(),
            chain: vec!["on_alarm".to_owned()],
            at: Vec::new(),
            locking: locking.iter().map(|name| (*name).to_owned()).collect(),
            way: Vec::new(),
        });
        lint
    }

    #[test]
    fn windows_are_those_of_the_locks() {
        let windows = windows(&[lint(Source::Run, "syslog", &["syslog", "malloc"])]);
        assert_eq!(windows[0].function, "malloc");
        assert!(windows.iter().any(|window| window.function == "syslog"));
        assert!(windows.iter().all(|window| window.function != "localtime_r"));
    }

    #[test]
    fn a_lock_of_the_program_is_met_where_it_is_taken_and_given_back() {
        let mut lint = lint(Source::Code, "pthread_mutex_lock", &["pthread_mutex_lock"]);
        lint.faults.push(crate::lint::Fault {
            rule: crate::lint::Rule::LostUpdate,
            what: String::new(),
            chain: Vec::new(),
            at: Vec::new(),
            functions: vec!["main".to_owned(), "push".to_owned()],
        });
        let windows = windows(&[lint]);
        let names: Vec<&str> = windows.iter().map(|window| window.function.as_str()).collect();
        assert_eq!(names, ["pthread_mutex_lock", "pthread_mutex_unlock", "push"]);
        assert_eq!(windows[0].to_string(), "pthread_mutex_lock: a mutex of the program, seen in the machine code");
    }

    #[test]
    fn what_was_seen_twice_comes_first() {
        let run = lint(Source::Run, "syslog", &["syslog", "localtime_r"]);
        let code = lint(Source::Code, "syslog", &["malloc", "syslog"]);
        let windows = windows(&[run, code]);
        let of = |function: &str| windows.iter().position(|window| window.function == function).unwrap();
        assert!(of("syslog") < of("localtime_r") && of("localtime_r") < of("malloc"));
        assert_eq!(windows[of("syslog")].sources, [Source::Run, Source::Code]);
        assert_eq!(windows[of("malloc")].to_string(), "malloc: the lock of the heap, seen in the machine code");
    }
}
