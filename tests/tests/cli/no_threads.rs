//! A machine that makes no more threads, as one does at the limit of `ulimit -u`.
#![cfg(target_os = "linux")]

use std::process::Stdio;

use nix::libc;
use sigproof_tests::{finish, xtask};

use crate::refuse::{refused, refused_with_flag};

#[test]
fn a_run_without_a_thread_for_its_progress_says_so_and_does_not_panic_for_it() {
    let mut command = xtask(&["stress", "selftest-exit", "--attempts", "1"]);
    refused(&mut command, &[libc::SYS_clone3], libc::ENOSYS);
    refused_with_flag(&mut command, libc::SYS_clone, libc::CLONE_THREAD as u32, libc::EAGAIN);
    let ran = finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    assert!(ran.stderr.contains("warning: no progress is shown") && ran.stderr.contains("ulimit -u"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked at xtask/src"), "{}", ran.stderr);
}
