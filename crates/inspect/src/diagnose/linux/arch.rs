//! What differs between architectures: registers, the unwinder's types, the signal frame.
//!
//! | | x86_64 | aarch64 |
//! |---|---|---|
//! | restorer, where a handler returns to | `mov $15, %rax; syscall` in libc | `mov x8, #139; svc #0` in the vDSO |
//! | saved context, from the stack pointer there | `ucontext` at 0 | `siginfo` at 0, `ucontext` at 128 |
//! | saved registers | `gregs` at 40 | `sigcontext` at 304 (16-byte aligned): fault address, x0..x30, sp, pc |
//!
//! Sources: the kernel's `rt_sigframe`, `ucontext` and `sigcontext` as user-space ABI.

use super::memory::Memory;
use crate::hang::procfs::Syscall;
use nix::sys::ptrace;
use nix::unistd::Pid;

/// The registers of one thread, or those that a signal frame saved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registers {
    pub pc: u64,
    pub sp: u64,
    pub fp: u64,
    /// The link register.
    #[cfg(target_arch = "aarch64")]
    pub lr: u64,
    /// All general registers, for searching.
    pub general: Vec<u64>,
}

/// The longest restorer compared.
const RESTORER_BYTES: usize = 9;

/// The longest system call instruction.
const SYSTEM_CALL_BYTES: usize = 4;

/// Whether a return to `pc` ends a signal handler.
pub(crate) fn is_restorer(pc: u64, memory: &mut Memory) -> bool {
    let mut code = [0; RESTORER_BYTES];
    memory.read(pc, &mut code) && code.starts_with(selected::RESTORER)
}

/// Whether the instruction at `pc` is a system call.
pub(crate) fn is_system_call(pc: u64, memory: &mut Memory) -> bool {
    let mut code = [0; SYSTEM_CALL_BYTES];
    let code = &mut code[..selected::SYSTEM_CALL.len()];
    memory.read(pc, code) && code == selected::SYSTEM_CALL
}

/// The registers that the signal frame at `sp` saved.
pub(crate) fn saved_registers(sp: u64, memory: &mut Memory) -> Option<Registers> {
    let mut words = [0; selected::SAVED_WORDS];
    for (n, word) in words.iter_mut().enumerate() {
        *word = memory.word(sp.wrapping_add(selected::SAVED_AT + 8 * n as u64))?;
    }
    Some(selected::from_saved(&words))
}

/// Where the `siginfo` of the signal frame at `sp` is.
pub(crate) fn signal_info(sp: u64) -> u64 {
    sp.wrapping_add(selected::SIGINFO_AT)
}

/// Where the set of signals that were blocked before the signal frame at `sp` is.
pub(super) fn blocked_before(sp: u64) -> u64 {
    sp.wrapping_add(selected::MASK_AT)
}

/// The registers of a thread in a ptrace stop.
///
/// # Errors
/// Those of ptrace.
pub(crate) fn registers(tid: u32) -> nix::Result<Registers> {
    ptrace::getregs(Pid::from_raw(tid as i32)).map(|regs| selected::from_user(&regs))
}

/// The registers of a thread in a core file, and the system call that it was in: `bytes` are those of a
/// `user_regs_struct`.
pub(crate) fn in_core(bytes: &[u8]) -> Option<(Registers, Option<Syscall>)> {
    if bytes.len() < size_of::<libc::user_regs_struct>() {
        return None;
    }
    // SAFETY: a structure of integers, as long as the bytes at least, of which every value is valid.
    let regs = unsafe { bytes.as_ptr().cast::<libc::user_regs_struct>().read_unaligned() };
    Some((selected::from_user(&regs), selected::syscall(&regs)))
}

/// The longest call instruction.
const CALL_BYTES: usize = 7;

/// A call instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Of a function at a known address.
    Direct(u64),
    /// Through a register or a pointer in memory.
    Indirect,
}

/// The call instruction right before `pc`, if there is one.
pub(super) fn call_before(pc: u64, memory: &mut Memory) -> Option<Call> {
    let mut code = [0; CALL_BYTES];
    memory.read(pc.checked_sub(CALL_BYTES as u64)?, &mut code).then(|| selected::call(pc, &code)).flatten()
}

