//! The program of the benchmarks: built by cargo's bench profile, given an order, and listened to.
//!
//! Its standard error holds criterion's progress. The end of it is shown if something goes wrong.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use sigproof_inspect::process::lines::{Broken, How, Talk};
use sigproof_oracle::bench::{Benching, Event, Group, ORDERED, Order, Pace};
use sigproof_shim::native::atomic::AtomicBool;

use super::results::Results;
use crate::progress::{self, Progress};
use crate::trouble::Trouble;
use crate::{command, output, units};

/// How many lines of criterion's text are shown if something goes wrong.
const LAST: usize = 20;

/// Builds it, and says where it is. For tests it is made of what they are made of: their profile, and the
/// features of the whole workspace.
pub fn build(pace: Pace, stop: &AtomicBool) -> Result<PathBuf, Trouble> {
    output::tell("building the benchmarks (about a minute, the first time)");
    let chosen: &[_] = match pace {
        Pace::Tiny => &["--profile", "dev", "--workspace"],
        Pace::Quick | Pace::Full => &["--package", "sigproof-oracle"],
    };
    let mut cargo = command::cargo();
    cargo.current_dir(super::root());
    cargo.args(["bench", "--no-run", "--bench", "profbuf"]).args(chosen);
    let built = command::output(cargo.arg("--message-format=json-render-diagnostics"), stop)?;
    let lines = String::from_utf8_lossy(&built.stdout);
    let program = lines.lines().find_map(executable).filter(|_| built.status.success());
    program.ok_or_else(|| {
        Trouble::unexpected(format!("the benchmarks cannot be built: cargo ended with {}", built.status))
    })
}

/// The path in a message of cargo's, if it is about the benchmarks.
fn executable(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let of_bench = message["target"]["kind"].as_array()?.iter().any(|kind| kind == "bench");
    message["executable"].as_str().filter(|_| of_bench).map(PathBuf::from)
}

/// Runs it, and takes what it tells, until its end or an interruption.
///
/// # Errors
/// It cannot be run, or it fails; what it has told until then is in the results.
pub fn run(program: &Path, order: &Order, stop: &AtomicBool, results: &mut Results) -> Result<(), Trouble> {
    let started = Talk::<Benching>::start("the benchmarks", Command::new(program).arg(ORDERED));
    let mut talk =
        started.map_err(|error| Trouble::environment(format!("{} cannot be run: {error}", program.display())))?;
    talk.order(order);
    let progress = Progress::start();
    let mut passes = Passes::begin(order, &progress);
    let ended = talk.until(stop, |event| {
        passes.take(event, results);
        ControlFlow::<()>::Continue(())
    });
    passes.end();
    progress.finish();
    match ended {
        Ok(_) => Ok(()),
        Err(Broken { how: How::Ended(status), .. }) if status.success() => Ok(()),
        Err(broken) if broken.is_from_outside() => Err(Trouble::environment(broken.to_string())),
        Err(Broken { child, how, words }) => {
            let lines: Vec<_> = words.lines().filter(|line| !line.starts_with("Benchmarking ")).collect();
            let last = lines[lines.len().saturating_sub(LAST)..].join("\n");
            Err(Trouble::unexpected(format!("{child} {how}: {last}")))
        }
    }
}

/// A pass of a group under way.
struct Pass {
    group: Group,
    pass: u32,
    visits: usize,
    began: Instant,
}

/// The passes of all groups, as the program tells of them.
struct Passes<'a> {
    progress: &'a Progress,
    /// How many visits each pass of a group has.
    planned: BTreeMap<Group, usize>,
    /// Passes done.
    index: usize,
    now: Option<Pass>,
}

impl<'a> Passes<'a> {
    fn begin(order: &Order, progress: &'a Progress) -> Self {
        let count = order.groups.len() * order.passes as usize;
        progress.event(progress::Event::Planned { count, thing: "pass" });
        Self { progress, planned: BTreeMap::new(), index: 0, now: None }
    }

    fn take(&mut self, event: Event, results: &mut Results) {
        match event {
            Event::Planned(visits) => self.planned = visits,
            Event::Begun { group, pass, what } => {
                if self.now.as_ref().is_none_or(|now| (now.group, now.pass) != (group, pass)) {
                    self.end();
                    let label = format!("{}, pass {}", group.as_str(), pass + 1);
                    self.progress.event(progress::Event::Started { index: self.index, label });
                    self.now = Some(Pass { group, pass, visits: 0, began: Instant::now() });
                }
                if let Some(now) = &self.now {
                    let of = self.planned.get(&group).copied().unwrap_or(1).max(1);
                    let fraction = now.visits as f64 / of as f64;
                    self.progress.event(progress::Event::Progress { index: self.index, fraction, detail: what });
                }
            }
            Event::Done => self.now.iter_mut().for_each(|now| now.visits += 1),
            result => results.take(result),
        }
    }

    /// The pass under way has ended.
    fn end(&mut self) {
        if let Some(done) = self.now.take() {
            self.progress.event(said(self.index, &done));
            self.index += 1;
        }
    }
}

fn said(index: usize, done: &Pass) -> progress::Event {
    let (group, pass, visits) = (done.group.as_str(), done.pass + 1, units::of(done.visits, "visit"));
    let line = format!("{group}, pass {pass}: {visits}; {}", units::seconds(done.began.elapsed().as_secs_f64()));
    progress::Event::Said { index, line }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The program would go on for an hour; it ends with the refusal.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_refused_thread_is_trouble_with_a_remedy() {
        use sigproof_report::exit::Exit;
        use sigproof_tests::refuse::without_threads;

        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("benchmarks.sh");
        sigproof_tests::executable::script(&program, "#!/bin/sh\nexec sleep 3600\n");
        let order = Order { groups: Vec::new(), passes: 1, pace: Pace::Tiny, go: Vec::new() };
        let stop = AtomicBool::new(false);
        let mut results = Results::new(&order, crate::bench::results::Machine::detect(folder.path()));
        let refused = without_threads(|| run(&program, &order, &stop, &mut results).unwrap_err());
        assert_eq!(refused.exit, Exit::Environment, "{}", refused.message);
        assert!(refused.message.contains("thread") && refused.message.contains("ulimit -u"), "{}", refused.message);
    }

    #[test]
    fn the_executable_is_the_one_of_the_bench() {
        let line = |kind: &str| format!(r#"{{"target":{{"kind":["{kind}"]}},"executable":"here"}}"#);
        assert_eq!(executable(&line("bench")), Some(PathBuf::from("here")));
        assert_eq!(executable(&line("lib")), None);
        assert_eq!(executable("warning: 3"), None);
    }
}
