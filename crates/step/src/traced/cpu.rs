//! Registers and breakpoints of a stopped thread of x86_64.
//!
//! A breakpoint is in a thread's debug registers: no code is changed, and no other thread notices. Resuming
//! from one sets RFLAGS.RF, so that the instruction is then executed. Source: Intel SDM vol. 3B chapter 18.

use nix::sys::ptrace;
use nix::unistd::Pid;

use super::{Failed, refused, set_debug_register};

/// The general registers.
pub type Registers = libc::user_regs_struct;

/// The registers of a stopped thread.
///
/// # Errors
/// Those of `ptrace`.
pub fn registers(tid: i32) -> Result<Registers, Failed> {
    ptrace::getregs(Pid::from_raw(tid)).map_err(refused("ptrace(PTRACE_GETREGS)"))
}

/// Sets them.
///
/// # Errors
/// Those of `ptrace`.
pub fn set_registers(tid: i32, registers: Registers) -> Result<(), Failed> {
    ptrace::setregs(Pid::from_raw(tid), registers).map_err(refused("ptrace(PTRACE_SETREGS)"))
}

/// Writes debug register `number` of a stopped thread.
fn write(tid: i32, number: usize, value: u64) -> Result<(), Failed> {
    match set_debug_register(Pid::from_raw(tid), number, value) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(error) => Err(refused("ptrace(PTRACE_POKEUSER)")(error)),
    }
}

/// Sets a breakpoint on execution, or clears it. `control` is what is set already.
///
/// # Errors
/// Those of `ptrace`.
pub fn set_break(tid: i32, control: &mut u64, number: usize, at: Option<u64>) -> Result<(), Failed> {
    let bit = 1 << (2 * number);
    let was = *control;
    if let Some(at) = at {
        write(tid, number, at)?;
        *control |= bit;
    } else {
        *control &= !bit;
    }
    if was == *control { Ok(()) } else { write(tid, 7, *control) }
}

/// Clears all breakpoints.
///
/// # Errors
/// Those of `ptrace`.
pub fn clear_breaks(tid: i32, control: &mut u64) -> Result<(), Failed> {
    if std::mem::take(control) == 0 { Ok(()) } else { write(tid, 7, 0) }
}
