//! The registers that a trap interrupted, by target. Only x86_64 on Linux has a trap flag that a process can
//! set for itself; elsewhere no thread gets here.

/// What a handler interrupted. Valid in that handler.
pub(super) struct Interrupted(
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "there is no flag to set"))] *mut libc::c_void,
);

impl Interrupted {
    /// # Safety
    /// `context` is the third argument of an `SA_SIGINFO` handler, and this is not used after that handler
    /// has returned.
    pub(super) unsafe fn new(context: *mut libc::c_void) -> Self {
        Self(context)
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
impl Interrupted {
    /// The trap flag of RFLAGS.
    const FLAG: i64 = 0x100;

    fn register(&self, number: libc::c_int) -> *mut i64 {
        // SAFETY: by contract a ucontext of this platform; the number is one of libc's.
        unsafe { &raw mut (*self.0.cast::<libc::ucontext_t>()).uc_mcontext.gregs[number as usize] }
    }

    /// The next instruction.
    pub(super) fn pc(&self) -> u64 {
        // SAFETY: by contract.
        unsafe { *self.register(libc::REG_RIP) }.cast_unsigned()
    }

    /// The stack pointer.
    pub(super) fn sp(&self) -> u64 {
        // SAFETY: by contract.
        unsafe { *self.register(libc::REG_RSP) }.cast_unsigned()
    }

    /// Whether the interrupted code goes on instruction by instruction.
    pub(super) fn set_flag(&mut self, on: bool) {
        let flags = self.register(libc::REG_EFL);
        // SAFETY: by contract.
        unsafe { *flags = if on { *flags | Self::FLAG } else { *flags & !Self::FLAG } };
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
impl Interrupted {
    /// Unknown.
    pub(super) fn pc(&self) -> u64 {
        0
    }

    /// Unknown.
    pub(super) fn sp(&self) -> u64 {
        0
    }

    /// Cannot be done.
    pub(super) fn set_flag(&mut self, _on: bool) {}
}

/// Whether a trap is that of a mark.
pub(super) fn is_mark(code: libc::c_int) -> bool {
    // linux/siginfo.h, SI_KERNEL: what int3 gives, where a step gives TRAP_TRACE.
    code == 0x80
}

/// Sends a signal to the calling thread. Async-signal-safe.
pub(super) fn signal_self(signal: libc::c_int) {
    // SAFETY: no preconditions.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), signal);
    }
    // SAFETY: no preconditions.
    #[cfg(not(target_os = "linux"))]
    unsafe {
        libc::raise(signal);
    }
}
