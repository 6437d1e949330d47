//! What a pasted stack dump says about signal handlers: a pure function of text, on every platform.
//!
//! ```
//! let text = b"#0 0x1 in __lll_lock_wait_private ()\n#1 0x2 in malloc ()\n#2 0x3 in on_alarm (sig=14)\n\
//!     #3 <signal handler called>\n#4 0x4 in _int_malloc ()\n#5 0x5 in malloc ()\n#6 0x6 in main ()\n";
//! let answer = sigproof_inspect::stacks::explain(text);
//! assert!(answer.render().starts_with("handler waits: "));
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `text` | from bytes to lines as the tool printed them |
//! | `parse` | from lines to stacks, a file for each family of formats |
//! | `dump` | the stacks |
//! | `anatomy` | one stack, taken apart at its signal frames |
//! | `waiting` | what a piece of a stack waits for, and whether another piece holds it |
//! | `judge` | what one activation of a handler does |
//! | `chain` | the other thread that holds what a handler waits for |
//! | `casebook` | the casebook's entry with the same mechanism |
//! | `verdict`, `outside` | from all stacks to one answer, with and without a handler |
//! | `threads` | the same for the stacks of a live process |
//! | `answer` | the answer as data, text and JSON |

mod anatomy;
mod answer;
mod casebook;
mod chain;
mod dump;
mod judge;
mod outside;
mod parse;
mod text;
mod threads;
mod verdict;
mod waiting;

pub use answer::{Answer, Certainty};
pub use dump::{Dump, Notices, Tool, Trace, TraceFrame};
pub use text::LONGEST;
pub use threads::{SIGNAL, Told};
pub use verdict::Verdict;

/// Explains the dump in `bytes`.
pub fn explain(bytes: &[u8]) -> Answer {
    verdict::reach(&parse::parse(bytes))
}
