//! The command line of sigproof: `cargo xtask VERB`. This file dispatches; each verb is a file.

use std::process::ExitCode;

use clap::Parser;
use sigproof_casebook::REGISTRY;
use sigproof_harness::{forked::worker as stepper, worker};

mod agree;
mod args;
mod bench;
mod ci;
mod command;
mod conform;
mod explain;
mod findings;
mod interrupt;
mod list;
mod memory;
mod model;
mod output;
mod paint;
mod parallel;
mod phases;
mod progress;
mod replay;
mod reports;
mod sanitize;
mod select;
mod step;
mod stress;
mod table;
mod test;
mod trouble;
mod units;
mod upstream;

/// Runs the command that the arguments of this process name.
pub fn main() -> ExitCode {
    interrupt::dispositions();
    // The children of a run are this executable too; they are not for users, and clap need not know them.
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(first) if first == worker::VERB => return worker::main(&REGISTRY, arguments),
        Some(first) if first == stepper::VERB => return stepper::main(&REGISTRY, arguments),
        _ => {}
    }
    memory::ends_the_command();
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error).into(),
    };
    let exit = match cli.verb {
        args::Verb::Stress(args) => stress::run(&args),
        args::Verb::Model(args) => model::run(&args),
        args::Verb::Step(args) => step::run(&args),
        args::Verb::Agree(args) => agree::run(&args),
        args::Verb::Conform(args) => conform::run(&args),
        args::Verb::Upstream(args) => upstream::run(&args),
        args::Verb::Explain(args) => explain::run(&args),
        args::Verb::Replay(args) => replay::run(&args),
        args::Verb::List(args) => list::run(&args),
        args::Verb::Test(args) => test::run(&args),
        args::Verb::Sanitize(args) => sanitize::run(&args),
        args::Verb::Bench(args) => bench::run(&args),
        args::Verb::Ci(args) => ci::run(&args),
    };
    exit.into()
}
