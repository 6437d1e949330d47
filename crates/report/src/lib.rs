//! The words that every technique shares, and the report: what was run, what must happen, what happened, and
//! what the two amount to. This crate runs nothing and knows no case.
//!
//! | module | holds |
//! |---|---|
//! | [`outcome`] | how an attempt can end, and which of these ends a setup must, may or must never show |
//! | [`setup`] | which setup of which case: its identity, and a choice of several |
//! | [`grade`](mod@grade) | the verdict on what was observed, for every technique |
//! | [`run`], [`finding`] | one setup under one technique; what was found out about a bad outcome |
//! | [`seen`] | what only one technique reports |
//! | [`report`](mod@report) | all runs of a command: the schema `sigproof.report/1` |
//! | [`host`] | the machine, without anything private |
//! | [`write`](mod@write), [`junit`] | where a report goes, and in which form |
//! | [`traceback`] | what of the traceback of a Go runtime a finding shows |
//! | [`exit`] | the exit codes of the command line |
//! | [`program`] | the command that the user runs, which messages name |
//! | [`agreement`] | whether several techniques have seen the same |

#![warn(missing_docs)]

pub mod agreement;
pub mod exit;
pub mod finding;
pub mod grade;
pub mod host;
pub mod junit;
pub mod outcome;
pub mod program;
pub mod report;
pub mod run;
pub mod seen;
pub mod setup;
pub mod traceback;
mod words;
pub mod write;

pub use exit::Exit;
pub use finding::Finding;
pub use grade::{Looked, Verdict, grade};
pub use host::Host;
pub use outcome::{Expected, Grade, Outcome};
pub use program::{PROGRAM, Program};
pub use report::{ReadError, Report, SCHEMA};
pub use run::Run;
pub use seen::{Seen, Technique};
pub use setup::{Mode, Selection, SetupId, Variant};
pub use words::UnknownWord;

#[cfg(test)]
mod tests;
