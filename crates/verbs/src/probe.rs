//! `sigproof probe`: a signal at every instruction of a function of any program.

use std::fmt::Write as _;
use std::slice;

use serde::Serialize;
use sigproof_probe::lint::{Lint, Window};
use sigproof_probe::page;
use sigproof_probe::{Found, Report, Request, Trouble as Refused, WindowName};
use sigproof_report::Verdict;
use sigproof_report::exit::Exit;
use sigproof_report::junit::{self, Plain};
use sigproof_report::write::Format;

use crate::args::ProbeArgs;
use crate::probe_lint as lint;
use crate::progress::line::Line;
use crate::reports;
use crate::session::{Concluded, Session};
use crate::trouble::Trouble;

/// The window that stands for those that follow from the handler.
const AUTO: &str = "auto";

/// Runs the verb.
pub fn run(args: &ProbeArgs, session: &mut Session<'_>) -> Concluded {
    let mut request = request(args)?;
    let mut line = Line::default();
    let mut exit = Exit::AsExpected;
    let mut handlers = lint::Found::default();
    let is_auto = |window: &WindowName| window.library.is_none() && window.function == AUTO;
    if let Some(program) = &args.program {
        handlers = lint::of_program(args, program).map_err(of_refused)?;
    } else if args.lint || args.windows.iter().any(is_auto) {
        handlers.lints =
            sigproof_probe::lint(&request, session.stop, &mut |text| line.tell(text)).map_err(of_refused)?;
        line.clear();
    }
    if args.lint {
        handlers.windows = sigproof_probe::lint::windows(&handlers.lints);
        exit = exit.worst(session.out.say(&format!("{}\n{}", handlers.text(), handlers.proposed())));
        exit = exit.worst(handlers.exit());
        return Ok(exit.worst(write(args, &handlers, &Found::default(), session)?).into());
    }
    if args.windows.iter().any(is_auto) {
        handlers = lint::of_command(&request, handlers.lints);
        exit = exit.worst(session.out.say(&format!("{}\n{}\n", handlers.text(), handlers.reasons())));
        request.skips = true;
        let named: Vec<WindowName> =
            handlers.windows.iter().filter_map(|window| window.function.parse().ok()).collect();
        request.windows =
            args.windows.iter().flat_map(|w| if is_auto(w) { named.clone() } else { vec![w.clone()] }).collect();
    }
    let mut found = Found::default();
    let done = sigproof_probe::probe(&request, session.stop, &mut |text| line.tell(text), &mut found);
    line.clear();
    let mut text = texts(&found.reports, args.verbose);
    text += &passed_over(&found);
    exit = exit.worst(session.out.say(&text));
    exit = found.reports.iter().map(of_report).fold(exit, Exit::worst);
    if request.skips && found.reports.is_empty() && done.is_ok() {
        exit = exit.worst(Exit::Inconclusive);
    }
    // Where every window was passed over, the report says so.
    if done.is_ok() || !found.reports.is_empty() {
        exit = exit.worst(write(args, &handlers, &found, session)?);
    }
    match done {
        Ok(()) => Ok(exit.into()),
        Err(refused) => {
            let trouble = of_refused(refused);
            Err(Trouble { exit: trouble.exit.worst(exit), ..trouble })
        }
    }
}

/// What was passed over: windows of which no call came in one line.
fn passed_over(found: &Found) -> String {
    let mut text = String::new();
    if !found.uncalled.is_empty() {
        let _ = writeln!(text, "\nnot called, and so not swept: {}", found.uncalled.join(", "));
    }
    for (window, why) in &found.skipped {
        let _ = writeln!(text, "not swept: {window}: {why}");
    }
    text
}

fn request(args: &ProbeArgs) -> Result<Request, Trouble> {
    let replay = args.replay.as_deref().map(str::parse).transpose();
    let replay = replay.map_err(|error: sigproof_step::token::BadToken| Trouble::usage(error.to_string()))?;
    Ok(Request {
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
        expect_output: args.expect_output.clone().unwrap_or_default(),
        cold: args.cold,
        open: args.open,
        own: args.own,
        engine: args.engine,
        no_leaks: args.no_leaks,
        meanwhile: args.meanwhile.clone(),
        schedules: args.schedules,
        jobs: usize::try_from(args.jobs).unwrap_or(1),
        replay,
        ..Request::default()
    })
}

