//! From registers to a stack: framehop between signal frames, by hand across them.
//!
//! A handler returns to the restorer, a stub that asks the kernel to put the interrupted registers back. The unwinder cannot see through that,
//! but the kernel left those registers at the stack pointer: reading them there and starting over is the whole trick. What was interrupted
//! is at its own program counter, not behind a call, so it is looked up as it is.

use super::arch::{self, Cache, Registers};
use super::images::Images;
use super::memory::Memory;
use crate::diagnose::Frame;
use framehop::{FrameAddress, Unwinder as _};

/// More physical frames than this are a loop or a runaway recursion.
const DEPTH: usize = 256;

/// A stack, and the registers that were interrupted on it.
#[derive(Debug, Default)]
pub(super) struct Stack {
    pub frames: Vec<Frame>,
    /// Registers saved by the innermost signal frame.
    pub interrupted: Option<Registers>,
    pub cut_short: Option<String>,
}

/// Unwinds one thread.
pub(super) fn unwind(registers: &Registers, images: &Images, cache: &mut Cache, memory: &mut Memory) -> Stack {
    let mut stack = Stack::default();
    let mut regs = arch::unwind_registers(registers);
    let mut address = FrameAddress::from_instruction_pointer(registers.pc);
    for _ in 0..DEPTH {
        let pc = address.address();
        if address.is_return_address() && arch::is_restorer(pc, memory) {
            stack.frames.push(Frame { pc, signal_frame: true, ..Frame::default() });
            let Some(saved) = arch::saved_registers(regs.sp(), memory) else {
                return stack.cut("the signal frame cannot be read");
            };
            regs = arch::unwind_registers(&saved);
            address = FrameAddress::from_instruction_pointer(saved.pc);
            stack.interrupted.get_or_insert(saved);
            continue;
        }
        if !images.is_code(pc) {
            return stack.cut("a return address is not code");
        }
        stack.frames.extend(images.frames(pc, address.is_return_address()));
        match images.unwinder.unwind_frame(address, &mut regs, cache, &mut |at| memory.word(at).ok_or(())) {
            Ok(Some(next)) => match FrameAddress::from_return_address(next) {
                Some(next) => address = next,
                None => return stack,
            },
            Ok(None) => return stack,
            Err(error) => return stack.cut(&error.to_string()),
        }
    }
    stack.cut("too deep")
}

impl Stack {
    fn cut(mut self, why: &str) -> Self {
        self.cut_short = Some(why.to_owned());
        self
    }
}
