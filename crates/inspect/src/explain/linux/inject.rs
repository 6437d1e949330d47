//! A system call made by a thread of another process, which is stopped for it: to ask for what only the
//! process itself can ask for.
//!
//! The thread executes the `syscall` instruction that it has just come from, with other registers, for one
//! step. The step ends in the delivery of a signal, which is suppressed; on the way back from there the
//! kernel resumes the call that the thread was in, by the registers that were put back. The bytes below its
//! stack that take the answer are put back too. All other signals are blocked for that step, so that none is
//! lost.
//!
//! # Limits
//! Who kills this process within these microseconds leaves the thread with the wrong registers.

use crate::diagnose::linux::stop::Stopped;
use std::time::Duration;

/// How far below the stack pointer, beyond what a function may use there, the answer is put.
#[cfg(target_arch = "x86_64")]
const BELOW: u64 = 1024;

/// The time that is left of a process's real-time timer (`setitimer`, `alarm`); `None` if it cannot be asked
/// for. Zero: it is not armed. Thread `tid` must be in a call that a stop does not end.
pub(super) fn real_time_left(pid: u32, tid: u32) -> Option<Duration> {
    let stopped = Stopped::only(pid, &[tid]);
    if !stopped.stopped.contains(&tid) {
        return None;
    }
    let answer = ask(tid, libc::SYS_getitimer, [libc::ITIMER_REAL as u64], 4)?;
    // Interval, then what is left: seconds and microseconds.
    Some(Duration::from_secs(answer[2]) + Duration::from_micros(answer[3]))
}

/// The same for a timer of `timer_create`.
pub(super) fn timer_left(pid: u32, tid: u32, timer: i32) -> Option<Duration> {
    let stopped = Stopped::only(pid, &[tid]);
    if !stopped.stopped.contains(&tid) {
        return None;
    }
    let answer = ask(tid, libc::SYS_timer_gettime, [timer as u64], 4)?;
    Some(Duration::from_secs(answer[2]) + Duration::from_nanos(answer[3]))
}

/// Makes a call with one argument and the address of `words` words, which it returns.
#[cfg(target_arch = "x86_64")]
fn ask(tid: u32, nr: i64, argument: [u64; 1], words: usize) -> Option<Vec<u64>> {
    use crate::diagnose::linux::step::Stepped;
    use nix::sys::ptrace;
    use nix::unistd::Pid;
    let id = Pid::from_raw(tid as i32);
    let before = ptrace::getregs(id).ok()?;
    let call = before.rip.checked_sub(2)?;
    let peek = |at: u64| ptrace::read(id, at as ptrace::AddressType).ok();
    // Only at the instruction that it has come from.
    if peek(call)? as u64 & 0xffff != 0x050f {
        return None;
    }
    let buffer = (before.rsp - BELOW) & !15;
    let kept: Vec<i64> = (0..words as u64).map(|n| peek(buffer + 8 * n)).collect::<Option<_>>()?;
    let mut regs = before;
    (regs.rip, regs.rax, regs.orig_rax) = (call, nr as u64, u64::MAX);
    (regs.rdi, regs.rsi) = (argument[0], buffer);
    let blocked = Stepped::of(tid)?;
    ptrace::setregs(id, regs).ok()?;
    let stepped = blocked.step();
    let result = ptrace::getregs(id).ok().map(|regs| regs.rax as i64);
    let answer: Option<Vec<u64>> = (0..words as u64).map(|n| peek(buffer + 8 * n).map(|word| word as u64)).collect();
    for (n, word) in kept.into_iter().enumerate() {
        let _ = ptrace::write(id, (buffer + 8 * n as u64) as ptrace::AddressType, word);
    }
    ptrace::setregs(id, before).ok()?;
    answer.filter(|_| stepped && result == Some(0))
}

/// Not done on this architecture.
#[cfg(not(target_arch = "x86_64"))]
fn ask(_tid: u32, _nr: i64, _argument: [u64; 1], _words: usize) -> Option<Vec<u64>> {
    None
}
