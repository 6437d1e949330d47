//! `cargo xtask probe`: a signal at every instruction of a function of any program.

use serde::Serialize;
use sigproof_probe::{Report, Request, Trouble as Found};
use sigproof_report::exit::Exit;

use crate::args::ProbeArgs;
use crate::output::Out;
use crate::reports;
use crate::session::{Concluded, Session};
use crate::trouble::Trouble;

/// Runs the verb.
pub fn run(args: &ProbeArgs, session: &mut Session<'_>) -> Concluded {
    reports::only_json(&args.reports)?;
    let replay = args.replay.as_deref().map(str::parse).transpose();
    let replay = replay.map_err(|error: sigproof_step::token::BadToken| Trouble::usage(error.to_string()))?;
    let request = Request {
        command: args.command.clone(),
        env: args.env.clone(),
        signals: args.signals.clone(),
        windows: args.windows.clone(),
        thread: args.thread.clone(),
        from: args.from,
        calls: args.calls.map(std::num::NonZero::get),
        time: args.time,
        timeout: args.timeout,
        expect_exit: args.expect_exit,
        cold: args.cold,
        engine: args.engine,
        replay,
        ..Request::default()
    };
    let mut found = Vec::new();
    let mut shown = false;
    let done = sigproof_probe::probe(&request, session.stop, &mut |line| told(line, &mut shown), &mut found);
    if shown {
        let _ = Out::Stderr.say("\r\x1b[2K");
    }
    let texts = found.iter().map(|report| if args.verbose { format!("{report:#}") } else { report.to_string() });
    let mut exit = session.out.say(&texts.collect::<Vec<_>>().join("\n"));
    exit = found.iter().map(of_report).fold(exit, Exit::worst);
    if !found.is_empty() {
        exit = exit.worst(session.write_json(&Written { schema: "sigproof.probe/1", sweeps: &found })?);
    }
    match done {
        Ok(()) => Ok(exit.into()),
        Err(trouble) => {
            let trouble = of_trouble(trouble);
            Err(Trouble { exit: trouble.exit.worst(exit), ..trouble })
        }
    }
}

/// The schema of a report.
#[derive(Serialize)]
struct Written<'a> {
    schema: &'static str,
    sweeps: &'a [Report],
}

/// The line of progress, on a terminal alone.
fn told(line: &str, shown: &mut bool) {
    if Out::Stderr.is_terminal() {
        let width = usize::from(Out::Stderr.width().unwrap_or(80)).saturating_sub(1);
        let line: String = line.chars().take(width).collect();
        let _ = Out::Stderr.say(&format!("\r\x1b[2K{line}"));
        *shown = true;
    }
}

/// What a sweep makes of the command.
fn of_report(report: &Report) -> Exit {
    let undecided = report.paths.iter().any(|path| path.strip.contains('?'));
    match report.vulnerable() {
        0 if report.incomplete || undecided || report.judged() == 0 => Exit::Inconclusive,
        0 => Exit::AsExpected,
        _ => Exit::Unexpected,
    }
}

fn of_trouble(trouble: Found) -> Trouble {
    match trouble {
        Found::Usage(what) => Trouble::usage(what),
        Found::Lacks(what) => Trouble::environment(what),
        Found::Inconclusive(what) => Trouble::with(Exit::Inconclusive, what),
        Found::Interrupted => Trouble::interrupted(),
    }
}
