//! Registers, marks and breakpoints, by architecture.
//!
//! | | x86_64 | aarch64 |
//! |---|---|---|
//! | mark | `int3`: the stop is behind it; `si_code` SI_KERNEL | `brk`: the stop is at it; `si_code` TRAP_BRKPT |
//! | breakpoint | DR0, and L0 in DR7: before the instruction, once | not used: single steps only |
//!
//! The breakpoint is in a thread's debug registers, and so of no consequence to other threads. Resuming from
//! it sets RFLAGS.RF, so that the instruction is executed; one that repeats (`rep`) is met once.

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::unistd::Pid;

/// Program counter and stack pointer.
pub(super) type Place = (u64, u64);

pub(super) use selected::{breakpoint, is_mark, pass_mark, place};

#[cfg(target_arch = "x86_64")]
mod selected {
    use super::{Errno, Pid, Place, ptrace};
    use crate::traced::{FROM_KERNEL, set_debug_register};

    pub(in super::super) fn place(pid: Pid) -> Result<Place, Errno> {
        ptrace::getregs(pid).map(|regs| (regs.rip, regs.rsp))
    }

    /// Whether a SIGTRAP of this code is a mark's.
    pub(in super::super) fn is_mark(code: i32) -> bool {
        code == FROM_KERNEL
    }

    /// Moves a tracee that is stopped at a mark behind it.
    pub(in super::super) fn pass_mark(_pid: Pid) -> Result<(), Errno> {
        Ok(())
    }

    /// Sets the thread's breakpoint, or clears it.
    pub(in super::super) fn breakpoint(pid: Pid, at: Option<u64>) -> Result<(), Errno> {
        match at {
            // L0: enabled, on execution.
            Some(at) => set_debug_register(pid, 0, at).and_then(|()| set_debug_register(pid, 7, 1)),
            None => set_debug_register(pid, 7, 0),
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod selected {
    use super::{Errno, Pid, Place, ptrace};

    #[cfg(target_arch = "aarch64")]
    pub(in super::super) fn place(pid: Pid) -> Result<Place, Errno> {
        ptrace::getregs(pid).map(|regs| (regs.pc, regs.sp))
    }

    /// Whether a SIGTRAP of this code is a mark's.
    pub(in super::super) fn is_mark(code: i32) -> bool {
        code == libc::TRAP_BRKPT
    }

    /// Moves a tracee that is stopped at a mark behind it.
    #[cfg(target_arch = "aarch64")]
    pub(in super::super) fn pass_mark(pid: Pid) -> Result<(), Errno> {
        let mut regs = ptrace::getregs(pid)?;
        regs.pc += 4;
        ptrace::setregs(pid, regs)
    }

    /// Not here.
    pub(in super::super) fn breakpoint(_pid: Pid, _at: Option<u64>) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
}
