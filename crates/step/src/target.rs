//! What differs between targets: the instruction that marks a window, and the name that the kernel has for a
//! thread.

/// A trap instruction. Who steps the window stops here; no other thread ever gets here.
#[inline(always)]
pub fn mark() {
    // SAFETY: the engine that runs this has seen to it that the trap is taken: a tracer, or a handler. The
    // trap changes no register, and what it orders is as for any opaque call.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        core::arch::asm!("int3");
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        core::arch::asm!("brk #1");
    }
}

/// The calling thread's id, for signals that are sent to it alone; 0 where no engine would use it.
pub fn thread_id() -> u32 {
    #[cfg(target_os = "linux")]
    // SAFETY: no arguments, cannot fail.
    return unsafe { libc::gettid() }.cast_unsigned();
    #[cfg(not(target_os = "linux"))]
    0
}
