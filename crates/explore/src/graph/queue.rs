//! Queues of waiting threads as a value: 4 bits for each, the longest waiter lowest. A thread stands in a
//! queue as its slot plus one, so that a free place is 0.
//!
//! The operations are functions of the old value, so a change of a queue is a read-modify-write whose store
//! is known as soon as its load is: a graph in which it only displaces another one needs no run of the
//! program.

use super::THREADS;

const _: () = assert!(THREADS < 16, "a thread fits into 4 bits");

/// The threads of a queue, from its front.
pub fn threads(queue: u64) -> impl Iterator<Item = u64> {
    (0..16).map(move |place| queue >> (4 * place) & 15).take_while(|&thread| thread != 0)
}

/// The queue with `thread` behind its last.
pub fn with_last(queue: u64, thread: u64) -> u64 {
    let length = (u64::BITS - queue.leading_zeros()).div_ceil(4);
    queue | thread << (4 * length)
}

/// The queue without `thread`.
pub fn without(queue: u64, thread: u64) -> u64 {
    threads(queue).filter(|&other| other != thread).fold(0, with_last)
}

/// The queue without its first `count` threads.
pub fn without_first(queue: u64, count: u64) -> u64 {
    if count < 16 { queue >> (4 * count) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_keeps_its_order() {
        let queue = [3, 1, 8].into_iter().fold(0, with_last);
        assert_eq!(threads(queue).collect::<Vec<_>>(), [3, 1, 8]);
        assert_eq!(threads(without(queue, 1)).collect::<Vec<_>>(), [3, 8]);
        assert_eq!(without(queue, 2), queue);
        assert_eq!(threads(without_first(queue, 2)).collect::<Vec<_>>(), [8]);
        assert_eq!((without_first(queue, 3), without_first(queue, u64::MAX)), (0, 0));
    }
}
