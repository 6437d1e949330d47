//! `cargo xtask bench`: builds the benchmarks of `sigproof-oracle`, runs them, and makes tables of what they tell.
//!
//! | file | holds |
//! |---|---|
//! | `summary` | medians, ratios and goals, and their table |
//! | `page` | `docs/performance.md` |
//! | `chart` | `docs/performance.svg` |

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sigproof_harness::exit::Exit;
use sigproof_oracle::bench::{Cost, Event, Group, Order, Pace};
use sigproof_oracle::toolchain;

use crate::args::BenchArgs;
use crate::output::{self, Out};
use crate::trouble::Trouble;

mod chart;
mod page;
mod summary;

use summary::Summary;

/// Runs the verb.
pub fn run(args: &BenchArgs) -> Exit {
    perform(args).unwrap_or_else(|trouble| {
        output::complain(&trouble.message);
        trouble.exit
    })
}

fn perform(args: &BenchArgs) -> Result<Exit, Trouble> {
    let mut skipped = Vec::new();
    let go = match toolchain::find(&args.go) {
        Ok(found) => found.into_iter().map(|toolchain| toolchain.goroot).collect(),
        Err(error) if args.go.is_empty() => {
            skipped.push(format!("Go: {error}"));
            Vec::new()
        }
        Err(error) => return Err(Trouble::environment(error.to_string())),
    };
    let pace = if args.quick { Pace::Quick } else { Pace::Full };
    let passes = args.passes.map_or(pace.passes(), Into::into);
    let costs = measure(&Order { groups: vec![Group::Record], passes, pace, go }, &mut skipped)?;
    let summary = Summary::of(&costs);
    let mut text =
        format!("Write and drain, one thread, {passes} passes\n\n{}\n{}", summary.table(), summary.goals_text());
    for line in &skipped {
        text += &format!("skipped: {line}\n");
    }
    let mut exit = Out::Stdout.say(&text);
    if args.write {
        write(&summary, passes, &skipped)?;
    }
    if args.check && summary.goals().iter().any(|goal| !goal.met()) {
        exit = exit.worst(Exit::Unexpected);
    }
    Ok(exit)
}

/// The workspace.
fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// `cargo bench`, and what is to follow.
fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root()).args(["bench", "-p", "sigproof-oracle", "--bench", "profbuf"]).args(arguments);
    cargo.stdin(Stdio::null());
    cargo
}

/// Builds, runs, and collects what is told.
fn measure(order: &Order, skipped: &mut Vec<String>) -> Result<Vec<Cost>, Trouble> {
    let started = |error| Trouble::environment(format!("cargo does not start: {error}"));
    let built = cargo(&["--no-run"]).stdout(Stdio::null()).status().map_err(started)?;
    if !built.success() {
        return Err(Trouble::environment("the benchmarks do not build; what cargo says is above".to_owned()));
    }
    let order = serde_json::to_string(order).map_err(|error| Trouble::unexpected(error.to_string()))?;
    let mut run = cargo(&["--quiet", "--", "--order", &order]);
    let mut child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(started)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // Criterion talks about its progress there; it is shown only if something went wrong.
    let said = std::thread::spawn(move || {
        let mut text = Vec::new();
        stderr.map(|mut stderr| stderr.read_to_end(&mut text));
        String::from_utf8_lossy(&text).into_owned()
    });
    let mut costs = Vec::new();
    let (mut planned, mut done) = (0, 0);
    for line in stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines().map_while(Result::ok)) {
        match event(&line) {
            Some(Event::Planned(visits)) => planned = visits,
            Some(Event::Done) => {
                done += 1;
                if done * 10 / planned.max(1) > (done - 1) * 10 / planned.max(1) {
                    output::tell(&format!("{done} of {planned} visits"));
                }
            }
            Some(Event::Cost(cost)) => costs.push(cost),
            Some(Event::Skipped { what, why, .. }) => {
                let line = format!("{what}: {why}");
                if !skipped.contains(&line) {
                    skipped.push(line);
                }
            }
            // Criterion's own text, and what is not measured here.
            _ => {}
        }
    }
    let ended = child.wait().map_err(|error| Trouble::environment(error.to_string()))?;
    if !ended.success() {
        let said = said.join().unwrap_or_default();
        return Err(Trouble::unexpected(format!("the benchmarks failed ({ended}): {}", said.trim())));
    }
    Ok(costs)
}

/// The event in a line, if there is one.
fn event(line: &str) -> Option<Event> {
    serde_json::from_str(&line[line.find("{\"event\":")?..]).ok()
}

/// Writes the page and its chart.
fn write(summary: &Summary, passes: u32, skipped: &[String]) -> Result<(), Trouble> {
    let docs = root().join("docs");
    let failed = |error: std::io::Error| Trouble::environment(format!("{} cannot be written: {error}", docs.display()));
    let chart = chart::svg(summary).map_err(Trouble::unexpected)?;
    std::fs::create_dir_all(&docs).map_err(failed)?;
    std::fs::write(docs.join("performance.svg"), chart).map_err(failed)?;
    let page = page::text(summary, &page::Machine::detect(&root()), passes, skipped);
    std::fs::write(docs.join("performance.md"), page).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_among_other_text() {
        assert_eq!(event("time: 3 ns"), None);
        assert_eq!(event("{\"event\":\"planned\",\"of\":3}"), Some(Event::Planned(3)));
        assert_eq!(event("\r{\"event\":\"done\"}"), Some(Event::Done));
    }
}
