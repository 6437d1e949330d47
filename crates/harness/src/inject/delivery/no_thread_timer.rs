//! The same names where the platform has no per-thread timers: unsupported.

use super::Source;
use sigproof_inspect::refusal::Refusal;

/// This platform does not have it.
pub(super) const AVAILABLE: bool = false;

/// Cannot be made.
#[derive(Debug)]
pub(super) enum ThreadTimer {}

impl ThreadTimer {
    pub(super) fn new() -> Result<Self, Refusal> {
        Err(Refusal::of("timer_create for one thread (SIGEV_THREAD_ID)", libc::ENOSYS))
    }
}

impl Source for ThreadTimer {
    fn arm(&self, _delay_ns: u64) -> Result<(), Refusal> {
        match *self {}
    }
}
