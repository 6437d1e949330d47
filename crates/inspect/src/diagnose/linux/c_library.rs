//! What differs between C libraries: where a mutex keeps its owner, and which function waits for an internal
//! lock.

use super::memory::Memory;

pub(super) use selected::{WAITS_TELL_LOCKS, is_internal_lock, mutex_of, mutex_owner};

#[cfg(not(target_env = "musl"))]
mod selected {
    //! glibc.

    use super::Memory;

    /// Whether the futex call alone tells an internal lock from other waits.
    pub(in super::super) const WAITS_TELL_LOCKS: bool = true;

    /// The mutex whose futex word is at `word`: it begins with it.
    pub(in super::super) fn mutex_of(word: u64) -> u64 {
        word
    }

    /// The owner of the mutex at `address`: the thread id at +8.
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

    /// The mutex whose futex word is at `word`: its type comes first.
    pub(in super::super) fn mutex_of(word: u64) -> u64 {
        word.wrapping_sub(4)
    }

    /// The owner of the mutex at `address`: the thread id in the low 30 bits of the word at +4. The type is in
    /// the low 4 bits of the word at 0; a mutex of the normal type, 0, stores no owner.
    pub(in super::super) fn mutex_owner(address: u64, memory: &mut Memory) -> Option<u32> {
        let kind = memory.half_word(address)?;
        let word = memory.half_word(address.wrapping_add(4))?;
        (kind & 15 != 0).then_some(word & libc::FUTEX_TID_MASK)
    }

    /// Whether this function waits for an internal lock.
    pub(in super::super) fn is_internal_lock(symbol: &str) -> bool {
        matches!(symbol, "__lock" | "__lockfile" | "__private_cond_signal")
    }
}
