//! After an interruption, and after the end of the sweeping process itself, nothing is left.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use sigproof_tests::interrupt::{assert_none_started_by, await_nothing, started_by};
use sigproof_tests::{finish, xtask};

use crate::{Check, specimens};

pub const TESTS: &[(&str, Check)] =
    &[("an_interruption_ends_all", interruption), ("a_killed_supervisor_leaves_nothing", killed)];

/// Sends a signal once the program runs, and waits for the end.
fn signalled(word: &str, signal: i32) -> Option<i32> {
    let (key, value) = word.split_once('=').expect("a variable");
    let path = specimens();
    let mut command = xtask(&["probe", "--signal", "USR1", "--at", "book", "--", &path, "endless", "broken"]);
    command.env(key, value).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("xtask starts");
    let pid = child.id().cast_signed();
    // The supervisor and the program.
    while started_by(word).len() < 2 {
        thread::sleep(Duration::from_millis(2));
    }
    // SAFETY: takes numbers; the id is that of a child that is not reaped.
    unsafe { libc::kill(pid, signal) };
    finish(child).code
}

fn interruption() {
    assert_eq!(signalled("SIGPROOF_PROBED=interrupted", libc::SIGINT), Some(130));
    assert_none_started_by("SIGPROOF_PROBED=interrupted");
}

fn killed() {
    assert_eq!(signalled("SIGPROOF_PROBED=killed", libc::SIGKILL), None);
    await_nothing("a program whose supervisor was killed", || started_by("SIGPROOF_PROBED=killed"));
}
