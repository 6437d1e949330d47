//! A worker ends when its parent does, however that ends.

use std::io;

use sigproof_inspect::refusal::Refusal;

/// Whether the parent has to hold a pipe for it.
pub(crate) const NEEDS_PIPE: bool = cfg!(not(target_os = "linux"));

/// Ties this process to `parent`. Called while it has one thread.
#[cfg(target_os = "linux")]
pub(crate) fn tie(parent: u32) -> io::Result<()> {
    // SAFETY: PR_SET_PDEATHSIG takes a signal number and touches no memory.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } != 0 {
        return Err(Refusal::last("prctl (PR_SET_PDEATHSIG)").into());
    }
    // The parent may have died before the call: then no signal comes.
    if std::os::unix::process::parent_id() != parent {
        std::process::exit(1);
    }
    Ok(())
}

/// Ties this process to `parent`: the standard output is the read end of a pipe that the parent holds open.
#[cfg(not(target_os = "linux"))]
pub(crate) fn tie(_parent: u32) -> io::Result<()> {
    crate::inject::shield()?;
    let leash = std::thread::Builder::new().name("leash".into()).spawn(|| {
        let mut byte = 0_u8;
        loop {
            // SAFETY: reads at most one byte into a live local.
            match unsafe { libc::read(1, (&raw mut byte).cast(), 1) } {
                -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                // SAFETY: no preconditions.
                _ => unsafe { libc::_exit(1) },
            }
        }
    });
    leash.map(drop).map_err(|error| Refusal::thread(&error).into())
}

/// Ties a process whose standard input is the pipe of its parent's orders. Its standard output is its own, so
/// the pipe of [`tie`] does not fit.
#[cfg(target_os = "linux")]
pub(crate) fn tie_by_orders(parent: u32) -> io::Result<()> {
    tie(parent)
}

/// The end of the orders ends such a process. No engine of `step` works here, so no order takes long.
#[cfg(not(target_os = "linux"))]
pub(crate) fn tie_by_orders(_parent: u32) -> io::Result<()> {
    Ok(())
}
