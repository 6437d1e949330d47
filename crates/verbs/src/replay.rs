//! `sigproof replay`: repeats one execution, a counterexample of a model or a signal at one boundary.

use sigproof_casebook::REGISTRY;
use sigproof_harness::model::token::Token;
use sigproof_harness::model::worker::{Event, Order};
use sigproof_report::{PROGRAM, Run, Technique};
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use crate::args::ReplayArgs;
use crate::findings::{Maps, View};
use crate::library;
use crate::model::process::{self, Explorer, Place};
use crate::session::{Concluded, Session, Text};
use crate::step;
use crate::trouble::Trouble;

/// Runs the verb. A finding that shows again is what was asked for: 0, or 1 where it must never be.
pub fn run(args: &ReplayArgs, session: &mut Session<'_>) -> Concluded {
    if let Some(path) = &args.library {
        library::announce(path)?;
    }
    let of_step = step::is_token(&args.token);
    let run = match of_step {
        true => step::replay(&args.token, session.stop),
        false => of_model(&args.token, session.tool.explorer, session.stop),
    }?;
    let mut report = session.report(run.into_iter().collect());
    let technique = match report.runs.first() {
        Some(run) => {
            report.elapsed_seconds = run.elapsed_seconds;
            run.technique()
        }
        None if of_step => Technique::Step,
        None => Technique::Model,
    };
    let view = View { maps: Maps::All, ..View::of(args.shown, 1) };
    if let Some(drawing) = &args.graph {
        drawing.draw(&report)?;
    }
    session.conclude(&report, Text::Table(technique, view), None, |_| true)
}

/// The execution of a model; `None` if `stop` was set before its end.
fn of_model(token: &str, place: Place, stop: &AtomicBool) -> Result<Option<Run>, Trouble> {
    let token: Token = token.parse().map_err(|error| Trouble::usage(format!("{error}")))?;
    if !REGISTRY.models().iter().any(|entry| entry.label() == token.label) {
        let label = &token.label;
        let message = format!("no model is called '{label}'; `{PROGRAM} list` shows every model");
        return Err(Trouble::usage(message));
    }
    let mut found = None;
    let mut refused = None;
    let program = process::find(place, token.engine())?;
    Explorer::start(&program, &Order::Replay(token.to_string()))?.events(stop, |event| match event {
        Event::Done(_, run) => found = Some(*run),
        Event::Refused(why) => refused = Some(why),
        _ => {}
    })?;
    if found.is_none() && !stop.load(Ordering::Relaxed) {
        return Err(Trouble::usage(refused.unwrap_or_else(|| "the replay told nothing".to_owned())));
    }
    Ok(found)
}
