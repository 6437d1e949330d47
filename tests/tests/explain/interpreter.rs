//! Threads of CPython that wait for its global interpreter lock, in calls with a time limit.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::Check;
use sigproof_tests::{Ran, finish, xtask};

pub const TESTS: &[(&str, Check)] = &[
    ("a_circle_of_a_mutex_and_the_interpreters_lock", a_circle_of_a_mutex_and_the_interpreters_lock),
    ("threads_that_take_turns", threads_that_take_turns),
];

/// Why these tests cannot run here.
pub fn lacks() -> Option<String> {
    let asked =
        Command::new("python3").args(["-c", "import ctypes, sys; sys.exit(sys.version_info < (3, 7))"]).output();
    match asked {
        Ok(output) if output.status.success() => None,
        Ok(_) => Some("python3 is older than 3.7 or has no ctypes; remedy: install CPython 3.7 or newer".to_owned()),
        Err(error) => Some(format!("python3: {error}; remedy: install CPython")),
    }
}

/// A script that says `ready`.
struct Script(Child);

impl Script {
    fn start(script: &str) -> Self {
        let mut child = Command::new("python3").args(["-c", script]).stdout(Stdio::piped()).spawn().expect("python3");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn explain(&self) -> Ran {
        let mut command = xtask(&["explain", &self.0.id().to_string()]);
        finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("xtask starts"))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One thread takes a mutex of C and needs the interpreter; the other one has the interpreter, and waits for
/// the mutex without giving it up.
fn a_circle_of_a_mutex_and_the_interpreters_lock(_: &str) {
    let script = Script::start(
        "import ctypes, threading\n\
         free, held = ctypes.CDLL(None), ctypes.PyDLL(None)\n\
         mutex, locked = ctypes.create_string_buffer(64), threading.Event()\n\
         def take():\n    free.pthread_mutex_lock(mutex)\n    locked.set()\n    while True: pass\n\
         threading.Thread(target=take, daemon=True).start()\n\
         locked.wait()\n\
         print('ready', flush=True)\n\
         held.pthread_mutex_lock(mutex)\n",
    );
    let stuck = std::iter::repeat_with(|| script.explain()).find(|ran| ran.code == Some(1) || ran.stdout.is_empty());
    let text = stuck.expect("endless").stdout;
    let sentence = text.lines().next().unwrap_or_default();
    assert!(sentence.contains("waits for mutex") && sentence.contains("waits for global interpreter lock"), "{text}");
    assert_eq!(sentence.matches("owned by thread").count(), 2, "{text}");
    assert!(text.contains("only to ask for the interpreter's lock again"), "{text}");
}

/// Two threads that compute have the interpreter in turn.
fn threads_that_take_turns(_: &str) {
    let script = Script::start(
        "import threading\n\
         def turn():\n    while True: pass\n\
         threading.Thread(target=turn, daemon=True).start()\n\
         print('ready', flush=True)\n\
         turn()\n",
    );
    for _ in 0..5 {
        let ran = script.explain();
        assert_eq!(ran.code, Some(0), "{ran:#?}");
    }
}
