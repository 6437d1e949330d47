//! What a signal frame says of its signal: the number, and where it came from.

use super::arch;
use super::memory::Memory;

/// A signal whose handler is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signal {
    /// Its number.
    pub number: i32,
    /// `si_code`.
    pub code: i32,
    /// The two words that follow: of a signal that a process sent, its number and its user.
    pub words: [u32; 2],
    /// The instruction that it interrupted.
    pub interrupted: u64,
}

impl Signal {
    /// That of the signal frame at `sp`, which interrupted the code at `interrupted`.
    pub(super) fn read(sp: u64, interrupted: u64, memory: &mut Memory) -> Option<Self> {
        let at = arch::signal_info(sp);
        let mut word = |n: u64| memory.half_word(at.wrapping_add(4 * n));
        let (number, code) = (word(0)? as i32, word(2)? as i32);
        // A handler that was installed without SA_SIGINFO has the same frame.
        (1..=64).contains(&number).then_some(())?;
        Some(Self { number, code, words: [word(4)?, word(5)?], interrupted })
    }
}
