//! A pause that cannot panic.
//!
//! `std::thread::sleep` panics where the kernel refuses `nanosleep`. A worker that panics would be told as a crash of its case.

use std::time::Duration;

/// Waits for about this long. Where the machine refuses even that, it gives up the processor once, and the caller looks again.
#[cfg(target_os = "linux")]
pub fn pause(time: Duration) {
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    // SAFETY: no descriptors; `time` is a live local; no mask. A signal ends the pause early, as it may.
    if unsafe { libc::ppoll(core::ptr::null_mut(), 0, &raw const time, core::ptr::null()) } == -1 {
        std::thread::yield_now();
    }
}

/// Waits for about this long.
#[cfg(not(target_os = "linux"))]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
