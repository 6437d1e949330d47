//! The terminal of `explain -- COMMAND`, which the command has while it runs.
//!
//! The kernel stops a process group that reads from the terminal in the background (SIGTTIN), and the command
//! runs in a group of its own. So this command does what a shell does, tcsetpgrp(3):
//!
//! | event | what is done |
//! |---|---|
//! | this command is in the foreground | the command's group gets the terminal, and SIGCONT |
//! | the command is stopped (Ctrl-Z) | the terminal is taken back, and this command stops too |
//! | this command goes on (`fg`, `bg`) | the command goes on; with `fg` it has the terminal again |
//! | the command has ended, or is to be ended | the terminal is taken back |
//!
//! Ctrl-C then goes to the command. If it dies of it, `explain` says that it was interrupted.

use std::io::{IsTerminal, stdin};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::{SigHandler, Signal, killpg, raise, signal};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};
use sigproof_inspect::process::Group;

/// The terminal of the standard input, lent to a command.
#[derive(Debug)]
pub struct Terminal {
    ours: Pid,
    theirs: Pid,
    lent: bool,
    /// What SIGTTOU did before: it is ignored, so that this command may write, and take the terminal back.
    before: SigHandler,
}

impl Terminal {
    /// The terminal for this command; `None` if the standard input is none, or not the one that controls this
    /// process.
    pub fn of(command: &Group) -> Option<Self> {
        if !stdin().is_terminal() || tcgetpgrp(stdin()).is_err() {
            return None;
        }
        // SAFETY: to ignore a signal installs no handler.
        let before = unsafe { signal(Signal::SIGTTOU, SigHandler::SigIgn) }.ok()?;
        let theirs = Pid::from_raw(command.pid().cast_signed());
        let mut terminal = Self { ours: getpgrp(), theirs, lent: false, before };
        terminal.lend();
        Some(terminal)
    }

    /// Gives it to the command, if this process has it.
    fn lend(&mut self) {
        if tcgetpgrp(stdin()) == Ok(self.ours) && tcsetpgrp(stdin(), self.theirs).is_ok() {
            self.lent = true;
            // It may have read before it had the terminal, and be stopped. ESRCH: it has ended.
            let _ = killpg(self.theirs, Signal::SIGCONT);
        }
    }

    /// Follows what the user does: Ctrl-Z, `fg` and `bg`.
    pub fn follow(&mut self, command: &Group) {
        if command.has_stopped().unwrap_or(false) && self.lent {
            self.take_back();
            // Returns when a shell lets this process go on.
            let _ = raise(Signal::SIGSTOP);
            let _ = killpg(self.theirs, Signal::SIGCONT);
        }
        self.lend();
    }

    /// Whether the user ended the command by a key of the terminal.
    pub fn interrupted(&self, status: ExitStatus) -> bool {
        self.lent && status.signal() == Some(libc::SIGINT)
    }

    /// The terminal is that of this process again. A command that gave it on keeps it.
    fn take_back(&mut self) {
        // EPERM, ENOTTY: the terminal has gone, as with a session that ended.
        if self.lent && tcgetpgrp(stdin()).is_ok_and(|group| group != self.ours) {
            let _ = tcsetpgrp(stdin(), self.ours);
        }
        self.lent = false;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.take_back();
        // SAFETY: it puts back what was there; nothing of this process has installed a handler for it since.
        let _ = unsafe { signal(Signal::SIGTTOU, self.before) };
    }
}
