//! A thread that carries out orders, one at a time, and sleeps without a time-out when it has none.
//!
//! The sleep matters: the parent must be able to see that a stuck process is all asleep, so nothing here may
//! poll.

use std::thread::{self, Thread};

use sigproof_shim::native::atomic::{AtomicU64, Ordering};
use sigproof_shim::native::hint;

use super::super::shield;
use sigproof_inspect::refusal::Refusal;

/// How often a helper looks for the next order before it sleeps: a few microseconds, in which most orders
/// come.
const LOOKS: u32 = 2_000;

/// Orders given and begun, and the one under way.
#[derive(Debug, Default)]
struct Desk {
    given: AtomicU64,
    begun: AtomicU64,
    order: AtomicU64,
}

/// The thread's handle. The thread itself ends with the process.
#[derive(Debug)]
pub(super) struct Helper {
    desk: &'static Desk,
    thread: Thread,
}

impl Helper {
    /// Starts a thread, shielded from the signal, that runs `work` on each order.
    pub(super) fn start(name: &str, work: impl Fn(u64) + Send + 'static) -> Result<Self, Refusal> {
        let desk: &'static Desk = Box::leak(Box::default());
        let handle = thread::Builder::new().name(name.into()).spawn(move || {
            if let Err(error) = shield() {
                panic!("the helper cannot be shielded from the signal: {error}");
            }
            for done in 0.. {
                // Acquire pairs with the release in `order`: the order is there.
                let waiting = || desk.given.load(Ordering::Acquire) == done;
                if !(0..LOOKS).any(|_| {
                    hint::spin_loop();
                    !waiting()
                }) {
                    while waiting() {
                        thread::park();
                    }
                }
                desk.begun.store(done + 1, Ordering::Release);
                work(desk.order.load(Ordering::Relaxed));
            }
        });
        let handle = handle.map_err(|error| Refusal::thread(&error))?;
        Ok(Self { desk, thread: handle.thread().clone() })
    }

    /// Gives an order, and returns once the helper is at it: the time that it takes to wake up is not a part
    /// of the delay. The order before has been carried out: its signal has arrived.
    pub(super) fn order(&self, order: u64) {
        self.desk.order.store(order, Ordering::Relaxed);
        let given = self.desk.given.fetch_add(1, Ordering::Release) + 1;
        self.thread.unpark();
        while self.desk.begun.load(Ordering::Acquire) < given {
            hint::spin_loop();
        }
    }
}
