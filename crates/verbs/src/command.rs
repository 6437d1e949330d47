//! Commands of others that a verb runs: each ends by itself, or an interruption ends it with all that it has
//! started.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{ChildStdout, Command};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sigproof_inspect::process::{Errors, Finished, GRACE, Group, Output, Streams, output_unless};
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
    awaited(command, Streams::shown(), drop, interrupt::flag())
}

/// Runs a command whose output the user sees, and returns the lines of its standard output as well.
pub fn seen(command: &mut Command) -> (Exit, Option<String>, Vec<String>) {
    let (send, lines) = mpsc::channel();
    let streams = Streams { output: Output::Pipe, ..Streams::shown() };
    let show = |output| {
        // Not awaited: a process that has left the group may keep the pipe open.
        thread::spawn(move || show(output, &send));
    };
    let (exit, why) = awaited(command, streams, show, interrupt::flag());
    (exit, why, std::iter::from_fn(|| lines.recv_timeout(LAST).ok()).collect())
}

/// How long the lines of a command that has ended may take from the pipe to the terminal, each.
const LAST: Duration = Duration::from_secs(1);

/// Prints each line as it comes, and sends it on. Bytes that are no text become replacement characters.
fn show(output: impl Read, send: &mpsc::Sender<String>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line);
        // The command runs to its end although nobody reads what it prints.
        let _ = io::stdout().lock().write_all(text.as_bytes());
        let _ = send.send(text.trim_end_matches('\n').to_owned());
        line.clear();
    }
}

fn awaited(
    command: &mut Command,
    streams: Streams,
    take: impl FnOnce(ChildStdout),
    stop: &AtomicBool,
) -> (Exit, Option<String>) {
    let name = command.get_program().display().to_string();
    let lacks = |what: &str, error| (Exit::Environment, Some(format!("{name} cannot be {what}: {error}")));
    let mut group = match Group::start(command, streams) {
        Ok(group) => group,
        Err(error) => return lacks("run", error),
    };
    group.pipes().1.map(take);
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
    use std::time::Instant;

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
                awaited(&mut command, Streams::shown(), drop, &stop)
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

    #[test]
    fn the_lines_of_a_command_are_returned_and_its_end() {
        let mut command = Command::new("sh");
        let (exit, why, lines) = seen(command.args(["-c", "echo one; printf 'two\\377'; exit 5"]));
        assert_eq!((exit, why.as_deref()), (Exit::Unexpected, Some("exit status: 5")));
        assert_eq!(lines, ["one", "two\u{fffd}"]);
    }

    /// It has left the group, and so is not killed with it: the test ends it. Other shells have no `set -m`
    /// without a terminal.
    #[test]
    fn a_process_that_keeps_the_pipe_open_is_not_waited_for() {
        let mut command = Command::new("bash");
        let (exit, _, lines) = seen(command.args(["-c", "set -m; sleep 600 & echo $!"]));
        let pid = lines[0].parse().unwrap();
        // SAFETY: it takes two numbers.
        let killed = unsafe { libc::kill(pid, libc::SIGKILL) };
        assert_eq!((exit, lines.len(), killed), (Exit::AsExpected, 1, 0));
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
