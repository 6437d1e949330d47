//! A child process, from its start to its end. Every child of this project except the copies that `fork`
//! makes is a [`Group`]: it leads a process group, which is killed as a whole before the leader is reaped.
//!
//! | module | holds |
//! |---|---|
//! | `streams` | the options of a child: its standard input, output and error, and its tie to this process |
//! | `group` | the runner: start, wait, stop, kill |
//! | `living` | the groups that live, for the handler of a second interruption |
//! | `command` | a command of others, run to its end |
//! | [`lines`] | the protocol of children that get orders and tell events |
//! | `own` | this program, as a child |

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

mod command;
mod group;
pub mod lines;
mod living;
mod own;
mod streams;
mod system;

pub use command::{Finished, output, output_unless};
pub use group::{GRACE, Group};
pub use living::kill_all_and_exit;
pub use own::{own_command, own_executable, take_own_name};
pub use streams::{Errors, Input, Output, Streams};
pub use system::pause;

/// Whether a process died of a signal by which users stop a command. Such a signal can reach a child that has
/// not left our process group yet, and before it has reached us.
pub fn interrupted(status: ExitStatus) -> bool {
    matches!(status.signal(), Some(libc::SIGINT | libc::SIGQUIT | libc::SIGTERM | libc::SIGHUP))
}

/// Whether somebody else ended a process: a user, a service manager, or the kernel for want of memory or of
/// processor time. `words` are its standard error, which shows a failed allocation.
pub fn ended_from_outside(status: ExitStatus, words: &str) -> bool {
    let signalled = interrupted(status) || matches!(status.signal(), Some(libc::SIGKILL | libc::SIGXCPU));
    // The standard library writes this line before it aborts.
    signalled || words.lines().any(|line| line.starts_with("memory allocation of "))
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

/// A shell that runs this script, for the tests of this folder.
#[cfg(test)]
fn shell(script: &str) -> std::process::Command {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signals(which: impl Fn(ExitStatus) -> bool) -> Vec<i32> {
        (1..32).filter(|signal| which(ExitStatus::from_raw(*signal))).collect()
    }

    #[test]
    fn an_interruption_is_one_of_four_signals() {
        let mut four = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];
        four.sort_unstable();
        assert_eq!(signals(interrupted), four);
        assert!(!interrupted(ExitStatus::from_raw(0)) && !interrupted(ExitStatus::from_raw(2 << 8)));
    }

    #[test]
    fn six_signals_and_a_failed_allocation_come_from_outside() {
        assert_eq!(signals(|status| ended_from_outside(status, "")).len(), 6);
        let aborted = ExitStatus::from_raw(libc::SIGABRT);
        assert!(ended_from_outside(aborted, "noise\nmemory allocation of 80 bytes failed"));
        assert!(!ended_from_outside(aborted, "free(): invalid pointer"));
    }
}
