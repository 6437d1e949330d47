//! Yielding.

/// Lets another thread run, if one wants to. Async-signal-safe on Linux (a bare system call).
pub fn yield_now() {
    // SAFETY: no arguments; its only failure is a platform that lacks it, which is no harm.
    unsafe { libc::sched_yield() };
}
