//! `timer_create(SIGEV_THREAD_ID)`: a timer of the kernel's that interrupts one thread, wherever it is. Linux
//! (timer_create(2)).

use super::super::SIGNAL;
use super::Source;
use sigproof_inspect::refusal::Refusal;

/// This platform has it.
pub(super) const AVAILABLE: bool = true;

/// A one-shot timer of the thread that made it.
#[derive(Debug)]
pub(super) struct ThreadTimer(libc::timer_t);

impl ThreadTimer {
    pub(super) fn new() -> Result<Self, Refusal> {
        // SAFETY: a zeroed sigevent is valid; both pointers are to live locals; gettid has no preconditions.
        unsafe {
            let mut event: libc::sigevent = core::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = SIGNAL;
            event.sigev_notify_thread_id = libc::gettid();
            let mut timer: libc::timer_t = core::ptr::null_mut();
            if libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) != 0 {
                return Err(Refusal::last("timer_create"));
            }
            Ok(Self(timer))
        }
    }
}

impl Source for ThreadTimer {
    fn arm(&self, delay_ns: u64) -> Result<(), Refusal> {
        let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // Zero would disarm it.
        let delay = delay_ns.max(1);
        let value = libc::timespec {
            tv_sec: (delay / 1_000_000_000).cast_signed(),
            tv_nsec: (delay % 1_000_000_000).cast_signed(),
        };
        let spec = libc::itimerspec { it_interval: zero, it_value: value };
        // SAFETY: the timer is live until `drop`; `spec` is a valid local.
        if unsafe { libc::timer_settime(self.0, 0, &raw const spec, core::ptr::null_mut()) } != 0 {
            return Err(Refusal::last("timer_settime"));
        }
        Ok(())
    }
}

impl Drop for ThreadTimer {
    fn drop(&mut self) {
        // SAFETY: made by `timer_create`, deleted once.
        unsafe { libc::timer_delete(self.0) };
    }
}
