//! The command line of sigproof in a checkout: `cargo xtask VERB`. It has the verbs of `sigproof`, which are
//! in `sigproof-verbs`, and those that only developers need: each is a file here.

use std::process::ExitCode;

use sigproof_report::Program;
use sigproof_verbs::model::process::Place;
use sigproof_verbs::session::Tool;
use sigproof_verbs::{
    command, explain, findings, interrupt, list, model, output, parallel, probe, progress, replay, select, session,
    step, stress, table, trouble, units, validate,
};

mod agree;
mod args;
mod bench;
mod ci;
mod conform;
mod dist;
mod litmus;
mod phases;
mod sanitize;
mod test;
mod upstream;
mod weaken;
mod workbench;

/// This executable. An explorer beside it may be of another build, so it asks cargo for the models.
const TOOL: Tool = Tool { program: Program("cargo xtask"), explorer: Place::Checkout };

/// Runs the command that the arguments of this process name.
pub fn main() -> ExitCode {
    use args::Verb;
    sigproof_verbs::start(TOOL.program, |cli: args::Cli| match cli.verb {
        Verb::Stress(args) => session::run(TOOL, &args.reports, |session| stress::run(&args, session)),
        Verb::Model(args) if args.weaken || args.orderings => {
            let shown = if args.orderings { weaken::Shown::Table } else { weaken::Shown::Lines };
            session::run(TOOL, &args.model.reports, |session| weaken::run(&args.model, shown, session))
        }
        Verb::Model(args) => session::run(TOOL, &args.model.reports, |session| model::run(&args.model, session)),
        Verb::Step(args) => session::run(TOOL, &args.reports, |session| step::run(&args, session)),
        Verb::Agree(args) => session::run(TOOL, &[], |session| agree::run(&args, session)),
        Verb::Conform(args) => session::run(TOOL, &args.reports, |session| conform::run(&args, session)),
        Verb::Upstream(args) => session::run(TOOL, &args.reports, |session| upstream::run(&args, session)),
        Verb::Explain(args) => session::run(TOOL, &args.reports, |session| explain::run(&args, session)),
        Verb::Probe(args) => session::run(TOOL, &args.reports, |session| probe::run(&args, session)),
        Verb::Litmus(args) => session::run(TOOL, &args.reports, |session| litmus::run(&args, session)),
        Verb::Replay(args) => session::run(TOOL, &args.reports, |session| replay::run(&args, session)),
        Verb::Validate(args) => session::run(TOOL, &args.reports, |session| validate::run(&args, session)),
        Verb::List(args) => session::run(TOOL, &[], |session| list::run(&args, session)),
        Verb::Test(args) => session::run(TOOL, &args.reports, |session| test::run(&args, session)),
        Verb::Sanitize(args) => session::run(TOOL, &[], |session| sanitize::run(&args, session)),
        Verb::Bench(args) => session::run(TOOL, &args.reports, |session| bench::run(&args, session)),
        Verb::Ci(args) => session::run(TOOL, &args.reports, |session| ci::run(&args, session)),
        Verb::Dist(args) => session::run(TOOL, &[], |session| dist::run(&args, session)),
    })
}
