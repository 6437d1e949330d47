//! What a diagnosis says, as data. Serialises to kebab-case JSON; [`render`](super::render) makes the text.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The diagnosis of one hang.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Diagnosis {
    /// The kind of hang.
    pub kind: HangKind,
    /// The one sentence.
    pub sentence: String,
    /// Every thread, the ones that the sentence is about first.
    pub threads: Vec<ThreadReport>,
    /// How registers were obtained.
    pub method: Method,
    /// What could not be found out, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// How long the diagnosis took, microseconds.
    pub micros: u64,
}

/// The end of the sentence about a lost wake-up.
pub(crate) const NO_THREAD_LEFT: &str = "; no thread is left that can end the wait";

impl Diagnosis {
    /// The threads that the sentence is about: the first, and those that it waits for, one through the other.
    pub fn about(&self) -> Vec<&ThreadReport> {
        let mut about: Vec<&ThreadReport> = Vec::new();
        let mut at = self.threads.first();
        while let Some(thread) = at.filter(|thread| about.iter().all(|seen| seen.tid != thread.tid)) {
            about.push(thread);
            let owner = thread.waits_for.as_ref().and_then(|resource| resource.owner.as_ref());
            at = owner.and_then(|owner| self.threads.iter().find(|other| other.tid == owner.tid));
        }
        about
    }

    /// Turns a lost wake-up into the self-deadlock that it is when the child has noted an active signal
    /// handler: the stacks were cut short, or the handler has left no trace on them.
    pub fn is_in_handler(&mut self) {
        if self.kind != HangKind::LostWakeup {
            return;
        }
        self.kind = HangKind::SelfDeadlock;
        let seen = self.sentence.strip_suffix(NO_THREAD_LEFT).unwrap_or(&self.sentence);
        self.sentence = format!("a thread waits in a signal handler, which its stack does not show: {seen}");
    }
}

/// Kinds of hang.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HangKind {
    /// A thread waits for what it holds itself, as a rule in a handler that interrupted the holder.
    SelfDeadlock,
    /// Two or more threads wait for each other.
    CrossDeadlock,
    /// A sleeper that no thread is left to wake.
    LostWakeup,
    /// CPU burns, nothing moves.
    Livelock,
}

impl fmt::Display for HangKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SelfDeadlock => "self-deadlock",
            Self::CrossDeadlock => "cross deadlock",
            Self::LostWakeup => "lost wake-up",
            Self::Livelock => "livelock",
        })
    }
}

/// Where registers came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Each thread was stopped by ptrace and its registers were read.
    Ptrace,
    /// ptrace was refused for at least one thread: stack pointer and program counter come from `/proc`, and
    /// frames below code that keeps no frame pointer may be missing.
    Procfs,
    /// They are those of a core file.
    Core,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ptrace => "ptrace",
            Self::Procfs => "/proc, ptrace was refused",
            Self::Core => "core file",
        })
    }
}

/// One thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ThreadReport {
    /// The kernel's thread id.
    pub tid: u32,
    /// Its name, as the kernel has it (at most 15 bytes).
    pub name: String,
    /// `asleep`, `running` or the kernel's letter.
    pub state: String,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Resource>,
    /// Its stack, innermost first.
    pub frames: Vec<Frame>,
    /// Why the stack ends before its root, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_short: Option<String>,
}

impl ThreadReport {
    /// How many signal handlers are active on this stack.
    pub fn handler_depth(&self) -> usize {
        self.frames.iter().filter(|frame| frame.signal_frame).count()
    }

    /// The frames that ran when the innermost active handler was called, innermost first; empty if none is
    /// active.
    pub fn interrupted(&self) -> &[Frame] {
        match self.frames.iter().position(|frame| frame.signal_frame) {
            Some(at) => &self.frames[at + 1..],
            None => &[],
        }
    }

    /// The frames above the innermost active handler's signal frame; all frames if none is active.
    pub fn handler(&self) -> &[Frame] {
        let end = self.frames.iter().position(|frame| frame.signal_frame).unwrap_or(self.frames.len());
        &self.frames[..end]
    }
}

/// What a thread waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Resource {
    /// The kind of the resource.
    pub kind: ResourceKind,
    /// Its address in the child: of the futex word, or of the polled array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<u64>,
    /// The file descriptor, for a pipe, a socket or a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<i32>,
    /// Its name, from the caller's hints or from the symbol table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who has to give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
}

