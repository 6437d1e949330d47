//! A running driver: frames of words go in, frames of words come out, and what it says when it dies is kept.
//!
//! One thread writes requests and another one reads answers, so neither side of the pipes waits for the other
//! to make room. The frames are binary: a comparison exchanges several million of them a second.

use std::io::{self, Read, Write};
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use sigproof_inspect::process::{Group, Streams, ending};
use sigproof_inspect::refusal::Refusal;

use crate::driver::Driver;

/// A driver that serves. It and what it has started are killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    group: Group,
    requests: Sender<Vec<u8>>,
    answers: Receiver<Vec<u8>>,
    /// What has come and is not yet taken.
    come: Vec<u8>,
    taken: usize,
}

/// What is wrong where an answer should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Silence {
    /// The process is no more.
    #[error("the Go program {how}: {said}")]
    Died {
        /// How it ended.
        how: String,
        /// The first line of consequence that it printed: the runtime's `fatal error`.
        said: String,
        /// All that it printed.
        all: String,
    },
    /// It has answered nothing for this long.
    #[error("the Go program has not answered for {0:?}")]
    Hung(Duration),
}

/// How long a driver that has closed its output may take to end.
const SILENCE: Duration = Duration::from_secs(5);

/// How much of what a driver says when it dies is kept, in bytes.
const WORDS: u64 = 1 << 20;

/// The length of a word on the pipes.
const WORD: usize = size_of::<u64>();

impl Process {
    /// Starts the driver of that name with these arguments.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn start(driver: &Driver, arguments: &[&str]) -> io::Result<Self> {
        let mut command = Command::new(&driver.program);
        command.args(arguments).env("GOTRACEBACK", "all");
        let mut group = Group::start(&mut command, Streams::piped())?;
        let (requests, to_write) = channel::<Vec<u8>>();
        let (come, answers) = sync_channel(16);
        let (stdin, stdout) = group.pipes();
        // A drop kills and reaps the group, also where a thread is refused.
        let process = Self { group, requests, answers, come: Vec::new(), taken: 0 };
        if let Some(mut stdin) = stdin {
            // Ends with its channel, or when the reader has ended; then the answers end, too.
            let writer = move || to_write.iter().try_for_each(|bytes| stdin.write_all(&bytes));
            thread::Builder::new().spawn(writer).map_err(|error| Refusal::thread(&error))?;
        }
        if let Some(stdout) = stdout {
            thread::Builder::new().spawn(move || forward(stdout, &come)).map_err(|error| Refusal::thread(&error))?;
        }
        Ok(process)
    }

    /// Sends requests, which are whole frames. A dead process is found out by what does not come back.
    pub fn send(&self, frames: Vec<u8>) {
        let _ = self.requests.send(frames);
    }

    /// The next frame, without its length, if it comes within `patience`.
    ///
    /// # Errors
    /// [`Silence`].
    pub fn receive(&mut self, patience: Duration) -> Result<Vec<u64>, Silence> {
        let length = self.take(WORD, patience)?;
        let length = words(length).next().and_then(|n| usize::try_from(n).ok()).and_then(|n| n.checked_mul(WORD));
        let frame = self.take(length.unwrap_or(usize::MAX), patience)?;
        Ok(words(frame).collect())
    }

    fn take(&mut self, length: usize, patience: Duration) -> Result<&[u8], Silence> {
        while self.come.len() - self.taken < length {
            match self.answers.recv_timeout(patience) {
                Ok(bytes) => {
                    self.come.drain(..self.taken);
                    self.taken = 0;
                    self.come.extend(bytes);
                }
                Err(RecvTimeoutError::Timeout) => return Err(Silence::Hung(patience)),
                Err(RecvTimeoutError::Disconnected) => return Err(self.last_words()),
            }
        }
        let from = self.taken;
        self.taken += length;
        Ok(&self.come[from..self.taken])
    }

    /// How it ended, once its output has.
    fn last_words(&mut self) -> Silence {
        let how = match self.group.wait(SILENCE) {
            Ok(Some(status)) => ending(status),
            Ok(None) => "closed its output and did not end".to_owned(),
            Err(error) => format!("cannot be waited for: {error}"),
        };
        self.group.end();
        let all = self.group.words(WORDS);
        let said = all.lines().find(|line| line.starts_with("fatal error: ") || line.starts_with("panic: "));
        let said = said.or_else(|| all.lines().next()).unwrap_or("it said nothing").to_owned();
        Silence::Died { how, said, all }
    }
}

/// Passes on all bytes, until the end of the pipe or of the listener.
fn forward(mut from: impl Read, to: &SyncSender<Vec<u8>>) {
    let mut buffer = vec![0; 1 << 17];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) if to.send(buffer[..n].to_vec()).is_ok() => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => return,
        }
    }
}

/// Bytes as words; a rest that is no whole word is left out.
fn words(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.chunks_exact(WORD).map(|word| u64::from_ne_bytes(word.try_into().unwrap_or_default()))
}

/// Appends a frame: the number of words, and the words.
pub fn frame(words: &[u64], to: &mut Vec<u8>) {
    to.extend((words.len() as u64).to_ne_bytes());
    words.iter().for_each(|word| to.extend(word.to_ne_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An interruption from the terminal goes to a whole process group. A driver in this one would die of it
    /// in the midst of a comparison, and that looks like a disagreement.
    #[test]
    fn a_driver_is_not_in_our_process_group_and_is_gone_with_what_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("driver");
        // A frame of two words, its own number and its child's: little-endian, a byte at a time.
        let script = r#"#!/bin/sh
            sleep 600 &
            word() { n=$1; for i in 1 2 3 4 5 6 7 8; do printf "\\$(printf %03o $((n % 256)))"; n=$((n / 256)); done; }
            word 2; word $$; word $!
            wait"#;
        sigproof_tests::executable::script(&program, script);
        let driver = Driver { program, version: crate::toolchain::Version::new("go1.0.0") };
        let mut process = Process::start(&driver, &[]).unwrap();
        let told = process.receive(Duration::from_secs(60)).unwrap();
        let [leader, started] = told.iter().map(|word| *word as i32).collect::<Vec<_>>()[..] else {
            panic!("{told:?}")
        };
        let group = |pid| nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(pid)));
        assert_eq!(group(leader).unwrap().as_raw(), leader);
        assert_ne!(group(0).unwrap().as_raw(), leader);
        drop(process);
        assert_eq!(group(leader), Err(nix::errno::Errno::ESRCH), "the leader is left");
        let begun = std::time::Instant::now();
        while std::fs::read_to_string(format!("/proc/{started}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(begun.elapsed() < Duration::from_secs(60), "what it has started is left");
        }
    }
}
