//! The process groups that this process has started and not ended, for the handler of a second interruption.
//!
//! A user who interrupts a command twice wants its end at once, so the handler exits without running
//! destructors. The handler first kills every group of this list. It may do nothing else: no allocation, no
//! lock.
//!
//! A group is on the list from the return of `spawn` until it has been killed. It leaves the list before its
//! leader is reaped, so no number on the list can belong to somebody else. A group that is being started is
//! not on the list yet. While there is one, the handler only leaves the order to exit. The thread that starts
//! the last such group carries out the order once the group is on the list.

use sigproof_shim::native::atomic::{AtomicI32, Ordering};

/// The most groups on the list. Groups beyond that are left to their ties.
const MOST: usize = 1024;

static LIVING: [AtomicI32; MOST] = [const { AtomicI32::new(0) }; MOST];

/// How many groups are being started.
static STARTING: AtomicI32 = AtomicI32::new(0);

/// The order to exit: the code plus one; 0 is none.
static ORDER: AtomicI32 = AtomicI32::new(0);

/// A group that is being started. Lives until the group is on the list, or cannot be started.
#[derive(Debug)]
pub(super) struct Starting(());

impl Starting {
    pub(super) fn begin() -> Self {
        // SeqCst: see `drop`.
        STARTING.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        // SeqCst, here and in the handler: the handler stores the order and then loads the count, this
        // changes the count and then loads the order. One of the two sees the other.
        let last = STARTING.fetch_sub(1, Ordering::SeqCst) == 1;
        let order = ORDER.load(Ordering::SeqCst);
        if last && order != 0 {
            carry_out(order - 1);
        }
    }
}

/// A group's place on the list.
#[derive(Debug)]
pub(super) struct Place(Option<&'static AtomicI32>);

impl Place {
    /// Takes a free place for the group of this leader.
    pub(super) fn take(leader: i32) -> Self {
        let free = |place: &&AtomicI32| place.compare_exchange(0, leader, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        Self(LIVING.iter().find(free))
    }

    /// Leaves it. The group has been killed, and its leader is not reaped yet.
    pub(super) fn leave(&mut self) {
        if let Some(place) = self.0.take() {
            place.store(0, Ordering::Release);
        }
    }
}

/// Kills every group that this process has started and not ended, and exits at once with this code. A signal
/// handler may call it. It returns only where a group is being started: the process then exits a moment
/// later.
pub fn kill_all_and_exit(code: i32) {
    // SeqCst, both: see `Starting`.
    ORDER.store(code + 1, Ordering::SeqCst);
    if STARTING.load(Ordering::SeqCst) == 0 {
        carry_out(code);
    }
}

fn carry_out(code: i32) -> ! {
    for place in &LIVING {
        let leader = place.load(Ordering::Acquire);
        if leader > 0 {
            // SAFETY: async-signal-safe, takes two numbers. The leader is not reaped: the number is its own.
            unsafe { libc::killpg(leader, libc::SIGKILL) };
        }
    }
    // SAFETY: async-signal-safe.
    unsafe { libc::_exit(code) }
}
