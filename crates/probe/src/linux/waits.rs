//! What a process waits for, and which signals it catches and has pending.

use sigproof_inspect::hang::procfs;
pub(super) use sigproof_step::copy::has_pending;
use sigproof_step::copy::waits;

use super::process::Process;

/// Whether a call waits for something outside, without a time limit, by its number and arguments.
pub(crate) fn is_untimed(syscall: procfs::Syscall) -> bool {
    let procfs::Syscall::In { nr, args, .. } = syscall else { return false };
    match nr {
        libc::SYS_poll | libc::SYS_epoll_wait | libc::SYS_epoll_pwait => {
            (args[if nr == libc::SYS_poll { 2 } else { 3 }] as i32) < 0
        }
        libc::SYS_ppoll => args[2] == 0,
        libc::SYS_select | libc::SYS_pselect6 => args[4] == 0,
        libc::SYS_read
        | libc::SYS_readv
        | libc::SYS_recvfrom
        | libc::SYS_recvmsg
        | libc::SYS_accept
        | libc::SYS_accept4 => true,
        libc::SYS_pause | libc::SYS_rt_sigsuspend | libc::SYS_wait4 | libc::SYS_waitid => true,
        libc::SYS_rt_sigtimedwait => args[2] == 0,
        _ => false,
    }
}

/// Whether it waits on a futex, without a time limit.
pub(crate) fn is_futex(syscall: procfs::Syscall) -> bool {
    let procfs::Syscall::In { nr, args, .. } = syscall else { return false };
    nr == libc::SYS_futex && args[3] == 0 && waits(&args)
}

/// What a signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The default action.
    Default,
    /// Nothing.
    Ignored,
    /// It runs a handler.
    Caught,
}

impl Process {
    /// Whether a handler of the program is installed for a signal; else what is.
    pub(crate) fn action(&self, signal: i32) -> Action {
        let pid = self.pid.cast_unsigned();
        let status = procfs::thread_status(pid, pid).unwrap_or_default();
        let bit = 1_u64 << (signal - 1);
        match (status.caught & bit, status.ignored & bit) {
            (0, 0) => Action::Default,
            (0, _) => Action::Ignored,
            _ => Action::Caught,
        }
    }

    /// The signals that have handlers, as a mask.
    pub(crate) fn handled(&self) -> u64 {
        let pid = self.pid.cast_unsigned();
        procfs::thread_status(pid, pid).map_or(0, |status| status.caught)
    }

    /// Whether a signal waits for a thread.
    pub(crate) fn is_pending(&self, tid: i32, signal: i32) -> bool {
        status_shows(self.pid, tid, signal)
    }
}

/// Whether a signal waits for a process with one thread.
pub(crate) fn is_pending(pid: i32, signal: i32) -> bool {
    status_shows(pid, pid, signal)
}

fn status_shows(pid: i32, tid: i32, signal: i32) -> bool {
    let status = procfs::thread_status(pid.cast_unsigned(), tid.cast_unsigned());
    signal > 0 && status.is_some_and(|status| status.pending & 1 << (signal - 1) != 0)
}
