//! `cargo xtask bench`: builds the benchmarks of `sigproof-oracle`, runs them, and prints tables of the
//! results.
//!
//! | file | holds |
//! |---|---|
//! | `process` | the build and the run |
//! | `results` | what was measured, and the JSON of it |
//! | `spread` | medians over passes, and ratios within a pass |
//! | `costs` | the tables and goals of group `record` |
//! | `traffic` | the tables of groups `threads` and `latency` |
//! | `grid` | a table, as text and as Markdown |
//! | `page` | `docs/performance.md` |
//!
//! `sigproof-workbench` draws `docs/performance.svg`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use sigproof_oracle::bench::{Group, Order, Pace};
use sigproof_oracle::driver::{self, Driver};
use sigproof_oracle::toolchain::{self, Toolchain, ToolchainError};
use sigproof_report::exit::Exit;
use sigproof_report::write::Format;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use crate::args::BenchArgs;
use crate::output::{self, Out};
use crate::session::{Concluded, Ended, Session};
use crate::trouble::Trouble;
use crate::{units, workbench};

pub mod costs;
mod grid;
mod page;
pub mod process;
pub mod results;
mod spread;
mod traffic;

use costs::{Costs, Goal};
use results::{Machine, Results, Runtime};

/// Runs the verb.
pub fn run(args: &BenchArgs, session: &mut Session<'_>) -> Concluded {
    perform(args, session.out, session.stop).map(Ended::from)
}

fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

fn perform(args: &BenchArgs, out: Out, stop: &AtomicBool) -> Result<Exit, Trouble> {
    let started = Instant::now();
    let groups = groups(args)?;
    let pace = pace(args);
    let toolchains = if args.without_go { Vec::new() } else { toolchains(toolchain::find(&args.go))? };
    let (go, failed) = drivers(&toolchains, stop)?;
    let order = Order { groups, passes: args.passes.map_or(pace.passes(), Into::into), pace, go };
    let mut results = Results::new(&order, Machine::detect(&root()));
    results.runtimes = order.go.iter().map(Runtime::ask).collect();
    results.skipped.extend(args.without_go.then(|| "Go: left out, as asked for".to_owned()));
    results.skipped.extend(failed);
    let ended = process::build(pace, stop).and_then(|program| process::run(&program, &order, stop, &mut results));
    results.interrupted = stop.load(Ordering::Relaxed);
    results.elapsed_seconds = started.elapsed().as_secs_f64();

    let mut exit = out.say(&text(&results, out));
    exit = exit.worst(report(args, &results, out));
    if results.interrupted {
        return Ok(Exit::Interrupted);
    }
    if let Err(trouble) = ended {
        output::complain(&trouble.message);
        return Ok(exit.worst(trouble.exit));
    }
    if args.write {
        exit = exit.worst(write(&results, out)?);
    }
    if args.check {
        exit = exit.worst(check(&Costs::of(&results.costs).goals()));
    }
    if results.toolchains() < toolchains.len() {
        exit = exit.worst(Exit::Environment);
    }
    Ok(exit)
}

/// The groups to measure, if the arguments do not exclude each other.
fn groups(args: &BenchArgs) -> Result<Vec<Group>, Trouble> {
    let chosen = |group: &Group| args.groups.is_empty() || args.groups.contains(group);
    if args.check && !chosen(&Group::Record) {
        return Err(Trouble::usage("--check needs the group record: its goals are checked".to_owned()));
    }
    if args.reports.iter().any(|target| target.format != Format::Json) {
        return Err(Trouble::usage("a benchmark is no test: its report is json=PATH".to_owned()));
    }
    Ok(Group::ALL.iter().copied().filter(chosen).collect())
}

fn pace(args: &BenchArgs) -> Pace {
    match (args.tiny, args.quick) {
        (true, _) => Pace::Tiny,
        (false, true) => Pace::Quick,
        (false, false) => Pace::Full,
    }
}

/// The toolchains. Without any, nothing is measured, except with `--without-go`.
fn toolchains(found: Result<Vec<Toolchain>, ToolchainError>) -> Result<Vec<Toolchain>, Trouble> {
    found.map_err(|error| Trouble::environment(format!("{error}; or leave Go out: --without-go")))
}

