//! Why is the child stuck? Every thread's stack, what each waits for, who owns it, and one sentence that says
//! it all.
//!
//! ```text
//!  stop ──► registers ──► unwind ──► resolve ──► waits ──► verdict ──► Diagnosis
//!  ptrace, or /proc       framehop,  symbols,    who waits  the cycle,   text or
//!  where it is refused    by hand    lines,      for whom   the sentence JSON
//!                         over the   inlining
//!                         signal frame
//! ```
//!
//! [`diagnose`] is called once [`hang`](crate::hang) has said that the child is stuck. Parsed object files
//! are kept for the life of this process, so the second diagnosis of the same executable is several times
//! cheaper than the first; [`warm_up`] pays ahead.
//!
//! [`Symbols`] says what lies at an address of this process, for those who look at code that no thread is
//! stuck in; [`FileSymbols`] says the same of an object file that no process has mapped.
//!
//! # Invariants
//! 1. No thread of the child is left traced or stopped by us, error paths included; the child's exit status
//!    stays unread.
//! 2. Nothing but a regular file is read as an object file: a mapping's path may name a device, or nothing
//!    any more.
//! 3. Each wait for the child is bounded ([`STOP_BUDGET`]).
//!
//! # Limits
//! Linux on x86_64 and aarch64; elsewhere [`DiagnoseError::Unsupported`]. Owners are known where the C
//! library stores them (`pthread_mutex_t`, a thread's exit word); anything else is inferred, and [`Known`]
//! says from what. Code without an unwinding table is crossed by a guess, and the frame is marked. Where libc
//! has exported names only, a remark says so.

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod elsewhere;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) mod linux;
mod place;
mod render;
mod report;

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub use elsewhere::counters;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub use elsewhere::{FileSymbols, Symbols, demangled, diagnose, warm_up};
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use linux::counters;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use linux::{FileSymbols, Symbols, demangled, diagnose, warm_up};
pub use place::{Place, Places};
pub use report::{Diagnosis, Frame, HangKind, Known, Method, Owner, Resource, ResourceKind, ThreadReport};

use std::time::Duration;

/// The longest that stopping all threads of the child may take. A thread that sleeps interruptibly stops as
/// soon as it gets a CPU, which a loaded machine may delay by tenths of a second; one in an uninterruptible
/// wait is given up.
pub const STOP_BUDGET: Duration = Duration::from_secs(1);

/// Why there is no diagnosis.
#[derive(Debug, thiserror::Error)]
pub enum DiagnoseError {
    /// This target has no way to look into another process here.
    #[error("no diagnosis on this target: {0}")]
    Unsupported(&'static str),
    /// The child ended before or while it was looked at.
    #[error("process {0} is gone")]
    Gone(u32),
    /// No thread could be looked at, neither by ptrace nor through `/proc`.
    #[error("process {pid} may not be looked at: {reason}")]
    Refused {
        /// The process id of the child.
        pid: u32,
        /// What the kernel said.
        reason: String,
    },
}
