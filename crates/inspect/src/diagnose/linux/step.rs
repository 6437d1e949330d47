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
        let mut begun = Instant::now();
        let (mut interrupted, mut passed) = (false, false);
        loop {
            match waitpid(id, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) if begun.elapsed() < SHORT => std::thread::yield_now(),
                Ok(WaitStatus::StillAlive) => {
                    interrupted |= begun.elapsed() > LONG && ptrace::interrupt(id).is_ok();
                    std::thread::sleep(SHORT);
                }
                // Out of the call, with the step's own SIGTRAP still to come. It would kill a process that is
                // let go before.
                Ok(WaitStatus::PtraceEvent(..)) if interrupted && !passed => {
                    if ptrace::cont(id, None).is_err() {
                        return false;
                    }
                    (passed, begun) = (true, Instant::now());
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

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use nix::sys::ptrace::Options;

    use super::*;
    use crate::hang::procfs::{Syscall, parse_syscall};

    /// A process that sleeps for some seconds. It is killed and reaped with this.
    struct Sleeper(Child);

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn sleeps_in(pid: u32) -> Option<i64> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
        if let Some(Syscall::In { nr, .. }) = parse_syscall(&text) { Some(nr) } else { None }
    }

    #[test]
    fn a_step_into_a_call_that_sleeps_is_interrupted() {
        let mut sleeper = Sleeper(Command::new("sleep").arg("8").spawn().unwrap());
        let pid = sleeper.0.id();
        while sleeps_in(pid) != Some(libc::SYS_clock_nanosleep) {
            std::thread::yield_now();
        }
        let id = Pid::from_raw(pid as i32);
        ptrace::seize(id, Options::empty()).unwrap();
        ptrace::interrupt(id).unwrap();
        waitpid(id, Some(WaitPidFlag::__WALL)).unwrap();
        let mask = signal_mask(pid, None);
        let stepped = Stepped::of(pid).unwrap();
        // The call is begun again. Its end would be a step; the sleep is not waited for.
        assert!(!stepped.step());
        assert!(signal_mask(pid, None) != mask, "it is stopped, with its signals still blocked");
        drop(stepped);
        assert_eq!(signal_mask(pid, None), mask);
        ptrace::detach(id, None).unwrap();
        // It sleeps on: no signal of the step has killed it.
        while sleeps_in(pid) != Some(libc::SYS_restart_syscall) {
            assert!(matches!(sleeper.0.try_wait(), Ok(None)), "it has ended");
            std::thread::yield_now();
        }
    }
}
