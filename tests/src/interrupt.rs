//! Runs that are interrupted, and what they must not leave behind.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::{Guarded, PATIENCE, TESTS_OF};

/// Command lines of live processes, from `/proc`; none where there is no such thing.
pub fn command_lines() -> Vec<(i32, Vec<String>)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let of = |pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words = line.split(|b| *b == 0).map(|w| String::from_utf8_lossy(w).into_owned());
        Some((pid, words.filter(|w| !w.is_empty()).collect()))
    };
    entries.filter_map(|entry| of(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// The live processes that a run has started, to any depth: its environment says `word`. None where there is
/// no `/proc`. The processes of tests that run beside these, in another checkout, do not count.
pub fn started_by(word: &str) -> Vec<(i32, Vec<String>)> {
    let (own, tests_of) = (std::process::id().to_string(), format!("{TESTS_OF}="));
    let has = |pid: i32| {
        let words = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut words = words.split(|b| *b == 0);
        let is_others = |line: &[u8]| line.strip_prefix(tests_of.as_bytes()).is_some_and(|pid| pid != own.as_bytes());
        words.clone().any(|line| line == word.as_bytes()) && !words.any(is_others)
    };
    command_lines().into_iter().filter(|(pid, _)| has(*pid)).collect()
}

/// Waits until none of them is left.
pub fn assert_none_started_by(word: &str) {
    await_nothing("processes are left", || started_by(word));
}

/// Waits until there is none left of these; what never ends fails. The end of a killed process is seen a
/// moment after the kill.
pub fn await_nothing(what: &str, left: impl Fn() -> Vec<(i32, Vec<String>)>) {
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

/// Sends a signal to a command once it has said `word`, and returns its code, output and error.
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
