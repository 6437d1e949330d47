//! Commands to which the kernel refuses some system calls, as a container with a tight seccomp profile does.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc;

/// Has the kernel answer these system calls with `errno`, in the command and in every process that it starts.
pub fn refused(command: &mut Command, calls: &[libc::c_long], errno: i32) {
    let calls: Vec<_> = calls.iter().map(|call| (*call, None)).collect();
    install(command, &calls, errno);
}

/// The same for one call, but only where its first argument has one of these bits: `clone` with
/// `CLONE_THREAD`, say.
pub fn refused_with_flag(command: &mut Command, call: libc::c_long, bits: u32, errno: i32) {
    install(command, &[(call, Some(bits))], errno);
}

/// Runs `body` in a thread to which the kernel refuses new threads, as it does at the limit of `ulimit -u`.
/// The processes that `body` starts inherit that. Other threads do not.
///
/// # Panics
/// The filter cannot be set, or `body` panics.
pub fn without_threads<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    // The C library falls back to the older call, whose flags a filter can read.
    let mut newer = filter(&[(libc::SYS_clone3, None)], libc::ENOSYS);
    let mut older = filter(&[(libc::SYS_clone, Some(libc::CLONE_THREAD as u32))], libc::EAGAIN);
    let confined = || {
        apply(&mut newer).and_then(|()| apply(&mut older)).expect("a seccomp filter can be set");
        body()
    };
    std::thread::scope(|scope| match scope.spawn(confined).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

fn install(command: &mut Command, calls: &[(libc::c_long, Option<u32>)], errno: i32) {
    let mut filter = filter(calls, errno);
    // SAFETY: between fork and exec the closure makes two system calls, with memory that was allocated before
    // the fork.
    unsafe { command.pre_exec(move || apply(&mut filter)) };
}

/// The filter: one test for each call, then the answer. `seccomp_data` begins with the number (4 bytes), the
/// architecture (4), the instruction pointer (8) and the six arguments (8 each). The processes under test are
/// of one architecture, so it is not asked for.
fn filter(calls: &[(libc::c_long, Option<u32>)], errno: i32) -> Vec<libc::sock_filter> {
    const NUMBER: u32 = 0;
    const FIRST_ARGUMENT: u32 = if cfg!(target_endian = "little") { 16 } else { 20 };
    let instruction = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    let load = |at: u32| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, at);
    let answer = |what: u32| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, what);
    let error = answer(libc::SECCOMP_RET_ERRNO | errno as u32);
    let mut filter = Vec::new();
    for (call, bits) in calls {
        filter.push(load(NUMBER));
        let body = match bits {
            None => vec![error],
            Some(bits) => {
                let any = instruction(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, 1, *bits);
                vec![load(FIRST_ARGUMENT), any, error]
            }
        };
        filter.push(instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, body.len() as u8, *call as u32));
        filter.extend(body);
    }
    filter.push(answer(libc::SECCOMP_RET_ALLOW));
    filter
}

/// Async-signal-safe.
fn apply(filter: &mut [libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: takes numbers.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the program and its instructions are live; the kernel copies them.
    match unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers_what_it_was_told_to() {
        let mut refused_mkdir = Command::new("mkdir");
        refused_mkdir.arg("/proc/self/no-such-folder-can-be-made").env("LC_ALL", "C");
        refused(&mut refused_mkdir, &[libc::SYS_mkdirat, MKDIR], libc::EDQUOT);
        let output = refused_mkdir.output().expect("mkdir starts under the filter");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("Disk quota exceeded"), "{said}");
    }

    #[cfg(target_arch = "x86_64")]
    const MKDIR: libc::c_long = libc::SYS_mkdir;
    #[cfg(not(target_arch = "x86_64"))]
    const MKDIR: libc::c_long = libc::SYS_mkdirat;

    #[test]
    fn only_the_thread_itself_is_without_others() {
        let refused = without_threads(|| std::thread::Builder::new().spawn(|| ()).err());
        assert_eq!(refused.and_then(|error| error.raw_os_error()), Some(libc::EAGAIN));
        std::thread::Builder::new().spawn(|| ()).unwrap().join().unwrap();
    }
}
