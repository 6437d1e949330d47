//! How much processor time without progress is a spin on this machine.
//!
//! [`SPIN_CPU`] is right where the processor is ours. Under emulation, or where a hypervisor's stolen time is
//! charged to the thread, a millisecond of processor time is worth far less work. So a fixed amount of work
//! is timed once, and the limit is a multiple of what that took.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::SPIN_CPU;

/// The work: so many steps of a generator. About half a millisecond on a processor of 2020, not optimised.
const STEPS: u64 = 50_000;

/// The limit is so many times what the work took.
const TIMES: u32 = 40;

/// The limit for [`Watch::spin_limit`](super::Watch::spin_limit): [`SPIN_CPU`], or more on a slow machine. It
/// is measured at the first call, in some milliseconds.
pub fn calibrated() -> Duration {
    static MEASURED: OnceLock<Duration> = OnceLock::new();
    of(*MEASURED.get_or_init(|| (0..3).map(|_| measured()).max().unwrap_or_default()))
}

fn of(work: Duration) -> Duration {
    (work * TIMES).max(SPIN_CPU)
}

/// The processor time that the work takes; the wall time where the system does not tell.
fn measured() -> Duration {
    let (started, before) = (Instant::now(), processor_time());
    let mut state = 1_u64;
    for _ in 0..STEPS {
        state = black_box(state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1));
    }
    black_box(state);
    processor_time().zip(before).map_or_else(|| started.elapsed(), |(now, then)| now.saturating_sub(then))
}

/// The processor time of the calling thread; `None` where the system does not tell.
pub fn processor_time() -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: fills a live local.
    if unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) } != 0 {
        return None;
    }
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_machine_has_a_longer_limit() {
        assert_eq!(of(Duration::from_micros(100)), SPIN_CPU, "at least");
        assert_eq!(of(Duration::from_millis(15)), Duration::from_millis(600));
        assert!(measured() > Duration::ZERO && calibrated() >= SPIN_CPU);
    }
}
