//! One instruction of a thread of another process at a time, without losing a signal on the way.

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// A thread in a ptrace stop whose other signals are blocked as long as this lives: its mask is put back.
///
/// The signal that ends a step must not be among them: the kernel would unblock it, and take its handler
/// away.
#[derive(Debug)]
pub(super) struct Stepped {
    tid: u32,
    mask: u64,
}

impl Stepped {
    /// Takes a stopped thread for steps; `None` where the kernel refuses. The process must not ignore
    /// `SIGTRAP`.
    pub(super) fn of(tid: u32) -> Option<Self> {
        let mask = signal_mask(tid, None)?;
        signal_mask(tid, Some(!(1 << (libc::SIGTRAP - 1))))?;
        Some(Self { tid, mask })
    }

    /// Lets it execute one instruction; false if it ended, or stopped for another reason.
    pub(super) fn step(&self) -> bool {
        let id = Pid::from_raw(self.tid as i32);
        ptrace::step(id, None).is_ok()
            && matches!(waitpid(id, Some(WaitPidFlag::__WALL)), Ok(WaitStatus::Stopped(_, Signal::SIGTRAP)))
    }
}

impl Drop for Stepped {
    fn drop(&mut self) {
        let _ = signal_mask(self.tid, Some(self.mask));
    }
}

/// Reads the set of signals that a stopped thread blocks, or sets it; the set as it is then.
fn signal_mask(tid: u32, new: Option<u64>) -> Option<u64> {
    const GET: libc::c_uint = 0x420a;
    const SET: libc::c_uint = 0x420b;
    let mut mask = new.unwrap_or_default();
    let request = if new.is_some() { SET } else { GET };
    // The C libraries do not agree on the type of a request.
    // SAFETY: the kernel reads or writes the eight bytes of `mask`, a live local.
    let done = unsafe { libc::ptrace(request as _, tid as libc::pid_t, size_of::<u64>(), &raw mut mask) };
    (done == 0).then_some(mask)
}
