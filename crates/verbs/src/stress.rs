//! `sigproof stress`: the harness runs the chosen setups, with options made of the arguments.

use sigproof_harness::stress::{self, Options, StressError};
use sigproof_report::{Report, Run, Technique};
use sigproof_shim::native::atomic::AtomicBool;

use crate::args::StressArgs;
use crate::findings::View;
use crate::library::{self, registry};
use crate::progress::Progress;
use crate::select::{self, Unknown};
use crate::session::{Concluded, Session, Text};
use crate::trouble::Trouble;

/// Runs the verb.
pub fn run(args: &StressArgs, session: &mut Session<'_>) -> Concluded {
    let args = &StressArgs { choice: library::of_choice(&args.choice)?, ..args.clone() };
    let options = options(args).map_err(|unknown| Trouble::usage(unknown.to_string()))?;
    let report = observed(&options, session.stop)?;
    let report = session.named(report);
    let view = View::of(args.shown, report.runs.len());
    let asked = |run: &Run| select::asked_for(run, &args.choice, &report.runs);
    session.conclude(&report, Text::Table(Technique::Stress, view), None, asked)
}

/// Runs the harness with progress on the standard error, stopped by a signal.
pub(crate) fn observed(options: &Options, stop: &AtomicBool) -> Result<Report, Trouble> {
    let progress = Progress::start();
    let report = stress::run(registry(), options, &|event| progress.event(event), stop);
    progress.finish();
    let mut report = report.map_err(|error| match error {
        StressError::NoSuchDelivery(_) => Trouble::environment(error.to_string()),
        _ => Trouble::usage(error.to_string()),
    })?;
    report.runs.iter_mut().for_each(library::name_in);
    Ok(report)
}

/// The harness's options for these arguments.
fn options(args: &StressArgs) -> Result<Options, Unknown> {
    let known_cases = select::names(registry().cases().iter().map(|case| (case.name(), case.hidden())));
    Ok(Options {
        selection: select::selection(&args.choice, "case", &known_cases, registry().flavours())?,
        duration: args.duration,
        attempts: args.attempts.map(Into::into),
        rounds: args.rounds.map(Into::into),
        coverage: args.coverage,
        seed: args.seed,
        jobs: args.jobs.map(Into::into),
        delivery: args.delivery,
    })
}
