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
mod litmus;
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
mod session;
mod step;
mod stress;
mod table;
mod test;
mod trouble;
mod units;
mod upstream;
mod workbench;

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
        args::Verb::Stress(args) => session::run(&args.reports, |session| stress::run(&args, session)),
        args::Verb::Model(args) => session::run(&args.reports, |session| model::run(&args, session)),
        args::Verb::Step(args) => session::run(&args.reports, |session| step::run(&args, session)),
        args::Verb::Agree(args) => session::run(&[], |session| agree::run(&args, session)),
        args::Verb::Conform(args) => session::run(&args.reports, |session| conform::run(&args, session)),
        args::Verb::Upstream(args) => session::run(&args.reports, |session| upstream::run(&args, session)),
        args::Verb::Explain(args) => session::run(&args.reports, |session| explain::run(&args, session)),
        args::Verb::Replay(args) => session::run(&args.reports, |session| replay::run(&args, session)),
        args::Verb::Litmus(args) => session::run(&[], |session| litmus::run(&args, session)),
        args::Verb::List(args) => session::run(&[], |session| list::run(&args, session)),
        args::Verb::Test(args) => session::run(&args.reports, |session| test::run(&args, session)),
        args::Verb::Sanitize(args) => session::run(&[], |session| sanitize::run(&args, session)),
        args::Verb::Bench(args) => session::run(&args.reports, |session| bench::run(&args, session)),
        args::Verb::Ci(args) => session::run(&args.reports, |session| ci::run(&args, session)),
    };
    exit.into()
}
