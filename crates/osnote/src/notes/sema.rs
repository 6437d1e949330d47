//! A note that is an atomic key word, over a semaphore that the sleeping thread owns.
//!
//! | key | meaning | next |
//! |---|---|---|
//! | 0 | no thread has slept or woken | the sleeper's address by the sleeper, `WOKEN` by the waker |
//! | address of a semaphore | its owner sleeps, or is about to | `WOKEN` by the waker, which then adds to that semaphore; 0 by the sleeper that gives up |
//! | `WOKEN` (1) | woken | 0 by `clear` |
//!
//! ```text
//! sleeper:  key 0 -> &S ......... S.sleep ............ acquired: key is WOKEN
//! waker:            key &S -> WOKEN, then S.wakeup
//! gives up: key &S -> 0: unregistered | fails: woken; S.sleep takes the one that was or will be added
//! ```
//!
//! Invariants:
//! 1. Only the waker stores `WOKEN`, by a swap. If the old value was an address, it adds exactly one to that
//!    semaphore; otherwise it adds nothing.
//! 2. A sleeper that has stored its address returns only after it has taken that one, or has removed its
//!    address itself. So a semaphore's count is zero whenever its owner does not sleep, and no wake-up is
//!    lost.
//! 3. An address in the key stays valid for ever: [`Semaphore`]'s first invariant. The waker's access needs
//!    no other.
//! 4. `wakeup` touches no thread-local storage, and allocates nothing: what it calls beyond the swap is
//!    [`Semaphore::wakeup`].
//!
//! Orderings: the swap of `wakeup` releases the waker's work to a sleeper that comes later, and acquires the
//! semaphore that an earlier sleeper has published with its address; to that one the semaphore passes the
//! work on.
//!
//! [`SemaNote`]'s second parameter is how the sleeper waits: in one go ([`Whole`]), or in intervals, as a
//! runtime does that has something to poll (Go's `cgo_yield`). Cases replace it to rebuild a wrong test
//! between the intervals.

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use sigproof_shim::atomic::{AtomicUsize, Ordering};
use sigproof_shim::os::errno::ErrnoGuard;

use crate::backend::{Backend, Instances, Platform, SignalSafety};
use crate::deadline::Deadline;
use crate::note::{Note, NoteError, Woken};
use crate::provoke::{Provocation, Provoke};
use crate::semaphore::{PthreadSemaphore, Refusing, Semaphore, Slept};

/// What it can do.
pub const BACKEND: Backend = Backend {
    name: "sema",
    summary: "key word over a per-thread {pthread mutex, condition variable, count}",
    wakeup: SignalSafety::Unsafe,
    why: "pthread_mutex_lock and pthread_cond_signal are not on POSIX's list (POSIX.1-2017, 2.4.3): golang/go#61768",
    timed_sleep: true,
    instances: Instances::Many,
    descriptors: 0,
    platforms: &[Platform::Linux, Platform::Darwin, Platform::Bsd],
    make: || Ok(Box::new(SemaNote::<PthreadSemaphore>::new())),
};

/// The same note over a semaphore that refuses to be used in a signal handler: what Go's runtime does on
/// macOS. It is a mending of cases, and not in the registry, because a handler that needs the wake-up does
/// not get it.
pub const REFUSING: Backend = Backend {
    summary: "key word over a per-thread {pthread mutex, condition variable, count} that refuses signal handlers",
    why: "a handler's wake-up fails before it calls what is not on POSIX's list (POSIX.1-2017, 2.4.3): go1.24.4, src/runtime/os_darwin.go",
    make: || Ok(Box::new(SemaNote::<Refusing<PthreadSemaphore>>::new())),
    ..BACKEND
};

const CLEAR: usize = 0;
/// Not an address: a semaphore is aligned to more than one byte, which `SemaNote::new` checks at compile
/// time.
const WOKEN: usize = 1;

/// What the key says, for the test between two intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Neither a sleeper nor a wake-up.
    Clear,
    /// A sleeper has stored itself.
    Waiter,
    /// Woken.
    Woken,
}

/// How a sleeper that has stored itself in the key waits.
pub trait SleepLoop: Send + Sync + 'static {
    /// How long at a time; `None` waits in one go.
    const INTERVAL: Option<Duration>;

    /// Asked before each interval: whether to wait. The only correct answer is "unless woken": the key is not
    /// clear while this sleeper stands in it.
    fn keep_sleeping(key: Key) -> bool {
        key != Key::Woken
    }

    /// What the sleeper does after an interval that ended unwoken.
    fn between_intervals() {}
}

/// Waits in one go.
#[derive(Clone, Copy, Debug)]
pub enum Whole {}

impl SleepLoop for Whole {
    const INTERVAL: Option<Duration> = None;
}

/// Waits in intervals of `MICROSECONDS`.
#[derive(Clone, Copy, Debug)]
pub enum Intervals<const MICROSECONDS: u64> {}

impl<const MICROSECONDS: u64> SleepLoop for Intervals<MICROSECONDS> {
    const INTERVAL: Option<Duration> = Some(Duration::from_micros(MICROSECONDS));
}

/// How the wait of a sleeper that stands in the key ended.
enum Ended {
    /// It took one off its semaphore.
    Acquired,
    /// Its time is over.
    TimedOut,
    /// [`SleepLoop::keep_sleeping`] said no.
    LoopSaysWoken,
}

impl From<Slept> for Ended {
    fn from(slept: Slept) -> Self {
        match slept {
            Slept::Acquired => Self::Acquired,
            Slept::TimedOut => Self::TimedOut,
        }
    }
}

