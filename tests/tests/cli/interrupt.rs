//! Ctrl-C: what was found is printed, the exit code says so, and nothing is left running or lying about.

use std::time::{Duration, Instant};
use std::{fs, thread};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use rstest::rstest;
use sigproof_tests::executable;
pub use sigproof_tests::interrupt::{assert_none_started_by, command_interrupted_after};
use sigproof_tests::interrupt::{await_nothing, command_lines, started_by};

/// Waits until no child of this run is left: they carry its marker in their orders. The end of a killed
/// process is seen a moment after the kill.
fn assert_no_workers(seed: &str) {
    await_none("workers are left", |line| {
        line.iter().any(|w| w == "__worker") && line.iter().any(|w| w.contains(&format!("\"seed\":{seed}")))
    });
}

/// Waits until something holds; what never does fails.
fn await_that(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}: not so");
        thread::sleep(Duration::from_millis(5));
    }
}

fn await_none(what: &str, is_one: impl Fn(&[String]) -> bool) {
    await_nothing(what, || command_lines().into_iter().filter(|(_, line)| is_one(line)).collect());
}

/// Sends a signal to a stress whose first setup is done and whose second one takes the better part of an
/// hour.
fn interrupted(seed: &str, report: &str, send: impl FnOnce(Pid)) -> (Option<i32>, String, String) {
    let arguments = ["stress", "selftest-exit", "selftest-slow", "--rounds", "100000", "--attempts", "1"];
    interrupted_after("[1/2]", &[&arguments[..], &["--jobs", "1", "--seed", seed, "--report", report]].concat(), send)
}

/// Sends a signal to a run once it has said `word`, and returns its code, output and error.
fn interrupted_after(word: &str, arguments: &[&str], send: impl FnOnce(Pid)) -> (Option<i32>, String, String) {
    command_interrupted_after(word, sigproof_tests::xtask(arguments), send)
}

#[rstest]
#[case::key_in_a_terminal("7001", |pid| killpg(pid, Signal::SIGINT).unwrap())]
#[case::to_the_parent_alone("7002", |pid| kill(pid, Signal::SIGINT).unwrap())]
#[case::terminated("7003", |pid| kill(pid, Signal::SIGTERM).unwrap())]
#[case::quit("7006", |pid| kill(pid, Signal::SIGQUIT).unwrap())]
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
    // The broken variant is done at once; the others take half a minute each.
    let arguments = ["model", "cpuprof-signal-lock", "--jobs", "1", "--deliveries", "4"];
    let folder = tempfile::tempdir().unwrap();
    let entries = || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let mut command = sigproof_tests::xtask(&arguments);
    let mark = format!("SIGPROOF_TEST_MODEL={}", folder.path().display());
    command.env("TMPDIR", folder.path()).env("SIGPROOF_TEST_MODEL", folder.path());
    let explores = |line: &[String]| line.first().is_some_and(|program| program.ends_with("sigproof-model"));
    let (found, stdout, stderr) = command_interrupted_after("[1/3]", command, |pid| {
        await_that("an explorer has a folder of its own", || {
            !entries().is_empty() && started_by(&mark).iter().any(|(_, line)| explores(line))
        });
        send(pid);
    });
    await_that("nothing is left behind", || entries().is_empty());
    assert_eq!(found, code, "{stderr}");
    if code.is_some() {
        assert!(stdout.contains("livelock") && stdout.contains("interrupted after 1 model: 1 as expected"), "{stdout}");
    }
    assert_none_started_by(&mark);
}

/// The command of others is a cargo that ignores every signal that can be ignored, and would take half an
/// hour.
#[rstest]
#[case::once(&[Signal::SIGINT])]
#[case::twice(&[Signal::SIGINT, Signal::SIGTERM])]
#[case::hung_up(&[Signal::SIGHUP])]
fn an_interruption_ends_a_command_that_ignores_signals(#[case] signals: &[Signal]) {
    let folder = tempfile::tempdir().unwrap();
    let cargo = folder.path().join("cargo");
    let script = "#!/bin/sh\n[ \"$2\" = --version ] && exit 0\n\
                  trap '' INT TERM HUP QUIT\necho begun >&2\nsleep 600\nsleep 600\nsleep 600\n";
    executable::script(&cargo, script);
    let mark = format!("SIGPROOF_TEST_CI={}", folder.path().display());
    let (name, value) = mark.split_once('=').unwrap();
    let mut command = sigproof_tests::xtask(&["ci", "--only", "fmt"]);
    command.env("CARGO", &cargo).env(name, value);
    let (code, stdout, stderr) = command_interrupted_after("begun", command, |pid| {
        signals.iter().for_each(|signal| kill(pid, *signal).unwrap());
    });
    assert_eq!(code, Some(130), "{stderr}");
    // The second signal wants an end at once, without the summary.
    assert_eq!(stdout.contains("fmt            interrupted"), signals.len() == 1, "{stdout}");
    assert_none_started_by(&mark);
}

/// A compiler of Go that ignores every signal that can be ignored, and would take half an hour.
#[rstest]
#[case::of_conform(&["conform"])]
#[case::of_upstream(&["upstream"])]
#[case::of_bench(&["bench", "--tiny"])]
fn an_interruption_ends_a_build_of_a_driver(#[case] verb: &[&str]) {
    let goroot = tempfile::tempdir().unwrap();
    let [bin, runtime] = ["bin", "src/runtime"].map(|folder| goroot.path().join(folder));
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir_all(&runtime).unwrap();
    fs::write(runtime.join("profbuf.go"), "package runtime").unwrap();
    let script = "#!/bin/sh\n[ \"$1\" = version ] && echo go version go1.99.0 any/any && exit 0\n\
                  trap '' INT TERM HUP QUIT\nsleep 600\nsleep 600\nsleep 600\n";
    executable::script(&bin.join("go"), script);
    let mark = format!("SIGPROOF_TEST_GO={}", goroot.path().display());
    let mut command = sigproof_tests::xtask(verb);
    command.arg("--go").arg(goroot.path()).env("SIGPROOF_TEST_GO", goroot.path());
    let builds = |line: &[String]| line.iter().any(|word| word == "-overlay");
    let (code, stdout, stderr) = command_interrupted_after("building", command, |pid| {
        await_that("the compiler works", || started_by(&mark).iter().any(|(_, line)| builds(line)));
        kill(pid, Signal::SIGINT).unwrap();
    });
    assert_eq!(code, Some(130), "{stdout}{stderr}");
    assert_none_started_by(&mark);
}
