//! What an explanation says, as data. Serialises to kebab-case JSON; [`text`](super::text) makes the text.

use crate::diagnose::Diagnosis;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whether a process is stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It goes on, or can.
    NotStuck,
    /// It, or some of its threads, can never go on.
    Stuck,
    /// What a verdict needs is not shown.
    NotEnough,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NotStuck => "not stuck",
            Self::Stuck => "stuck",
            Self::NotEnough => "not enough to tell",
        })
    }
}

/// The answer about one process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Answer {
    /// Whether the process is stuck.
    pub verdict: Verdict,
    /// One sentence: why.
    pub sentence: String,
    /// The process that was looked at.
    pub process: Process,
    /// Since when nothing has moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// Why nothing will move, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proof: Vec<String>,
    /// Who waits for whom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cycle: Vec<Edge>,
    /// The signals whose handlers are active in the threads of the sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<SignalNote>,
    /// Functions that a handler called and must not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// The casebook's entry with the same mechanism.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Where that bug was reported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstream: Vec<String>,
    /// Equal for equal hangs, over runs, builds and addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// What was inferred, and what was not looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// What each thread does.
    pub threads: Vec<ThreadNote>,
    /// Another process to look at next: the one that this one waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
    /// The stacks, of a process that was stopped to look at them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
    /// For how long its threads were stopped, microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_micros: Option<u64>,
}

/// The process that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Process {
    /// The process id.
    pub pid: u32,
    /// Its name, as the kernel has it.
    pub name: String,
    /// The words of its command line; empty where they are not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// How many threads it has.
    pub threads: usize,
    /// Its ids in the PID namespaces that it is in, ours first; only if there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<u32>,
}

/// Since when nothing has moved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Since {
    /// The thread that ran last.
    pub tid: u32,
    /// How long ago that was, if the kernel says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// For how long we have seen ourselves that no thread ran.
    pub watched_seconds: f64,
    /// Processor time of all threads since they started.
    pub cpu_seconds: f64,
}

/// One step of a cycle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Edge {
    /// `thread 12 waits for mutex m`.
    pub says: String,
    /// How that is known.
    pub evidence: Evidence,
}

/// How an edge is known, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The kernel shows the system call and its arguments.
    Kernel,
    /// The lock itself says so.
    StoredInTheLock,
    /// A register of the interrupted code has its address.
    InARegister,
    /// It is on the stack of the interrupted code.
    OnTheStack,
    /// It follows from what else is known.
    Inferred,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kernel => "system call",
            Self::StoredInTheLock => "stored in the lock",
            Self::InARegister => "in a register",
            Self::OnTheStack => "on the stack",
            Self::Inferred => "inferred",
        })
    }
}

/// A signal whose handler is active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SignalNote {
    /// The thread id.
    pub tid: u32,
    /// Its number, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i32>,
    /// The name of the thread (`comm`).
    pub name: String,
    /// Where it came from: `sent by process 12 (sh)`.
    pub sender: String,
    /// The instruction that it interrupted: `malloc+0x12`.
    pub interrupted: String,
    /// What the interrupted code had done by then to the lock that the handler waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,
}

/// What one thread does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ThreadNote {
    /// The thread id.
    pub tid: u32,
    /// The name of the thread (`comm`).
    pub name: String,
    /// `reads from pipe 3`.
    pub does: String,
    /// Who can end that: `process 12 (sh), which holds the other end`; absent if only the process itself can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// This target has no way to look into another process here.
    #[error("no explanation on this target: {0}")]
    Unsupported(&'static str),
    /// There is no such process.
    #[error("process {0} does not exist, or has ended: a PID of `ps` on this machine is needed")]
    Gone(u32),
    /// It has ended, and is kept for its parent.
    #[error(
        "process {pid} ({name}) has ended; its parent, process {parent}, has not collected its status: look at the parent, \
         `explain {parent}`"
    )]
    Zombie {
        /// The process id.
        pid: u32,
        /// The name of the process (`comm`).
        name: String,
        /// The process id of the parent.
        parent: u32,
    },
    /// It is a thread of the kernel.
    #[error("process {pid} ({name}) is a thread of the kernel: it has no stack that could be read from here")]
    Kernel {
        /// The process id.
        pid: u32,
        /// The name of the process (`comm`).
        name: String,
    },
    /// The kernel does not let us look.
    #[error("process {pid} ({name}) may not be looked at: {why}; {remedy}")]
    MayNot {
        /// The process id.
        pid: u32,
        /// The name of the process (`comm`).
        name: String,
        /// What forbids it.
        why: String,
        /// What permits it.
        remedy: String,
    },
    /// `/proc` is not usable.
    #[error("{0}: mount the /proc of this PID namespace")]
    Proc(String),
    /// The file is no core file, or not a whole one.
    #[error("{0}")]
    Core(String),
}
