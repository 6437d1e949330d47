//! What differs between C libraries: where a lock keeps its owner, and which function waits for an internal
//! lock.
//!
//! The process that is looked at need not have the C library of this one.

use super::images::Images;
use super::memory::Memory;

/// A C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CLibrary {
    Glibc,
    Musl,
}

/// `lock` is the first word of a stream's lock in glibc; then a count, then the owner's descriptor.
const STREAM_OWNER: u64 = 8;
/// Where glibc's thread descriptor keeps the thread id, by architecture: behind the header, which has room
/// for vector registers on x86_64, or ends before the descriptor on aarch64.
const DESCRIPTOR_TID: u64 = if cfg!(target_arch = "x86_64") { 0x2d0 } else { 0xd0 };

impl CLibrary {
    /// That of the process with these object files. A static executable without names is taken to have the C
    /// library of this program.
    pub(super) fn of(images: &Images) -> Self {
        let here = if cfg!(target_env = "musl") { Self::Musl } else { Self::Glibc };
        match () {
            () if images.has_object("libc.so.6") => Self::Glibc,
            () if images.has_object("ld-musl") || images.has_object("libc.musl") => Self::Musl,
            () if images.has_function("__lll_lock_wait_private") => Self::Glibc,
            () if images.has_function("__lockfile") => Self::Musl,
            () => here,
        }
    }

    /// Whether the futex call alone tells an internal lock from other waits.
    pub(super) fn waits_tell_locks(self) -> bool {
        self == Self::Glibc
    }

    /// The mutex whose futex word is at `word`: glibc's begins with it, in musl's the type comes first.
    pub(super) fn mutex_of(self, word: u64) -> u64 {
        match self {
            Self::Glibc => word,
            Self::Musl => word.wrapping_sub(4),
        }
    }

    /// The owner of the mutex at `address`. glibc: the thread id at +8. musl: the thread id in the low 30
    /// bits of the word at +4; the type is in the low 4 bits of the word at 0, and a mutex of the normal
    /// type, 0, stores no owner.
    pub(super) fn mutex_owner(self, address: u64, memory: &mut Memory) -> Option<u32> {
        match self {
            Self::Glibc => memory.half_word(address.wrapping_add(8)),
            Self::Musl => {
                let kind = memory.half_word(address)?;
                let word = memory.half_word(address.wrapping_add(4))?;
                (kind & 15 != 0).then_some(word & libc::FUTEX_TID_MASK)
            }
        }
    }

    /// The read-write lock whose futex word is at `word`. glibc's has one at +8, for the change between
    /// readers and a writer, and one at +12, on which a writer waits for another with the value 3. musl's is
    /// its first.
    pub(super) fn rwlock_of(self, word: u64, reads: bool, value: u32) -> u64 {
        match self {
            Self::Glibc if !reads && value == 3 => word.wrapping_sub(12),
            Self::Glibc => word.wrapping_sub(8),
            Self::Musl => word,
        }
    }

    /// The barrier whose futex word is at `word`: glibc's second one, the round.
    pub(super) fn barrier_of(self, word: u64) -> u64 {
        match self {
            Self::Glibc => word.wrapping_sub(4),
            Self::Musl => word,
        }
    }

    /// The condition variable whose futex word is at `word`: glibc's has one for each of its two groups, at
    /// +40 and +44, and is aligned to 8 bytes.
    pub(super) fn condvar_of(self, word: u64) -> u64 {
        match self {
            Self::Glibc if word.is_multiple_of(8) => word.wrapping_sub(40),
            Self::Glibc => word.wrapping_sub(44),
            Self::Musl => word,
        }
    }

    /// The thread that holds the read-write lock at `address` to write.
    pub(super) fn rwlock_writer(self, address: u64, memory: &mut Memory) -> Option<u32> {
        match self {
            Self::Glibc => memory.half_word(address.wrapping_add(24)),
            Self::Musl => None,
        }
    }

    /// The thread that holds the stream's lock at `address`.
    pub(super) fn stream_owner(self, address: u64, memory: &mut Memory) -> Option<u32> {
        match self {
            Self::Glibc => {
                let descriptor = memory.word(address.wrapping_add(STREAM_OWNER)).filter(|at| *at != 0)?;
                memory.half_word(descriptor.wrapping_add(DESCRIPTOR_TID))
            }
            Self::Musl => memory.half_word(address).map(|word| word & libc::FUTEX_TID_MASK),
        }
    }

    /// The id of the thread with this `pthread_t`; something else if there is no such thread.
    pub(super) fn thread_of(self, descriptor: u64, memory: &mut Memory) -> Option<u32> {
        match self {
            Self::Glibc if descriptor != 0 && descriptor.is_multiple_of(16) => {
                // On x86_64 a descriptor begins with its own address.
                let begins = !cfg!(target_arch = "x86_64") || memory.word(descriptor)? == descriptor;
                begins.then(|| memory.half_word(descriptor.wrapping_add(DESCRIPTOR_TID)))?
            }
            Self::Glibc | Self::Musl => None,
        }
    }

    /// Whether this function waits for an internal lock.
    pub(super) fn is_internal_lock(self, symbol: &str) -> bool {
        match self {
            Self::Glibc => symbol.trim_start_matches('_').starts_with("lll_lock_wait"),
            Self::Musl => matches!(symbol, "__lock" | "__lockfile" | "__private_cond_signal"),
        }
    }
}
