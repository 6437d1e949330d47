//! `cargo xtask replay`: repeats one execution, a counterexample of a model or a signal at one boundary.

use sigproof_casebook::REGISTRY;
use sigproof_harness::model::token::Token;
use sigproof_harness::model::worker::{Event, Order};
use sigproof_report::exit::Exit;
use sigproof_report::{Report, Run, Verdict};
use sigproof_shim::native::atomic::AtomicBool;

use crate::args::ReplayArgs;
use crate::findings::{Maps, View};
use crate::model::process::{self, Explorer};
use crate::trouble::Trouble;
use crate::{output, reports, step};

/// Runs the verb. A finding that shows again is what was asked for: 0, or 1 where it must never be.
pub fn run(args: &ReplayArgs) -> Exit {
    let out = match reports::stream(&args.reports) {
        Ok(out) => out,
        Err(exit) => return exit,
    };
    let replay = if step::is_token(&args.token) { step::replay } else { of_model };
    let run = match replay(&args.token) {
        Ok(run) => run,
        Err(trouble) => {
            output::complain(&trouble.message);
            return trouble.exit;
        }
    };
    let (technique, elapsed_seconds) = (run.technique(), run.elapsed_seconds);
    let shows = run.verdict != Verdict::Inconclusive;
    let report = Report { runs: vec![run], elapsed_seconds, ..Report::new() };
    let view = View { maps: Maps::All, ..View::of(args.shown, 1) };
    let told = reports::tell(technique, &report, &args.reports, out, view);
    if shows { Exit::of_runs(&report.runs, |_| true).worst(told) } else { Exit::Inconclusive.worst(told) }
}

/// The execution of a model.
fn of_model(token: &str) -> Result<Run, Trouble> {
    let token: Token = token.parse().map_err(|error| Trouble::usage(format!("{error}")))?;
    if !REGISTRY.models().iter().any(|entry| entry.label() == token.label) {
        let label = &token.label;
        let message = format!("no model is called '{label}'; `cargo xtask list` shows every model");
        return Err(Trouble::usage(message));
    }
    let mut found = None;
    let mut refused = None;
    let program = process::build()?;
    Explorer::start(&program, &Order::Replay(token.to_string()))?.events(
        &AtomicBool::new(false),
        |event| match event {
            Event::Done(_, run) => found = Some(*run),
            Event::Refused(why) => refused = Some(why),
            _ => {}
        },
    )?;
    found.ok_or_else(|| Trouble::usage(refused.unwrap_or_else(|| "the replay told nothing".to_owned())))
}
