//! From registers to a stack: framehop between signal frames, by hand across them, by a guess where code has
//! no unwinding table.
//!
//! A handler returns to the restorer, a stub that asks the kernel to put the interrupted registers back. The
//! unwinder cannot see through that, but the kernel left those registers at the stack pointer: reading them
//! there and starting over is the whole trick. What was interrupted is at its own program counter, not behind
//! a call, so it is looked up as it is.

use super::arch::{self, Cache, Registers, UnwindRegisters};
use super::cfi::Cfi;
use super::guess;
use super::images::Images;
use super::memory::Memory;
use super::signal::Signal;
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
    /// The signals of the active handlers, the innermost first.
    pub signals: Vec<Signal>,
    pub cut_short: Option<String>,
}

/// Unwinds one thread.
pub(super) fn unwind(registers: &Registers, images: &Images, caches: &mut Caches, memory: &mut Memory) -> Stack {
    let mut stack = Stack::default();
    let mut regs = arch::unwind_registers(registers);
    let mut address = FrameAddress::from_instruction_pointer(registers.pc);
    let mut guessed = false;
    for _ in 0..DEPTH {
        let pc = address.address();
        if address.is_return_address() && arch::is_restorer(pc, memory) {
            stack.frames.push(Frame { pc, signal_frame: true, ..Frame::default() });
            let Some(saved) = arch::saved_registers(regs.sp(), memory) else {
                return stack.cut("the signal frame cannot be read");
            };
            stack.signals.extend(Signal::read(regs.sp(), saved.pc, memory));
            regs = arch::unwind_registers(&saved);
            address = FrameAddress::from_instruction_pointer(saved.pc);
            guessed = false;
            stack.interrupted.get_or_insert(saved);
            continue;
        }
        if !images.is_code(pc) {
            return stack.cut("a return address is not code");
        }
        let frames = images.frames(pc, address.is_return_address());
        stack.frames.extend(frames.into_iter().map(|frame| Frame { guessed, ..frame }));
        let next = match step(address, &mut regs, images, caches, memory) {
            Ok(Some(next)) => next,
            Ok(None) => return stack,
            Err(reason) => return stack.cut(&reason),
        };
        guessed = next.guessed;
        match FrameAddress::from_return_address(next.pc) {
            Some(next) => address = next,
            None => return stack,
        }
    }
    stack.cut("too deep")
}

/// A caller.
struct Next {
    pc: u64,
    guessed: bool,
}

/// The caller of the code at `address`: by the table that has an entry for it, else by a guess. `None` at the
/// root.
fn step(
    address: FrameAddress,
    regs: &mut UnwindRegisters,
    images: &Images,
    caches: &mut Caches,
    memory: &mut Memory,
) -> Result<Option<Next>, String> {
    // The call is before the return address.
    let code = address.address_for_lookup();
    let function = images.function(code);
    let before = regs.sp();
    let reason = match images.unwinder(code) {
        Some((table, unwinder)) => {
            let cache = caches.of(table);
            match unwinder.unwind_frame(address, regs, cache, &mut |at| memory.word(at).ok_or(())) {
                Ok(next) => return Ok(next.map(|pc| Next { pc, guessed: false })),
                Err(error) => error.to_string(),
            }
        }
        None if function.is_some_and(|(name, _)| guess::is_root(name)) => return Ok(None),
        None => {
            if let Some(next) = by_link(address, regs, images, caches, memory) {
                return Ok(Some(next));
            }
            "the code has no unwinding information, and no return address was found".to_owned()
        }
    };
    // Where a table should have done, only a certain call will do instead.
    let sure = images.unwinder(code).is_some();
    match guess::next(before, function.map(|(_, start)| start), sure, images, memory) {
        Some(guess) => {
            arch::continue_at(regs, guess.pc, guess.sp);
            Ok(Some(Next { pc: guess.pc, guessed: true }))
        }
        None => Err(reason),
    }
}

/// Architectures with a link register keep frame pointers as a rule: the unwinder follows them where there is
/// no table.
fn by_link(
    address: FrameAddress,
    regs: &mut UnwindRegisters,
    images: &Images,
    caches: &mut Caches,
    memory: &mut Memory,
) -> Option<Next> {
    arch::link_register(regs)?;
    let mut tried = *regs;
    let cache = caches.of(Cfi::EhFrame);
    let unwinder = images.unwinder_of(Cfi::EhFrame);
    let next = unwinder.unwind_frame(address, &mut tried, cache, &mut |at| memory.word(at).ok_or(()));
    let pc = next.ok().flatten().filter(|pc| images.is_code(*pc))?;
    *regs = tried;
    Some(Next { pc, guessed: true })
}

/// What the unwinders remember, one for each kind of table.
#[derive(Default)]
pub(super) struct Caches {
    eh_frame: Cache,
    debug_frame: Cache,
}

impl Caches {
    fn of(&mut self, table: Cfi) -> &mut Cache {
        match table {
            Cfi::EhFrame => &mut self.eh_frame,
            Cfi::DebugFrame => &mut self.debug_frame,
        }
    }
}

impl Stack {
    fn cut(mut self, why: &str) -> Self {
        self.cut_short = Some(why.to_owned());
        self
    }
}
