//! The verbs of the command line: what `sigproof VERB` and `cargo xtask VERB` run alike. Each verb is a file.
//!
//! | module | holds |
//! |---|---|
//! | [`stress`], [`model`], [`step`], [`replay`], [`validate`], [`explain`], [`probe`], [`list`] | the verbs |
//! | [`library`] | the shared library of a command, and the registry with its note |
//! | [`args`] | their arguments and the texts of their helps |
//! | [`session`], [`trouble`], [`interrupt`] | the pipeline of a verb, and what ends it early |
//! | [`output`], [`progress`], [`paint`], [`units`] | the streams for people |
//! | [`table`], [`findings`], [`reports`] | what is printed and written of the runs |
//! | [`select`] | from words to names |
//! | [`command`], [`parallel`] | commands of others; several pieces of work at a time |

use std::process::ExitCode;

use clap::Parser;
use sigproof_harness::validate::describe;
use sigproof_harness::{forked::worker as stepper, worker};
use sigproof_report::{Exit, Program};

pub mod args;
pub mod command;
pub mod drawing;
pub mod explain;
pub mod findings;
pub mod interrupt;
pub mod library;
pub mod list;
mod memory;
pub mod model;
pub mod output;
mod page;
pub mod paint;
pub mod parallel;
pub mod probe;
mod probe_lint;
pub mod progress;
pub mod replay;
pub mod reports;
pub mod select;
pub mod session;
pub mod step;
pub mod stress;
pub mod table;
pub mod trouble;
pub mod units;
pub mod validate;

/// Runs the command that the arguments of this process name, by the grammar `G`. The processes that `stress`
/// and `step` start are this executable as well.
pub fn start<G: Parser>(program: Program, run: impl FnOnce(G) -> Exit) -> ExitCode {
    interrupt::dispositions();
    // They are not for users, and clap need not know them.
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(first) if first == worker::VERB => return worker::main(library::of_parent(), arguments),
        Some(first) if first == stepper::VERB => return stepper::main(library::of_parent(), arguments),
        Some(first) if first == describe::VERB => return describe::main(arguments),
        _ => {}
    }
    memory::ends_the_command();
    let mut grammar = args::of_program(G::command(), program);
    let parsed = grammar.try_get_matches_from_mut(std::env::args_os());
    let parsed = parsed
        .and_then(|mut matches| G::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut grammar)));
    match parsed {
        Ok(grammar) => run(grammar).into(),
        Err(error) => output::usage(&error).into(),
    }
}
