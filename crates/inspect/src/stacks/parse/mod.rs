//! From text to stacks. Each format is a file that reads one line; this file puts the lines together.
//!
//! | file | formats |
//! |---|---|
//! | `hash` | frames with `#N`: gdb, pstack, eu-stack, systemd-coredump, sanitizers, Android, LLVM |
//! | `heads` | the lines that begin a thread |
//! | `apple` | lldb, crash reports of macOS |
//! | `ips` | crash reports of macOS as JSON |
//! | `tree` | macOS sample, spindump |
//! | `go` | Go, delve |
//! | `jvm` | hs_err, jstack |
//! | `python` | py-spy, faulthandler, tracebacks |
//! | `lists` | what programs print themselves: glibc, glog, Rust, Node, minidump_stackwalk, Julia, Valgrind, perf |
//! | `plain` | a name and an offset without an address: app stores, Crystal |
//! | `notices` | headers: signals, errors |
//! | `line` | which of these a line without `#N` is |
//! | `gaps` | what a stack does not show |
//! | `reader` | the state from line to line |

use crate::stacks::dump::{Dump, Tool, TraceFrame};
use crate::stacks::text;

mod apple;
mod gaps;
mod go;
mod hash;
mod heads;
mod ips;
mod jvm;
mod line;
mod lists;
mod notices;
mod plain;
pub(super) mod python;
mod reader;
mod scan;
mod tree;

/// The beginning of a thread.
#[derive(Debug, Default)]
pub(crate) struct Head {
    title: String,
    name: Option<String>,
    tid: Option<u64>,
    state: Option<String>,
    crashed: bool,
    history: bool,
    tool: Option<Tool>,
    /// The thread's innermost frame, if the header has it.
    place: Option<Box<TraceFrame>>,
}

impl Head {
    fn new(title: String, tool: Tool) -> Self {
        Self { title, tool: Some(tool), ..Self::default() }
    }
}

/// Reads every stack in `bytes`.
pub fn parse(bytes: &[u8]) -> Dump {
    let whole = bytes.len() <= text::LONGEST;
    let decoded = text::decode(&bytes[..bytes.len().min(text::LONGEST)]);
    if let Some(dump) = ips::parse(&decoded) {
        return dump;
    }
    let mut reader = reader::Reader::default();
    text::for_each_line(&decoded, |line| reader.line(line));
    let mut dump = reader.finish();
    if dump.traces.is_empty() {
        dump.traces.extend(plain::names(&decoded));
    }
    dump.cut |= !whole;
    dump
}