pub(super) use selected::{Cache, UnwindRegisters, Unwinder, continue_at, link_register, unwind_registers};

#[cfg(target_arch = "x86_64")]
mod selected {
    //! x86_64.

    use super::{CALL_BYTES, Call, Registers, Syscall};
    use std::borrow::Cow;

    pub(in super::super) type Unwinder = framehop::x86_64::UnwinderX86_64<Cow<'static, [u8]>>;
    pub(in super::super) type Cache = framehop::x86_64::CacheX86_64;
    pub(in super::super) type UnwindRegisters = framehop::x86_64::UnwindRegsX86_64;

    pub(super) const SYSTEM_CALL: &[u8] = &[0x0f, 0x05];
    pub(super) const RESTORER: &[u8] = &[0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05];
    pub(super) const SAVED_AT: u64 = 40;
    /// Behind `ucontext`: 40 bytes, `sigcontext` of 256, the mask of 8.
    pub(super) const SIGINFO_AT: u64 = 304;
    pub(super) const MASK_AT: u64 = 296;
    /// r8..r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip.
    pub(super) const SAVED_WORDS: usize = 17;

    pub(in super::super) fn unwind_registers(regs: &Registers) -> framehop::x86_64::UnwindRegsX86_64 {
        framehop::x86_64::UnwindRegsX86_64::new(regs.pc, regs.sp, regs.fp)
    }

    /// Moves to the caller at `pc`, whose stack pointer is `sp`. A value below it is no frame pointer: 0 then
    /// says that there is none.
    pub(in super::super) fn continue_at(regs: &mut UnwindRegisters, pc: u64, sp: u64) {
        regs.set_ip(pc);
        regs.set_sp(sp);
        if regs.bp() < sp {
            regs.set_bp(0);
        }
    }

    /// Return addresses are on the stack.
    pub(in super::super) fn link_register(_regs: &UnwindRegisters) -> Option<u64> {
        None
    }

    /// `call rel32` is 5 bytes; `call` through a register or memory is 2 to 7, with 2 in the middle field of
    /// its second byte.
    pub(crate) fn call(pc: u64, code: &[u8; CALL_BYTES]) -> Option<Call> {
        if code[2] == 0xe8 {
            let distance = i32::from_le_bytes([code[3], code[4], code[5], code[6]]);
            return Some(Call::Direct(pc.wrapping_add_signed(i64::from(distance))));
        }
        let indirect = |length: usize| {
            let (opcode, operand) = (code[CALL_BYTES - length], code[CALL_BYTES - length + 1]);
            opcode == 0xff && operand & 0x38 == 0x10 && indirect_length(operand) == length
        };
        [2, 3, 4, 6, 7].into_iter().any(indirect).then_some(Call::Indirect)
    }

    /// The length of an indirect call by its operand byte.
    fn indirect_length(operand: u8) -> usize {
        match (operand >> 6, operand & 7) {
            (3, _) => 2,
            (0, 4) => 3,
            (0, 5) => 6,
            (0, _) => 2,
            (1, 4) => 4,
            (1, _) => 3,
            (_, 4) => 7,
            (..) => 6,
        }
    }

    pub(crate) fn from_saved(words: &[u64; SAVED_WORDS]) -> Registers {
        Registers { pc: words[16], sp: words[15], fp: words[10], general: words[..15].to_vec() }
    }

    /// The call that a stopped thread goes back into.
    pub(super) fn syscall(regs: &libc::user_regs_struct) -> Option<Syscall> {
        let args = [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9];
        let nr = i64::try_from(regs.orig_rax).ok()?;
        Some(Syscall::In { nr, args, sp: regs.rsp, pc: regs.rip })
    }

    pub(crate) fn from_user(regs: &libc::user_regs_struct) -> Registers {
        let general = vec![
            regs.r8, regs.r9, regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15, regs.rdi, regs.rsi, regs.rbp,
            regs.rbx, regs.rdx, regs.rax, regs.rcx,
        ];
        Registers { pc: regs.rip, sp: regs.rsp, fp: regs.rbp, general }
    }
}

#[cfg(target_arch = "aarch64")]
mod selected {
    //! aarch64.

