//! Names and numbers of signals.

/// How a signal is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The dump's header says it.
    Header,
    /// An argument of the handler holds the number.
    Argument,
    /// The handler's name contains it.
    Name,
    /// The code that was interrupted sends it to itself.
    Raised,
}

/// A signal and how it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// `SIGUSR1`, or `signal 40`.
    pub name: String,
    /// How it is known.
    pub known: Known,
}

impl Signal {
    /// With the reason, for a sentence.
    pub fn label(&self) -> String {
        match self.known {
            Known::Header => format!("{}, by the dump's header", self.name),
            Known::Argument => format!("{}, by its argument", self.name),
            Known::Name => format!("{}, by its name", self.name),
            Known::Raised => format!("{}, which the interrupted code raised", self.name),
        }
    }

    /// Whether a fault or `abort` causes it, so that a handler for it is a crash reporter as a rule.
    pub fn is_fatal(&self) -> bool {
        is_fatal(&self.name)
    }
}

/// Whether a fault or `abort` causes the signal with this name.
pub fn is_fatal(name: &str) -> bool {
    matches!(name, "SIGSEGV" | "SIGBUS" | "SIGABRT" | "SIGFPE" | "SIGILL" | "SIGTRAP" | "SIGSYS" | "SIGEMT" | "SIGIOT")
}

