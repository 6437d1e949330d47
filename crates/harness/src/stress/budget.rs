//! How the time of a run is divided among its setups: each gets an equal share of what is left when it
//! begins, so that what one leaves over goes to those after it.

use std::time::{Duration, Instant};

use sigproof_shim::native::atomic::{AtomicUsize, Ordering};

/// The time of a run.
pub(super) struct Budget {
    end: Instant,
    /// How many setups run side by side.
    jobs: usize,
    /// How many have not begun yet.
    waiting: AtomicUsize,
}

impl Budget {
    pub(super) fn new(end: Instant, jobs: usize, setups: usize) -> Self {
        Self { end, jobs, waiting: AtomicUsize::new(setups) }
    }

    /// The time for the setup that begins now. Called once for each.
    pub(super) fn share(&self) -> Duration {
        self.share_at(Instant::now())
    }

    fn share_at(&self, now: Instant) -> Duration {
        let left = self.end.saturating_duration_since(now);
        // This one included; never 0.
        let waiting = self.waiting.fetch_sub(1, Ordering::Relaxed).max(1);
        left.mul_f64((self.jobs as f64 / waiting as f64).min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_one_leaves_over_goes_to_the_others() {
        let start = Instant::now();
        let budget = Budget::new(start + 12 * SECOND, 1, 3);
        assert_eq!(budget.share_at(start), 4 * SECOND);
        // The first took one second of its four.
        assert_eq!(budget.share_at(start + SECOND), Duration::from_millis(5_500));
        assert_eq!(budget.share_at(start + 2 * SECOND), 10 * SECOND, "the last one gets all that is left");
    }

    #[test]
    fn setups_side_by_side_have_a_multiple() {
        let start = Instant::now();
        let budget = Budget::new(start + 12 * SECOND, 2, 4);
        assert_eq!(budget.share_at(start), 6 * SECOND);
        assert_eq!(budget.share_at(start), 8 * SECOND);
        assert_eq!(budget.share_at(start + 6 * SECOND), 6 * SECOND, "but no more than there is");
        assert_eq!(budget.share_at(start + 13 * SECOND), Duration::ZERO);
    }
}
