//! `pthread_kill` from a helper that spins until the delay is over: what is left where a timer cannot be
//! aimed at a thread.

use std::time::Duration;

use super::super::{send, spin_for};
use super::Source;
use super::helper::Helper;
use crate::page::Page;
use sigproof_inspect::refusal::Refusal;

/// A helper that kills the thread that made it, softly.
#[derive(Debug)]
pub(super) struct PthreadKill(Helper);

impl PthreadKill {
    pub(super) fn new(page: &'static Page) -> Result<Self, Refusal> {
        // SAFETY: no preconditions.
        let target = unsafe { libc::pthread_self() } as usize;
        let helper = Helper::start("sender", move |delay_ns| {
            spin_for(Duration::from_nanos(delay_ns));
            // SAFETY: the target is alive: it spins in `Injector::settle`, or sleeps in its window, until
            // this signal has arrived.
            unsafe { send(page, target as libc::pthread_t) };
        })?;
        Ok(Self(helper))
    }
}

impl Source for PthreadKill {
    fn arm(&self, delay_ns: u64) -> Result<(), Refusal> {
        self.0.order(delay_ns);
        Ok(())
    }
}
