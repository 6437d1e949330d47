//! Processes that may not be looked at, or are not as expected; and that each goes on as before.

use crate::Check;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sigproof_tests::{PATIENCE, xtask};

use crate::specimen::{NAMELESS, Specimen, explain};

pub const TESTS: &[(&str, Check)] = &[
    ("no_such_process", no_such_process),
    ("a_thread_of_the_kernel", a_thread_of_the_kernel),
    ("a_zombie", a_zombie),
    ("a_stopped_process", a_stopped_process),
    ("a_traced_process", a_traced_process),
    ("a_process_of_another_user", a_process_of_another_user),
    ("a_thread_id_names_its_process", a_thread_id_names_its_process),
    ("what_it_waits_for_still_ends_the_wait", what_it_waits_for_still_ends_the_wait),
    ("a_call_that_a_stop_would_end_goes_on", a_call_that_a_stop_would_end_goes_on),
    ("a_killed_explainer_lets_go", a_killed_explainer_lets_go),
    ("watching_until_it_hangs", watching_until_it_hangs),
    ("watching_until_it_ends", watching_until_it_ends),
    ("a_report_says_the_same", a_report_says_the_same),
    ("equal_stacks_are_told_once", equal_stacks_are_told_once),
    ("the_document_shows_what_is_printed", the_document_shows_what_is_printed),
];

/// Fails with exit code 4, no answer, and these words.
fn refused(arguments: &[&str], words: &[&str]) {
    let ran = explain(arguments);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{ran:#?}");
    assert!(words.iter().all(|word| ran.stderr.contains(word)), "{words:?}: {ran:#?}");
}

fn no_such_process(_: &str) {
    // No process can have this number.
    refused(&["4194305"], &["process 4194305 does not exist"]);
    refused(&["0"], &["does not exist"]);
    assert_eq!(explain(&["x"]).code, Some(2));
}

fn a_thread_of_the_kernel(_: &str) {
    // In a container, number 2 is any process, or none.
    let name = fs::read_to_string("/proc/2/comm").unwrap_or_default();
    if name.trim() == "kthreadd" {
        refused(&["2"], &["a thread of the kernel"]);
    } else {
        println!("there are no threads of the kernel in this PID namespace");
    }
}

fn a_zombie(_: &str) {
    let mut child = Command::new("true").spawn().expect("true starts");
    let stat = format!("/proc/{}/stat", child.id());
    let begun = Instant::now();
    while !fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z ")) {
        assert!(begun.elapsed() < PATIENCE);
    }
    let parent = std::process::id().to_string();
    refused(&[&child.id().to_string()], &["has ended", &parent, "has not collected"]);
    child.wait().expect("it has ended");
}

fn a_stopped_process(_: &str) {
    let specimen = Specimen::start("cross", &[]);
    specimen.explain(1, &["mutex first"]);
    // SAFETY: no memory is involved; the child is ours and not reaped.
    unsafe { libc::kill(specimen.pid().cast_signed(), libc::SIGSTOP) };
    specimen.explain(0, &["not stuck: ", "stopped by a signal", "SIGCONT"]);
    assert!(specimen.states()[0].contains("(stopped)"), "{:?}", specimen.states());
}

fn a_traced_process(_: &str) {
    let specimen = Specimen::start("cross", &[]);
    specimen.explain(1, &["mutex first"]);
    // The thread is the tracer until it ends.
    thread::scope(|scope| {
        let traced = scope.spawn(|| {
            sigproof_tests::trace(specimen.pid()).expect("it may be traced");
            let ran = specimen.explain(1, &["mutex first", "mutex second"]);
            assert!(ran.stdout.contains("it is traced by process"), "{ran:#?}");
        });
        traced.join().expect("the answer is right");
    });
}

fn a_process_of_another_user(_: &str) {
    // SAFETY: takes nothing.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        // Number 1 is of another user, or else this is a user namespace.
        let ran = explain(&["1"]);
        assert!(ran.code == Some(4) || ran.code == Some(0), "{ran:#?}");
        return;
    }
    let specimen = Specimen::start("cross", &[]);
    let mut command = xtask(&["explain", &specimen.pid().to_string()]);
    command.uid(65534).gid(65534).current_dir("/").stdout(Stdio::piped()).stderr(Stdio::piped());
    match command.spawn() {
        Ok(child) => {
            let ran = sigproof_tests::finish(child);
            assert_eq!(ran.code, Some(4), "{ran:#?}");
            assert!(ran.stderr.contains("belongs to user 0, and this is user 65534"), "{ran:#?}");
        }
        // The workspace may lie in a folder of one user alone.
        Err(error) => println!("another user cannot execute the command here: {error}"),
    }
}

fn a_thread_id_names_its_process(_: &str) {
    let specimen = Specimen::start("cross", &[]);
    specimen.explain(1, &["mutex first"]);
    let task = fs::read_dir(format!("/proc/{}/task", specimen.pid())).expect("it lives");
    let tids: Vec<String> =
        task.map(|entry| entry.expect("an entry").file_name().into_string().expect("digits")).collect();
    let other = tids.iter().find(|tid| **tid != specimen.pid().to_string()).expect("two threads");
    let ran = explain(&[other]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stdout.contains(&format!("process  {} (specimens)", specimen.pid())), "{}", ran.stdout);
}

/// A process that is stuck was stopped; a byte in its own pipe still ends its wait, with the result that it
/// has always had.
fn what_it_waits_for_still_ends_the_wait(_: &str) {
    for kind in ["lost_pipe", "lost_poll", "lost_select"] {
        let mut specimen = Specimen::start(kind, &[]);
        specimen.explain(1, &["stuck: "]);
        specimen.explain(1, &["stuck: "]);
        let end = format!("/proc/{}/fd/4", specimen.pid());
        OpenOptions::new().write(true).open(end).and_then(|mut end| end.write_all(b"x")).expect("the pipe takes it");
        let status = specimen.0.wait().expect("it ends");
        assert_eq!(status.code(), Some(2), "{kind}: the call has returned, and main with it");
    }
}

