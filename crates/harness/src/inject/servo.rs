//! The controller of the delay between arming a signal and its arrival.
//!
//! It runs inside the handler, on plain integers: an early signal lengthens the delay by a step, a late one
//! shortens it. The step doubles while the direction stays, which finds the window from afar, and falls back
//! to the smallest when it turns, which keeps it there. A little jitter on top (see [`JITTER_NS`]) sweeps the
//! instructions of the window.
//!
//! The delay may be negative: then the signal is sent at once, and the target waits that long before it
//! enters its window. Without that, a window that is over sooner than a signal can arrive (a signal from
//! another processor takes microseconds) would never be hit.

/// The smallest step, in nanoseconds.
const STEP_NS: i64 = 40;

/// The largest step, in nanoseconds.
const MAX_STEP_NS: i64 = 2_000;

/// The largest delay either way, in nanoseconds: beyond it, the target is doing something else entirely.
const MAX_DELAY_NS: i64 = 2_000_000;

/// Up to this much is added to a delay, uniformly, in nanoseconds.
pub const JITTER_NS: i64 = 200;

/// Where the signal hit, seen from the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// Before it.
    Early,
    /// In it.
    Inside,
    /// Behind it: asleep, or past its end.
    Late,
}

/// Delay and step, in nanoseconds; the sign of the step is its last direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Servo {
    /// The next delay, from the target's entry into the window to the arrival; negative if it enters later.
    pub delay: i64,
    /// The last step.
    pub step: i64,
}

impl Servo {
    /// Where it begins.
    pub const START: Self = Self { delay: 1_000, step: STEP_NS };

    /// The state after a hit.
    #[must_use]
    pub fn after(self, hit: Hit) -> Self {
        let sign = match hit {
            Hit::Early => 1,
            Hit::Inside => return Self { delay: self.delay, step: self.step.signum() * STEP_NS },
            Hit::Late => -1,
        };
        let size = if self.step.signum() == sign {
            self.step.saturating_abs().saturating_mul(2).min(MAX_STEP_NS)
        } else {
            STEP_NS
        };
        Self { delay: self.delay.saturating_add(sign * size).clamp(-MAX_DELAY_NS, MAX_DELAY_NS), step: sign * size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window that lies `at..at + width` ns after arming, in which every delay arrives `latency` ns late.
    fn hits(at: i64, width: i64, latency: i64, rounds: usize) -> usize {
        let mut servo = Servo::START;
        let mut inside = 0;
        for _ in 0..rounds {
            let arrival = servo.delay + latency;
            let hit = if arrival < at {
                Hit::Early
            } else if arrival < at + width {
                inside += 1;
                Hit::Inside
            } else {
                Hit::Late
            };
            servo = servo.after(hit);
        }
        inside
    }

    #[test]
    fn finds_a_window_near_and_far_and_stays() {
        for at in [5, 700, 5_000, 60_000] {
            assert!(hits(at, 100, 2, 400) > 300, "window at {at}");
        }
        assert!(hits(500, 100, 9_000, 400) > 300, "a window that is over before a signal can arrive");
    }

    #[test]
    fn a_window_out_of_reach_leaves_it_at_its_bound() {
        let mut servo = Servo::START;
        for _ in 0..100_000 {
            servo = servo.after(Hit::Late);
        }
        assert_eq!(servo.delay, -MAX_DELAY_NS);
        for _ in 0..100_000 {
            servo = servo.after(Hit::Early);
        }
        assert_eq!(servo.delay, MAX_DELAY_NS);
    }
}
