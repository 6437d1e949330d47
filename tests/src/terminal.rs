//! A pseudo-terminal for a command: its text as a user sees it, with the escapes in it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;

use nix::poll::{PollFd, PollFlags, poll};

use crate::{Ran, finish};

/// The milliseconds after which a terminal that shows nothing new is a failure.
const SILENCE: u16 = 60_000;

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

/// Runs a command to its end whose controlling terminal is its standard input, output and error, and types
/// the text of each pair as soon as its other text is shown. Shown is all that the terminal has echoed, too.
pub fn types_to(mut command: Command, typed: &[(&str, &str)]) -> Ran {
    let (inner, mut outer) = terminal();
    let controlled = || {
        // SAFETY: neither call reads memory; descriptor 0 is the terminal by now.
        let done = unsafe { libc::setsid() != -1 && libc::ioctl(0, libc::TIOCSCTTY as _, 0) == 0 };
        if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    let copy = || inner.try_clone().expect("a descriptor");
    command.stdin(copy()).stdout(copy()).stderr(copy());
    // SAFETY: between fork and exec it makes two async-signal-safe calls, and allocates nothing.
    unsafe { command.pre_exec(controlled) };
    let child = command.spawn().expect("the command starts");
    // They hold the last copies of this process.
    drop((command, inner));
    let (mut shown, mut part) = (String::new(), [0; 4096]);
    let mut typed = typed.iter().peekable();
    loop {
        while let Some((_, text)) = typed.next_if(|(sign, _)| shown.contains(sign)) {
            outer.write_all(text.as_bytes()).expect("the terminal takes it");
        }
        let mut ready = [PollFd::new(outer.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, SILENCE).expect("the terminal is polled") == 0 {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), nix::sys::signal::SIGKILL)
                .expect("it is killed");
            panic!("the terminal is silent; so far: {shown}");
        }
        match outer.read(&mut part) {
            Ok(n @ 1..) => shown.push_str(&String::from_utf8_lossy(&part[..n])),
            _ => break,
        }
    }
    Ran { stdout: shown.replace("\r\n", "\n"), ..finish(child) }
}
