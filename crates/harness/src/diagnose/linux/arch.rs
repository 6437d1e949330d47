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
use nix::sys::ptrace;
use nix::unistd::Pid;

/// The registers of one thread, or those that a signal frame saved.
#[derive(Clone, Debug, Default)]
pub(super) struct Registers {
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

/// Whether a return to `pc` ends a signal handler.
pub(super) fn is_restorer(pc: u64, memory: &mut Memory) -> bool {
    let mut code = [0; RESTORER_BYTES];
    memory.read(pc, &mut code) && code.starts_with(selected::RESTORER)
}

/// The registers that the signal frame at `sp` saved.
pub(super) fn saved_registers(sp: u64, memory: &mut Memory) -> Option<Registers> {
    let mut words = [0; selected::SAVED_WORDS];
    for (n, word) in words.iter_mut().enumerate() {
        *word = memory.word(sp.wrapping_add(selected::SAVED_AT + 8 * n as u64))?;
    }
    Some(selected::from_saved(&words))
}

/// The registers of a thread in a ptrace stop.
///
/// # Errors
/// Those of ptrace.
pub(super) fn registers(tid: u32) -> nix::Result<Registers> {
    ptrace::getregs(Pid::from_raw(tid as i32)).map(|regs| selected::from_user(&regs))
}

pub(super) use selected::{Cache, Unwinder, unwind_registers};

#[cfg(target_arch = "x86_64")]
mod selected {
    //! x86_64.

    use super::Registers;
    use std::borrow::Cow;

    pub(in super::super) type Unwinder = framehop::x86_64::UnwinderX86_64<Cow<'static, [u8]>>;
    pub(in super::super) type Cache = framehop::x86_64::CacheX86_64;

    pub(super) const RESTORER: &[u8] = &[0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05];
    pub(super) const SAVED_AT: u64 = 40;
    /// r8..r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip.
    pub(super) const SAVED_WORDS: usize = 17;

    pub(in super::super) fn unwind_registers(regs: &Registers) -> framehop::x86_64::UnwindRegsX86_64 {
        framehop::x86_64::UnwindRegsX86_64::new(regs.pc, regs.sp, regs.fp)
    }

    pub(super) fn from_saved(words: &[u64; SAVED_WORDS]) -> Registers {
        Registers { pc: words[16], sp: words[15], fp: words[10], general: words[..15].to_vec() }
    }

    pub(super) fn from_user(regs: &libc::user_regs_struct) -> Registers {
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

    use super::Registers;
    use std::borrow::Cow;

    pub(in super::super) type Unwinder = framehop::aarch64::UnwinderAarch64<Cow<'static, [u8]>>;
    pub(in super::super) type Cache = framehop::aarch64::CacheAarch64;

    pub(super) const RESTORER: &[u8] = &[0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4];
    pub(super) const SAVED_AT: u64 = 128 + 176 + 8;
    /// x0..x30, sp, pc.
    pub(super) const SAVED_WORDS: usize = 33;
    /// User addresses have at most 52 bits; what pointer authentication adds lies above, bit 55 aside.
    const ADDRESS_BITS: u64 = (1 << 52) - 1;

    pub(in super::super) fn unwind_registers(regs: &Registers) -> framehop::aarch64::UnwindRegsAarch64 {
        let mask = framehop::aarch64::PtrAuthMask(ADDRESS_BITS);
        framehop::aarch64::UnwindRegsAarch64::new_with_ptr_auth_mask(mask, regs.lr, regs.sp, regs.fp)
    }

    pub(super) fn from_saved(words: &[u64; SAVED_WORDS]) -> Registers {
        Registers { pc: words[32], sp: words[31], fp: words[29], lr: words[30], general: words[..31].to_vec() }
    }

    pub(super) fn from_user(regs: &libc::user_regs_struct) -> Registers {
        Registers { pc: regs.pc, sp: regs.sp, fp: regs.regs[29], lr: regs.regs[30], general: regs.regs.to_vec() }
    }
}
