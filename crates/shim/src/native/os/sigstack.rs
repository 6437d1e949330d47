//! Whether the calling code runs on its thread's alternate signal stack.
//!
//! The kernel puts a handler that was installed with `SA_ONSTACK` there, if the thread has such a stack
//! (`sigaltstack(2)`), and tells so by `SS_ONSTACK`. Rust's standard library gives one to each thread that it
//! starts on Linux and macOS.
//!
//! `sigaltstack` is not on POSIX's list of async-signal-safe functions. On Linux and macOS it is a bare
//! system call, and a handler is where POSIX expects the answer `SS_ONSTACK`.
//!
//! Limits: a handler without `SA_ONSTACK`, or in a thread without an alternate stack, runs on the thread's
//! own stack and is not detected.

use core::mem::MaybeUninit;
use core::ptr;

use super::OsError;
use super::error::check;

/// Whether the calling code runs on the alternate signal stack. Async-signal-safe on Linux and macOS; a
/// failure changes `errno`.
///
/// # Errors
/// What `sigaltstack` reports. It has no reason to fail but a filter of system calls.
pub fn on_signal_stack() -> Result<bool, OsError> {
    let mut now = MaybeUninit::<libc::stack_t>::uninit();
    // SAFETY: a null pointer changes nothing; `now` has room for the answer, which is written on success.
    check("sigaltstack", unsafe { libc::sigaltstack(ptr::null(), now.as_mut_ptr()) })?;
    // SAFETY: written by the successful call above.
    Ok(unsafe { now.assume_init() }.ss_flags & libc::SS_ONSTACK != 0)
}
