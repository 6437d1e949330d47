//! `pthread_kill` from a helper that spins until the delay is over: what is left where a timer cannot be aimed at a thread.

use std::io;
use std::time::Duration;

use super::super::{SIGNAL, spin_for};
use super::Source;
use super::helper::Helper;

/// A helper that kills the thread that made it, softly.
#[derive(Debug)]
pub(super) struct PthreadKill(Helper);

impl PthreadKill {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: no preconditions.
        let target = unsafe { libc::pthread_self() } as usize;
        let helper = Helper::start("sender", move |delay_ns| {
            spin_for(Duration::from_nanos(delay_ns));
            // SAFETY: the target is alive: it spins in `Injector::settle`, or sleeps in its window, until this signal has arrived.
            unsafe { libc::pthread_kill(target as libc::pthread_t, SIGNAL) };
        })?;
        Ok(Self(helper))
    }
}

impl Source for PthreadKill {
    fn arm(&self, delay_ns: u64) -> io::Result<()> {
        self.0.order(delay_ns);
        Ok(())
    }
}
