//! The stacks that a text holds, whatever tool printed them.

use std::fmt;

use crate::rules::name::{self, Name};

/// A kind of dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tool {
    /// gdb, pstack, gstack.
    Gdb,
    /// eu-stack.
    EuStack,
    /// systemd-coredump.
    Coredump,
    /// lldb.
    Lldb,
    /// macOS `sample` or spindump.
    Sample,
    /// A crash report of macOS, as text or as .ips.
    Apple,
    /// Go's traceback.
    Go,
    /// delve.
    Delve,
    /// A JVM's hs_err file.
    HsErr,
    /// jstack.
    Jstack,
    /// ASan, TSan, UBSan, or a program that prints its stack in their format.
    Sanitizer,
    /// Valgrind.
    Valgrind,
    /// py-spy, faulthandler, a traceback of Python.
    Python,
    /// `backtrace_symbols` of glibc.
    Glibc,
    /// glog or abseil.
    Glog,
    /// An Android tombstone or a report of a program that does not answer.
    Android,
    /// Rust's backtrace, or another with `N:`.
    Rust,
    /// perf, bpftrace, a folded stack.
    Perf,
    /// `/proc/PID/stack`, or an oops of the kernel.
    Kernel,
    /// Julia.
    Julia,
    /// minidump_stackwalk.
    Minidump,
    /// pstack of Solaris.
    Solaris,
    /// Not known.
    Other,
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Gdb => "gdb",
            Self::EuStack => "eu-stack",
            Self::Coredump => "systemd-coredump",
            Self::Lldb => "lldb",
            Self::Sample => "macOS sample or spindump",
            Self::Apple => "macOS crash report",
            Self::Go => "Go traceback",
            Self::Delve => "delve",
            Self::HsErr => "hs_err of a JVM",
            Self::Jstack => "jstack",
            Self::Sanitizer => "sanitizer",
            Self::Valgrind => "Valgrind",
            Self::Python => "Python",
            Self::Glibc => "backtrace_symbols",
            Self::Glog => "glog or abseil",
            Self::Android => "Android",
            Self::Rust => "numbered backtrace",
            Self::Perf => "perf or bpftrace",
            Self::Kernel => "kernel stack",
            Self::Julia => "Julia",
            Self::Minidump => "minidump_stackwalk",
            Self::Solaris => "Solaris pstack",
            Self::Other => "a list of frames",
        })
    }
}

/// One frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceFrame {
    /// The number that the tool prints.
    pub number: Option<u32>,
    /// The function as the tool prints it; empty if it prints none.
    pub function: String,
    /// The library or executable.
    pub module: Option<String>,
    /// Bytes from the start of the function, or of the module if the function has no name.
    pub offset: Option<u64>,
    /// The address of the instruction, if the dump has it.
    pub address: Option<u64>,
    /// The arguments as the tool prints them.
    pub args: String,
    /// File and line.
    pub source: Option<String>,
    /// The function's name in the spelling of the tables.
    pub name: Name,
}

impl TraceFrame {
    /// A frame of this function.
    pub fn new(function: &str) -> Self {
        Self { function: function.to_owned(), name: Name::of(function), ..Self::default() }
    }

    /// Whether the tool prints no name for it.
    pub fn is_unknown(&self) -> bool {
        name::is_unknown(&self.function) || self.name.is_unknown()
    }

    /// A short text for a sentence: the name without parameters, or the module with its offset.
    pub fn label(&self) -> String {
        if !self.is_unknown() {
            return shortened(&self.name.path);
        }
        let at = self.offset.map_or_else(String::new, |offset| format!("+{offset:#x}"));
        match (&self.module, self.address) {
            (Some(module), _) => format!("{}{at}", module.rsplit('/').next().unwrap_or(module)),
            (None, Some(address)) => format!("{address:#x}"),
            (None, None) => "a function without a name".to_owned(),
        }
    }

    /// The file name of its module.
    pub fn library(&self) -> &str {
        let module = self.module.as_deref().unwrap_or_default();
        module.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it is code of libc, of the threads' library or of the loader.
    pub fn is_in_libc(&self) -> bool {
        let library = self.library();
        ["libc.so", "libc-", "libpthread", "ld-linux", "ld-musl", "libsystem_", "libc.musl", "linux-vdso", "linux-gate"]
            .iter()
            .any(|start| library.starts_with(start))
            || library == "libc"
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// One thread's stack, or one of several stacks of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// How the tool calls the thread: `thread 10`, `goroutine 18`.
    pub title: String,
    /// The thread's name.
    pub name: Option<String>,
    /// The kernel's number of the thread.
    pub tid: Option<u64>,
    /// The tool says that this thread has crashed.
    pub crashed: bool,
    /// The frames, innermost first.
    pub frames: Vec<TraceFrame>,
    /// What the tool says about the thread's state.
    pub state: Option<String>,
    /// What is not shown.
    pub missing: Vec<String>,
    /// Of a profile: how many samples had this stack.
    pub samples: Option<u64>,
    /// Frames are missing between this index and the next.
    pub gaps: Vec<usize>,
    /// The stack as such is not a thread's: where memory was freed, say.
    pub history: bool,
    /// Which tool printed it.
    pub tool: Option<Tool>,
}

/// What a header of the text says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    /// The signal that ended or stopped the process.
    pub signal: Option<String>,
    /// The text says that the program crashed, rather than that a person stopped it.
    pub crashed: bool,
    /// A debugger or the system says that the process stopped at a fault: the innermost frame is where.
    pub stopped_at_fault: bool,
    /// TSan: a call in a handler that no handler may make.
    pub unsafe_call: bool,
    /// TSan: a handler changed errno.
    pub errno_spoiled: bool,
    /// The text was printed by a handler for a fault, whose frames it does not show.
    pub reported_by_handler: bool,
    /// Go: a signal arrived on a thread without a signal stack.
    pub no_signal_stack: bool,
    /// Go: a signal arrived on a thread's ordinary stack, since somebody has installed the handler without
    /// SA_ONSTACK.
    pub wrong_signal_stack: bool,
    /// A JVM names a deadlock of its monitors.
    pub java_deadlock: bool,
    /// A signal whose number the text gives for a runtime's own reason.
    pub arrived: Option<u64>,
    /// `__owner` of a mutex that the text prints, each once.
    pub owners: Vec<u64>,
    /// The text is of macOS or of a BSD.
    pub bsd: bool,
    /// The last error of a sanitizer or a runtime, in its words.
    pub headline: Option<String>,
}

/// What a text holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dump {
    /// The stacks in the order of the text.
    pub traces: Vec<Trace>,
    /// What its headers say.
    pub notices: Notices,
    /// The text was too long to be read whole.
    pub cut: bool,
    /// Frames of the kernel were skipped.
    pub kernel_frames: usize,
}

impl Dump {
    /// The tools in order of appearance, each once.
    pub fn tools(&self) -> Vec<Tool> {
        let mut tools = Vec::new();
        for tool in self.traces.iter().filter_map(|trace| trace.tool) {
            if !tools.contains(&tool) {
                tools.push(tool);
            }
        }
        tools
    }
}
