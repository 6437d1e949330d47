//! One instruction of a thread of another process at a time, without losing a signal on the way.

use std::time::{Duration, Instant};

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// How long the stop after a step is waited for without a pause.
const SHORT: Duration = Duration::from_millis(1);

/// How long an instruction takes at most that is no sleep in a system call.
const LONG: Duration = Duration::from_millis(100);

/// The signals that instructions raise.
const FAULTS: [i32; 6] = [libc::SIGTRAP, libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGSYS];

/// A thread in a ptrace stop whose signals are blocked as long as this lives: its mask is put back.
///
/// The signal that ends a step and those of faults are not blocked. Of a blocked one that an instruction
/// raises the kernel takes the handler away. A step that ends in a fault is undone: the instruction faults
/// again.
#[derive(Debug)]
pub(crate) struct Stepped {
    tid: u32,
    mask: u64,
}

impl Stepped {
    /// Takes a stopped thread for steps; `None` where the kernel refuses. The process must not ignore
    /// `SIGTRAP`.
    pub(crate) fn of(tid: u32) -> Option<Self> {
        let mask = signal_mask(tid, None)?;
        let faults = FAULTS.iter().fold(0, |set, signal| set | 1 << (signal - 1));
        signal_mask(tid, Some(!faults))?;
        Some(Self { tid, mask })
    }

    /// Lets it execute one instruction; false if it ended, or stopped for another reason. A system call that
    /// sleeps is interrupted.
    pub(crate) fn step(&self) -> bool {
        let id = Pid::from_raw(self.tid as i32);
        if ptrace::step(id, None).is_err() {
            return false;
        }
        let begun = Instant::now();
        let mut interrupted = false;
        loop {
            match waitpid(id, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) if begun.elapsed() < SHORT => std::thread::yield_now(),
                Ok(WaitStatus::StillAlive) => {
                    interrupted |= begun.elapsed() > LONG && ptrace::interrupt(id).is_ok();
                    std::thread::sleep(SHORT);
                }
                Ok(WaitStatus::Stopped(_, Signal::SIGTRAP)) => return !interrupted,
                _ => return false,
            }
        }
    }
}

impl Drop for Stepped {
    fn drop(&mut self) {
        let _ = signal_mask(self.tid, Some(self.mask));
    }
}

/// Reads the set of signals that a stopped thread blocks, or sets it; the set as it is then.
fn signal_mask(tid: u32, new: Option<u64>) -> Option<u64> {
    const GET: u16 = 0x420a;
    const SET: u16 = 0x420b;
    let mut mask = new.unwrap_or_default();
    let request = if new.is_some() { SET } else { GET };
    // SAFETY: the kernel reads or writes the eight bytes of `mask`, a live local.
    let done = unsafe { libc::ptrace(request.into(), tid as libc::pid_t, size_of::<u64>(), &raw mut mask) };
    (done == 0).then_some(mask)
}
