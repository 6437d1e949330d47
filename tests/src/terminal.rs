//! A pseudo-terminal for a command: its text as a user sees it, with the escapes in it.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;

use crate::{Ran, finish};

/// A pseudo-terminal: the side of its program, and the other.
pub fn terminal() -> (OwnedFd, File) {
    let (mut outer, mut inner) = (-1, -1);
    let null = std::ptr::null_mut();
    // SAFETY: the two numbers have room for the answer; the name and the settings may be null.
    let made = unsafe { libc::openpty(&raw mut outer, &raw mut inner, null, null.cast(), null.cast()) };
    assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: both were made just now, and nothing else has them.
    unsafe { (OwnedFd::from_raw_fd(inner), File::from_raw_fd(outer)) }
}

/// Sets the size of a terminal.
fn resize(terminal: &OwnedFd, columns: u16) {
    let size = libc::winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the call reads the size, and nothing else.
    let done = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

/// Reads all that is written to a terminal.
pub fn read_all(mut outer: File) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let (mut all, mut part) = (Vec::new(), [0; 4096]);
        // Once no process has the other side, Linux gives an error and others the end of the file.
        while let Ok(n @ 1..) = outer.read(&mut part) {
            all.extend_from_slice(&part[..n]);
        }
        String::from_utf8_lossy(&all).into_owned()
    })
}

/// Runs a command to its end with its standard output on a terminal of so many columns. The terminal's line
/// ends are those of a file.
pub fn on_terminal(mut command: Command, columns: u16) -> Ran {
    let (inner, outer) = terminal();
    resize(&inner, columns);
    // A program that asks its controlling terminal for the size must not get that of the tests.
    let detach = || {
        // SAFETY: the call takes no pointer; a child that was just forked leads no process group, so it does
        // not fail.
        match unsafe { libc::setsid() } {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        }
    };
    // SAFETY: between fork and exec it makes that one async-signal-safe call, and allocates nothing.
    unsafe { command.pre_exec(detach) };
    let child = command.stdout(inner).stderr(Stdio::piped()).spawn().expect("the command starts");
    // It holds the last copy of this process.
    drop(command);
    let reader = read_all(outer);
    let ran = finish(child);
    let shown = reader.join().expect("the terminal is read");
    Ran { stdout: shown.replace("\r\n", "\n"), ..ran }
}
