//! How much is left of a search: an estimate.
//!
//! The search goes depth first, so a graph at one place of the stack is explored, with all that it pushes
//! above that place, before the next graph below. What lay behind the graphs that were taken from a place is
//! known; the one that waits there is taken for as large as they were on average. For a place from which none
//! was taken yet, the nearest above it counts.

/// The subtrees of a search, by the place in the stack from which they were taken.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    /// Runs so far.
    pub(super) runs: u64,
    /// Of each place, how many subtrees are done, and how many runs they took.
    done: Vec<(u64, u64)>,
    /// The subtrees that are being explored, the outermost first: the place, and the runs before.
    open: Vec<(usize, u64)>,
}

impl Sizes {
    /// The graph at this place is taken.
    pub(super) fn begin(&mut self, place: usize) {
        while let Some(&(last, before)) = self.open.last()
            && last >= place
        {
            self.open.pop();
            if self.done.len() <= last {
                self.done.resize(last + 1, (0, 0));
            }
            let (count, runs) = &mut self.done[last];
            *count += 1;
            *runs += self.runs - before;
        }
        self.open.push((place, self.runs));
    }

    /// So many graphs were taken away from the bottom of the stack.
    pub(super) fn shift(&mut self, count: usize) {
        self.done.drain(..count.min(self.done.len()));
        self.open.retain_mut(|(place, _)| {
            let is_kept = *place >= count;
            *place = place.saturating_sub(count);
            is_kept
        });
    }

    /// About how many runs so many graphs on the stack will take.
    pub(super) fn left(&self, waiting: usize) -> f64 {
        let (mut nearest, mut sum) = (1.0_f64, 0.0);
        for place in (0..waiting.max(self.done.len())).rev() {
            if let Some(&(count, runs)) = self.done.get(place).filter(|(count, _)| *count > 0) {
                nearest = runs as f64 / count as f64;
            }
            if place < waiting {
                sum += nearest;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A binary tree of this depth: each graph pushes one for each level below it.
    fn explored(depth: usize, runs: u64) -> Sizes {
        let mut sizes = Sizes::default();
        let mut stack = vec![depth];
        while let Some(level) = stack.pop() {
            sizes.begin(stack.len());
            sizes.runs += 1;
            stack.extend((0..level).rev());
            if sizes.runs == runs {
                break;
            }
        }
        let left = sizes.left(stack.len());
        assert!(stack.is_empty() == (left == 0.0));
        sizes
    }

    #[test]
    fn what_is_done_leaves_nothing() {
        assert_eq!(explored(10, 0).runs, 1024);
    }

    #[test]
    fn places_shift_with_the_stack() {
        let mut sizes = Sizes { runs: 9, done: vec![(1, 8), (2, 4), (1, 1)], open: vec![(0, 1), (2, 7)] };
        assert_eq!(sizes.left(3), 8.0 + 2.0 + 1.0);
        sizes.shift(1);
        assert_eq!((sizes.left(2), &sizes.open[..]), (2.0 + 1.0, &[(1, 7)][..]));
        assert_eq!(sizes.left(3), 2.0 + 1.0 + 1.0, "a place of which nothing is known");
    }
}
