//! Where a child cannot be looked into: a long time without progress is taken for a hang, and what processor
//! time it used meanwhile tells a spin from a sleep.

use std::time::{Duration, Instant};

use super::Stuck;

/// How long nothing may move. Generous: a false verdict is worse than a slow one.
const PATIENCE: Duration = Duration::from_secs(10);

/// For how long nothing has moved *while somebody looked*.
///
/// A parent that was stopped itself, or did not get a processor, has not seen that its child stood still
/// meanwhile: each look counts for no more than 100 ms.
#[derive(Debug)]
pub struct Stillness {
    progress: Option<u64>,
    still: Duration,
    looked: Instant,
}

/// The most that one look counts for. Looks are much closer than this unless the parent does not run.
const LOOK: Duration = Duration::from_millis(100);

impl Stillness {
    /// Nothing was looked at yet.
    #[allow(clippy::new_without_default, reason = "its clock starts here")]
    pub fn new() -> Self {
        Self { progress: None, still: Duration::ZERO, looked: Instant::now() }
    }

    /// Called whenever the parent looks. For how long nothing has moved.
    pub fn look(&mut self, progress: u64) -> Duration {
        let passed = core::mem::replace(&mut self.looked, Instant::now()).elapsed().min(LOOK);
        if self.progress.replace(progress) == Some(progress) {
            self.still += passed;
        } else {
            self.still = Duration::ZERO;
        }
        self.still
    }
}

/// A deadline that moves with progress.
#[derive(Debug)]
pub struct Deadline {
    pid: u32,
    stillness: Stillness,
    used: Option<Duration>,
}

impl Deadline {
    /// For the process of this number, which has just started.
    pub fn new(pid: u32) -> Self {
        Self { pid, stillness: Stillness::new(), used: None }
    }

    /// Called whenever the parent looks.
    pub fn look(&mut self, progress: u64) -> Option<Stuck> {
        let still = self.stillness.look(progress);
        if still.is_zero() {
            self.used = processor_time(self.pid);
        }
        (still >= PATIENCE).then(|| self.kind())
    }

    /// How it stands still, by the processor time that it has used meanwhile.
    pub fn kind(&self) -> Stuck {
        match self.used() {
            Some(used) if used > PATIENCE / 4 => Stuck::Spinning { tid: self.pid },
            _ => Stuck::AllAsleep,
        }
    }

    /// For how long nothing has moved.
    pub fn still(&self) -> Duration {
        self.stillness.still
    }

    /// The processor time used meanwhile, where the platform tells it.
    pub fn used(&self) -> Option<Duration> {
        processor_time(self.pid).zip(self.used).map(|(now, then)| now.saturating_sub(then))
    }
}

/// The processor time of a process, where the platform tells its parent.
#[cfg(target_vendor = "apple")]
#[allow(deprecated, reason = "for the time base, two integers, libc points to a crate of its own")]
fn processor_time(pid: u32) -> Option<Duration> {
    // SAFETY: zeroed plain data; the buffer is of the flavour that is asked for; the timebase call fills a
    // live local.
    unsafe {
        let mut usage: libc::rusage_info_v2 = core::mem::zeroed();
        let buffer = (&raw mut usage).cast();
        if libc::proc_pid_rusage(pid.cast_signed(), libc::RUSAGE_INFO_V2, buffer) != 0 {
            return None;
        }
        let mut base = libc::mach_timebase_info { numer: 0, denom: 0 };
        if libc::mach_timebase_info(&raw mut base) != 0 || base.denom == 0 {
            return None;
        }
        let ticks = usage.ri_user_time.saturating_add(usage.ri_system_time);
        let nanos = u128::from(ticks) * u128::from(base.numer) / u128::from(base.denom);
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

/// The processor time of a process, in clock ticks of `/proc/PID/stat` (proc(5)).
#[cfg(target_os = "linux")]
fn processor_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold anything; the fields follow its last parenthesis. utime and stime are
    // fields 14 and 15, from 1.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    // SAFETY: no preconditions.
    let per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok().filter(|n| *n > 0)?;
    Some(Duration::from_millis(1000 * (user + system) / per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_moves_the_deadline_and_patience_ends() {
        let mut deadline = Deadline::new(std::process::id());
        assert_eq!(deadline.look(1), None);
        deadline.stillness.still += PATIENCE;
        assert_eq!(deadline.look(2), None, "it moved");
        assert_eq!(deadline.look(2), None, "it has just moved");
        deadline.stillness.still += PATIENCE;
        assert_eq!(deadline.look(2), Some(Stuck::AllAsleep));
    }

    #[test]
    fn a_parent_that_did_not_look_has_seen_nothing_stand_still() {
        let mut stillness = Stillness::new();
        stillness.look(1);
        stillness.looked -= Duration::from_secs(3600);
        assert_eq!(stillness.look(1), LOOK, "stopped for an hour");
        assert_eq!(stillness.look(2), Duration::ZERO, "it moved");
    }

    #[test]
    fn processor_time_grows() {
        let before = processor_time(std::process::id()).unwrap();
        let started = Instant::now();
        while processor_time(std::process::id()).unwrap() <= before {
            assert!(started.elapsed() < Duration::from_secs(60), "a minute of work and no time used");
        }
    }
}
