//! A process in a process group of its own: gone for good, with whatever it has started, when this is dropped.
//!
//! Every wait here ends. Where the machine refuses to kill or to wait, other ways are tried, and what was
//! refused is kept ([`Group::trouble`]): a process may then be left behind.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::system::{self, pause};
use crate::refusal::{Refusal, temporary_file};

/// How much of what a process said is kept, in bytes.
const LAST_WORDS: u64 = 4096;

/// How long a process that was killed may take to end. It takes microseconds, unless the kernel holds it in a
/// call or does not kill it.
const DEATH: Duration = Duration::from_secs(10);

/// The pauses between two looks at a process that was killed: the first one, and the longest one.
const LOOKS: (Duration, Duration) = (Duration::from_micros(20), Duration::from_millis(1));

/// The process, and what it leads.
#[derive(Debug)]
pub struct Group {
    process: Child,
    status: Option<ExitStatus>,
    words: File,
    trouble: Option<Refusal>,
}

impl Group {
    /// Starts it. What it writes to its standard error is kept.
    ///
    /// # Errors
    /// What the system reports: no memory, no descriptors, no such program.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let words = temporary_file()?;
        Self::start_with(command, words)
    }

    /// The same for a process that has nothing to say: its standard output goes where its standard error
    /// goes, so that no `/dev/null` is needed.
    ///
    /// # Errors
    /// Those of [`Group::start`].
    pub fn start_mute(command: &mut Command) -> io::Result<Self> {
        let words = temporary_file()?;
        command.stdout(words.try_clone()?);
        Self::start_with(command, words)
    }

    /// The same for a process whose standard streams are those of the caller: none of its words is kept.
    ///
    /// # Errors
    /// No memory, no such program.
    pub fn start_attached(command: &mut Command) -> io::Result<Self> {
        let words = temporary_file()?;
        let process = command.process_group(0).spawn()?;
        Ok(Self { process, status: None, words, trouble: None })
    }

    fn start_with(command: &mut Command, words: File) -> io::Result<Self> {
        let process = command.stderr(words.try_clone()?).process_group(0).spawn();
        let process = process.map_err(|error| Refusal::new("a child process (clone, execve)", &error))?;
        Ok(Self { process, status: None, words, trouble: None })
    }

    /// What the machine refused when the process was to be ended.
    pub fn trouble(&self) -> Option<&Refusal> {
        self.trouble.as_ref()
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The ends of its pipes, where it has any; once.
    pub fn pipes(&mut self) -> (Option<ChildStdin>, Option<ChildStdout>) {
        (self.process.stdin.take(), self.process.stdout.take())
    }

    /// Its status, if it has ended by itself.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() && self.is_zombie()? {
            self.end();
            if let (None, Some(refusal)) = (self.status, &self.trouble) {
                return Err(refusal.clone().into());
            }
        }
        Ok(self.status)
    }

    /// Whether it has ended and is not reaped yet.
    fn is_zombie(&self) -> io::Result<bool> {
        // WNOWAIT leaves the child to `end`.
        Ok(self.waitid(libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)?.is_some())
    }

    fn waitid(&self, flags: libc::c_int) -> io::Result<Option<libc::siginfo_t>> {
        // SAFETY: zeroed siginfo is valid and a live local.
        let mut info: libc::siginfo_t = unsafe { core::mem::zeroed() };
        // SAFETY: as above.
        let result = unsafe { libc::waitid(libc::P_PID, self.process.id() as libc::id_t, &raw mut info, flags) };
        if result != 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(None) } else { Err(error) };
        }
        // SAFETY: waitid succeeded and filled it in, or left it zeroed where no child has ended.
        Ok((unsafe { info.si_pid() } != 0).then_some(info))
    }

    /// What it wrote to its standard error, the beginning of it.
    pub fn last_words(&self) -> String {
        self.words(LAST_WORDS)
    }

    /// The same, but for so many bytes of it.
    pub fn words(&self, most: u64) -> String {
        let mut text = Vec::new();
        let mut file = &self.words;
        let read = file.rewind().and_then(|()| file.take(most).read_to_end(&mut text));
        match read {
            Ok(_) => String::from_utf8_lossy(&text).trim_end().to_owned(),
            Err(error) => format!("(its standard error cannot be read: {error})"),
        }
    }

    /// Ends it, and whatever it has started, and leaves no zombie. Comes back in any case; see
    /// [`Group::trouble`].
    pub fn end(&mut self) {
        if self.status.is_some() || self.trouble.is_some() {
            return;
        }
        // The group is named by the process's pid, which stays taken until it is reaped, below. That the group has no process left to
        // kill is no error.
        if let Err(errno) = killpg(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGKILL)
            && errno != Errno::ESRCH
        {
            self.kill_otherwise(errno);
        }
        let started = Instant::now();
        let mut wait = LOOKS.0;
        loop {
            match self.reap() {
                Ok(Some(status)) => {
                    self.status = Some(status);
                    return;
                }
                Ok(None) if started.elapsed() < DEATH => pause(wait),
                Ok(None) => {
                    let left = format!("process {} was killed and has not ended in {DEATH:?}", self.process.id());
                    self.trouble.get_or_insert(Refusal::of(left, 0));
                    return;
                }
                Err(error) => {
                    self.trouble.get_or_insert(Refusal::new("waitid and wait4", &error));
                    return;
                }
            }
            wait = (wait * 2).min(LOOKS.1);
        }
    }

    /// The group could not be killed: the process alone, by other calls.
    fn kill_otherwise(&mut self, errno: Errno) {
        if !system::REFUSES_A_ZOMBIE_S_GROUP || !self.is_zombie().unwrap_or(false) {
            self.trouble = Some(Refusal::of("kill", errno as i32));
        }
        if system::kill_by_descriptor(self.process.id()).is_ok() {
            return;
        }
        // Fails where `kill` is what is refused.
        let _ = self.process.kill();
    }

    /// Its status, if it has ended, by either of the two calls.
    fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.try_wait().or_else(|_| {
            let Some(info) = self.waitid(libc::WEXITED | libc::WNOHANG)? else { return Ok(None) };
            // SAFETY: `waitid` filled it in for a child that has ended.
            let status = unsafe { info.si_status() };
            Ok(Some(ExitStatus::from_raw(if info.si_code == libc::CLD_EXITED { status << 8 } else { status })))
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}
