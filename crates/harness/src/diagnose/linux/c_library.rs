//! What differs between C libraries: where a mutex keeps its owner, and which function waits for an internal
//! lock.

use super::memory::Memory;

pub(super) use selected::{WAITS_TELL_LOCKS, is_internal_lock, mutex_owner};

#[cfg(not(target_env = "musl"))]
mod selected {
    //! glibc.

    use super::Memory;

    /// Whether the futex call alone tells an internal lock from other waits.
    pub(in super::super) const WAITS_TELL_LOCKS: bool = true;

    /// The owner of the mutex whose futex word is at `address`: the thread id at +8.
    pub(in super::super) fn mutex_owner(address: u64, memory: &mut Memory) -> Option<u32> {
        memory.half_word(address.wrapping_add(8))
    }

    /// Whether this function waits for an internal lock.
    pub(in super::super) fn is_internal_lock(symbol: &str) -> bool {
        symbol.trim_start_matches('_').starts_with("lll_lock_wait")
    }
}

#[cfg(target_env = "musl")]
mod selected {
    //! musl.

    use super::Memory;

    /// Whether the futex call alone tells an internal lock from other waits.
    pub(in super::super) const WAITS_TELL_LOCKS: bool = false;

    /// The owner of the mutex whose futex word is at `address`: the thread id in the word's low 30 bits. The
    /// word before has the type in its low 4 bits; a mutex of the normal type, 0, stores no owner.
    pub(in super::super) fn mutex_owner(address: u64, memory: &mut Memory) -> Option<u32> {
        let kind = memory.half_word(address.wrapping_sub(4))?;
        let word = memory.half_word(address)?;
        (kind & 15 != 0).then_some(word & libc::FUTEX_TID_MASK)
    }

    /// Whether this function waits for an internal lock.
    pub(in super::super) fn is_internal_lock(symbol: &str) -> bool {
        symbol == "__lock"
    }
}
