//! A process in a process group of its own: gone for good, with whatever it has started, when this is dropped.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How much of what a process said is kept, in bytes.
const LAST_WORDS: u64 = 4096;

/// The process, and what it leads.
#[derive(Debug)]
pub struct Group {
    process: Child,
    status: Option<ExitStatus>,
    words: File,
}

impl Group {
    /// Starts it. What it writes to its standard error is kept.
    ///
    /// # Errors
    /// What the system reports: no memory, no descriptors, no such program.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let words = tempfile::tempfile()?;
        let process = command.stderr(words.try_clone()?).process_group(0).spawn()?;
        Ok(Self { process, status: None, words })
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
        }
        Ok(self.status)
    }

    /// Whether it has ended and is not reaped yet.
    fn is_zombie(&self) -> io::Result<bool> {
        // SAFETY: zeroed siginfo is valid and a live local.
        let mut info: libc::siginfo_t = unsafe { core::mem::zeroed() };
        // SAFETY: as above; WNOWAIT leaves the child to `end`.
        let result = unsafe {
            libc::waitid(
                libc::P_PID,
                self.process.id() as libc::id_t,
                &raw mut info,
                libc::WEXITED | libc::WNOHANG | libc::WNOWAIT,
            )
        };
        if result != 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(false) } else { Err(error) };
        }
        // SAFETY: waitid succeeded and filled it in, or left it zeroed where no child has ended.
        Ok(unsafe { info.si_pid() } != 0)
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

    /// Ends it, and whatever it has started, and leaves no zombie.
    pub fn end(&mut self) {
        if self.status.is_some() {
            return;
        }
        // The group is named by the process's pid, which stays taken until it is reaped, below. That the group has no process left to
        // kill is no error.
        let _ = killpg(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGKILL);
        self.status = self.process.wait().ok();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}
