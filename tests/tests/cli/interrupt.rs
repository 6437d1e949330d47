//! Ctrl-C: what was found is printed, the exit code says so, and nothing is left running or lying about.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use rstest::rstest;
use sigproof_tests::{Guarded, PATIENCE};

/// Command lines of live processes, from `/proc`; none where there is no such thing.
fn command_lines() -> Vec<(i32, Vec<String>)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let of = |pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words = line.split(|b| *b == 0).map(|w| String::from_utf8_lossy(w).into_owned());
        Some((pid, words.filter(|w| !w.is_empty()).collect()))
    };
    entries.filter_map(|entry| of(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// Waits until no process has this command line. The end of a killed process is seen a moment after the kill, so this
/// waits for it; what never ends fails.
pub fn assert_nothing_runs(words: &[&str]) {
    await_none("still running", |line| line == words);
}

/// The same for the children of this run, which carry its marker in their orders.
fn assert_no_workers(seed: &str) {
    await_none("workers are left", |line| {
        line.iter().any(|w| w == "__worker") && line.iter().any(|w| w.contains(&format!("\"seed\":{seed}")))
    });
}

/// The live processes that a run has started, to any depth: its environment says `word`. None where there is no `/proc`.
pub fn started_by(word: &str) -> Vec<(i32, Vec<String>)> {
    let has = |pid: i32| {
        let words = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        words.split(|b| *b == 0).any(|line| line == word.as_bytes())
    };
    command_lines().into_iter().filter(|(pid, _)| has(*pid)).collect()
}

/// Waits until none of them is left.
pub fn assert_none_started_by(word: &str) {
    await_nothing("processes are left", || started_by(word));
}

fn await_none(what: &str, is_one: impl Fn(&[String]) -> bool) {
    await_nothing(what, || command_lines().into_iter().filter(|(_, line)| is_one(line)).collect());
}

fn await_nothing(what: &str, left: impl Fn() -> Vec<(i32, Vec<String>)>) {
    let started = Instant::now();
    loop {
        let left = left();
        if left.is_empty() {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{what}: {left:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal to a stress whose first setup is done and whose second one takes the better part of an hour.
fn interrupted(seed: &str, report: &str, send: impl FnOnce(Pid)) -> (Option<i32>, String, String) {
    let arguments = ["stress", "selftest-exit", "selftest-slow", "--rounds", "100000", "--attempts", "1"];
    interrupted_after("[1/2]", &[&arguments[..], &["--jobs", "1", "--seed", seed, "--report", report]].concat(), send)
}

/// Sends a signal to a run once it has said `word`, and returns its code, output and error.
fn interrupted_after(word: &str, arguments: &[&str], send: impl FnOnce(Pid)) -> (Option<i32>, String, String) {
    command_interrupted_after(word, sigproof_tests::xtask(arguments), send)
}

/// The same for a command in surroundings of its own.
pub fn command_interrupted_after(
    word: &str,
    mut command: Command,
    send: impl FnOnce(Pid),
) -> (Option<i32>, String, String) {
    // A group of its own, as a shell gives it; the tests' own group is not to be hit.
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut child = Guarded(child);
    let (stdout, stderr) = (lines(child.0.stdout.take().unwrap()), lines(child.0.stderr.take().unwrap()));
    let mut said = String::new();
    let started = Instant::now();
    while !said.contains(word) {
        // It goes on saying that it is at work, so silence alone would not do.
        assert!(started.elapsed() < PATIENCE, "it has not said {word}: {said}");
        said += &stderr.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it ended, or says no more: {said}"));
    }
    send(Pid::from_raw(child.0.id().cast_signed()));
    let rest = |lines: Receiver<String>| -> String {
        let started = Instant::now();
        let left = || PATIENCE.saturating_sub(started.elapsed());
        std::iter::from_fn(|| match lines.recv_timeout(left()) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
        })
        .collect()
    };
    let (stdout, stderr) = (rest(stdout), said + &rest(stderr));
    (child.0.wait().unwrap().code(), stdout, stderr)
}

/// The lines of a stream, as they come.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _ = sender.send(line + "\n");
        }
    });
    receiver
}

#[rstest]
#[case::key_in_a_terminal("7001", |pid| killpg(pid, Signal::SIGINT).unwrap())]
#[case::to_the_parent_alone("7002", |pid| kill(pid, Signal::SIGINT).unwrap())]
#[case::terminated("7003", |pid| kill(pid, Signal::SIGTERM).unwrap())]
fn an_interruption_prints_what_was_found_and_leaves_nothing(#[case] seed: &str, #[case] send: fn(Pid)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.json");
    let (code, stdout, stderr) = interrupted(seed, &format!("json={}", path.display()), send);
    assert_eq!(code, Some(130), "{stderr}");
    assert!(stdout.contains("selftest-exit") && stdout.contains("interrupted after"), "{stdout}");
    let report: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(report["interrupted"], true);
    assert_eq!(report["runs"][0]["verdict"], "as-expected");
    let slow = report["runs"].as_array().unwrap().iter().find(|run| run["case"] == "selftest-slow");
    assert!(slow.is_none_or(|run| run["observed"].get("crash").is_none()), "the interruption is no outcome: {slow:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    assert_no_workers(seed);
}

#[test]
fn a_parent_that_is_killed_takes_its_children_with_it() {
    let (code, _, _) = interrupted("7004", "json=-", |pid| kill(pid, Signal::SIGKILL).unwrap());
    assert_eq!(code, None);
    assert_no_workers("7004");
}

#[rstest]
#[case::key_in_a_terminal(|pid| killpg(pid, Signal::SIGINT).unwrap(), Some(130))]
#[case::to_the_parent_alone(|pid| kill(pid, Signal::SIGINT).unwrap(), Some(130))]
#[case::killed(|pid| kill(pid, Signal::SIGKILL).unwrap(), None)]
fn an_interrupted_exploration_leaves_nothing(#[case] send: fn(Pid), #[case] code: Option<i32>) {
    // The broken variant is done at once; the others are not done for hours.
    let arguments = ["model", "cpuprof-signal-lock", "--jobs", "1", "--deliveries", "4", "--preemptions", "unbounded"];
    let (found, stdout, stderr) = interrupted_after("[1/3]", &arguments, send);
    assert_eq!(found, code, "{stderr}");
    if code.is_some() {
        assert!(stdout.contains("livelock") && stdout.contains("interrupted after 1 model: 1 as expected"), "{stdout}");
    }
    await_none("explorers are left", |line| {
        line.first().is_some_and(|program| program.ends_with("sigproof-model"))
            && line.iter().any(|word| word.contains("cpuprof-signal-lock/fixed"))
    });
}
