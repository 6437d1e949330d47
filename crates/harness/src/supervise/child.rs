//! One worker process: started with its page, in a process group of its own, and gone for good when this is dropped.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::page::{Page, Shared};
use crate::worker::{Order, VERB, leash};

/// How much of what a child said is kept, in bytes.
const LAST_WORDS: u64 = 4096;

/// A worker.
#[derive(Debug)]
pub(super) struct Child {
    process: std::process::Child,
    status: Option<ExitStatus>,
    shared: Shared,
    words: File,
    _leash: Option<io::PipeWriter>,
}

impl Child {
    /// Starts one.
    pub(super) fn start(order: &Order) -> io::Result<Self> {
        let (shared, file) = Shared::create()?;
        let words = tempfile::tempfile()?;
        let order = serde_json::to_string(order).map_err(io::Error::other)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(VERB).arg(order).stdin(file).stderr(words.try_clone()?).process_group(0);
        let leash = if leash::NEEDS_PIPE {
            let (read, write) = io::pipe()?;
            command.stdout(read);
            Some(write)
        } else {
            command.stdout(Stdio::null());
            None
        };
        let process = command.spawn()?;
        Ok(Self { process, status: None, shared, words, _leash: leash })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn page(&self) -> &Page {
        self.shared.page()
    }

    /// Its status, if it has ended by itself.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
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

    /// What it wrote to its standard error.
    pub(super) fn last_words(&self) -> String {
        let mut text = Vec::new();
        let mut file = &self.words;
        let read = file.rewind().and_then(|()| file.take(LAST_WORDS).read_to_end(&mut text));
        match read {
            Ok(_) => String::from_utf8_lossy(&text).trim_end().to_owned(),
            Err(error) => format!("(its standard error cannot be read: {error})"),
        }
    }

    /// Ends it, and whatever it has started, and leaves no zombie.
    pub(super) fn end(&mut self) {
        if self.status.is_some() {
            return;
        }
        // The group is named by the child's pid, which stays taken until the child is reaped, below. That the group has no process left
        // to kill is no error.
        let _ = killpg(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGKILL);
        self.status = self.process.wait().ok();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}
