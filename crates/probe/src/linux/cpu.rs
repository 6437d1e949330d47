//! Registers, breakpoints and instructions of an x86_64 processor.
//!
//! A breakpoint is in a thread's debug registers: no code is changed, and no other thread notices. Resuming
//! from one sets RFLAGS.RF, so that the instruction is then executed. Source: Intel SDM vol. 3B chapter 18.

use nix::sys::ptrace;
use nix::unistd::Pid;
use sigproof_step::traced::set_debug_register;

use crate::{Trouble, refused};

/// The general registers.
pub(crate) type Registers = libc::user_regs_struct;

/// The registers of a stopped thread.
pub(crate) fn registers(tid: i32) -> Result<Registers, Trouble> {
    ptrace::getregs(Pid::from_raw(tid)).map_err(refused("ptrace(PTRACE_GETREGS)"))
}

/// Sets them.
pub(crate) fn set_registers(tid: i32, registers: Registers) -> Result<(), Trouble> {
    ptrace::setregs(Pid::from_raw(tid), registers).map_err(refused("ptrace(PTRACE_SETREGS)"))
}

/// Writes debug register `number` of a stopped thread.
fn write(tid: i32, number: usize, value: u64) -> Result<(), Trouble> {
    match set_debug_register(Pid::from_raw(tid), number, value) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(error) => Err(refused("ptrace(PTRACE_POKEUSER)")(error)),
    }
}

/// Sets a breakpoint on execution, or clears it. `control` is what is set already.
pub(crate) fn set_break(tid: i32, control: &mut u64, number: usize, at: Option<u64>) -> Result<(), Trouble> {
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
pub(crate) fn clear_breaks(tid: i32, control: &mut u64) -> Result<(), Trouble> {
    if std::mem::take(control) == 0 { Ok(()) } else { write(tid, 7, 0) }
}

/// What an instruction is to one who steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An ordinary one.
    Plain,
    /// It enters the kernel, and may sleep there.
    Call,
    /// It repeats itself, and stops before each turn; so many bytes.
    Repeats(u8),
}

/// What the instruction with these bytes is.
pub(crate) fn kind(code: &[u8]) -> Kind {
    match code {
        [0x0f, 0x05 | 0x34, ..] | [0xcd, 0x80, ..] => Kind::Call,
        [0xf2 | 0xf3, rest @ ..] => {
            let prefixes = rest.iter().take_while(|byte| matches!(byte, 0x66 | 0x67 | 0x40..=0x4f)).count();
            // The string instructions have one byte, and no operand.
            match rest.get(prefixes) {
                Some(0xa4..=0xa7 | 0xaa..=0xaf) => Kind::Repeats(prefixes as u8 + 2),
                _ => Kind::Plain,
            }
        }
        _ => Kind::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[0x0f, 0x05, 0x90], Kind::Call)]
    #[case(&[0xf3, 0xa4, 0x90], Kind::Repeats(2))]
    #[case(&[0xf3, 0x48, 0xab], Kind::Repeats(3))]
    #[case(&[0xf3, 0x0f, 0x1e, 0xfa], Kind::Plain)]
    #[case(&[0xf3, 0x0f, 0x6f, 0x06], Kind::Plain)]
    #[case(&[0x90], Kind::Plain)]
    fn kinds(#[case] code: &[u8], #[case] expected: Kind) {
        assert_eq!(kind(code), expected);
    }
}
