//! Elsewhere: the program by its path, the pause of the standard library, and no other way to kill.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::refusal::Refusal;

/// Whether `killpg` fails for a group that holds nothing but a zombie: on macOS it does.
pub(crate) const REFUSES_A_ZOMBIE_S_GROUP: bool = true;

/// A path that executes this program, as long as its file stays where it is.
///
/// # Errors
/// The system does not tell where the program is.
pub fn own_executable() -> Result<PathBuf, Refusal> {
    std::env::current_exe().map_err(|error| Refusal::new("the path of this program", &error))
}

/// The program is executed by its own path here, and has its name.
pub(crate) fn take_name(_called: &std::ffi::OsStr) {}

/// Waits for about this long.
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// There is no such thing here.
pub(crate) fn kill_by_descriptor(_pid: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