fn a_call_that_a_stop_would_end_goes_on(_: &str) {
    let mut specimen = Specimen::start("lost_epoll", &[]);
    for _ in 0..3 {
        specimen.explain(1, &["eventfd 4"]);
    }
    let ended = specimen.0.try_wait().expect("it is ours");
    assert_eq!(ended, None, "epoll_wait has returned EINTR");
}

fn a_killed_explainer_lets_go(_: &str) {
    let specimen = Specimen::start("many", &["200"]);
    specimen.explain(1, &["mutex second"]);
    let before = specimen.states();
    for n in 0..15 {
        let mut command = xtask(&["explain", &specimen.pid().to_string()]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("xtask starts");
        // Anywhere from its start to its end; what matters holds at each of these times.
        thread::sleep(Duration::from_millis(7 * n));
        let _ = child.kill();
        child.wait().expect("it was killed");
    }
    let begun = Instant::now();
    // The kernel lets go of the threads, which go back into their waits one by one.
    while specimen.states() != before {
        assert!(begun.elapsed() < PATIENCE, "{:?}", specimen.states());
    }
    specimen.explain(1, &["mutex second"]);
}

fn watching_until_it_hangs(_: &str) {
    let specimen = Specimen::start("late", &[]);
    let ran = explain(&[&specimen.pid().to_string(), "--watch"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""), "{ran:#?}");
    assert!(ran.stdout.contains("mutex first"), "{ran:#?}");
}

fn watching_until_it_ends(_: &str) {
    let specimen = Specimen::start("ending", &[]);
    let ran = explain(&[&specimen.pid().to_string(), "--watch"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:#?}");
    assert!(ran.stdout.contains("ended"), "{ran:#?}");
}

fn a_report_says_the_same(_: &str) {
    let specimen = Specimen::start("handler_mutex", &[]);
    specimen.explain(1, &["mutex first"]);
    let ran = explain(&[&specimen.pid().to_string(), "--report", "json=-"]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a report");
    assert_eq!(report["schema"], "sigproof.explain/1");
    assert_eq!(report["verdict"], "stuck");
    let answer = &report["answers"][0];
    assert_eq!(answer["signals"][0]["name"], "SIGUSR1");
    assert!(answer["signals"][0]["sender"].as_str().is_some_and(|sender| sender.contains("raise")), "{answer:#}");
    let specimen = Specimen::start("handler_malloc", &[]);
    specimen.explain(1, &["malloc's arena"]);
    let other = explain(&[&specimen.pid().to_string()]).stdout;
    assert!(other.contains("SIGALRM (14), sender not known"), "its handler takes no siginfo: {other}");
    assert_eq!(answer["cycle"][1]["evidence"], "stored-in-the-lock");
    assert!(answer["diagnosis"]["threads"][0]["frames"].as_array().is_some_and(|frames| frames.len() > 4));
    assert!(ran.stderr.starts_with("stuck: "), "the text goes to the standard error: {}", ran.stderr);
    assert_eq!(explain(&["1", "--report", "junit=-"]).code, Some(2));
}

fn equal_stacks_are_told_once(_: &str) {
    let specimen = Specimen::start("many", &["300"]);
    let ran = specimen.explain(1, &["mutex second"]);
    assert!(ran.stdout.contains("and the same stack in 298 threads"), "{}", ran.stdout);
    assert!(ran.stdout.len() < 4096, "{}", ran.stdout);
    let whole = explain(&[&specimen.pid().to_string(), "--verbose"]).stdout;
    assert_eq!(whole.matches("wait_beside").count(), 299, "{whole}");
}

/// Each line of the transcript in docs/explain.md is one of the output, but for numbers. Where libc has no
/// debug file, its functions have no names: then only the lines that name none of them, and no frame, are
/// asked for.
fn the_document_shows_what_is_printed(_: &str) {
    let document = fs::read_to_string(sigproof_tests::workspace().join("docs/explain.md")).expect("it is there");
    let shown = document.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a transcript");
    let plain = |text: &str| -> Vec<String> {
        let digits = |line: &str| {
            let words = line
                .split(|c: char| !(c.is_ascii_hexdigit() || c == 'x'))
                .zip(line.split_inclusive(|c: char| !(c.is_ascii_hexdigit() || c == 'x')));
            words
                .map(|(word, whole)| {
                    if word.starts_with(|c: char| c.is_ascii_digit()) {
                        whole.replacen(word, "N", 1)
                    } else {
                        whole.to_owned()
                    }
                })
                .collect()
        };
        text.lines().map(digits).collect()
    };
    let specimen = Specimen::start("handler_mutex", &[]);
    let ran = specimen.explain(1, &["mutex first"]);
    let printed = plain(&ran.stdout);
    let nameless = ran.stdout.contains(NAMELESS);
    let is_knowable = |line: &String| !nameless || !["pthread", "#N", "libc"].iter().any(|word| line.contains(word));
    let wanted: Vec<_> = plain(shown).into_iter().filter(is_knowable).collect();
    assert!(wanted.len() > 3, "{wanted:?}");
    for line in wanted {
        // Seconds, or milliseconds.
        let line = line.replace("N.N s", "N").replace("N ms", "N");
        let same = |other: &&String| other.replace("N.N s", "N").replace("N ms", "N") == line;
        assert!(printed.iter().find(same).is_some(), "{line}\nis not in\n{}", ran.stdout);
    }
}
