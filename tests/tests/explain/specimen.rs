//! One process to be explained, and the command line that explains it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use sigproof_tests::{PATIENCE, Ran, finish, xtask};

/// A process of a kind, in a group of its own, which is killed when this is dropped.
pub struct Specimen(pub Child);

impl Specimen {
    /// Starts one, and waits until it says that it is about to wait.
    pub fn start(kind: &str, arguments: &[&str]) -> Self {
        Self::start_with(Command::new(crate::specimens()).arg(kind).args(arguments))
    }

    /// The same, for a command that begins one.
    pub fn start_with(command: &mut Command) -> Self {
        // Its input stays open, and without a word, as long as this lives.
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut this = Self(child.spawn().expect("the specimen starts"));
        let mut line = String::new();
        BufReader::new(this.0.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("it can be read");
        assert_eq!(line, "ready\n");
        this
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// `State` and `TracerPid` of each thread, sorted by thread.
    pub fn states(&self) -> Vec<String> {
        let mut tids: Vec<u32> = fs::read_dir(format!("/proc/{}/task", self.pid()))
            .expect("it lives")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        tids.sort_unstable();
        let of = |tid: &u32| {
            let status = fs::read_to_string(format!("/proc/{}/task/{tid}/status", self.pid())).expect("it lives");
            let lines = status.lines().filter(|line| line.starts_with("State:") || line.starts_with("TracerPid:"));
            lines.collect::<Vec<_>>().join(" ")
        };
        tids.iter().map(of).collect()
    }

    /// Explains it until the answer has this code and these words. Before that, it may not wait yet. Where
    /// libc has no debug file, which the answer then says, the code is asked for and the words are not: locks
    /// have no names.
    pub fn explain(&self, code: i32, words: &[&str]) -> Ran {
        let begun = Instant::now();
        loop {
            let ran = explain(&[&self.pid().to_string()]);
            let headline = ran.stdout.lines().next().unwrap_or_default();
            let named = words.iter().all(|word| headline.contains(word));
            if ran.code == Some(code) && (named || ran.stdout.contains(NAMELESS)) {
                return ran;
            }
            // Never the opposite: a verdict that is wrong is wrong at any time.
            let fits = ran.code == Some(code) || ran.code == Some(3) || (code != 0 && ran.code == Some(0));
            assert!(fits, "{words:?}: {ran:#?}");
            assert!(begun.elapsed() < PATIENCE, "{code}, {words:?}: {ran:#?}");
        }
    }
}

impl Drop for Specimen {
    fn drop(&mut self) {
        // SAFETY: no memory is involved; the group was made for the child, which is not yet reaped.
        unsafe { libc::kill(-self.0.id().cast_signed(), libc::SIGKILL) };
        let _ = self.0.wait();
    }
}

/// What an answer says where libc has no debug file.
pub const NAMELESS: &str = "only exported functions have names";

/// Runs `explain` with these arguments.
pub fn explain(arguments: &[&str]) -> Ran {
    let mut command = xtask(&[&["explain"], arguments].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command.spawn().expect("xtask starts"))
}