/// A driver for each that can be had; and of the others, that it cannot.
fn drivers(toolchains: &[Toolchain], stop: &AtomicBool) -> Result<(Vec<Driver>, Vec<String>), Trouble> {
    let (mut drivers, mut failed) = (Vec::new(), Vec::new());
    for toolchain in toolchains {
        output::tell(&format!("building for {} (some seconds, the first time)", toolchain.version));
        match Driver::build(toolchain, &driver::folder(), stop) {
            Ok(driver) => drivers.push(driver),
            Err(error) => {
                output::complain(&error.to_string());
                // The output of the compiler has paths of this machine, so it is not printed on a page.
                failed.push(format!("{}: its driver cannot be built", toolchain.version));
            }
        }
    }
    if drivers.is_empty() && !failed.is_empty() {
        return Err(Trouble::environment("no driver could be built; to leave Go out: --without-go".to_owned()));
    }
    Ok((drivers, failed))
}

/// The exit code of `--check`.
fn check(goals: &[Goal]) -> Exit {
    match goals.iter().all(|goal| goal.met) {
        _ if goals.is_empty() => Exit::Inconclusive,
        true => Exit::AsExpected,
        false => Exit::Unexpected,
    }
}

/// The text for people.
fn text(results: &Results, out: Out) -> String {
    let mut text = String::new();
    for section in page::sections(results) {
        text += &format!("{}\n", section.title);
        for grid in &section.grids {
            text += &format!("\n{}", grid.plain(out));
        }
        text += "\n";
    }
    for line in &results.skipped {
        text += &format!("skipped: {line}\n");
    }
    let goals = costs::met(&Costs::of(&results.costs).goals()).map_or_else(String::new, |met| format!("{met}; "));
    let elapsed = units::seconds(results.elapsed_seconds);
    text + &match results.interrupted {
        true => format!("{goals}interrupted after {elapsed}\n"),
        false => format!("{goals}{}; {elapsed}\n", units::of(results.passes as usize, "pass")),
    }
}

/// Writes the reports, and prints their paths.
fn report(args: &BenchArgs, results: &Results, out: Out) -> Exit {
    let mut exit = Exit::AsExpected;
    for target in &args.reports {
        let json = results.to_json().map_err(|error| error.to_string());
        let written = json.and_then(|json| target.write_text(&json).map_err(|error| error.to_string()));
        exit = exit.worst(match (written, &target.path) {
            (Ok(()), Some(path)) => out.say(&format!("report: {}\n", path.display())),
            (Ok(()), None) => Exit::AsExpected,
            (Err(error), _) => {
                output::complain(&error);
                Exit::Environment
            }
        });
    }
    exit
}

/// Writes the page and its picture, and prints their names.
fn write(results: &Results, out: Out) -> Result<Exit, Trouble> {
    let docs = root().join("docs");
    let failed = |error: std::io::Error| Trouble::environment(format!("{} cannot be written: {error}", docs.display()));
    let picture = workbench::chart(&Costs::of(&results.costs).lines())?;
    std::fs::create_dir_all(&docs).map_err(failed)?;
    std::fs::write(docs.join("performance.svg"), picture).map_err(failed)?;
    std::fs::write(docs.join("performance.md"), page::text(results)).map_err(failed)?;
    Ok(out.say("written: docs/performance.md, docs/performance.svg\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sigproof_report::write::Target;

    #[test]
    fn without_go_the_remedy_is_told() {
        let trouble = toolchains(Err(ToolchainError::None)).unwrap_err();
        assert_eq!(trouble.exit, Exit::Environment);
        assert!(["https://go.dev/dl", "SIGPROOF_GO", "--without-go"].iter().all(|word| trouble.message.contains(word)));
    }

    #[test]
    fn what_does_not_go_together_is_wrong_usage() {
        let wrong = [
            BenchArgs { check: true, groups: vec![Group::Latency], ..BenchArgs::default() },
            BenchArgs { reports: vec![Target { format: Format::Junit, path: None }], ..BenchArgs::default() },
        ];
        assert!(wrong.iter().all(|args| groups(args).is_err_and(|trouble| trouble.exit == Exit::Usage)));
        assert_eq!(groups(&BenchArgs::default()).unwrap(), Group::ALL);
    }

    #[test]
    fn a_check_takes_all_goals_and_at_least_one() {
        let goals = Costs::of(&results::tests::example().costs).goals();
        let met: Vec<_> = goals.iter().filter(|goal| goal.met).cloned().collect();
        assert_eq!([check(&goals), check(&met), check(&[])], [Exit::Unexpected, Exit::AsExpected, Exit::Inconclusive]);
    }
}
