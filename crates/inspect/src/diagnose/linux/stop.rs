//! Stopping the child's threads by ptrace, and letting go of them again whatever happens.
//!
//! `PTRACE_SEIZE` and `PTRACE_INTERRUPT`, not `PTRACE_ATTACH`: no signal is sent, so a wait that is
//! interrupted resumes where it was once the thread is let go. Stops are collected by `waitid` with
//! `WSTOPPED` alone: an exit stays for the child's parent to collect.
//!
//! | thread | left when |
//! |---|---|
//! | seized, interrupted | its stop is seen, or [`STOP_BUDGET`](crate::diagnose::STOP_BUDGET) runs out |
//! | stopped | [`Stopped`] is dropped |
//! | ended | at once |
//! | given up | the tracing thread ends |
//!
//! Tracer is the calling thread. It must be one that ends with the diagnosis: what it could not let go of (a
//! thread that has not stopped yet, or was killed meanwhile and waits as a zombie for its tracer, so that the
//! child cannot be reaped) the kernel releases as the tracer exits.

use crate::diagnose::STOP_BUDGET;
use crate::hang::procfs::thread_ids;
use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

/// How often the thread list is taken again for threads that started during the stopping; a child that is
/// stuck starts none.
const ROUNDS: usize = 4;

/// The threads of a child that are held still.
#[derive(Debug)]
pub(crate) struct Stopped {
    pid: u32,
    seized: Vec<u32>,
    pub stopped: Vec<u32>,
    /// Threads that were refused or did not stop, and why.
    pub refused: Vec<(u32, String)>,
}

impl Stopped {
    /// Stops these threads of `pid`.
    pub(crate) fn only(pid: u32, tids: &[u32]) -> Self {
        let mut this = Self { pid, seized: Vec::new(), stopped: Vec::new(), refused: Vec::new() };
        this.stop(tids, Instant::now() + STOP_BUDGET);
        this
    }

    /// Stops every thread of `pid` but these.
    pub(crate) fn all_but(pid: u32, spared: &[u32]) -> Self {
        let mut this = Self { pid, seized: Vec::new(), stopped: Vec::new(), refused: Vec::new() };
        let deadline = Instant::now() + STOP_BUDGET;
        let mut ids = Vec::new();
        for _ in 0..ROUNDS {
            if thread_ids(pid, &mut ids).is_err() {
                break;
            }
            ids.retain(|tid| {
                !spared.contains(tid)
                    && !this.seized.contains(tid)
                    && !this.refused.iter().any(|(other, _)| other == tid)
            });
            if ids.is_empty() {
                break;
            }
            this.stop(&ids, deadline);
        }
        this
    }

    fn stop(&mut self, tids: &[u32], deadline: Instant) {
        for &tid in tids {
            self.seize(tid);
        }
        // All are interrupted before the first is waited for.
        for &tid in tids {
            if self.seized.contains(&tid) {
                self.await_stop(tid, deadline);
            }
        }
    }

    fn seize(&mut self, tid: u32) {
        let id = Pid::from_raw(tid as i32);
        match ptrace::seize(id, ptrace::Options::empty()) {
            Ok(()) => {
                self.seized.push(tid);
                // Fails only for a thread that has ended, which the wait finds out.
                let _ = ptrace::interrupt(id);
            }
            // A dead thread has no stack to look at.
            Err(Errno::ESRCH) => {}
            Err(error) => self.refused.push((tid, error.desc().to_owned())),
        }
    }

    fn await_stop(&mut self, tid: u32, deadline: Instant) {
        match self.wait(tid, deadline) {
            Ok(Seen::Stopped) => self.stopped.push(tid),
            Ok(Seen::Ended) => self.seized.retain(|other| *other != tid),
            Ok(Seen::Neither) => self.refused.push((tid, "it did not stop in time".to_owned())),
            Err(error) => self.refused.push((tid, error.desc().to_owned())),
        }
    }

    /// Waits for a thread that was seized.
    fn wait(&self, tid: u32, deadline: Instant) -> nix::Result<Seen> {
        let ends = if tid == self.pid { WaitPidFlag::empty() } else { WaitPidFlag::WEXITED };
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG | WaitPidFlag::__WALL | ends;
        let mut turn = 0_u32;
        loop {
            match waitid(Id::Pid(Pid::from_raw(tid as i32)), flags) {
                Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {}
                Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => return Ok(Seen::Ended),
                Ok(_) => return Ok(Seen::Stopped),
                // A stop by a signal that has no name in nix is a stop all the same.
                Err(Errno::EINVAL) => return Ok(Seen::Stopped),
                Err(error) => return Err(error),
            }
            if Instant::now() >= deadline {
                return Ok(Seen::Neither);
            }
            turn += 1;
            if turn < 50 {
                std::thread::yield_now();
            } else {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
    }
}

/// What became of a thread that was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Stopped,
    Ended,
    Neither,
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for &tid in &self.stopped {
            // Fails for a thread that was killed meanwhile; the tracer's end releases it.
            let _ = ptrace::detach(Pid::from_raw(tid as i32), None);
        }
    }
}