const LINUX: &[&str] = &[
    "",
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

const BSD: &[&str] = &[
    "",
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGEMT",
    "SIGFPE",
    "SIGKILL",
    "SIGBUS",
    "SIGSEGV",
    "SIGSYS",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGURG",
    "SIGSTOP",
    "SIGTSTP",
    "SIGCONT",
    "SIGCHLD",
    "SIGTTIN",
    "SIGTTOU",
    "SIGIO",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGINFO",
    "SIGUSR1",
    "SIGUSR2",
];

/// The name of signal `number` on Linux, or on macOS and the BSDs.
pub fn by_number(number: u64, bsd: bool) -> Option<String> {
    let table = if bsd { BSD } else { LINUX };
    match usize::try_from(number).ok()? {
        0 => None,
        n if n < table.len() => Some(table[n].to_owned()),
        n if n <= 64 => Some(format!("signal {n}")),
        _ => None,
    }
}

/// Every name without `SIG`, longer ones first so that `sigvtalrm` is not taken for `sigalrm`.
const WORDS: &[&str] = &[
    "VTALRM", "STKFLT", "WINCH", "ALRM", "CHLD", "CONT", "PROF", "QUIT", "SEGV", "STOP", "TERM", "TRAP", "TSTP",
    "TTIN", "TTOU", "USR1", "USR2", "XCPU", "XFSZ", "ABRT", "PIPE", "INFO", "BUS", "FPE", "HUP", "ILL", "INT", "POLL",
    "PWR", "SYS", "URG", "IO",
];

/// Words of a handler's name that stand for a signal without its abbreviation.
const MEANINGS: &[(&str, &str)] = &[
    ("alarm", "SIGALRM"),
    ("profilersignal", "SIGPROF"),
    ("profilerhandler", "SIGPROF"),
    ("profilehandler", "SIGPROF"),
    ("profsignal", "SIGPROF"),
    ("profhandler", "SIGPROF"),
    ("segfault", "SIGSEGV"),
    ("segmentation", "SIGSEGV"),
    ("childhandler", "SIGCHLD"),
    ("waitchld", "SIGCHLD"),
    ("reapchild", "SIGCHLD"),
    ("sigchild", "SIGCHLD"),
    ("sigalarm", "SIGALRM"),
    ("cpuprofil", "SIGPROF"),
    ("interrupthandler", "SIGINT"),
    ("sigcld", "SIGCHLD"),
    ("quickdie", "SIGQUIT"),
    ("buserror", "SIGBUS"),
    ("signal_usr1", "SIGUSR1"),
    ("signal_usr2", "SIGUSR2"),
    ("terminatehandler", "SIGTERM"),
    ("winch", "SIGWINCH"),
    ("sigpoll", "SIGIO"),
];

/// The signal that a function's name contains: `SigUsr1Handler`, `sigchld_hdl`, `on_sigterm`.
pub fn in_name(name: &str) -> Option<String> {
    let folded: String = name.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    for word in WORDS {
        let lower = word.to_ascii_lowercase();
        let mut from = 0;
        while let Some(at) = folded[from..].find("sig").map(|at| at + from) {
            let rest = folded[at + 3..].strip_prefix("nal").unwrap_or(&folded[at + 3..]);
            let short = matches!(
                *word,
                "INT" | "IO" | "ILL" | "BUS" | "SYS" | "HUP" | "FPE" | "PWR" | "URG" | "INFO" | "STOP" | "CONT"
            );
            let whole = name.to_ascii_lowercase().contains(&format!("sig{lower}"))
                || name.to_ascii_lowercase().contains(&format!("sig_{lower}"));
            let longer = ["signal", "integ", "intern", "interp", "info", "iostream"]
                .iter()
                .any(|longer| rest.starts_with(longer) && !longer.starts_with(&lower));
            if rest.starts_with(&lower) && !(short && (!whole || longer)) {
                return Some(format!("SIG{word}"));
            }
            from = at + 3;
        }
    }
    MEANINGS
        .iter()
        .find(|(meaning, _)| folded.contains(meaning) || name.to_ascii_lowercase().contains(meaning))
        .map(|(_, signal)| (*signal).to_owned())
}

/// The signal that a text names as `SIGxxx`, if it is one.
pub fn in_text(text: &str) -> Option<String> {
    let mut from = 0;
    while let Some(at) = text[from..].find("SIG").map(|at| at + from) {
        let word: &str = &text[at..];
        let end = word.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(word.len());
        let word = &word[..end];
        if LINUX.contains(&word) || BSD.contains(&word) || word == "SIGIOT" {
            return Some(word.to_owned());
        }
        from = at + 3;
    }
    None
}

/// The signal that a description by `strsignal` stands for.
pub fn by_description(text: &str) -> Option<&'static str> {
    const TEXTS: &[(&str, &str)] = &[
        ("Segmentation fault", "SIGSEGV"),
        ("segmentation violation", "SIGSEGV"),
        ("Bus error", "SIGBUS"),
        ("Aborted", "SIGABRT"),
        ("Abort trap", "SIGABRT"),
        ("Illegal instruction", "SIGILL"),
        ("Floating point exception", "SIGFPE"),
        ("Floating-point exception", "SIGFPE"),
        ("Terminated", "SIGTERM"),
        ("Trace/breakpoint trap", "SIGTRAP"),
        ("EXC_BAD_ACCESS", "SIGSEGV"),
        ("EXC_BAD_INSTRUCTION", "SIGILL"),
        ("EXC_CRASH", "SIGABRT"),
        ("EXC_BREAKPOINT", "SIGTRAP"),
        ("EXC_ARITHMETIC", "SIGFPE"),
    ];
    TEXTS.iter().find(|(words, _)| text.contains(words)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("icinga::Application::SigUsr1Handler", Some("SIGUSR1"))]
    #[case("v8::internal::SignalHandler::HandleProfilerSignal", Some("SIGPROF"))]
    #[case("sigchld_hdl", Some("SIGCHLD"))]
    #[case("on_sigint", Some("SIGINT"))]
    #[case("signal_internal_handler", None)]
    #[case("handle_sigvtalrm", Some("SIGVTALRM"))]
    #[case("crash", None)]
    #[case("sigalrm_handler", Some("SIGALRM"))]
    fn a_handlers_name_tells_the_signal(#[case] name: &str, #[case] signal: Option<&str>) {
        assert_eq!(in_name(name).as_deref(), signal);
    }

    #[test]
    fn numbers_differ_between_systems() {
        assert_eq!(
            (by_number(10, false).as_deref(), by_number(10, true).as_deref()),
            (Some("SIGUSR1"), Some("SIGBUS"))
        );
        assert_eq!(by_number(34, false).as_deref(), Some("signal 34"));
        assert_eq!(by_number(65, false), None);
    }
}
