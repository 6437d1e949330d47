//! The decisions of the profile log that were once got wrong.

use core::marker::PhantomData;

use sigproof_profbuf::{EveryRecord, ReadMode, WakePolicy};
use sigproof_shim::atomic::{AtomicU64, Ordering};

use super::lock::{MaskedSpin, SignalLock};
use crate::SignalSafety;

/// How the profile log decides. The provided methods and [`Sound`] are right; a case of the harness overrides
/// one to rebuild a historical bug by the same code path.
pub trait Practice: Send + Sync + 'static {
    /// When a sleeping reader is woken.
    type Policy: WakePolicy;

    /// How what the handler shares with ordinary code is locked.
    type Lock: SignalLock;

    /// How to read, given whether the handler may wake the log's note. The fix of golang/go#61768: not
    /// blocking where it may not, so that the handler never finds a sleeper to wake.
    fn read_mode(wakeup: SignalSafety) -> ReadMode {
        match wakeup {
            SignalSafety::Safe => ReadMode::Blocking,
            SignalSafety::Unsafe => ReadMode::NonBlocking,
        }
    }

    /// Takes a count of losses for a report. It must not be reported again (golang/go#21836). Runs in the
    /// handler.
    fn take_lost(counter: &AtomicU64) -> u64 {
        // Relaxed: the count itself is all that is passed on.
        counter.swap(0, Ordering::Relaxed)
    }
}

/// Everything right, with the lock of your choice.
#[derive(Debug)]
pub struct Sound<L = MaskedSpin>(PhantomData<fn() -> L>);

impl<L: SignalLock> Practice for Sound<L> {
    type Policy = EveryRecord;
    type Lock = L;
}