    use super::{CALL_BYTES, Call, Registers, Syscall};
    use std::borrow::Cow;

    pub(in super::super) type Unwinder = framehop::aarch64::UnwinderAarch64<Cow<'static, [u8]>>;
    pub(in super::super) type Cache = framehop::aarch64::CacheAarch64;
    pub(in super::super) type UnwindRegisters = framehop::aarch64::UnwindRegsAarch64;

    pub(super) const SYSTEM_CALL: &[u8] = &[0x01, 0x00, 0x00, 0xd4];
    pub(super) const RESTORER: &[u8] = &[0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4];
    pub(super) const SAVED_AT: u64 = 128 + 176 + 8;
    pub(super) const SIGINFO_AT: u64 = 0;
    pub(super) const MASK_AT: u64 = 168;
    /// x0..x30, sp, pc.
    pub(super) const SAVED_WORDS: usize = 33;
    /// User addresses have at most 52 bits; what pointer authentication adds lies above, bit 55 aside.
    const ADDRESS_BITS: u64 = (1 << 52) - 1;

    pub(in super::super) fn unwind_registers(regs: &Registers) -> framehop::aarch64::UnwindRegsAarch64 {
        let mask = framehop::aarch64::PtrAuthMask(ADDRESS_BITS);
        framehop::aarch64::UnwindRegsAarch64::new_with_ptr_auth_mask(mask, regs.lr, regs.sp, regs.fp)
    }

    /// Moves to the caller at `pc`, whose stack pointer is `sp`. Frame pointers are left as they are.
    pub(in super::super) fn continue_at(regs: &mut UnwindRegisters, pc: u64, sp: u64) {
        regs.set_lr(pc);
        regs.set_sp(sp);
    }

    /// The return address of a function that calls no other.
    pub(in super::super) fn link_register(regs: &UnwindRegisters) -> Option<u64> {
        Some(regs.lr())
    }

    /// `bl` and `blr` are 4 bytes.
    pub(crate) fn call(pc: u64, code: &[u8; CALL_BYTES]) -> Option<Call> {
        let word = u32::from_le_bytes([code[3], code[4], code[5], code[6]]);
        if word & 0xfc00_0000 == 0x9400_0000 {
            // A signed distance of 26 bits, in instructions.
            let distance = i64::from((word << 6) as i32 >> 6) * 4;
            return Some(Call::Direct(pc.wrapping_sub(4).wrapping_add_signed(distance)));
        }
        (word & 0xffff_fc1f == 0xd63f_0000).then_some(Call::Indirect)
    }

    pub(crate) fn from_saved(words: &[u64; SAVED_WORDS]) -> Registers {
        Registers { pc: words[32], sp: words[31], fp: words[29], lr: words[30], general: words[..31].to_vec() }
    }

    /// The first argument has been overwritten by the result.
    pub(super) fn syscall(_regs: &libc::user_regs_struct) -> Option<Syscall> {
        None
    }

    pub(crate) fn from_user(regs: &libc::user_regs_struct) -> Registers {
        Registers { pc: regs.pc, sp: regs.sp, fp: regs.regs[29], lr: regs.regs[30], general: regs.regs.to_vec() }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::selected::call;
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::direct([0, 0, 0xe8, 0x10, 0, 0, 0], Some(Call::Direct(0x1010)))]
    #[case::backwards([0, 0, 0xe8, 0xf0, 0xff, 0xff, 0xff], Some(Call::Direct(0xff0)))]
    #[case::register([0, 0, 0, 0, 0x41, 0xff, 0xd4], Some(Call::Indirect))]
    #[case::table([0, 0xff, 0x15, 1, 2, 3, 0], Some(Call::Indirect))]
    #[case::field([0, 0, 0, 0, 0xff, 0x50, 0x18], Some(Call::Indirect))]
    #[case::indexed([0xff, 0x94, 0xc1, 0, 1, 0, 0], Some(Call::Indirect))]
    #[case::jump([0, 0xff, 0x25, 1, 2, 3, 0], None)]
    #[case::nothing([0x90; 7], None)]
    fn calls_before_an_address(#[case] code: [u8; CALL_BYTES], #[case] expected: Option<Call>) {
        assert_eq!(call(0x1000, &code), expected);
    }
}
