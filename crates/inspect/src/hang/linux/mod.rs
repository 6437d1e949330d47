//! The watch on Linux: surveys of `/proc/PID/task/*/{syscall,schedstat}`.
//!
//! # A survey
//! For each thread, in this order: the system call that it is blocked in, then its run-time account. The
//! kernel gives the system call only of a thread that is off its CPU and stays so while it is read.
//!
//! # Why two equal surveys prove that all slept at once
//! Let thread T show account p at time a in the first survey; be blocked at time b and show p again at time c
//! in the second, a < b < c. Getting a CPU raises the number of slices, and leaving one raises the CPU time,
//! so T was off its CPU from a to c, and blocked at b: it was blocked from a to b, since a woken thread has
//! to run before it can block again. Every a lies before every b, hence an instant at which all threads were
//! blocked. The listing of threads is made afresh for the second survey, between the two, and checked against
//! the kernel's thread count: no unlisted thread existed there.
//!
//! # States of a watch
//!
//! | state | left when |
//! |---|---|
//! | no candidate | a survey shows only untimed sleepers (and runners) |
//! | candidate: that survey and its progress | the next differs, or confirms |
//! | anchored candidate (if threads run): and their signs of life | the next differs, or every runner has burnt its share |
//! | confirmed | never: the verdict is handed out |
//!
//! Confirming is the dear part (process scan, signal sets, descriptors), and is followed by one more survey
//! which must be equal too, so that what was read in between was true of a sleeping child.
//!
//! # Limits
//! The CPU time of a running thread is known as of its last tick.

mod outside;
pub mod procfs;
pub(crate) mod sleep;
mod survey;

use super::{ARMED, FOREIGN_PROC, Look, SPIN_CPU, Stuck};
use procfs::{Syscall, thread_stat, thread_status};
use std::io;
use std::time::Duration;
use survey::{Doing, Survey, Threads};

/// A watch over one child process.
///
/// Holds two descriptors per thread of the child. The child must be the caller's own and not yet reaped, or
/// its id may name another.
#[derive(Debug)]
pub struct Watch {
    pid: u32,
    threads: Threads,
    candidate: Option<Candidate>,
    spin_limit: Duration,
    /// Reads the signals of a thread. A field, so that a test can show a pending one that the kernel would
    /// clear at once.
    status: fn(u32, u32) -> Option<procfs::Status>,
}

/// A survey that may turn out to be the first of two.
#[derive(Debug)]
struct Candidate {
    survey: Survey,
    progress: u64,
    /// What each runner had done by then that a mere spin does not do. Absent from a fresh candidate: few of
    /// those live to see a second look.
    signs: Option<Vec<Signs>>,
}

/// Signs of life other than burnt CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Signs {
    tid: u32,
    /// Page faults: touching fresh memory is work.
    faults: u64,
    /// Waits, however short: somebody has told it something.
    sleeps: u64,
}

impl Signs {
    fn of(pid: u32, tid: u32) -> Option<Self> {
        Some(Self { tid, faults: thread_stat(pid, tid)?.faults, sleeps: thread_status(pid, tid)?.sleeps })
    }
}

impl Watch {
    /// A watch over process `pid`. Nothing is opened before the first look.
    pub fn new(pid: u32) -> Self {
        Self { pid, threads: Threads::new(pid), candidate: None, spin_limit: SPIN_CPU, status: thread_status }
    }

    /// The same, with another limit in place of [`SPIN_CPU`], and ten times that in place of
    /// [`SPIN_CPU_ARMED`](super::SPIN_CPU_ARMED).
    #[must_use]
    pub fn spin_limit(mut self, limit: Duration) -> Self {
        self.spin_limit = limit;
        self
    }

    /// Forgets what was seen so far: the next verdict rests on what is seen from now on.
    pub fn begin_again(&mut self) {
        self.candidate = None;
    }