fn texts<T: std::fmt::Display>(found: &[T], whole: bool) -> String {
    let text = |one: &T| if whole { format!("{one:#}") } else { one.to_string() };
    found.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// The schema of a report.
#[derive(Serialize)]
struct Written<'a> {
    schema: &'static str,
    handlers: &'a [Lint],
    windows: &'a [Window],
    notes: &'a [String],
    sweeps: &'a [Report],
    uncalled: &'a [String],
    skipped: &'a [(String, String)],
}

/// Writes the reports that were asked for.
fn write(args: &ProbeArgs, handlers: &lint::Found, found: &Found, session: &Session<'_>) -> Result<Exit, Trouble> {
    let mut exit = Exit::AsExpected;
    for target in &args.reports {
        let text = match target.format {
            Format::Json => {
                let Found { reports: sweeps, uncalled, skipped } = found;
                let lint::Found { lints, windows, notes, .. } = handlers;
                let schema = "sigproof.probe/1";
                let written = Written { schema, handlers: lints, windows, notes, sweeps, uncalled, skipped };
                serde_json::to_string_pretty(&written)
                    .map_err(|error| Trouble::environment(format!("cannot render the report: {error}")))?
                    + "\n"
            }
            Format::Junit => junit::render_plain("probe", tests(&handlers.lints, found))
                .map_err(|error| Trouble::environment(format!("cannot render the report: {error}")))?,
            Format::Html => page::render(&handlers.lints, found),
        };
        exit = exit.worst(reports::write_text(&text, slice::from_ref(target), session.out));
    }
    Ok(exit)
}

/// A test for each handler and each sweep.
fn tests(lints: &[Lint], found: &Found) -> Vec<Plain> {
    let handler = |lint: &Lint| Plain {
        class: format!("{} {}", lint.program, lint.signal),
        name: format!("handler {} {}", lint.handler, lint.source),
        seconds: 0.0,
        verdict: match (lint.is_bad(), lint.is_open()) {
            (true, _) => Verdict::Unexpected,
            (false, true) => Verdict::Inconclusive,
            (false, false) => Verdict::AsExpected,
        },
        text: lint.to_string(),
    };
    let sweep = |report: &Report| Plain {
        class: format!("{} {}", report.program, report.signal),
        name: report.window.clone(),
        seconds: report.seconds,
        verdict: match of_report(report) {
            Exit::AsExpected => Verdict::AsExpected,
            Exit::Inconclusive => Verdict::Inconclusive,
            _ => Verdict::Unexpected,
        },
        text: report.to_string(),
    };
    let skipped = |(window, why): &(String, String)| Plain {
        class: "not swept".to_owned(),
        name: window.clone(),
        seconds: 0.0,
        verdict: Verdict::Skipped,
        text: why.clone(),
    };
    let uncalled = |window: &String| Plain {
        class: "not swept".to_owned(),
        name: window.clone(),
        seconds: 0.0,
        verdict: Verdict::Skipped,
        text: "it was not called".to_owned(),
    };
    let swept = lints.iter().map(handler).chain(found.reports.iter().map(sweep));
    swept.chain(found.uncalled.iter().map(uncalled)).chain(found.skipped.iter().map(skipped)).collect()
}

/// What a sweep makes of the command.
fn of_report(report: &Report) -> Exit {
    let undecided = report.paths.iter().any(|path| path.strip.contains('?'));
    match report.vulnerable() {
        0 if report.errno.is_some() => Exit::Unexpected,
        0 if report.incomplete || undecided || report.judged() == 0 => Exit::Inconclusive,
        0 => Exit::AsExpected,
        _ => Exit::Unexpected,
    }
}

fn of_refused(refused: Refused) -> Trouble {
    match refused {
        Refused::Usage(what) => Trouble::usage(what),
        Refused::Lacks(what) => Trouble::environment(what),
        Refused::Inconclusive(what) | Refused::Uncalled(what) | Refused::Gone(what) => {
            Trouble::with(Exit::Inconclusive, what)
        }
        Refused::Interrupted => Trouble::interrupted(),
    }
}
