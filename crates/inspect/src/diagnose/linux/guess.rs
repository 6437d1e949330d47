//! The next frame of code that has no unwinding table: the nearest word up the stack that is a return
//! address.
//!
//! A word counts as a return address if the instruction before it is a call, or if it is the stub that a
//! signal handler returns to. A call whose target is the current function is preferred to any other. The
//! frame is marked as guessed: a word that an earlier call left behind looks the same.

use super::arch::{self, Call};
use super::images::Images;
use super::memory::Memory;

/// How many words are searched. Functions of a C library with larger frames are rare, and each word more is a
/// chance of a stale one.
const WORDS: u64 = 1024;

/// Functions at the root of a stack: nothing called them.
const ROOTS: &[&str] = &["_start", "clone", "__clone", "clone3", "__clone3"];

/// A return address, and the stack pointer after the return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guess {
    pub pc: u64,
    pub sp: u64,
}

/// Whether the function with this name is the root of a stack.
pub(super) fn is_root(name: &str) -> bool {
    ROOTS.contains(&name)
}

/// The likeliest return address above `sp` of the function that starts at `function`. With `sure`, only a
/// call of that function counts.
pub(super) fn next(sp: u64, function: Option<u64>, sure: bool, images: &Images, memory: &mut Memory) -> Option<Guess> {
    let start = sp.checked_add(7)? & !7;
    let mut any = None;
    for n in 0..WORDS {
        let at = start.checked_add(8 * n)?;
        // The stack ends where its mapping does.
        let Some(pc) = memory.word(at) else { break };
        if !images.is_code(pc) {
            continue;
        }
        let guess = Guess { pc, sp: at.wrapping_add(8) };
        match arch::call_before(pc, memory) {
            Some(Call::Direct(target)) if Some(target) == function => return Some(guess),
            Some(_) => {
                any.get_or_insert(guess);
            }
            None if arch::is_restorer(pc, memory) => {
                // What lies above a signal frame belongs to the interrupted code.
                return if sure { None } else { any.or(Some(guess)) };
            }
            None => {}
        }
    }
    if sure { None } else { any }
}
