//! The lock on what the signal handler shares with ordinary code.
//!
//! A handler that waits for a lock which the code that it interrupted holds waits for ever (golang/go#25785,
//! golang/go#48782). There are two ways out, and both are here:
//!
//! | lock | in ordinary code | in the handler |
//! |---|---|---|
//! | [`MaskedSpin`] | the signal is blocked while the lock is held | spins: the holder is on another thread, or not at all |
//! | [`TrySpin`] | spins | gives up after [`TrySpin::TRIES`]; the caller counts the loss |
//!
//! One word, 0 or 1. Invariants:
//! 1. Whoever changed it from 0 to 1 is in the critical section, alone, and changes it back.
//! 2. `MaskedSpin`: the signal is blocked in the thread of the holder, be it by the guard or because the
//!    holder is the handler.
//!
//! Orderings: the compare-and-swap that takes the lock is Acquire and pairs with the Release store that gave
//! it back, so each critical section happens before the next.

use sigproof_shim::atomic::{AtomicU32, Ordering};
use sigproof_shim::hint;
use sigproof_shim::os::{OsError, sigmask};

/// A lock that is taken both in ordinary code and in the handler of one signal.
///
/// # Safety
/// No two critical sections run at the same time, on whatever threads, a handler that interrupts another
/// section included; and each happens before the next. (Not that they are ever reached: a lock that deadlocks
/// is a bug, but not unsound.)
pub unsafe trait SignalLock: Sized + Send + Sync + 'static {
    /// A free lock, for the handler of `signal`.
    ///
    /// # Errors
    /// If `signal` is no signal.
    fn new(signal: i32) -> Result<Self, OsError>;

    /// Runs `section` in ordinary code, alone.
    fn lock<R>(&self, section: impl FnOnce() -> R) -> R;

    /// Runs `section` in the handler, alone; or not at all.
    ///
    /// # Safety
    /// In the handler of the signal given to [`new`](Self::new), installed without `SA_NODEFER`; or where no
    /// such handler can interrupt: in a thread that blocks that signal, or if no thread handles it.
    unsafe fn enter<R>(&self, section: impl FnOnce() -> R) -> Option<R>;
}

/// One word.
#[derive(Debug)]
struct Word(AtomicU32);

impl Word {
    fn try_take(&self) -> bool {
        // Acquire: pairs with `give`. At failure nothing is read.
        self.0.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn take(&self) {
        while !self.try_take() {
            hint::spin_loop();
        }
    }

    fn give(&self) {
        // Release: pairs with `try_take`.
        self.0.store(0, Ordering::Release);
    }
}

/// Blocks the signal around its use in ordinary code.
#[derive(Debug)]
pub struct MaskedSpin {
    word: Word,
    signal: i32,
}

// SAFETY: invariant 1; `take` returns only to the one that changed the word.
unsafe impl SignalLock for MaskedSpin {
    fn new(signal: i32) -> Result<Self, OsError> {
        // Also shows that the signal can be blocked, which is not asked again below.
        sigmask::is_blocked(signal)?;
        Ok(Self { word: Word(AtomicU32::new(0)), signal })
    }

    fn lock<R>(&self, section: impl FnOnce() -> R) -> R {
        let _mask = sigmask::block(self.signal);
        self.word.take();
        let result = section();
        self.word.give();
        result
    }

    unsafe fn enter<R>(&self, section: impl FnOnce() -> R) -> Option<R> {
        self.word.take();
        let result = section();
        self.word.give();
        Some(result)
    }
}

/// Never waits for long in the handler.
#[derive(Debug)]
pub struct TrySpin(Word);

impl TrySpin {
    /// How often the handler tries. More than once, since the holder may as well be on another processor and
    /// about to finish.
    pub const TRIES: u32 = 64;
}

// SAFETY: invariant 1; the section runs only after the word was changed.
unsafe impl SignalLock for TrySpin {
    fn new(_signal: i32) -> Result<Self, OsError> {
        Ok(Self(Word(AtomicU32::new(0))))
    }

    fn lock<R>(&self, section: impl FnOnce() -> R) -> R {
        self.0.take();
        let result = section();
        self.0.give();
        result
    }

    unsafe fn enter<R>(&self, section: impl FnOnce() -> R) -> Option<R> {
        for _ in 0..hint::tries(Self::TRIES) {
            if self.0.try_take() {
                let result = section();
                self.0.give();
                return Some(result);
            }
            hint::spin_loop();
        }
        None
    }
}
