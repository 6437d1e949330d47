//! `cargo xtask replay`: the execution of a counterexample, once more.

use sigproof_harness::exit::Exit;
use sigproof_harness::model::token::Token;
use sigproof_harness::model::worker::{Event, Order};
use sigproof_harness::report::{Report, Verdict};

use crate::args::ReplayArgs;
use crate::model::process::{self, Explorer};
use crate::{output, reports};

/// Runs the verb. A counterexample that shows again is what was asked for: 0, or 1 where it must never be.
pub fn run(args: &ReplayArgs) -> Exit {
    let Ok(out) = reports::stream(&args.reports) else { return Exit::Usage };
    let token: Token = match args.token.parse() {
        Ok(token) => token,
        Err(error) => {
            output::complain(&format!("{error}"));
            return Exit::Usage;
        }
    };
    if !sigproof_harness::model::entries().iter().any(|entry| entry.label() == token.label) {
        output::complain(&format!("no model is called '{}'; `cargo xtask list` shows every model", token.label));
        return Exit::Usage;
    }
    let mut found = None;
    let mut refused = None;
    let done = process::build().and_then(|program| {
        Explorer::start(&program, &Order::Replay(token.to_string()))?.events(|event| {
            match event {
                Event::Done(_, run) => found = Some(*run),
                Event::Refused(why) => refused = Some(why),
                _ => {}
            }
            true
        })
    });
    if let Err(trouble) = done {
        output::complain(&trouble.message);
        return trouble.exit;
    }
    let Some(run) = found else {
        output::complain(&refused.unwrap_or_else(|| "the replay told nothing".to_owned()));
        return Exit::Usage;
    };
    let elapsed_seconds = run.elapsed_seconds;
    let shows = run.verdict != Verdict::Inconclusive;
    let report = Report { runs: vec![run], elapsed_seconds, ..Report::new() };
    let told = reports::tell(&report, &args.reports, out);
    if shows { Exit::of_runs(&report.runs, |_| true).worst(told) } else { Exit::Inconclusive.worst(told) }
}
