//! A sweep that is interrupted, or whose process somebody else kills.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use sigproof_tests::interrupt::{assert_none_started_by, command_interrupted_after, command_lines, started_by};
use sigproof_tests::{PATIENCE, Ran, turn, xtask};

use crate::sweeps::SLEEP;

pub fn key_in_a_terminal(pid: Pid) {
    killpg(pid, Signal::SIGINT).unwrap();
}

pub fn to_the_parent_alone(pid: Pid) {
    kill(pid, Signal::SIGINT).unwrap();
}

pub fn kill_it(pid: Pid) {
    kill(pid, Signal::SIGKILL).unwrap();
}

pub fn an_interrupted_sweep_leaves_nothing(mark: &str, send: fn(Pid), code: Option<i32>) {
    let word = format!("SIGPROOF_TEST_RUN={mark}");
    let mut command = xtask(&["step", "--jobs", "1"]);
    command.env("SIGPROOF_TEST_RUN", mark);
    let _turn = turn();
    let (found, stdout, stderr) = command_interrupted_after("] as-expected", command, |pid| {
        // The one that was asked, the one that sweeps, and its child: or the word would tell nothing.
        let started = started_by(&word).len();
        assert!(started > 1 || !std::path::Path::new("/proc/self/environ").exists(), "{started} processes");
        send(pid);
    });
    assert_eq!(found, code, "{stderr}");
    assert!(code.is_none() || stdout.contains("interrupted after"), "{stdout}");
    assert_none_started_by(&word);
}

/// The process that `parent` has started to sweep, and that is not one of these. It names its parent on its
/// command line; so does the copy of it that does the work, and has it as its own parent.
fn sweeping(parent: Pid, but: &[i32]) -> Option<i32> {
    child_of(parent.as_raw(), parent, but)
}

/// The copy of that process, which does its work.
fn copy(parent: Pid, but: &[i32]) -> Option<i32> {
    child_of(sweeping(parent, &[])?, parent, but)
}

fn child_of(process: i32, run: Pid, but: &[i32]) -> Option<i32> {
    let (verb, number) = ("__step".to_owned(), run.to_string());
    let is_one = |words: &[String]| words.contains(&verb) && words.last() == Some(&number);
    let is_child = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').nth(1).map(str::to_owned));
        fields.flatten() == Some(process.to_string())
    };
    let all = command_lines().into_iter().filter(|(pid, words)| is_one(words) && is_child(*pid));
    all.map(|(pid, _)| pid).find(|pid| !but.contains(pid))
}

/// A sweep of which a process gets a signal so often, each time another one.
fn swept_and_ended(times: usize, mark: &str, which: impl Fn(Pid, &[i32]) -> Option<i32>, signal: Signal) -> Ran {
    let _turn = turn();
    let mut command = xtask(SLEEP);
    command.args(["--jobs", "1", "--report", "json=-"]).env("SIGPROOF_TEST_RUN", mark);
    // Said when the engines have been tried, which takes a process of its own.
    let (code, stdout, stderr) = command_interrupted_after("1 window to run", command, |parent| {
        let mut killed = Vec::new();
        let started = Instant::now();
        while killed.len() < times {
            assert!(started.elapsed() < PATIENCE, "no process sweeps; these were killed: {killed:?}");
            match which(parent, &killed) {
                Some(pid) => {
                    // It fails for one that has just ended by itself.
                    let _ = kill(Pid::from_raw(pid), signal);
                    killed.push(pid);
                }
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
    });
    assert_none_started_by(&format!("SIGPROOF_TEST_RUN={mark}"));
    Ran { code, stdout, stderr }
}

pub fn a_sweep_whose_process_is_killed_once_is_made_again() {
    let ran = swept_and_ended(1, "8004", sweeping, Signal::SIGKILL);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let run = &report["runs"][0];
    assert_eq!((&run["verdict"], &run["injected"]), (&"as-expected".into(), &run["boundaries"]), "{run:#}");
}

/// The terminal, for example, stops a process that has left the foreground; that is no request to end the
/// run.
pub fn a_sweep_whose_copy_is_interrupted_once_is_made_again() {
    let ran = swept_and_ended(1, "8006", copy, Signal::SIGINT);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stderr, ran.stdout);
}

pub fn a_sweep_whose_process_is_killed_twice_is_no_verdict() {
    let ran = swept_and_ended(2, "8005", sweeping, Signal::SIGKILL);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{}", ran.stderr);
    for said in ["killed by signal 9 (SIGKILL)", "which no window does", "let nothing kill it"] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
}
