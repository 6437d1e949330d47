//! Blocking objects: a mutex, a condition variable, a semaphore, a pipe's count of bytes.
//!
//! Each is made of hidden atomics. A thread that has to wait does a load that is blocked by the values that
//! do not let it go on. Mutex and semaphore acquire and release; a wake-up of a condition variable orders
//! nothing.

use crate::atomic::location;
use crate::futex::{Queue, Wait};
use crate::graph::{Op, Until, bits};
use crate::run::{Access, Request, access, deliver, is_ended, step, with};

/// A mutex of std's kind: not recursive; a second lock by its owner waits for ever.
#[derive(Debug)]
pub struct Mutex {
    word: u32,
}

impl Default for Mutex {
    fn default() -> Self {
        Self::new()
    }
}

impl Mutex {
    /// A free mutex.
    pub fn new() -> Self {
        Self { word: location(0) }
    }

    /// Waits until it is free, and takes it. A signal runs its handler meanwhile.
    pub fn lock(&self) {
        deliver();
        access(Access::rmw(self.word, Op::Cas(0, 1), bits::ACQ, 0).until(Until::Is(0)));
    }

    /// Takes it if it is free.
    pub fn try_lock(&self) -> bool {
        deliver();
        access(Access::rmw(self.word, Op::Cas(0, 1), bits::ACQ, 0)) == 0
    }

    /// Frees it.
    pub fn unlock(&self) {
        deliver();
        self.unlock_now();
    }

    fn unlock_now(&self) {
        step(Request::Store { loc: self.word, val: 0, ord: bits::REL, kernel: false });
    }
}

/// A condition variable.
#[derive(Debug)]
pub struct Condvar {
    queue: Queue,
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl Condvar {
    /// One on which no thread waits.
    pub fn new() -> Self {
        Self { queue: Queue::new() }
    }

    /// Frees `mutex`, waits for a notification, and takes `mutex` again. A signal runs its handler meanwhile.
    pub fn wait(&self, mutex: &Mutex) {
        deliver();
        self.queue.join();
        mutex.unlock_now();
        while self.queue.sleep(false) == Wait::Interrupted {
            self.queue.join();
        }
        mutex.lock();
    }

    /// As [`Condvar::wait`], with a time-out that expires or not, as the environment chooses. Whether it was
    /// notified.
    pub fn wait_timeout(&self, mutex: &Mutex) -> bool {
        deliver();
        self.queue.join();
        mutex.unlock_now();
        let end = loop {
            let end = self.queue.sleep(true);
            if end != Wait::Interrupted {
                break end;
            }
            self.queue.join();
        };
        mutex.lock();
        end == Wait::Woken
    }

    /// Wakes the thread that has waited longest.
    pub fn notify_one(&self) {
        deliver();
        self.queue.wake(1);
    }

    /// Wakes all threads that wait.
    pub fn notify_all(&self) {
        deliver();
        self.queue.wake(usize::MAX);
    }
}

/// A counting semaphore.
#[derive(Debug)]
pub struct Semaphore {
    word: u32,
}

impl Semaphore {
    /// One with `count` permits.
    pub fn new(count: u32) -> Self {
        Self { word: location(u64::from(count)) }
    }

    /// Adds a permit.
    pub fn release(&self) {
        deliver();
        access(Access::rmw(self.word, Op::Add(1, u64::from(u32::MAX)), bits::REL, 0));
    }

    /// Sets the count to one.
    pub(crate) fn set(&self) {
        deliver();
        access(Access::rmw(self.word, Op::Swap(1), bits::REL, 0));
    }

    /// Waits for a permit, and takes it.
    pub fn acquire(&self) {
        while self.acquire_interruptible() == Wait::Interrupted {}
    }

    /// Takes a permit if there is one.
    pub fn try_acquire(&self) -> bool {
        deliver();
        access(Access::rmw(self.word, Op::Take, bits::ACQ, 0)) != 0
    }

    /// Waits for a permit, and takes it; or returns after a handler that interrupts the wait.
    pub fn acquire_interruptible(&self) -> Wait {
        deliver();
        let handlers = with(|run| run.fibers[run.current].signals.able());
        if handlers != 0 && !is_ended() && step(Request::Choice(2)) == 1 {
            // The signal arrives while the thread waits: it saw no permit.
            let seen = access(Access::load(self.word, 0).assume(Until::Is(0)).kernel());
            debug_assert!(seen == 0 || is_ended());
            crate::futex::must_be_interrupted();
            return Wait::Interrupted;
        }
        access(Access::rmw(self.word, Op::Take, bits::ACQ, 0).until(Until::Least(1)));
        Wait::Woken
    }

    /// Waits for a permit with a time-out that expires or not, as the environment chooses. Whether a permit
    /// was taken.
    pub fn acquire_timeout(&self) -> bool {
        deliver();
        if step(Request::Choice(2)) == 1 {
            return false;
        }
        self.acquire();
        true
    }
}
