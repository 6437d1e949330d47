//! This very program, to be started as a child.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::system;
pub use super::system::own_executable;
use crate::refusal::Refusal;

/// A command that starts this program again, under the name by which it was started.
///
/// # Errors
/// Those of [`own_executable`].
pub fn own_command() -> Result<Command, Refusal> {
    let mut command = Command::new(own_executable()?);
    command.arg0(std::env::args_os().next().unwrap_or_else(|| OsString::from("xtask")));
    Ok(command)
}

/// A child that [`own_command`] has started takes the name by which its parent was started.
pub fn take_own_name() {
    if let Some(called) = std::env::args_os().next() {
        system::take_name(&called);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::process::output;

    /// A copy of this test program removes its own file and then starts itself.
    #[test]
    fn a_program_whose_file_is_gone_is_started() {
        const COPY: &str = "SIGPROOF_TEST_OWN_COPY";
        if let Some(copy) = std::env::var_os(COPY) {
            std::fs::remove_file(copy).unwrap();
            let again = output(own_command().unwrap().arg("--list").env_remove(COPY)).unwrap();
            assert!(again.status.success() && !again.stdout.is_empty(), "{again:?}");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy");
        std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        let name = "process::own::tests::a_program_whose_file_is_gone_is_started";
        let ran = output(Command::new(&copy).args(["--exact", name]).env(COPY, &copy)).unwrap();
        assert!(ran.status.success(), "{ran:?}");
        assert!(String::from_utf8_lossy(&ran.stdout).contains("1 passed"), "{ran:?}");
        assert!(!copy.exists());
    }
}
