//! How much processor time a thread may burn without progress before it counts as spinning.
//!
//! The limit is that of this machine, see [`calibrated`]. A spin that the variant is not expected to show is
//! looked at ten times longer.

use std::time::{Duration, Instant};

use sigproof_inspect::hang::{calibrated, processor_time};

/// How much longer an unexpected spin is looked at.
const UNEXPECTED: u32 = 10;

/// The limit for a variant of which a hang is, or is not, expected.
pub fn limit(expected: bool) -> Duration {
    calibrated() * if expected { 1 } else { UNEXPECTED }
}

/// Burns so much processor time of the calling thread. For the harness's tests of itself.
pub fn work_for(time: Duration) {
    burn(time, || {
        std::hint::black_box((0..10_000_u64).map(std::hint::black_box).sum::<u64>());
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

#[cfg(test)]
mod tests {
    use super::*;
    use sigproof_inspect::hang::SPIN_CPU;

    #[test]
    fn an_unexpected_spin_is_looked_at_ten_times_longer() {
        assert!(limit(true) >= SPIN_CPU);
        assert_eq!(limit(false), limit(true) * 10);
    }
}
