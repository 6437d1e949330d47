//! What every tracer of a thread does, whatever it looks for: the debug registers, the next state change, and
//! whether a trap is of the program's own making.
//!
//! | file | holds |
//! |---|---|
//! | this one | the above |
//! | `stops` | stops of threads: waited for, brought about, ended |
//! | `cpu` | registers and breakpoints (x86_64) |
//! | `remote` | system calls made by a stopped thread, its extended registers and its mask (x86_64) |
//!
//! Sources: ptrace(2), Intel SDM vol. 3B chapter 17 (debug registers).

use nix::errno::Errno;
use nix::unistd::Pid;

#[cfg(target_arch = "x86_64")]
pub mod cpu;
#[cfg(target_arch = "x86_64")]
pub mod remote;
pub mod stops;

/// Why a traced thread does not do what its tracer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The kernel refused a call.
    #[error("{call}: {errno}")]
    Refused {
        /// The call.
        call: &'static str,
        /// The error.
        errno: Errno,
    },
    /// The process has ended by itself, by another of its threads, or somebody else has killed it.
    #[error("the process ended, or was killed, in the middle of the work on it")]
    Gone,
}

/// Maps a failed call of nix: `ESRCH` of a thread that was stopped says that it is there no more.
pub(crate) fn refused(call: &'static str) -> impl FnOnce(Errno) -> Failed {
    move |errno| if errno == Errno::ESRCH { Failed::Gone } else { Failed::Refused { call, errno } }
}

/// `si_code` of the trap of an `int3` on x86_64 (linux/siginfo.h, `SI_KERNEL`); a step's is `TRAP_TRACE`.
pub const FROM_KERNEL: i32 = 0x80;

/// Writes debug register `number` of a stopped thread. Register 7 enables the others.
///
/// # Errors
/// Those of `ptrace`; `ESRCH` for a thread that was killed meanwhile.
#[cfg(target_arch = "x86_64")]
pub fn set_debug_register(tid: Pid, number: usize, value: u64) -> Result<(), Errno> {
    let address = core::ptr::without_provenance_mut(core::mem::offset_of!(libc::user, u_debugreg) + 8 * number);
    // The kernel takes both as numbers: an offset into `struct user`, and the register.
    nix::sys::ptrace::write_user(tid, address, value.cast_signed())
}

/// The next state change of one process or thread, or of any child of the calling thread (-1), waited for or
/// not (`WNOHANG`): who, and its status. `None` if there is none, or if the thread is gone.
///
/// # Errors
/// Those of `waitpid`, but for `EINTR` and `ECHILD`.
pub fn state_change(tid: i32, flags: libc::c_int) -> Result<Option<(i32, libc::c_int)>, Errno> {
    let mut status = 0;
    loop {
        // SAFETY: the status is a live local.
        match unsafe { libc::waitpid(tid, &raw mut status, flags | libc::__WALL) } {
            0 => return Ok(None),
            -1 => match Errno::last() {
                Errno::EINTR => {}
                Errno::ECHILD => return Ok(None),
                error => return Err(error),
            },
            who => return Ok(Some((who, status))),
        }
    }
}
