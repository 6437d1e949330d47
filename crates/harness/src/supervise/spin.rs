//! How much processor time a thread may burn without progress before it counts as spinning.
//!
//! [`SPIN_CPU`] is right where the processor is ours. Under emulation, or where a hypervisor's stolen time is
//! charged to the thread, a millisecond of processor time is worth far less work. So a fixed amount of work
//! is timed once, in the parent, and the limit is a multiple of what that took. A spin that the variant is
//! not expected to show is looked at ten times longer.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sigproof_inspect::hang::SPIN_CPU;

/// The work: so many steps of a generator. About half a millisecond on a processor of 2020, not optimised.
const STEPS: u64 = 50_000;

/// The limit is so many times what the work took.
const TIMES: u32 = 40;

/// How much longer an unexpected spin is looked at.
const UNEXPECTED: u32 = 10;

/// The limit for a variant of which a hang is, or is not, expected.
pub fn limit(expected: bool) -> Duration {
    static MEASURED: OnceLock<Duration> = OnceLock::new();
    of(*MEASURED.get_or_init(|| (0..3).map(|_| measured()).max().unwrap_or_default()), expected)
}

fn of(work: Duration, expected: bool) -> Duration {
    (work * TIMES).max(SPIN_CPU) * if expected { 1 } else { UNEXPECTED }
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

/// Burns so much processor time of the calling thread. For the harness's tests of itself.
pub fn work_for(time: Duration) {
    burn(time, || {
        black_box(measured());
    });
}

/// Does a piece of work again and again until so much processor time of the calling thread is burnt. For the
/// harness's tests of itself.
pub fn burn(time: Duration, mut work: impl FnMut()) {
    let (started, before) = (Instant::now(), processor_time());
    let used =
        || processor_time().zip(before).map_or_else(|| started.elapsed(), |(now, then)| now.saturating_sub(then));
    while used() < time {
        work();
    }
}

/// The processor time of the calling thread.
fn processor_time() -> Option<Duration> {
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
    fn a_slow_machine_has_a_longer_limit_and_an_unexpected_spin_ten_times_that() {
        assert_eq!(of(Duration::from_micros(100), true), SPIN_CPU, "at least");
        assert_eq!(of(Duration::from_millis(15), true), Duration::from_millis(600));
        assert_eq!(of(Duration::from_millis(15), false), Duration::from_secs(6));
        assert_eq!(of(Duration::ZERO, false), SPIN_CPU * 10);
        assert!(measured() > Duration::ZERO);
    }
}
