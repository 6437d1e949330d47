//! `cargo xtask stress`: from the arguments to the harness's options, and from its report to a table, files and an exit code.

use sigproof_casebook::REGISTRY;
use sigproof_harness::stress::{self, Options, StressError};
use sigproof_report::exit::Exit;
use sigproof_report::{Report, Run, Technique};

use crate::args::StressArgs;
use crate::findings::View;
use crate::output;
use crate::progress::Progress;
use crate::select::{self, Unknown};
use crate::{interrupt, reports};

/// Runs the verb.
pub fn run(args: &StressArgs) -> Exit {
    perform(args, &mut Vec::new())
}

/// Runs the verb, and keeps its runs.
pub fn perform(args: &StressArgs, kept: &mut Vec<Run>) -> Exit {
    let out = match reports::stream(&args.reports) {
        Ok(out) => out,
        Err(exit) => return exit,
    };
    let options = match options(args) {
        Ok(options) => options,
        Err(unknown) => {
            output::complain(&unknown.to_string());
            return Exit::Usage;
        }
    };
    let report = match observed(&options) {
        Ok(report) => report,
        Err(error) => {
            output::complain(&error.to_string());
            return match error {
                StressError::NoSuchDelivery(_) => Exit::Environment,
                _ => Exit::Usage,
            };
        }
    };
    let written =
        reports::tell(Technique::Stress, &report, &args.reports, out, View::of(args.shown, report.runs.len()));
    kept.extend_from_slice(&report.runs);
    if report.interrupted {
        return Exit::Interrupted;
    }
    Exit::of_runs(&report.runs, |run| select::asked_for(run, &args.choice, &report.runs)).worst(written)
}

/// Runs the harness with progress on the standard error, stopped by a signal.
fn observed(options: &Options) -> Result<Report, StressError> {
    let stop = interrupt::flag();
    let progress = Progress::start();
    let report = stress::run(&REGISTRY, options, &|event| progress.event(event), stop);
    progress.finish();
    report
}

/// The harness's options for these arguments.
fn options(args: &StressArgs) -> Result<Options, Unknown> {
    let known_cases = select::names(REGISTRY.cases().iter().map(|case| (case.name(), case.hidden())));
    Ok(Options {
        selection: select::selection(&args.choice, "case", &known_cases, REGISTRY.flavours())?,
        duration: args.duration,
        attempts: args.attempts.map(Into::into),
        rounds: args.rounds.map(Into::into),
        coverage: args.coverage,
        seed: args.seed,
        jobs: args.jobs.map(Into::into),
        delivery: args.delivery,
    })
}
