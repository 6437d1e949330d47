//! Threads.

use std::cell::RefCell;
use std::rc::Rc;

use crate::end::Limit;
use crate::graph::Id;
use crate::run::{Request, deliver, fiber_start, halt_here, limit, may_wake_spuriously, step, wakes_spuriously, with};
use crate::sync::Semaphore;

/// A thread that can be woken.
#[derive(Debug, Clone)]
pub struct Thread {
    slot: usize,
    token: Rc<Semaphore>,
}

impl Thread {
    pub(crate) fn slot(&self) -> usize {
        self.slot
    }

    /// Gives the thread its token: its next [`park`] returns, or the one in which it waits.
    pub fn unpark(&self) {
        self.token.set();
    }
}

/// A thread to wait for.
#[derive(Debug)]
pub struct JoinHandle<T> {
    thread: Thread,
    key: u64,
    value: Rc<RefCell<Option<T>>>,
}

impl<T> JoinHandle<T> {
    /// Waits for the end of the thread, and gives its value.
    ///
    /// # Panics
    ///
    /// During the unwinding of an execution that ended.
    pub fn join(self) -> T {
        deliver();
        step(Request::Join { key: self.key, slot: self.thread.slot });
        self.value.borrow_mut().take().expect("the value of a thread that ended")
    }

    /// The thread.
    pub fn thread(&self) -> &Thread {
        &self.thread
    }
}

/// Starts a thread. It inherits the signal mask, and no permission of
/// [`signal::allow`](crate::signal::allow).
///
/// More threads than 8, or threads more than 7 deep, end the execution with
/// [`Limit::Threads`].
pub fn spawn<T: 'static>(body: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    deliver();
    let found = with(|run| {
        let slot = run.current;
        let own = run.search.graph.threads[slot].key;
        let (free, child) = (own.trailing_zeros() / 8, run.fibers[slot].children + 1);
        let key = (free > 0 && child < 256).then(|| own | child << (8 * (free - 1)));
        let key = key.filter(|key| !run.ended && run.search.graph.has_room(*key));
        match key {
            Some(_) => run.fibers[slot].children = child,
            None => run.halt(limit(Limit::Threads)),
        }
        key.map(|key| (key, slot, run.fibers[slot].signals.mask, run.visible()))
    });
    let Some((key, parent, mask, visible)) = found else {
        halt_here();
        // A destructor after the end: there nothing runs any more.
        return JoinHandle { thread: current(), key: 0, value: Rc::default() };
    };
    let token = Rc::new(Semaphore::new(0));
    step(Request::Spawn(key));
    let (slot, spawn) = with(|run| {
        let spawn = Id { thread: parent as u8, index: (run.fibers[parent].done.max(1) - 1) as u16 };
        (run.search.graph.slot(key), spawn)
    });
    let value = Rc::new(RefCell::new(None));
    let result = Rc::clone(&value);
    let thread = Thread { slot, token };
    let own = thread.clone();
    fiber_start(
        slot,
        key,
        Box::new(move || {
            with(|run| {
                run.fibers[slot].signals.mask = mask;
                run.fibers[slot].order.visible = visible;
                run.fibers[slot].thread = Some(own);
            });
            step(Request::Begin(spawn));
            let given = body();
            *result.borrow_mut() = Some(given);
        }),
    );
    JoinHandle { thread, key, value }
}

/// The thread that runs.
pub fn current() -> Thread {
    let known = with(|run| run.fibers[run.current].thread.clone());
    known.unwrap_or_else(|| {
        let thread = Thread { slot: with(|run| run.current), token: Rc::new(Semaphore::new(0)) };
        with(|run| run.fibers[run.current].thread = Some(thread.clone()));
        thread
    })
}

/// Waits for the thread's token, and takes it. A signal that arrives meanwhile runs its handler, and the
/// wait goes on. It may return without a token, where [`Explorer::spurious`](crate::Explorer::spurious)
/// lets that be.
pub fn park() {
    if may_wake_spuriously() {
        deliver();
        if step(Request::Choice(2)) == 1 {
            wakes_spuriously();
            return;
        }
    }
    current().token.acquire();
}

/// As [`park`], with a time-out that expires or not, as the environment chooses. Whether the token was taken.
pub fn park_timeout() -> bool {
    current().token.acquire_timeout()
}

/// As [`hint::spin_loop`](crate::hint::spin_loop): the turn of the loop around ends.
pub fn yield_now() {
    crate::hint::spin_loop();
}
