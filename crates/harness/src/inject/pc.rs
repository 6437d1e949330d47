//! What a signal interrupted: the saved program counter, by platform.
//!
//! A thread that a signal found in a system call has its counter right behind the call instruction, or right
//! at it where the kernel will restart the call. That is how a sleeping target is told from one that is
//! awake. The answer steers the servo and the coverage count and nothing else: a wrong one costs aim, never a
//! verdict.

/// Whether the interrupted thread was in a system call.
///
/// Async-signal-safe.
///
/// # Safety
/// `context` is the third argument of an `SA_SIGINFO` handler, in that handler.
pub unsafe fn in_system_call(context: *mut libc::c_void) -> bool {
    // SAFETY: by contract.
    let pc = unsafe { interrupted(context) };
    // An instruction at the very start of a page may be the first of its mapping: do not look behind it.
    if pc & 0xfff < 4 {
        return false;
    }
    // SAFETY: the thread was about to execute at `pc`, so the page is mapped and (everywhere that we run)
    // readable; `pc - 4` is in it too.
    unsafe { call_at(pc) || call_at(pc - CALL_LENGTH) }
}

#[cfg(target_arch = "x86_64")]
const CALL_LENGTH: usize = 2;
#[cfg(target_arch = "aarch64")]
const CALL_LENGTH: usize = 4;

/// Whether a system call instruction stands there.
#[cfg(target_arch = "x86_64")]
unsafe fn call_at(pc: usize) -> bool {
    const SYSCALL: [u8; 2] = [0x0f, 0x05];
    // SAFETY: by the caller: readable.
    unsafe { core::ptr::with_exposed_provenance::<[u8; 2]>(pc).read_unaligned() == SYSCALL }
}

/// Whether a system call instruction stands there: `svc`, whatever its immediate.
#[cfg(target_arch = "aarch64")]
unsafe fn call_at(pc: usize) -> bool {
    // SAFETY: by the caller: readable.
    let word = unsafe { core::ptr::with_exposed_provenance::<u32>(pc).read_unaligned() };
    word & 0xffe0_001f == 0xd400_0001
}

/// The program counter that the handler has interrupted.
///
/// Async-signal-safe.
///
/// # Safety
/// `context` is the third argument of an `SA_SIGINFO` handler, in that handler.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(super) unsafe fn interrupted(context: *mut libc::c_void) -> usize {
    // SAFETY: by contract, a ucontext of this platform.
    unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_RIP as usize].cast_unsigned() as usize }
}

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
pub(super) unsafe fn interrupted(context: *mut libc::c_void) -> usize {
    // SAFETY: by contract, a ucontext of this platform.
    unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.pc as usize }
}

#[cfg(all(target_vendor = "apple", target_arch = "x86_64"))]
pub(super) unsafe fn interrupted(context: *mut libc::c_void) -> usize {
    // SAFETY: by contract, a ucontext of this platform, whose machine context lies behind a valid pointer.
    unsafe { (*(*context.cast::<libc::ucontext_t>()).uc_mcontext).__ss.__rip as usize }
}

#[cfg(all(target_vendor = "apple", target_arch = "aarch64"))]
pub(super) unsafe fn interrupted(context: *mut libc::c_void) -> usize {
    // SAFETY: by contract, a ucontext of this platform, whose machine context lies behind a valid pointer.
    unsafe { (*(*context.cast::<libc::ucontext_t>()).uc_mcontext).__ss.__pc as usize }
}