    /// One look, 10 to 50 us; up to a few ms when it is about to say `Stuck`.
    ///
    /// `progress` is a word that changes whenever the child makes progress. `timers_idle` says that no timer
    /// or other signal source aimed at the child can still fire: a source that has fired is visible here as a
    /// pending signal. Both are to be read *before* the call. Without `timers_idle`, `AllAsleep` is never
    /// said, and `Spinning` only after [`SPIN_CPU_ARMED`](super::SPIN_CPU_ARMED).
    pub fn look(&mut self, progress: u64, timers_idle: bool) -> Look {
        if !procfs::is_ours() {
            return Look::Unwatchable(FOREIGN_PROC.to_owned());
        }
        let survey = match self.threads.survey() {
            Ok(survey) => survey,
            Err(error) => return self.failed(&error),
        };
        if survey.is_over() {
            // The list of threads is older than what was read of them: a leader that has started a thread and
            // left since is not all of it.
            let over = thread_stat(self.pid, self.pid).is_none_or(|stat| stat.threads <= 1);
            self.candidate = None;
            return if over { Look::Gone } else { Look::Running };
        }
        if survey.unaccounted() {
            self.candidate = None;
            return Look::Unwatchable("the kernel keeps no scheduler statistics".to_owned());
        }
        let all_asleep = survey.all_asleep();
        if survey.any_elsewhere() || (all_asleep && !timers_idle) {
            self.candidate = None;
            return Look::Running;
        }
        let Some(candidate) = &self.candidate else {
            return self.adopt(survey, progress);
        };
        if candidate.progress != progress || !candidate.survey.continues(&survey) {
            return self.adopt(survey, progress);
        }
        if !all_asleep && candidate.signs.is_none() {
            return self.anchor(survey, progress);
        }
        let limit = if timers_idle { self.spin_limit } else { self.spin_limit * ARMED };
        if !all_asleep && !candidate.survey.every_runner_burnt(&survey, limit.as_nanos() as u64) {
            return Look::Running;
        }
        match self.confirm(&survey) {
            Ok(Some(stuck)) => Look::Stuck(stuck),
            Ok(None) => {
                self.candidate = None;
                Look::Running
            }
            Err(error) => self.failed(&error),
        }
    }

    fn adopt(&mut self, survey: Survey, progress: u64) -> Look {
        self.candidate = Some(Candidate { survey, progress, signs: None });
        Look::Running
    }

    /// Starts the window in which runners have to burn. The signs are taken just after the survey,
    /// microseconds against a window of milliseconds.
    fn anchor(&mut self, survey: Survey, progress: u64) -> Look {
        let signs = survey.runners().filter_map(|tid| Signs::of(self.pid, tid)).collect();
        self.candidate = Some(Candidate { survey, progress, signs: Some(signs) });
        Look::Running
    }

    /// Everything that could still wake the child, then the survey once more.
    fn confirm(&mut self, survey: &Survey) -> io::Result<Option<Stuck>> {
        let Some(candidate) = &self.candidate else { return Ok(None) };
        let pid = self.pid;
        let mut channels = Vec::new();
        let maps = survey.any_shared_futex().map(procfs::maps).unwrap_or_default();
        let mut counted = None;
        for &(tid, doing, _) in &survey.threads {
            let Some(stat) = thread_stat(pid, tid) else { return Ok(None) };
            counted = Some(stat.threads);
            let expected = match doing {
                Doing::Asleep(sleep) => {
                    if !outside::closed_off(pid, tid, sleep, &maps, &mut channels) {
                        return Ok(None);
                    }
                    'S'
                }
                Doing::Awake => {
                    let unchanged = |was: &Vec<Signs>| Signs::of(pid, tid).is_some_and(|is| was.contains(&is));
                    if !candidate.signs.as_ref().is_some_and(unchanged) {
                        return Ok(None);
                    }
                    'R'
                }
                Doing::Exited => 'Z',
                Doing::Elsewhere => return Ok(None),
            };
            // T and t are stops, which somebody will end; D ends by itself.
            if stat.state != expected || !undisturbed(doing, || (self.status)(pid, tid)) {
                return Ok(None);
            }
        }
        if counted != Some(survey.threads.len()) || outside::anyone(pid, &channels) {
            return Ok(None);
        }
        let last = self.threads.survey()?;
        if !candidate.survey.continues(&last) {
            return Ok(None);
        }
        Ok(Some(match candidate.survey.busiest(&last) {
            Some(tid) => Stuck::Spinning { tid },
            None => Stuck::AllAsleep,
        }))
    }

    fn failed(&mut self, error: &io::Error) -> Look {
        self.candidate = None;
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ESRCH) if thread_stat(self.pid, self.pid).is_none() => Look::Gone,
            // A thread ended while it was looked at.
            Some(libc::ESRCH) => Look::Running,
            // Its files are there and the kernel's part of them is not.
            Some(libc::ENOENT) if self.threads.lacks_files() => {
                Look::Unwatchable("the kernel does not show system calls or run times of threads".to_owned())
            }
            Some(libc::ENOENT) => Look::Running,
            _ => Look::Unwatchable(format!("/proc/{}/task: {error}", self.pid)),
        }
    }
}

/// Whether no signal is about to reach a thread. A thread whose status cannot be read is not known to be left
/// alone.
fn undisturbed(doing: Doing, status: impl FnOnce() -> Option<procfs::Status>) -> bool {
    doing == Doing::Exited || status().is_some_and(|status| !status.deliverable())
}

/// What one thread does, from its system call file.
fn doing(syscall: Syscall) -> Doing {
    match syscall {
        Syscall::Running => Doing::Awake,
        Syscall::Outside { sp: 0, pc: 0 } => Doing::Exited,
        other => sleep::untimed(other).map_or(Doing::Elsewhere, Doing::Asleep),
    }
}

#[cfg(test)]
mod tests;
