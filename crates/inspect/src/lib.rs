//! A process seen from outside. Is it stuck? Why, and where? And how it is ended, with all that it has
//! started.
//!
//! This crate knows no note and no technique: it takes a process id, or a text. Of the historical bugs it
//! knows only the names of their mechanisms, in `stacks`.
//!
//! | module | holds |
//! |---|---|
//! | [`hang`] | the decision that a process is stuck, without a time-out; and the fallback by patience |
//! | [`diagnose`](mod@diagnose) | stacks, owners, and one sentence with the reason |
//! | [`explain`](mod@explain) | the same questions about any process, with the proof and the doubts |
//! | [`process`] | a process in a group of its own, from its start to its end |
//! | [`refusal`] | a call that this machine refused, with a remedy |
//! | [`rules`] | what is known about functions: who waits, which lock, what a handler may call |
//! | [`stacks`] | the stacks in a text, such as a bug report, and what they say about signal handlers |

#![warn(missing_docs)]

pub mod diagnose;
pub mod explain;
pub mod hang;
pub mod process;
pub mod refusal;
pub mod rules;
pub mod stacks;
