//! A command of others, such as `cargo metadata` or `go version`: run to its end, with what it writes.
//!
//! One thread reads and waits. No thread and, unless its standard error is kept, no temporary file is needed,
//! so a command runs on a machine that refuses either.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{ChildStdout, Command, ExitStatus};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use super::group::{GRACE, Group};
use super::streams::{Errors, Input, Output, Streams};

/// The milliseconds between two looks at the wish to stop.
const LOOK: u8 = 20;

/// How much of a kept standard error is returned, in bytes.
const ERRORS: u64 = 1 << 20;

/// A command that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error, if that was kept.
    pub stderr: String,
}

impl Finished {
    /// The standard output as text, if the command succeeded.
    pub fn text(&self) -> Option<String> {
        self.status.success().then(|| String::from_utf8_lossy(&self.stdout).trim().to_owned())
    }
}

/// Runs a short command and returns its standard output. Its standard error goes nowhere.
///
/// # Errors
/// The command cannot be started or waited for.
pub fn output(command: &mut Command) -> io::Result<Finished> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    output_unless(command, Errors::Nothing, &NEVER)?.ok_or_else(|| io::ErrorKind::Interrupted.into())
}

/// Runs a command and returns what it writes; `None` if `stop` was set before its end. The command, and what
/// it has started, is then gone.
///
/// # Errors
/// The command cannot be started or waited for.
pub fn output_unless(command: &mut Command, errors: Errors, stop: &AtomicBool) -> io::Result<Option<Finished>> {
    let mut group = Group::start(command, Streams { input: Input::Nothing, output: Output::Pipe, errors })?;
    let mut stdout = Vec::new();
    if let (_, Some(pipe)) = group.pipes()
        && !read(pipe, &mut stdout, &mut group, stop)?
    {
        group.stop(GRACE);
        return Ok(None);
    }
    let status = group.wait_unless(stop, GRACE)?;
    Ok(status.map(|status| Finished { status, stdout, stderr: group.words(ERRORS) }))
}

/// Reads the pipe to its end; `false` if `stop` was set before. A process that has left the group may hold
/// the pipe open: once the command has ended, a pipe that stays silent counts as ended.
fn read(mut pipe: ChildStdout, to: &mut Vec<u8>, group: &mut Group, stop: &AtomicBool) -> io::Result<bool> {
    let mut chunk = vec![0; 1 << 16];
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        match poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], LOOK) {
            Ok(0) if group.ended()?.is_some() => return Ok(true),
            Ok(0) | Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
        match pipe.read(&mut chunk) {
            Ok(0) => return Ok(true),
            Ok(n) => to.extend(&chunk[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::shell;
    use std::time::{Duration, Instant};

    static GO_ON: AtomicBool = AtomicBool::new(false);

    /// More than a pipe holds, on both streams, with the end that comes with it.
    #[test]
    fn all_output_is_returned() {
        let script = "i=0; while [ $i -lt 20000 ]; do echo 12345678; echo 12345678 >&2; i=$((i+1)); done; exit 3";
        let finished = output_unless(&mut shell(script), Errors::Kept, &GO_ON).unwrap().unwrap();
        assert_eq!((finished.stdout.len(), finished.stderr.len() + 1), (180_000, 180_000));
        assert_eq!((finished.status.code(), finished.text()), (Some(3), None));
        assert_eq!(output(&mut shell("echo it; echo not it >&2")).unwrap().text().unwrap(), "it");
    }

    #[test]
    fn a_command_that_is_not_there_is_an_error() {
        let error = output(&mut Command::new("no-such-command-anywhere")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!error.to_string().contains("seccomp"), "a missing program is no policy: {error}");
    }

    /// What is left behind holds the pipe for ten minutes, and would hold the caller as long.
    #[test]
    fn what_the_command_leaves_behind_does_not_hold_the_pipe() {
        let begun = Instant::now();
        let finished = output(&mut shell("sleep 600 & echo it")).unwrap();
        assert_eq!(finished.text().unwrap(), "it");
        assert!(begun.elapsed() < Duration::from_secs(300), "it was not ended");
    }

    #[test]
    fn a_stop_ends_a_command_that_ignores_signals() {
        let stop = AtomicBool::new(false);
        let stopped = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(50));
                stop.store(true, Ordering::Relaxed);
            });
            output_unless(&mut shell("trap '' INT TERM HUP; sleep 600; sleep 600"), Errors::Nothing, &stop).unwrap()
        });
        assert!(stopped.is_none());
    }
}
