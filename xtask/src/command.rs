//! Commands of others that a verb runs: in a process group of their own, awaited until they end or the user interrupts.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sigproof_report::exit::Exit;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use crate::interrupt;

/// The cargo that runs us, or else the first one there is.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// How often a command that is awaited is looked at.
const TICK: Duration = Duration::from_millis(20);

/// How long a command that was asked to end may take.
const GRACE: Duration = Duration::from_secs(2);

/// Runs a command with its output passed on, in a process group of its own, so that an interruption reaches
/// it from here only, and with all that it has started.
pub fn status(command: &mut Command) -> (Exit, Option<String>) {
    awaited(command, interrupt::flag())
}

fn awaited(command: &mut Command, stop: &AtomicBool) -> (Exit, Option<String>) {
    let name = command.get_program().display().to_string();
    let lacks = |what: &str, error: io::Error| (Exit::Environment, Some(format!("{name} cannot be {what}: {error}")));
    let mut child = match command.stdin(Stdio::null()).process_group(0).spawn() {
        Ok(child) => child,
        Err(error) => return lacks("run", error),
    };
    loop {
        let ended = child.try_wait();
        if stop.load(Ordering::Relaxed) {
            // The number of a command that is reaped may be another's by now.
            if matches!(ended, Ok(None)) {
                end(&mut child);
            }
            return (Exit::Interrupted, Some("interrupted".to_owned()));
        }
        match ended {
            Ok(None) => thread::sleep(TICK),
            Ok(Some(status)) if status.success() => return (Exit::AsExpected, None),
            Ok(Some(status)) => return (Exit::Unexpected, Some(status.to_string())),
            Err(error) => return lacks("waited for", error),
        }
    }
}

/// Asks a command, and what it has started, to end; ends it if it does not.
fn end(child: &mut Child) {
    let group = child.id().cast_signed();
    let asked = Instant::now();
    // SAFETY: it takes two numbers. The caller has seen the child alive, and the loop below ends where it is
    // reaped.
    let signal = |signal| unsafe { libc::killpg(group, signal) };
    signal(libc::SIGTERM);
    while matches!(child.try_wait(), Ok(None)) {
        if asked.elapsed() > GRACE {
            signal(libc::SIGKILL);
            // Fails only for one that has been waited for.
            let _ = child.wait();
            return;
        }
        thread::sleep(TICK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_ends_a_command_with_what_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let (stop, path) = (AtomicBool::new(false), folder.path().join("begun"));
        let script = "sleep 600 & echo $! > \"$0.new\" && mv \"$0.new\" \"$0\"; wait";
        let ended = thread::scope(|scope| {
            let mut command = Command::new("sh");
            command.args(["-c", script]).arg(&path);
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
        let asked = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
        let stat = stat.and_then(|stat| Some(stat.rsplit_once(") ")?.1.to_owned()));
        let stat = stat.or_else(|| String::from_utf8(asked.ok()?.stdout).ok());
        stat.is_some_and(|stat| stat.trim_start().starts_with('Z'))
    }
}
