//! A machine without memory, by a limit of the address space.
#![cfg(target_os = "linux")]

use std::os::unix::process::CommandExt;
use std::process::Stdio;

use nix::sys::resource::{Resource, setrlimit};
use sigproof_tests::{finish, xtask};

/// Whether the C library or its loader has ended the process, which then had no say.
fn is_end_by_libc(stderr: &str) -> bool {
    stderr.contains("Fatal glibc error: ") || stderr.contains("error while loading shared libraries: ")
}

/// From a limit at which the process has just started to one at which it has enough: never an abort or a
/// panic of the command's own, and where the command itself runs out of memory, a remedy.
#[test]
fn want_of_memory_is_told_and_is_no_verdict() {
    let mut told = 0;
    for megabytes in (24..=120).step_by(8) {
        let mut command = xtask(&["stress", "note-interval-sleep", "--attempts", "1"]);
        // SAFETY: setrlimit(2) is a system call; nothing else happens between fork and exec.
        unsafe {
            command.pre_exec(move || Ok(setrlimit(Resource::RLIMIT_AS, megabytes << 20, megabytes << 20)?));
        }
        let ran = finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        if is_end_by_libc(&ran.stderr) {
            continue;
        }
        assert!(matches!(ran.code, Some(0 | 3 | 4)), "{megabytes} MiB: {:?}\n{}", ran.code, ran.stderr);
        assert!(!ran.stderr.contains("panicked at xtask/src"), "{megabytes} MiB: {}", ran.stderr);
        if ran.stderr.contains("error: out of memory") {
            assert_eq!(ran.code, Some(4), "{}", ran.stderr);
            assert!(ran.stderr.contains("ulimit -v"), "{}", ran.stderr);
            told += 1;
        }
    }
    assert!(told > 0, "no limit was low enough for this executable");
}
