//! Historical bugs by their mechanism: what a hang is compared with.
//!
//! Some are rebuilt as cases, which take their sources from here.

/// A historical bug.
#[derive(Debug, PartialEq, Eq)]
pub struct Bug {
    /// Its name: the primitive or the call, and what goes wrong.
    pub name: &'static str,
    /// Where it was reported.
    pub upstream: &'static [&'static str],
    /// What goes wrong, behind the name.
    pub mechanism: &'static str,
    /// What ends it, behind "mended by"; of some the fix was not read.
    pub mended: Option<&'static str>,
}

impl Bug {
    /// The name, the mechanism, where it was reported and what ends it, in one line.
    #[must_use]
    pub fn describe(&self) -> String {
        let upstream: Vec<String> = self.upstream.iter().map(|url| short(url)).collect();
        let mended = self.mended.map(|by| format!("; mended by {by}")).unwrap_or_default();
        format!("{}, as in {}: {}{mended}", self.name, upstream.join(", "), self.mechanism)
    }
}

/// The bug of this name.
#[must_use]
pub fn of(name: &str) -> Option<&'static Bug> {
    ALL.iter().copied().find(|bug| bug.name == name)
}

/// An issue as its project writes it: `owner/name#1`. Any other source as it is.
fn short(url: &str) -> String {
    let path = url.strip_prefix("https://github.com/").map(|path| path.split('/').collect::<Vec<_>>());
    match path.as_deref() {
        Some([owner, name, "issues" | "pull", number]) => format!("{owner}/{name}#{number}"),
        _ => url.to_owned(),
    }
}

macro_rules! bugs {
    ($($constant:ident: $name:literal, $upstream:expr, $mechanism:literal, $mended:expr;)*) => {
        $(
            #[doc = $mechanism]
            pub static $constant: Bug =
                Bug { name: $name, upstream: &$upstream, mechanism: $mechanism, mended: $mended };
        )*
        /// All of them.
        pub static ALL: &[&Bug] = &[$(&$constant),*];
    };
}

bugs! {
    DARWIN_PROFBUF_BLOCKING_READ: "darwin-profbuf-blocking-read",
        ["https://github.com/golang/go/issues/61768", "https://go.dev/cl/518836"],
        "the reader of the profile sleeps on a mutex and a condition variable, and the SIGPROF handler wakes it",
        Some("a non-blocking read");
    DARWIN_SIGQUEUE_NOTE: "darwin-sigqueue-note",
        ["https://github.com/golang/go/issues/31264"],
        "the receiver of signals sleeps on a mutex and a condition variable, and the handler wakes it",
        Some("a note over a pipe");
    CPUPROF_SIGNAL_LOCK: "cpuprof-signal-lock",
        ["https://github.com/golang/go/issues/25785", "https://github.com/golang/go/issues/48782"],
        "the SIGPROF handler spins for a lock that the interrupted code holds",
        Some("the signal blocked while the lock is held");
    MUTEX_IN_HANDLER: "mutex-in-handler",
        ["https://github.com/tikv/pprof-rs/issues/18", "https://github.com/dart-lang/sdk/issues/51124"],
        "a handler takes a lock of the code that it interrupts",
        None;
    ALLOCATOR_IN_HANDLER: "allocator-in-handler",
        ["https://github.com/tikv/pprof-rs/issues/4", "https://github.com/DataDog/dd-trace-js/issues/6052"],
        "a handler allocates or frees memory",
        None;
    LAZY_TLS_IN_HANDLER: "lazy-tls-in-handler",
        ["https://github.com/async-profiler/async-profiler/issues/335", "https://github.com/rust-lang/rust/issues/133698"],
        "a handler is the first to touch a thread-local variable, which allocates",
        None;
    LOADER_LOCK_IN_HANDLER: "loader-lock-in-handler",
        ["https://github.com/JuliaLang/julia/issues/57017"],
        "a handler takes the loader's lock, as `dl_iterate_phdr` and unwinders do",
        None;
    SELFPIPE_FULL_BLOCKING: "selfpipe-full-blocking",
        ["https://github.com/booksbyus/zguide/issues/812"],
        "a handler writes to a full pipe that blocks",
        Some("a write end that does not block");
    ONCE_REENTERED: "once-reentered",
        ["https://github.com/ng-log/ng-log/issues/40"],
        "a handler enters an initialisation that the interrupted code has begun",
        None;
    TIMEZONE_LOCK_IN_HANDLER: "timezone-lock-in-handler",
        ["https://github.com/pgbackrest/pgbackrest/issues/2715", "https://github.com/twitter/twemproxy/issues/231"],
        "a handler converts a time, mostly for a line of a log",
        None;
    STDIO_IN_HANDLER: "stdio-in-handler",
        ["https://github.com/DOMjudge/domjudge/issues/3034"],
        "a handler writes to a standard stream",
        None;
    RANDOM_IN_HANDLER: "random-in-handler",
        ["https://github.com/bsc-performance-tools/extrae/issues/78"],
        "a handler calls `random`, which has a lock",
        None;
    FORK_IN_HANDLER: "fork-in-handler",
        ["https://github.com/xroche/httrack/issues/968"],
        "a handler forks, and `fork` takes the locks of the heap first",
        None;
    SYSLOG_IN_HANDLER: "syslog-in-handler",
        ["CVE-2024-6387"],
        "a handler logs by `syslog`, which formats a time and allocates",
        None;
    LOGGER_IN_HANDLER: "logger-in-handler",
        ["https://github.com/Icinga/icinga2/issues/9676", "https://github.com/redis/redis/issues/213"],
        "a handler calls the program's own logger, which allocates",
        None;
    LOCK_SHARED_BY_TWO_SIGNALS: "lock-shared-by-two-signals",
        ["https://github.com/habitat-sh/habitat/issues/7044"],
        "the handlers of two signals take one lock, and neither blocks the other signal",
        None;
    LAZY_BINDING_IN_HANDLER: "lazy-binding-in-handler",
        ["https://developer.apple.com/forums/thread/116571"],
        "a handler is the first to call a function, and the loader binds it there",
        None;
    STACK_FREED_BEFORE_EXIT: "stack-freed-before-exit",
        ["https://github.com/golang/go/issues/77588", "https://github.com/sunfishcode/origin/issues/125"],
        "a signal comes to a thread that has given its signal stack back and is ending",
        None;
    ERRNO_SPOILED: "errno-spoiled",
        ["https://github.com/vorner/signal-hook/issues/191", "https://github.com/r-lib/processx/issues/334"],
        "a handler leaves `errno` changed",
        None;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_is_told_in_one_line() {
        assert_eq!(
            SELFPIPE_FULL_BLOCKING.describe(),
            "selfpipe-full-blocking, as in booksbyus/zguide#812: a handler writes to a full pipe that blocks; \
             mended by a write end that does not block"
        );
        assert!(SYSLOG_IN_HANDLER.describe().contains("as in CVE-2024-6387: "));
    }

    #[test]
    fn each_has_a_name_of_its_own_and_a_source() {
        let mut names: Vec<_> = ALL.iter().map(|bug| bug.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|bug| !bug.upstream.is_empty()));
    }
}
