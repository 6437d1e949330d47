//! A spin is confirmed by where the threads are: one that never ends stays in the code where it was seen.
//!
//! Processor time without progress is not enough. Code that works for longer than the limit and reports no
//! progress meanwhile burns as much, but goes through one piece of code after the other.

use std::collections::BTreeSet;

/// Samples are told apart by the page of code: a loop and what it calls cover few pages.
const PAGE: u64 = 4096;

/// The pages of code that a child, which seems to spin, was seen on.
#[derive(Debug, Default)]
pub(super) struct Closed {
    pages: BTreeSet<u64>,
    progress: Option<u64>,
}

impl Closed {
    /// Takes samples of the program counters of the running threads. Whether they confirm the spin: they show
    /// no page that the samples before them, at the same `progress`, did not show. Too few samples (none)
    /// confirm nothing. Where threads may not be stopped (`None`), the processor time alone decides.
    pub(super) fn confirms(&mut self, progress: u64, counters: Option<&[u64]>) -> bool {
        let Some(counters) = counters else { return true };
        if self.progress.replace(progress) != Some(progress) {
            self.pages.clear();
        }
        let known = !self.pages.is_empty();
        let pages: BTreeSet<u64> = counters.iter().map(|pc| pc / PAGE).collect();
        let closed = !pages.is_empty() && known && pages.is_subset(&self.pages);
        self.pages.extend(pages);
        closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_that_was_seen_before_confirms_a_spin() {
        let mut closed = Closed::default();
        assert!(!closed.confirms(7, Some(&[0x1000, 0x1004, 0x5000])), "seen for the first time");
        assert!(!closed.confirms(7, Some(&[0x1000, 0x9000])), "another page");
        assert!(closed.confirms(7, Some(&[0x1ffc, 0x9000, 0x5008])));
        assert!(!closed.confirms(8, Some(&[0x1000])), "it has moved since");
        assert!(closed.confirms(8, Some(&[0x1010])));
    }

    #[test]
    fn where_no_thread_may_be_stopped_processor_time_decides() {
        assert!(Closed::default().confirms(1, None));
    }

    #[test]
    fn threads_that_hardly_run_confirm_nothing() {
        let mut closed = Closed::default();
        assert!(!closed.confirms(1, Some(&[0x1000])));
        assert!(!closed.confirms(1, Some(&[])));
        assert!(closed.confirms(1, Some(&[0x1000])));
    }
}