/// See the module.
pub struct SemaNote<S, L = Whole> {
    key: AtomicUsize,
    _kind: PhantomData<fn() -> (S, L)>,
}

impl<S, L> fmt::Debug for SemaNote<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemaNote").field("key", &self.key).finish()
    }
}

impl<S: Semaphore, L: SleepLoop> Default for SemaNote<S, L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Semaphore, L: SleepLoop> SemaNote<S, L> {
    /// A cleared note.
    #[must_use]
    pub fn new() -> Self {
        const { assert!(align_of::<S>() > 1, "an address must differ from WOKEN") };
        Self { key: AtomicUsize::new(CLEAR), _kind: PhantomData }
    }

    /// What the key says now.
    #[must_use]
    pub fn key(&self) -> Key {
        // Relaxed: the waker's work is acquired with what it adds to the semaphore.
        match self.key.load(Ordering::Relaxed) {
            CLEAR => Key::Clear,
            WOKEN => Key::Woken,
            _ => Key::Waiter,
        }
    }

    fn sleep_until(&self, deadline: Deadline) -> Result<Woken, NoteError> {
        let own = S::current()?;
        let address = core::ptr::from_ref(own).expose_provenance();
        // Success Release: publishes the semaphore to the swap in `wakeup`. Failure Acquire: pairs with that
        // swap, which came first.
        match self.key.compare_exchange(CLEAR, address, Ordering::Release, Ordering::Acquire) {
            Ok(_) => {}
            Err(WOKEN) => return Ok(Woken::ByWakeup),
            Err(_) => return Err(NoteError::TwoSleepers),
        }
        match self.wait(own, deadline) {
            Ok(Ended::Acquired) if self.key() == Key::Woken => Ok(Woken::ByWakeup),
            Ok(Ended::Acquired) => self.give_up(own, address, Err(NoteError::OutOfSync)),
            Ok(Ended::TimedOut) => self.give_up(own, address, Ok(Woken::ByTimeout)),
            Ok(Ended::LoopSaysWoken) => {
                // Not yet taken what the waker adds (invariant 2). A loop that asks wrongly gets here
                // unwoken, its address still in the key.
                if self.key() == Key::Woken {
                    own.sleep(None)?;
                }
                Ok(Woken::ByWakeup)
            }
            Err(error) => self.give_up(own, address, Err(error)),
        }
    }

    /// Waits as `L` says.
    fn wait(&self, own: &S, deadline: Deadline) -> Result<Ended, NoteError> {
        let Some(interval) = L::INTERVAL else {
            return Ok(own.sleep(deadline.left())?.into());
        };
        while L::keep_sleeping(self.key()) {
            let time = deadline.left().map_or(interval, |left| left.min(interval));
            if own.sleep(Some(time))? == Slept::Acquired {
                return Ok(Ended::Acquired);
            }
            if deadline.passed() {
                return Ok(Ended::TimedOut);
            }
            L::between_intervals();
        }
        Ok(Ended::LoopSaysWoken)
    }

    /// Removes this sleeper from the key and answers `unwoken`; or, if a wake-up was faster, takes what it
    /// has added or is about to.
    fn give_up(&self, own: &S, address: usize, unwoken: Result<Woken, NoteError>) -> Result<Woken, NoteError> {
        // Relaxed: at success nothing is passed on; at failure the waker's work is acquired with what it adds
        // to the semaphore.
        match self.key.compare_exchange(address, CLEAR, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => unwoken,
            Err(_) => {
                own.sleep(None)?;
                Ok(Woken::ByWakeup)
            }
        }
    }
}

impl<S: Semaphore, L: SleepLoop> Note for SemaNote<S, L> {
    fn clear(&self) {
        // Release: what was done before the clear is seen by whoever finds the key clear.
        self.key.store(CLEAR, Ordering::Release);
    }

    fn sleep(&self) -> Result<(), NoteError> {
        self.sleep_until(Deadline::NEVER).map(drop)
    }

    fn sleep_timeout(&self, timeout: Duration) -> Result<Woken, NoteError> {
        self.sleep_until(Deadline::after(Some(timeout)))
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        let _errno = ErrnoGuard::new();
        // Release: the waker's work, to the sleeper's acquires. Acquire: the semaphore that the sleeper's
        // compare-and-swap has published.
        match self.key.swap(WOKEN, Ordering::AcqRel) {
            CLEAR => Ok(()),
            WOKEN => Err(NoteError::DoubleWakeup),
            address => {
                // SAFETY: only `sleep_until` stores addresses, of semaphores of this type that are never
                // freed (invariant 3).
                let sleeper: &S = unsafe { &*core::ptr::with_exposed_provenance(address) };
                sleeper.wakeup()
            }
        }
    }

    fn testing(&self) -> Option<&dyn Provoke> {
        Some(self)
    }
}

impl<S: Semaphore, L: SleepLoop> Provoke for SemaNote<S, L> {
    fn provoke(&self, provocation: Provocation) -> Result<(), NoteError> {
        // Acquire: pairs with the compare-and-swap of the sleeper, which has published its semaphore.
        match (provocation, self.key.load(Ordering::Acquire)) {
            (Provocation::FullDoorbell, _) => Err(provocation.unsupported()),
            // No thread sleeps: disturbing this thread's own does no more than tell whether it can be done.
            (Provocation::SpuriousWake, CLEAR | WOKEN) => S::current()?.disturb(),
            (Provocation::SpuriousWake, address) => {
                // SAFETY: as in `wakeup`; the load acquires as its swap does.
                let sleeper: &S = unsafe { &*core::ptr::with_exposed_provenance(address) };
                sleeper.disturb()
            }
        }
    }
}
