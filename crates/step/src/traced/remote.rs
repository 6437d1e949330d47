//! System calls made by a stopped thread on our behalf, and the state of one thread given to another.

use nix::errno::Errno;

use super::stops::{PtraceRequest, resume, wait_for};
use super::{Failed, cpu, refused};

/// Makes a stopped thread do a system call; its registers are put back. The result, as the kernel gives it.
///
/// # Errors
/// [`Failed`]. An error of the call itself is its result.
pub fn call(tid: i32, instruction: u64, nr: i64, arguments: [u64; 5]) -> Result<i64, Failed> {
    let before = cpu::registers(tid)?;
    let [rdi, rsi, rdx, r10, r8] = arguments;
    let rax = nr.cast_unsigned();
    // In no call: what it was in is not begun again.
    let registers =
        libc::user_regs_struct { rip: instruction, rax, orig_rax: u64::MAX, rdi, rsi, rdx, r10, r8, ..before };
    cpu::set_registers(tid, registers)?;
    resume(libc::PTRACE_SINGLESTEP, tid, 0)?;
    let mut kept = Vec::new();
    loop {
        let Some((_, status)) = wait_for(tid, 0)? else { return Err(Failed::Gone) };
        if !libc::WIFSTOPPED(status) {
            return Err(Failed::Gone);
        }
        match libc::WSTOPSIG(status) {
            libc::SIGTRAP => break,
            // It is sent again below.
            signal => {
                kept.push(signal);
                resume(libc::PTRACE_SINGLESTEP, tid, 0)?;
            }
        }
    }
    let result = cpu::registers(tid)?.rax.cast_signed();
    cpu::set_registers(tid, before)?;
    for signal in kept {
        // SAFETY: takes numbers only.
        unsafe { libc::syscall(libc::SYS_tkill, tid, signal) };
    }
    Ok(result)
}

/// The size of the extended state of any processor so far.
const EXTENDED: usize = 16 << 10;

/// Gives the extended registers and the signal mask of one stopped thread to another.
///
/// # Errors
/// Those of `ptrace`.
pub fn copy_state(from: i32, to: i32) -> Result<(), Failed> {
    /// linux/elf.h, `NT_X86_XSTATE`.
    const EXTENDED_STATE: usize = 0x202;
    let mut state = [0_u8; EXTENDED];
    let mut part = libc::iovec { iov_base: state.as_mut_ptr().cast(), iov_len: state.len() };
    // SAFETY: the kernel writes at most `iov_len` bytes into `state`, and the length into `part`.
    let read = unsafe { libc::ptrace(libc::PTRACE_GETREGSET, from, EXTENDED_STATE, &raw mut part) };
    // SAFETY: the kernel reads the bytes that it has written.
    if read != 0 || unsafe { libc::ptrace(libc::PTRACE_SETREGSET, to, EXTENDED_STATE, &raw mut part) } != 0 {
        return Err(refused("ptrace(PTRACE_GETREGSET)")(Errno::last()));
    }
    set_mask(to, mask(from)?)
}

/// The signals that a stopped thread blocks.
///
/// # Errors
/// Those of `ptrace`.
pub fn mask(tid: i32) -> Result<u64, Failed> {
    /// linux/ptrace.h.
    const GET_MASK: PtraceRequest = 0x420a;
    let mut mask = 0_u64;
    // SAFETY: the kernel writes the eight bytes of `mask`.
    match unsafe { libc::ptrace(GET_MASK, tid, size_of::<u64>(), &raw mut mask) } {
        0 => Ok(mask),
        _ => Err(refused("ptrace(PTRACE_GETSIGMASK)")(Errno::last())),
    }
}

/// Sets them.
///
/// # Errors
/// Those of `ptrace`.
pub fn set_mask(tid: i32, mask: u64) -> Result<(), Failed> {
    /// linux/ptrace.h.
    const SET_MASK: PtraceRequest = 0x420b;
    // SAFETY: the kernel reads the eight bytes of `mask`.
    match unsafe { libc::ptrace(SET_MASK, tid, size_of::<u64>(), &raw const mask) } {
        0 => Ok(()),
        _ => Err(refused("ptrace(PTRACE_SETSIGMASK)")(Errno::last())),
    }
}
