//! The benchmarks' executable: built by cargo's bench profile, run with an order, and listened to.
//!
//! What it says on its standard error is criterion's progress; it is kept, and shown only if something goes wrong.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use sigproof_inspect::refusal::Refusal;
use sigproof_oracle::bench::{Event, Group, Order, Pace};
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use super::results::Results;
use crate::progress::{self, Progress};
use crate::trouble::Trouble;
use crate::{command, output, units};

/// How often an interruption is looked for.
const TICK: Duration = Duration::from_millis(50);

/// Builds it, and says where it is. For tests it is made of what they are made of: their profile, and the features of the whole workspace.
pub fn build(pace: Pace) -> Result<PathBuf, Trouble> {
    output::tell("building the benchmarks (about a minute, the first time)");
    let chosen: &[_] = match pace {
        Pace::Tiny => &["--profile", "dev", "--workspace"],
        Pace::Quick | Pace::Full => &["--package", "sigproof-oracle"],
    };
    let mut cargo = command::cargo();
    cargo.current_dir(super::root()).stdin(Stdio::null()).stderr(Stdio::inherit());
    cargo.args(["bench", "--no-run", "--bench", "profbuf"]).args(chosen);
    let built = cargo.arg("--message-format=json-render-diagnostics").output();
    let built = built.map_err(|error| Trouble::environment(format!("cargo cannot be run: {error}")))?;
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

/// A process that is not left behind.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        // Both fail only for a process that has been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs it, and takes in what it tells, until its end or an interruption.
///
/// # Errors
/// It cannot be run, or it fails; what it has told until then is in the results.
pub fn run(program: &Path, order: &Order, stop: &AtomicBool, results: &mut Results) -> Result<(), Trouble> {
    let environment = |error: io::Error| Trouble::environment(format!("{} cannot be run: {error}", program.display()));
    let text = serde_json::to_string(order).map_err(|error| Trouble::unexpected(error.to_string()))?;
    let mut said = tempfile::tempfile().map_err(environment)?;
    let mut command = Command::new(program);
    command.args(["--order", &text]).stdin(Stdio::null()).stdout(Stdio::piped());
    // A group of its own: an interruption from the terminal comes here only, and here it is decided what ends.
    let child = command.process_group(0).stderr(said.try_clone().map_err(environment)?).spawn().map_err(environment)?;
    let mut child = Guarded(child);
    let (tell, events) = channel();
    let stdout = child.0.stdout.take();
    // Ends with the pipe, or when the receiver is dropped.
    let listener = move || {
        let lines = stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines().map_while(Result::ok));
        lines.filter_map(|line| event(&line)).try_for_each(|event| tell.send(event))
    };
    let listening = thread::Builder::new().name("events".to_owned()).spawn(listener);
    listening.map_err(|error| Trouble::environment(Refusal::thread(&error).to_string()))?;
    let progress = Progress::start();
    listen(&events, order, stop, results, &progress);
    progress.finish();
    if stop.load(Ordering::Relaxed) {
        return Ok(());
    }
    let status = child.0.wait().map_err(environment)?;
    if status.success() {
        return Ok(());
    }
    let mut text = String::new();
    // What cannot be read is not said.
    let _ = said.rewind().and_then(|()| said.read_to_string(&mut text));
    let last: Vec<_> = text.lines().filter(|line| !line.starts_with("Benchmarking ")).collect();
    Err(Trouble::unexpected(format!("the benchmarks ended with {status}: {}", last.join("\n"))))
}

/// The event in a line; criterion's own text has none.
fn event(line: &str) -> Option<Event> {
    serde_json::from_str(&line[line.find("{\"event\":")?..]).ok()
}

/// A pass of a group under way.
struct Pass {
    group: Group,
    pass: u32,
    visits: usize,
    began: Instant,
}

fn listen(events: &Receiver<Event>, order: &Order, stop: &AtomicBool, results: &mut Results, progress: &Progress) {
    let count = order.groups.len() * order.passes as usize;
    progress.event(progress::Event::Planned { count, thing: "pass" });
    let mut planned = BTreeMap::new();
    let mut index = 0;
    let mut now: Option<Pass> = None;
    while !stop.load(Ordering::Relaxed) {
        let event = match events.recv_timeout(TICK) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        match event {
            Event::Planned(visits) => planned = visits,
            Event::Begun { group, pass, what } => {
                if now.as_ref().is_none_or(|now| (now.group, now.pass) != (group, pass)) {
                    if let Some(done) = now.take() {
                        progress.event(said(index, &done));
                        index += 1;
                    }
                    let label = format!("{}, pass {}", group.as_str(), pass + 1);
                    progress.event(progress::Event::Started { index, label });
                    now = Some(Pass { group, pass, visits: 0, began: Instant::now() });
                }
                if let Some(now) = &now {
                    let of = planned.get(&group).copied().unwrap_or(1).max(1);
                    let fraction = now.visits as f64 / of as f64;
                    progress.event(progress::Event::Progress { index, fraction, detail: what });
                }
            }
            Event::Done => now.iter_mut().for_each(|now| now.visits += 1),
            result => results.take(result),
        }
    }
    if let Some(done) = now {
        progress.event(said(index, &done));
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
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("benchmarks.sh");
        std::fs::write(&program, "#!/bin/sh\nexec sleep 3600\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let order = Order { groups: Vec::new(), passes: 1, pace: Pace::Tiny, go: Vec::new() };
        let stop = AtomicBool::new(false);
        let mut results = Results::new(&order, crate::bench::results::Machine::detect(folder.path()));
        let refused = without_threads(|| run(&program, &order, &stop, &mut results).unwrap_err());
        assert_eq!(refused.exit, Exit::Environment, "{}", refused.message);
        assert!(refused.message.contains("thread") && refused.message.contains("ulimit -u"), "{}", refused.message);
    }

    #[test]
    fn events_are_found_among_other_text() {
        assert_eq!(event("time: 3 ns"), None);
        assert_eq!(event("\r{\"event\":\"done\"}"), Some(Event::Done));
    }

    #[test]
    fn the_executable_is_the_one_of_the_bench() {
        let line = |kind: &str| format!(r#"{{"target":{{"kind":["{kind}"]}},"executable":"here"}}"#);
        assert_eq!(executable(&line("bench")), Some(PathBuf::from("here")));
        assert_eq!(executable(&line("lib")), None);
        assert_eq!(executable("warning: 3"), None);
    }
}
