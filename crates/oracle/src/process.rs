//! A running driver: frames of words go in, frames of words come out, and what it says when it dies is kept.
//!
//! Requests are written by a thread of their own and answers are read by another, so that neither side of the pipes ever waits for
//! the other to make room.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use sigproof_inspect::refusal::Refusal;

use crate::driver::Driver;

/// A driver that serves. Killed, and waited for, when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    requests: Option<Sender<Vec<u8>>>,
    answers: Receiver<Vec<u8>>,
    /// What has come and is not yet taken.
    come: Vec<u8>,
    taken: usize,
    errors: File,
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

/// The length of a word on the pipes.
const WORD: usize = size_of::<u64>();

impl Process {
    /// Starts the driver of that name with these arguments.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn start(driver: &Driver, arguments: &[&str]) -> io::Result<Self> {
        let errors = tempfile::tempfile()?;
        let mut command = Command::new(&driver.program);
        command.args(arguments).env("GOTRACEBACK", "all").stderr(errors.try_clone()?);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (requests, to_write) = channel::<Vec<u8>>();
        let (come, answers) = sync_channel(16);
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        // It is killed and reaped when it is dropped, also where a thread is refused.
        let process = Self { child, requests: Some(requests), answers, come: Vec::new(), taken: 0, errors };
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
        if let Some(requests) = &self.requests {
            let _ = requests.send(frames);
        }
    }

    /// Sends no more: the process ends when it has answered all.
    pub fn end_of_requests(&mut self) {
        self.requests = None;
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
        let how = match self.child.wait() {
            Ok(status) => sigproof_inspect::process::ending(status),
            Err(error) => format!("cannot be waited for: {error}"),
        };
        let mut all = String::new();
        // What cannot be read is not said.
        let _ = self.errors.rewind().and_then(|()| self.errors.read_to_string(&mut all));
        let said = all.lines().find(|line| line.starts_with("fatal error: ") || line.starts_with("panic: "));
        let said = said.or_else(|| all.lines().next()).unwrap_or("it said nothing").to_owned();
        Silence::Died { how, said, all }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// As [`Child::wait`].
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.end_of_requests();
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that has been waited for. The threads end with its pipes.
        let _ = self.child.kill();
        let _ = self.child.wait();
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
