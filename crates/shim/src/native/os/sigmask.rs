//! Blocking one signal in the calling thread for the length of a scope.
//!
//! `pthread_sigmask` is on POSIX's list of async-signal-safe functions (POSIX.1-2017, section 2.4.3), so all
//! of this may be called in a signal handler. On return from a handler the kernel restores the mask that the
//! handler interrupted, whatever was done here.
//!
//! Invariants:
//! 1. A guard unblocks a signal only if it is the guard that blocked it; guards of one signal nest in any
//!    number, and guards of different signals may be dropped in any order.
//! 2. A guard is dropped in the thread that made it: it is not `Send`.

use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr;

use super::OsError;
use super::error::check_number;

/// Keeps one signal blocked in this thread; a signal that arrives meanwhile stays pending and is delivered at
/// the drop.
#[derive(Debug)]
#[must_use = "the signal is unblocked when the guard is dropped"]
pub struct MaskGuard {
    /// The signal to unblock; `None` if it was blocked before (invariant 1).
    unblock: Option<libc::c_int>,
    /// Invariant 2.
    _not_send: PhantomData<*const ()>,
}

/// Blocks `signo` in the calling thread until the guard is dropped. Async-signal-safe; leaves `errno` alone.
///
/// # Errors
/// [`OsError::Failed`] with `EINVAL` for a number that is no signal. `SIGKILL` and `SIGSTOP` are silently not
/// blocked, as POSIX says.
pub fn block(signo: i32) -> Result<MaskGuard, OsError> {
    let set = set_of(signo)?;
    let mut old = MaybeUninit::uninit();
    // SAFETY: `set` is initialised; `old` has room for the answer, which is written on success.
    check_number("pthread_sigmask", unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, old.as_mut_ptr())
    })?;
    // SAFETY: written by the successful call above; `signo` is valid, as `set_of` has checked.
    let was_blocked = unsafe { libc::sigismember(old.as_ptr(), signo) } == 1;
    Ok(MaskGuard { unblock: (!was_blocked).then_some(signo), _not_send: PhantomData })
}

/// Whether `signo` is blocked in the calling thread. Async-signal-safe; leaves `errno` alone.
///
/// # Errors
/// As [`block`].
pub fn is_blocked(signo: i32) -> Result<bool, OsError> {
    set_of(signo)?;
    let mut old = MaybeUninit::uninit();
    // SAFETY: a null set asks only for the present mask, which `old` has room for.
    check_number("pthread_sigmask", unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), old.as_mut_ptr()) })?;
    // SAFETY: written by the successful call above; `signo` is valid.
    Ok(unsafe { libc::sigismember(old.as_ptr(), signo) } == 1)
}

/// The set that holds only `signo`.
fn set_of(signo: i32) -> Result<libc::sigset_t, OsError> {
    let _errno = super::errno::ErrnoGuard::new();
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set that sigaddset then changes; neither fails but for a bad
    // number.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        if libc::sigaddset(set.as_mut_ptr(), signo) != 0 {
            return Err(OsError::Failed { call: "sigaddset", errno: libc::EINVAL });
        }
        Ok(set.assume_init())
    }
}

impl Drop for MaskGuard {
    fn drop(&mut self) {
        let Some(signo) = self.unblock else { return };
        let Ok(set) = set_of(signo) else { return };
        // SAFETY: `set` is initialised; a null pointer declines the old mask. It fails only for a bad `how`.
        unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut()) };
    }
}