/// Kinds of things waited for, told apart by the functions that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceKind {
    /// `pthread_mutex_t`.
    Mutex,
    /// A lock of libc's own (standard streams, allocator), or one from a library without symbols.
    LibcLock,
    /// `std::sync::Mutex` or `RwLock`.
    StdLock,
    /// `pthread_rwlock_t`.
    RwLock,
    /// A condition variable, libc's or std's.
    Condvar,
    /// A semaphore, named or not.
    Semaphore,
    /// `std::thread::park`.
    Unpark,
    /// The end of another thread.
    ThreadExit,
    /// Any other futex.
    Futex,
    /// `pthread_barrier_t`.
    Barrier,
    /// The initialiser of a `pthread_once_t`, or of a `Once` of Rust's.
    Once,
    /// A lock of the crate `parking_lot`.
    ParkingLot,
    /// A lock of Go's runtime.
    GoLock,
    /// Where a thread of Go's runtime waits for work.
    GoNote,
    /// A lock of CPython's module `threading`.
    PythonLock,
    /// CPython's global interpreter lock.
    Gil,
    /// The end of a child process.
    Child,
    /// A lock of a file.
    FileLock,
    /// Data in, or room in, a pipe or eventfd.
    Descriptor,
    /// A signal of any kind.
    Signal,
}

impl ResourceKind {
    /// Whether it is held by somebody and so has an owner, rather than being a message to come.
    pub fn is_held(self) -> bool {
        matches!(
            self,
            Self::Mutex
                | Self::LibcLock
                | Self::StdLock
                | Self::RwLock
                | Self::Once
                | Self::ParkingLot
                | Self::GoLock
                | Self::Gil
        )
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Mutex => "mutex",
            Self::LibcLock => "libc's lock",
            Self::StdLock => "std lock",
            Self::RwLock => "read-write lock",
            Self::Condvar => "condition variable",
            Self::Semaphore => "semaphore",
            Self::Unpark => "unpark",
            Self::ThreadExit => "end of a thread",
            Self::Futex => "futex",
            Self::Barrier => "barrier",
            Self::Once => "one-time initialisation",
            Self::ParkingLot => "parking_lot's lock",
            Self::GoLock => "lock of Go's runtime",
            Self::GoNote => "note of Go's runtime",
            Self::PythonLock => "Python lock",
            Self::Gil => "global interpreter lock",
            Self::Child => "end of its child,",
            Self::FileLock => "lock of file",
            Self::Descriptor => "descriptor",
            Self::Signal => "signal",
        })
    }
}

/// Who holds a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Owner {
    /// The owning thread.
    pub tid: u32,
    /// How that is known.
    pub known: Known,
}

/// How an owner is known, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// The resource itself names it.
    Stored,
    /// Inferred: the code that a signal interrupted there had the resource's address in a register.
    InterruptedRegister,
    /// Inferred: the code that a signal interrupted there had the address near the top of its stack.
    InterruptedStack,
    /// Inferred: the code that a signal interrupted there is a locking function.
    InterruptedFunction,
    /// Inferred: the only other stack that mentions the address.
    StackMention,
    /// Inferred: the only other thread that waits for a lock, where locks store no owner.
    OnlyOther,
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stored => "stored in it",
            Self::InterruptedRegister => "inferred: the interrupted code has its address in a register",
            Self::InterruptedStack => "inferred: the interrupted code has its address on the stack",
            Self::InterruptedFunction => "inferred: the interrupted code is a locking function",
            Self::StackMention => "inferred: no other stack mentions it",
            Self::OnlyOther => "inferred: it is the only other thread that waits for a lock",
        })
    }
}

/// One frame. Inlined functions are frames of their own, with the program counter of the function that they
/// were inlined into.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Frame {
    /// Program counter: where the thread is, or the return address.
    pub pc: u64,
    /// Function name, demangled, without the hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Bytes from the start of the function, or of the object file if `symbol` is absent.
    pub offset: u64,
    /// File name of the object file, without directories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Source file: relative to the workspace, or `library/..` for std's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in `file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Inlined into the next frame that is not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub inlined: bool,
    /// The function above has no unwinding table: the frame is the nearest return address on the stack, and
    /// may be a stale one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub guessed: bool,
    /// Not a function: the mark between a signal handler and what it interrupted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub signal_frame: bool,
}

fn is_false(value: &bool) -> bool {
    !*value
}

impl Frame {
    /// Whether this is code of the program rather than of std, libc or nothing known.
    pub fn is_ours(&self) -> bool {
        let foreign = |file: &String| ["library/", "registry/", "musl/"].iter().any(|folder| file.starts_with(folder));
        !self.signal_frame && self.file.as_ref().is_some_and(|file| !foreign(file))
    }

    /// `symbol+0x12`, the best short name that there is.
    pub fn place(&self) -> String {
        match (&self.symbol, &self.object) {
            (Some(symbol), _) if self.inlined => symbol.clone(),
            (Some(symbol), _) => format!("{symbol}+{:#x}", self.offset),
            (None, Some(object)) => format!("{object}+{:#x}", self.offset),
            (None, None) => format!("{:#x}", self.pc),
        }
    }

    /// `file:line`, if known.
    pub fn source(&self) -> Option<String> {
        let file = self.file.as_ref()?;
        Some(self.line.map_or_else(|| file.clone(), |line| format!("{file}:{line}")))
    }
}
