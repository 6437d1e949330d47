//! Commands of others that a verb runs: each ends by itself, or an interruption ends it with all that it has
//! started.

use std::process::Command;

use sigproof_inspect::process::{Errors, Finished, GRACE, Group, Streams, output_unless};
use sigproof_report::exit::Exit;
use sigproof_shim::native::atomic::AtomicBool;

use crate::interrupt;
use crate::trouble::Trouble;

/// The cargo that runs us, or else the first one there is.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command whose output the user sees.
pub fn status(command: &mut Command) -> (Exit, Option<String>) {
    awaited(command, interrupt::flag())
}

fn awaited(command: &mut Command, stop: &AtomicBool) -> (Exit, Option<String>) {
    let name = command.get_program().display().to_string();
    let lacks = |what: &str, error| (Exit::Environment, Some(format!("{name} cannot be {what}: {error}")));
    let mut group = match Group::start(command, Streams::shown()) {
        Ok(group) => group,
        Err(error) => return lacks("run", error),
    };
    match group.wait_unless(stop, GRACE) {
        Ok(None) => (Exit::Interrupted, Some("interrupted".to_owned())),
        Ok(Some(status)) if status.success() => (Exit::AsExpected, None),
        Ok(Some(status)) => (Exit::Unexpected, Some(status.to_string())),
        Err(error) => lacks("waited for", error),
    }
}

/// Runs a command and returns its standard output. The user sees its standard error.
pub fn output(command: &mut Command, stop: &AtomicBool) -> Result<Finished, Trouble> {
    let name = command.get_program().display().to_string();
    match output_unless(command, Errors::Inherited, stop) {
        Ok(Some(finished)) => Ok(finished),
        Ok(None) => Err(Trouble::interrupted()),
        Err(error) => Err(Trouble::environment(format!("{name} cannot be run: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use sigproof_shim::native::atomic::Ordering;
    use std::thread;
    use std::time::{Duration, Instant};

    /// The time between two looks.
    const TICK: Duration = Duration::from_millis(20);

    /// The second one ignores what a terminal and a service manager send, and so does what it has started.
    #[rstest]
    #[case::that_listens("")]
    #[case::that_ignores_signals("trap '' INT TERM HUP QUIT; ")]
    fn an_interruption_ends_a_command_with_what_it_has_started(#[case] trap: &str) {
        let folder = tempfile::tempdir().unwrap();
        let (stop, path) = (AtomicBool::new(false), folder.path().join("begun"));
        let script = format!("{trap}sleep 600 & echo $! > \"$0.new\" && mv \"$0.new\" \"$0\"; wait; wait");
        let ended = thread::scope(|scope| {
            let mut command = Command::new("sh");
            command.args(["-c", &script]).arg(&path);
            let awaiting = scope.spawn(|| {
                let mut command = command;
                awaited(&mut command, &stop)
            });
            while !path.exists() && !awaiting.is_finished() {
                thread::sleep(TICK);
            }
            stop.store(true, Ordering::Relaxed);
            awaiting.join().unwrap()
        });
        assert_eq!(ended.0, Exit::Interrupted);
        let grandchild: i32 = std::fs::read_to_string(path).unwrap().trim().parse().unwrap();
        let begun = Instant::now();
        // SAFETY: it takes two numbers; signal 0 is none.
        while unsafe { libc::kill(grandchild, 0) } == 0 && !is_zombie(grandchild) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{grandchild} lives on");
            thread::sleep(TICK);
        }
    }

    /// Whether a process has ended and is not reaped yet: its new parent may be slow.
    fn is_zombie(pid: i32) -> bool {
        let asked = sigproof_inspect::process::output(Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]));
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
        let stat = stat.and_then(|stat| Some(stat.rsplit_once(") ")?.1.to_owned()));
        let stat = stat.or_else(|| String::from_utf8(asked.ok()?.stdout).ok());
        stat.is_some_and(|stat| stat.trim_start().starts_with('Z'))
    }
}
