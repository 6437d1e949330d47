//! `cargo xtask bench`: builds the benchmarks of `sigproof-oracle`, runs them, and makes tables of what they tell.
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
//! | `chart` | `docs/performance.svg` |

use std::path::{Path, PathBuf};
use std::time::Instant;

use sigproof_harness::exit::Exit;
use sigproof_harness::report::write::Format;
use sigproof_oracle::bench::{Group, Order, Pace};
use sigproof_oracle::toolchain;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};
use sigproof_shim::sync::Arc;

use crate::args::BenchArgs;
use crate::output::{self, Out};
use crate::trouble::Trouble;
use crate::{interrupt, reports, units};

mod chart;
mod costs;
mod grid;
mod page;
mod process;
mod results;
mod spread;
mod traffic;

use costs::Costs;
use results::{Machine, Results};

/// Runs the verb.
pub fn run(args: &BenchArgs) -> Exit {
    let Ok(out) = reports::stream(&args.reports) else { return Exit::Usage };
    perform(args, out).unwrap_or_else(|trouble| {
        output::complain(&trouble.message);
        trouble.exit
    })
}

/// The workspace.
fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

fn perform(args: &BenchArgs, out: Out) -> Result<Exit, Trouble> {
    if args.reports.iter().any(|target| target.format != Format::Json) {
        return Err(Trouble::usage("a benchmark is no test: its report is json=PATH".to_owned()));
    }
    let started = Instant::now();
    let (order, without_go) = order(args)?;
    let stop = Arc::new(AtomicBool::new(false));
    if let Err(error) = interrupt::stop_on_signals(&stop) {
        output::tell(&format!("warning: an interruption will lose the results: {error}"));
    }
    let program = args.program.clone().map_or_else(process::build, Ok)?;
    let mut results = Results::new(&order, Machine::detect(&root()));
    results.skipped.extend(without_go);
    let ended = process::run(&program, &order, &stop, &mut results);
    results.interrupted = stop.load(Ordering::Relaxed);
    results.elapsed_seconds = started.elapsed().as_secs_f64();

    let mut exit = out.say(&text(&results, out));
    if let Err(trouble) = ended {
        output::complain(&trouble.message);
        exit = exit.worst(trouble.exit);
    }
    for target in &args.reports {
        let written = results.to_json().map_err(|error| error.to_string());
        if let Err(error) = written.and_then(|json| target.write_text(&json).map_err(|error| error.to_string())) {
            output::complain(&error);
            exit = exit.worst(Exit::Environment);
        }
    }
    if results.interrupted {
        return Ok(Exit::Interrupted);
    }
    if args.write {
        write(&results)?;
    }
    if args.check && Costs::of(&results.costs).goals().iter().any(|goal| !goal.met()) {
        exit = exit.worst(Exit::Unexpected);
    }
    if !args.go.is_empty() && results.toolchains() < order.go.len() {
        exit = exit.worst(Exit::Environment);
    }
    Ok(exit)
}

/// What is to be measured; and why Go is left out, if it is.
fn order(args: &BenchArgs) -> Result<(Order, Vec<String>), Trouble> {
    let pace = match (args.tiny, args.quick) {
        (true, _) => Pace::Tiny,
        (false, true) => Pace::Quick,
        (false, false) => Pace::Full,
    };
    let (go, without) = match toolchain::find(&args.go) {
        Ok(found) => (found.into_iter().map(|toolchain| toolchain.goroot).collect(), Vec::new()),
        Err(error @ toolchain::ToolchainError::None) => (Vec::new(), vec![format!("Go: {error}")]),
        Err(error) => return Err(Trouble::environment(error.to_string())),
    };
    let chosen = |group: &Group| args.groups.is_empty() || args.groups.contains(group);
    let groups = Group::ALL.iter().copied().filter(chosen).collect();
    Ok((Order { groups, passes: args.passes.map_or(pace.passes(), Into::into), pace, go }, without))
}

/// What people are told.
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
    let goals = Costs::of(&results.costs).goals();
    let met = goals.iter().filter(|goal| goal.met()).count();
    let goals = if goals.is_empty() { String::new() } else { format!("{met} of {} goals met; ", goals.len()) };
    let begun = if results.interrupted { "interrupted after " } else { "" };
    let passes = units::of(results.passes as usize, "pass").replace("passs", "passes");
    text + &format!("{goals}{begun}{passes}; {}\n", units::seconds(results.elapsed_seconds))
}

/// Writes the page and its picture.
fn write(results: &Results) -> Result<(), Trouble> {
    let docs = root().join("docs");
    let failed = |error: std::io::Error| Trouble::environment(format!("{} cannot be written: {error}", docs.display()));
    let picture = chart::svg(&Costs::of(&results.costs)).map_err(Trouble::unexpected)?;
    std::fs::create_dir_all(&docs).map_err(failed)?;
    std::fs::write(docs.join("performance.svg"), picture).map_err(failed)?;
    std::fs::write(docs.join("performance.md"), page::text(results)).map_err(failed)
}
