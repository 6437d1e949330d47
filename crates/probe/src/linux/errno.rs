//! `errno` before a handler and after it.
//!
//! A handler returns to the code below it through a few instructions of the C library (`sa_restorer`). A
//! thread that stops there has its handler behind it, and the interrupted code has not run on yet: what
//! `errno` is there is what the handler left. The signal frame tells which code was interrupted.
//!
//! # Limits
//! A handler that is left by a jump never comes there. A program without `__errno_location` keeps `errno` at
//! an unknown place.

use super::cpu::Registers;

/// What a handler has made of `errno`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spoiled {
    /// Before it.
    pub before: i32,
    /// After it.
    pub after: i32,
}

impl Spoiled {
    /// In words.
    pub(crate) fn text(self) -> String {
        let Self { before, after } = self;
        format!(
            "errno was {} before the handler and is {} after it: save it first, and put it back last",
            crate::errno_text(before),
            crate::errno_text(after)
        )
    }
}

/// Where the threads of a program keep `errno`, and where their handlers return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno {
    /// From the thread's pointer to its `errno`.
    pub offset: u64,
    /// The first instruction behind a handler.
    pub back: u64,
}

/// Where program counter and stack pointer are in the frame of a signal, from the stack pointer behind the
/// handler's return: `struct ucontext` of x86_64 Linux, general registers 15 and 16.
const SAVED: u64 = 40 + 15 * 8;

impl Errno {
    /// The thread's `errno`.
    pub(crate) fn of(&self, thread: &Registers, read: impl Fn(u64, &mut [u8]) -> bool) -> Option<i32> {
        let mut bytes = [0; 4];
        read(thread.fs_base.wrapping_add(self.offset), &mut bytes).then(|| i32::from_le_bytes(bytes))
    }

    /// What the handler made of `errno`, of a thread that is stopped at the first instruction behind it;
    /// `at`: what the handler has interrupted, with `errno` as it was. `None`: another handler has returned.
    pub(crate) fn after(
        &self,
        thread: &Registers,
        (at, before): (&Registers, i32),
        read: impl Fn(u64, &mut [u8]) -> bool,
    ) -> Option<Spoiled> {
        let mut saved = [0; 16];
        if !read(thread.rsp.wrapping_add(SAVED), &mut saved) {
            return None;
        }
        let word = |n: usize| u64::from_le_bytes(saved.as_chunks::<8>().0[n]);
        if (word(0), word(1)) != (at.rsp, at.rip) {
            return None;
        }
        Some(Spoiled { before, after: self.of(thread, read)? })
    }
}

/// The length of the instruction that sets the number of the system call by which a handler returns, if the
/// code behind a handler begins with it.
pub(crate) fn length_of_return(code: &[u8; 16]) -> Option<u64> {
    match code {
        // mov rax,15; mov eax,15.
        [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05, ..] => Some(7),
        [0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05, ..] => Some(5),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registers(rip: u64, rsp: u64) -> Registers {
        // SAFETY: numbers only.
        let zeroed: Registers = unsafe { core::mem::zeroed() };
        Registers { rip, rsp, fs_base: 0x7000, ..zeroed }
    }

    #[test]
    fn only_the_return_to_the_interrupted_code_counts() {
        let errno = Errno { offset: 0_u64.wrapping_sub(0x10), back: 0x1000 };
        let (at, behind) = (registers(0x400, 0x9000), registers(0x1000, 0x8000));
        let memory = |rip: u64| {
            move |from: u64, into: &mut [u8]| {
                match from {
                    0x6ff0 => into.copy_from_slice(&9_i32.to_le_bytes()),
                    0x80a0 => into.copy_from_slice(&[0x9000_u64.to_le_bytes(), rip.to_le_bytes()].concat()),
                    _ => return false,
                }
                true
            }
        };
        assert_eq!(errno.after(&behind, (&at, 0), memory(0x400)), Some(Spoiled { before: 0, after: 9 }));
        assert_eq!(errno.after(&behind, (&at, 0), memory(0x404)), None);
    }

    #[test]
    fn an_error_that_is_none_is_not_called_success() {
        let text = Spoiled { before: 4, after: 0 }.text();
        assert!(text.contains("was 4 (Interrupted system call) before the handler and is 0 after it"), "{text}");
    }
}
