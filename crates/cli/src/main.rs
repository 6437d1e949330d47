//! The command `sigproof`: the verbs for those who have no checkout, and what a package installs beside it.
//!
//! The verbs are those of `sigproof-verbs`. `man` and `completions` are here, since only this executable
//! needs the crates that make them.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sigproof_report::Program;
use sigproof_verbs::args::help::{START, exit_codes};
use sigproof_verbs::args::{
    ExplainArgs, ListArgs, ModelArgs, ProbeArgs, ReplayArgs, StepArgs, StressArgs, ValidateArgs,
};
use sigproof_verbs::model::process::Place;
use sigproof_verbs::session::Tool;
use sigproof_verbs::{explain, list, model, probe, replay, session, step, stress, validate};

mod manual;

use manual::{CompletionsArgs, ManArgs};

/// This executable.
const TOOL: Tool = Tool { program: Program("sigproof"), explorer: Place::BesideOrCheckout };

/// Says why a process hangs, and reproduces bugs of wake-ups in signal handlers.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
#[command(after_help = exit_codes(), after_long_help = format!("{START}\n{}", exit_codes()))]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// The verbs. One without a text here has it in [`sigproof_verbs::args`].
#[derive(Debug, Subcommand)]
enum Verb {
    Explain(ExplainArgs),
    Probe(Box<ProbeArgs>),
    Stress(StressArgs),
    Step(StepArgs),
    Model(ModelArgs),
    Replay(ReplayArgs),
    Validate(ValidateArgs),
    List(ListArgs),
    /// Print the completions of a shell
    #[command(after_help = manual::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Print the man page, or write one for each verb
    #[command(after_help = manual::MAN)]
    Man(ManArgs),
}

fn main() -> ExitCode {
    sigproof_verbs::start(TOOL.program, |cli: Cli| match cli.verb {
        Verb::Explain(args) => session::run(TOOL, &args.reports, |session| explain::run(&args, session)),
        Verb::Probe(args) => session::run(TOOL, &args.reports, |session| probe::run(&args, session)),
        Verb::Stress(args) => session::run(TOOL, &args.reports, |session| stress::run(&args, session)),
        Verb::Step(args) => session::run(TOOL, &args.reports, |session| step::run(&args, session)),
        Verb::Model(args) => session::run(TOOL, &args.reports, |session| model::run(&args, session)),
        Verb::Replay(args) => session::run(TOOL, &args.reports, |session| replay::run(&args, session)),
        Verb::Validate(args) => session::run(TOOL, &args.reports, |session| validate::run(&args, session)),
        Verb::List(args) => session::run(TOOL, &[], |session| list::run(&args, session)),
        Verb::Completions(args) => session::run(TOOL, &[], |session| manual::completions(&args, session)),
        Verb::Man(args) => session::run(TOOL, &[], |session| manual::man(&args, session)),
    })
}
