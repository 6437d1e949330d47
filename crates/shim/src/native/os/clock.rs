//! The monotonic clock. `clock_gettime` is on POSIX's list of async-signal-safe functions.

use core::mem::MaybeUninit;
use core::time::Duration;

/// Time since an unspecified point; never goes back, is not set by anybody, and stands still while the
/// machine sleeps (Linux).
#[must_use]
pub fn now() -> Duration {
    read(libc::CLOCK_MONOTONIC)
}

/// Reads a clock that exists on every target.
pub(crate) fn read(clock: libc::clockid_t) -> Duration {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: `time` has room for the answer.
    let failed = unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) } != 0;
    if failed {
        // Only for a clock that does not exist: CLOCK_MONOTONIC and CLOCK_REALTIME do on every target of this
        // crate.
        return Duration::ZERO;
    }
    // SAFETY: written by the successful call.
    let time = unsafe { time.assume_init() };
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// `time` as the kernel wants it; what does not fit becomes the longest time that does.
#[must_use]
pub(crate) fn timespec(time: Duration) -> libc::timespec {
    // SAFETY: a timespec is plain integers (with padding on some targets), for which zero is a value.
    let mut spec: libc::timespec = unsafe { core::mem::zeroed() };
    spec.tv_sec = libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX);
    // Below 1,000,000,000, so that it fits whatever the field's type is.
    spec.tv_nsec = time.subsec_nanos() as libc::c_long;
    spec
}
