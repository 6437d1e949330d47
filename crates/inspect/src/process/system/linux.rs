//! Linux: the program by its link in `/proc`, a pause by `ppoll`, a kill by a descriptor of the process.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use crate::refusal::Refusal;

/// Whether `killpg` fails for a group that holds nothing but a zombie.
pub(crate) const REFUSES_A_ZOMBIE_S_GROUP: bool = false;

/// The kernel's own link to the program of the process that opens it: also when the file has been replaced or
/// removed since.
const LINK: &str = "/proc/self/exe";

/// A path that executes this program, whatever has become of its file.
///
/// # Errors
/// There is no `/proc`.
pub fn own_executable() -> Result<PathBuf, Refusal> {
    std::fs::symlink_metadata(LINK).map_err(|error| Refusal::new(LINK, &error))?;
    Ok(LINK.into())
}

/// Names this thread as the program was called. The kernel names a program after the path that was executed,
/// and `exe` does not tell which program that is. A name is a convenience: where the kernel refuses it, `exe`
/// stays.
pub(crate) fn take_name(called: &std::ffi::OsStr) {
    let name = std::path::Path::new(called).file_name().unwrap_or(called);
    let Ok(name) = std::ffi::CString::new(name.as_encoded_bytes()) else { return };
    // SAFETY: PR_SET_NAME reads a string that ends with a zero byte, at most 16 bytes of it; `name` lives
    // through the call.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// Waits for about this long. It cannot panic: `std::thread::sleep` does where the kernel refuses
/// `nanosleep`, and a worker that panics would be told as a crash of its case. Where even this is refused, it
/// gives up the processor once, and the caller looks again.
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

/// Kills a process, and where the kernel can (Linux 6.9) its group, through a descriptor of it.
pub(crate) fn kill_by_descriptor(pid: u32) -> io::Result<()> {
    const PROCESS_GROUP: libc::c_uint = 1 << 2;
    let check = |result: libc::c_long| if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) };
    // SAFETY: takes numbers.
    let descriptor = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: just made, and owned by this function alone.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor as libc::c_int) };
    let send = |flags: libc::c_uint| {
        let (fd, info) = (descriptor.as_raw_fd(), core::ptr::null::<libc::siginfo_t>());
        // SAFETY: an open descriptor, numbers, and no information besides.
        check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, libc::SIGKILL, info, flags) })
    };
    send(PROCESS_GROUP).or_else(|_| send(0)).map(drop)
}
