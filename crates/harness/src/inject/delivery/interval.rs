//! `setitimer(ITIMER_PROF)`: the profilers' own timer, and the bluntest: it goes off at the kernel's next
//! tick (10 ms at 100 Hz), so a round takes that long and few signals hit a window of nanoseconds. It is here
//! because it is what profilers use. It counts the processor time of the whole process, so a helper burns
//! some while the target sleeps; it signals the process, so the target is the one thread that does not block
//! the signal.

use super::Source;
use super::helper::Helper;
use crate::page::Page;
use sigproof_inspect::refusal::Refusal;

/// The timer and the burner.
#[derive(Debug)]
pub(super) struct IntervalTimer(Helper);

impl IntervalTimer {
    pub(super) fn new(page: &'static Page) -> Result<Self, Refusal> {
        Ok(Self(Helper::start("burner", move |_| {
            while !page.signals_idle() {
                core::hint::spin_loop();
            }
        })?))
    }
}

impl Source for IntervalTimer {
    fn arm(&self, delay_ns: u64) -> Result<(), Refusal> {
        let zero = libc::timeval { tv_sec: 0, tv_usec: 0 };
        // Zero would disarm it. The delay is far below a second: the servo bounds it.
        let micros = (delay_ns / 1_000).clamp(1, 999_999);
        let value = libc::timeval { tv_sec: 0, tv_usec: micros as libc::suseconds_t };
        let spec = libc::itimerval { it_interval: zero, it_value: value };
        // SAFETY: `spec` is a valid local.
        if unsafe { libc::setitimer(libc::ITIMER_PROF, &raw const spec, core::ptr::null_mut()) } != 0 {
            return Err(Refusal::last("setitimer"));
        }
        self.0.order(0);
        Ok(())
    }
}
