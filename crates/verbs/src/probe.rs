//! `sigproof probe`: a signal at every instruction of a function of any program.

use std::fmt::Write as _;
use std::slice;

use serde::Serialize;
use sigproof_probe::lint::{self, Lint};
use sigproof_probe::page;
use sigproof_probe::{Found, Report, Request, Trouble as Refused, WindowName};
use sigproof_report::Verdict;
use sigproof_report::exit::Exit;
use sigproof_report::junit::{self, Plain};
use sigproof_report::write::Format;

use crate::args::ProbeArgs;
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
    let mut lints = Vec::new();
    let is_auto = |window: &WindowName| window.library.is_none() && window.function == AUTO;
    if args.lint || args.windows.iter().any(is_auto) {
        lints = sigproof_probe::lint(&request, session.stop, &mut |text| line.tell(text)).map_err(of_refused)?;
        line.clear();
        exit = exit.worst(session.out.say(&(texts(&lints, false) + "\n")));
        let windows = lint::windows(&lints);
        if args.lint {
            if lints.iter().any(|lint| !lint.calls.is_empty()) {
                exit = exit.worst(Exit::Unexpected);
                let at: Vec<String> = windows.iter().take(6).map(|window| format!("--at {window}")).collect();
                if !at.is_empty() {
                    exit = exit.worst(session.out.say(&format!("windows to sweep first: {}\n", at.join(" "))));
                }
            }
            let found = Found::default();
            return Ok(exit.worst(write(args, &lints, &found, session)?).into());
        }
        request.skips = true;
        let named: Vec<WindowName> = windows.iter().filter_map(|window| window.parse().ok()).collect();
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
        exit = exit.worst(write(args, &lints, &found, session)?);
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
    sweeps: &'a [Report],
    uncalled: &'a [String],
    skipped: &'a [(String, String)],
}

/// Writes the reports that were asked for.
fn write(args: &ProbeArgs, lints: &[Lint], found: &Found, session: &Session<'_>) -> Result<Exit, Trouble> {
    let mut exit = Exit::AsExpected;
    for target in &args.reports {
        let text = match target.format {
            Format::Json => {
                let Found { reports: sweeps, uncalled, skipped } = found;
                let written = Written { schema: "sigproof.probe/1", handlers: lints, sweeps, uncalled, skipped };
                serde_json::to_string_pretty(&written)
                    .map_err(|error| Trouble::environment(format!("cannot render the report: {error}")))?
                    + "\n"
            }
            Format::Junit => junit::render_plain("probe", tests(lints, found))
                .map_err(|error| Trouble::environment(format!("cannot render the report: {error}")))?,
            Format::Html => page::render(lints, found),
        };
        exit = exit.worst(reports::write_text(&text, slice::from_ref(target), session.out));
    }
    Ok(exit)
}

/// A test for each handler and each sweep.
fn tests(lints: &[Lint], found: &Found) -> Vec<Plain> {
    let handler = |lint: &Lint| Plain {
        class: format!("{} {}", lint.program, lint.signal),
        name: "handler".to_owned(),
        seconds: 0.0,
        verdict: if lint.calls.is_empty() { Verdict::AsExpected } else { Verdict::Unexpected },
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
        Refused::Inconclusive(what) | Refused::Uncalled(what) => Trouble::with(Exit::Inconclusive, what),
        Refused::Interrupted => Trouble::interrupted(),
    }
}
