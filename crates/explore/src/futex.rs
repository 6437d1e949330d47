//! The futex of Linux: a thread waits while a word has a value; another wakes the threads that wait.
//!
//! The queue of a word is a hidden atomic that holds the waiting threads ([`queue`]). A wait reads the queue,
//! loads the word, and writes the queue as *one* read-modify-write, as the kernel does under the lock of the
//! bucket. What the kernel knows by the order of its queue it does not tell the program: its accesses have a
//! view of their own, and a wake-up orders nothing.

use crate::atomic::{AtomicU32, location};
use crate::graph::{Op, Until, queue};
use crate::run::{
    Access, Request, access, deliver, is_ended, may_wake_spuriously, step, store_later, wakes_spuriously, with,
};

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wait {
    /// Another thread woke this one; or none did, where [`Explorer::spurious`](crate::Explorer::spurious)
    /// lets that be: as with Linux, the program cannot tell.
    Woken,
    /// The word had another value.
    Changed,
    /// A handler ran.
    Interrupted,
    /// The time-out expired.
    TimedOut,
}

/// A word on which threads can wait.
#[derive(Debug)]
pub struct Futex {
    word: AtomicU32,
    queue: Queue,
}

impl std::ops::Deref for Futex {
    type Target = AtomicU32;

    fn deref(&self) -> &AtomicU32 {
        &self.word
    }
}

impl Futex {
    /// A word with this value.
    pub fn new(value: u32) -> Self {
        Self { word: AtomicU32::new(value), queue: Queue::new() }
    }

    /// Waits while the word is `value`.
    pub fn wait(&self, value: u32) -> Wait {
        self.queue.wait_while(self.word.location(), u64::from(value), false)
    }

    /// As [`Futex::wait`], with a time-out that expires or not, as the environment chooses.
    pub fn wait_timeout(&self, value: u32) -> Wait {
        self.queue.wait_while(self.word.location(), u64::from(value), true)
    }

    /// Wakes at most `count` threads, the longest waiter first; how many.
    pub fn wake(&self, count: usize) -> usize {
        self.queue.wake_after_point(count)
    }
}

/// Threads that wait, in their order.
#[derive(Debug)]
pub(crate) struct Queue {
    word: u32,
    /// Of each thread the number of times that it was woken here.
    tickets: [u32; crate::graph::THREADS],
    used: [std::cell::Cell<u64>; crate::graph::THREADS],
}

fn own() -> u64 {
    with(|run| run.current as u64 + 1)
}

impl Queue {
    pub(crate) fn new() -> Self {
        let word = location(0);
        Self { word, tickets: std::array::from_fn(|_| location(0)), used: Default::default() }
    }

    /// Waits while the location `word` has `value`.
    pub(crate) fn wait_while(&self, word: u32, value: u64, may_expire: bool) -> Wait {
        deliver();
        if is_ended() {
            return Wait::Changed;
        }
        let waiting = step(Request::Load(Access::rmw(self.word, Op::Later, 0, 0).kernel()));
        let is_same = step(Request::Load(Access::load(word, 0).kernel())) == value;
        let next = if is_same { queue::with_last(waiting, own()) } else { waiting };
        store_later(self.word, next, 0, true);
        if is_same { self.sleep(may_expire) } else { Wait::Changed }
    }

    /// As [`Queue::wake`]; a signal may arrive before.
    pub(crate) fn wake_after_point(&self, count: usize) -> usize {
        deliver();
        self.wake(count)
    }

    /// Changes the queue; gives what it was.
    fn change(&self, change: Op) -> u64 {
        access(Access::rmw(self.word, change, 0, 0).kernel())
    }

    /// The thread that runs becomes the last one.
    pub(crate) fn join(&self) {
        self.change(Op::Enqueue(own()));
    }

    /// Waits in the queue, which the thread has joined.
    pub(crate) fn sleep(&self, may_expire: bool) -> Wait {
        let able = if is_ended() { 0 } else { with(|run| run.fibers[run.current].signals.able()) };
        let may_be_spurious = may_wake_spuriously();
        let choices = 1 + u64::from(may_expire) + u64::from(may_be_spurious) + u64::from(able != 0);
        let choice = if choices == 1 { 0 } else { step(Request::Choice(choices)) };
        if choice != 0 {
            let was_waiting = queue::threads(self.change(Op::Leave(own()))).any(|waiter| waiter == own());
            if able != 0 && choice == choices - 1 {
                // A handler after which the call goes on is one that the loop of the caller sees as well.
                must_be_interrupted();
            }
            let is_spurious = may_be_spurious && choice == 1 + u64::from(may_expire);
            if was_waiting {
                return match choice {
                    1 if may_expire => Wait::TimedOut,
                    _ if is_spurious => {
                        wakes_spuriously();
                        Wait::Woken
                    }
                    _ => Wait::Interrupted,
                };
            }
        }
        self.take_ticket();
        Wait::Woken
    }

    fn take_ticket(&self) {
        let slot = with(|run| run.current);
        let wanted = self.used[slot].get() + 1;
        self.used[slot].set(wanted);
        access(Access::load(self.tickets[slot], 0).until(Until::Least(wanted)).kernel());
    }

    /// Wakes the first `count` threads; how many there were.
    pub(crate) fn wake(&self, count: usize) -> usize {
        let waiting = self.change(Op::Dequeue(count as u64));
        let mut woken = 0;
        for waiter in queue::threads(waiting).take(count) {
            woken += 1;
            let ticket = self.tickets[waiter as usize - 1];
            access(Access::rmw(ticket, Op::Add(1, u64::MAX), 0, 0).kernel());
        }
        woken
    }
}

/// The thread waits no more because a signal arrives: one of those that may, as the environment chooses.
pub(crate) fn must_be_interrupted() {
    crate::run::interrupt();
}
