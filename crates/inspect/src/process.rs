//! A process, from its start to its end: in a group of its own ([`Group`]), which is killed as a whole before
//! its leader is reaped.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

mod group;
mod own;
mod system;

pub use group::Group;
pub use own::{own_command, own_executable, take_own_name};
pub use system::pause;

/// Whether a process died of a signal by which users stop a command. Such a signal can reach a child that has
/// not left our process group yet, and before it has reached us.
pub fn interrupted(status: ExitStatus) -> bool {
    matches!(status.signal(), Some(libc::SIGINT | libc::SIGQUIT | libc::SIGTERM | libc::SIGHUP))
}

/// How a process ended: `was killed by signal 11 (SIGSEGV)`, `exited with code 101`.
pub fn ending(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was killed by signal {signal} ({})", signal_name(signal)),
        (None, code) => format!("exited with code {}", code.unwrap_or_default()),
    }
}

fn signal_name(signal: i32) -> &'static str {
    nix::sys::signal::Signal::try_from(signal).map_or("unknown", nix::sys::signal::Signal::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_interruption_is_no_outcome() {
        let interrupting: Vec<i32> = (1..32).filter(|signal| interrupted(ExitStatus::from_raw(*signal))).collect();
        assert_eq!(interrupting, [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM]);
        assert!(!interrupted(ExitStatus::from_raw(0)) && !interrupted(ExitStatus::from_raw(2 << 8)));
    }
}
