//! Stacks of threads that the program does not know, kept until a thread that it knows comes by.
//!
//! A fixed array of 1000 words, `length, stack...` for each; the last word is never used, as in the runtime.
//! No allocation, no panic. Not synchronised: it lies behind the signal lock.

/// Words.
const CAPACITY: usize = 1000;

/// The fixed array of samples that a foreign thread fills.
#[derive(Debug)]
pub(super) struct Foreign {
    /// On the heap, so that a log that is moved to its place does not carry it across stacks that may be
    /// small.
    words: Box<[u64]>,
    used: usize,
}

impl Foreign {
    /// Nothing kept.
    pub(super) fn new() -> Self {
        Self { words: vec![0; CAPACITY].into_boxed_slice(), used: 0 }
    }

    /// Keeps a stack; false if there is no room.
    pub(super) fn push(&mut self, stack: &[u64]) -> bool {
        let Some(end) = self.used.checked_add(1).and_then(|n| n.checked_add(stack.len())) else { return false };
        if end >= CAPACITY {
            return false;
        }
        let Some((length, rest)) = self.words.get_mut(self.used..end).and_then(<[u64]>::split_first_mut) else {
            return false;
        };
        *length = stack.len() as u64;
        rest.iter_mut().zip(stack).for_each(|(to, from)| *to = *from);
        self.used = end;
        true
    }

    /// Gives all stacks, in the order in which they came, and forgets them.
    pub(super) fn drain(&mut self, mut each: impl FnMut(&[u64])) {
        let mut rest = self.words.get(..self.used).unwrap_or_default();
        while let Some((&length, tail)) = rest.split_first()
            && let Some((stack, next)) = tail.split_at_checked(length as usize)
        {
            each(stack);
            rest = next;
        }
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_come_out_in_order_and_once() {
        let mut foreign = Foreign::new();
        for stack in [&[1, 2][..], &[], &[3]] {
            assert!(foreign.push(stack));
        }
        let mut seen = Vec::new();
        foreign.drain(|stack| seen.push(stack.to_vec()));
        assert_eq!(seen, [vec![1, 2], vec![], vec![3]]);
        foreign.drain(|_| panic!("given twice"));
    }

    #[test]
    fn the_last_word_stays_unused() {
        let mut foreign = Foreign::new();
        assert!(!foreign.push(&[1; CAPACITY - 1]));
        assert!(foreign.push(&[1; CAPACITY - 2]));
        assert!(!foreign.push(&[]));
        foreign.drain(|stack| assert_eq!(stack, [1; CAPACITY - 2]));
        assert_eq!((0..CAPACITY).filter(|_| foreign.push(&[])).count(), CAPACITY - 1);
    }
}
