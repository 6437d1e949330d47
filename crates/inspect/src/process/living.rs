//! The process groups that this process has started and not ended, for the handler of a second interruption.
//!
//! A user who interrupts a command twice wants its end at once, so the handler exits without running
//! destructors. The handler first kills every group of this list. It may do nothing else: no allocation, no
//! lock.
//!
//! A group is on the list from the return of `spawn` until it has been killed. It leaves the list before its
//! leader is reaped, so no number on the list can belong to somebody else. A group that is being started is
//! not on the list yet: an interruption in those microseconds leaves it to its tie.

use sigproof_shim::native::atomic::{AtomicI32, Ordering};

/// The most groups on the list. Groups beyond that are left to their ties.
const MOST: usize = 1024;

static LIVING: [AtomicI32; MOST] = [const { AtomicI32::new(0) }; MOST];

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
/// handler may call it.
pub fn kill_all_and_exit(code: i32) -> ! {
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
