//! How a boundary is reached and a signal delivered there.

use serde::{Deserialize, Serialize};

use crate::case::words;

words! {
    /// The means.
    Kind, "engine" {
        /// ptrace, a hardware breakpoint at the boundary, and one child for many executions.
        Breakpoint = "breakpoint",
        /// ptrace, instruction by instruction.
        SingleStep = "single-step",
        /// The processor's trap flag, set by a signal handler of the process itself: where ptrace is refused.
        TrapFlag = "trap-flag",
    }
}

/// What came of trying one engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Which.
    pub engine: Kind,
    /// Why it does not work here, and what would help; `None` if it works.
    pub lacks: Option<String>,
}
