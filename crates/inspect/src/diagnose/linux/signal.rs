//! What a signal frame says of its signal: which one it was, and where it came from.
//!
//! The kernel fills in the sender only for a handler that was installed with `SA_SIGINFO`. Which signal it is
//! shows in the sets of blocked signals, before the handler and in it: the handler's own signal is the
//! difference.

use super::arch;
use super::memory::Memory;

/// A signal whose handler is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signal {
    /// What stands where a `siginfo` would be: signal, code, and the two words that follow, which of a signal
    /// that a process sent are its id and its user.
    pub info: [u32; 4],
    /// The signals that were blocked before: bit n-1 for signal n.
    pub blocked_before: u64,
    /// The instruction that it interrupted.
    pub interrupted: u64,
}

impl Signal {
    /// That of the signal frame at `sp`, which interrupted the code at `interrupted`.
    pub(super) fn read(sp: u64, interrupted: u64, memory: &mut Memory) -> Option<Self> {
        let at = arch::signal_info(sp);
        let mut word = |n: u64| memory.half_word(at.wrapping_add(4 * n));
        let info = [word(0)?, word(2)?, word(4)?, word(5)?];
        Some(Self { info, blocked_before: memory.word(arch::blocked_before(sp))?, interrupted })
    }

    /// Which signal it is, and whether its sender is known: its handler has blocked it, as `blocked` says,
    /// unless it was installed with `SA_NODEFER`.
    pub(crate) fn number(&self, blocked: u64) -> (Option<i32>, bool) {
        let by_handler = blocked & !self.blocked_before;
        let told = i32::try_from(self.info[0]).ok().filter(|number| (1..=64).contains(number));
        match told.filter(|number| by_handler >> (number - 1) & 1 == 1) {
            Some(number) => (Some(number), true),
            None if by_handler.count_ones() == 1 => (Some(by_handler.trailing_zeros() as i32 + 1), false),
            None => (None, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signal_is_what_the_handler_has_blocked() {
        let signal = |number: u32| Signal { info: [number, 0, 7, 0], blocked_before: 0b100, interrupted: 0 };
        assert_eq!(signal(10).number(0b10_0000_0100), (Some(10), true));
        assert_eq!(signal(999).number(0b10_0000_0100), (Some(10), false), "no siginfo, something else");
        assert_eq!(signal(3).number(0b10_0000_0100), (Some(10), false), "what was blocked before is not it");
        assert_eq!(signal(0).number(0b11_0000_0100), (None, false), "a mask of several");
    }
}
