//! A filter in a copy that tells of each system call which changes what the kernel holds for it (seccomp).
//!
//! A call on the list is let through: it asks for something, or changes what is put back. Everything else
//! stops the copy before the call is made. The tracer lets it go on and does not use it again, or ends it.
//!
//! Sources: seccomp(2), linux/filter.h.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::traced::{Failed, cpu, remote};

/// Calls that leave no trace outside memory, registers and mask.
const HARMLESS: &[i64] = &[
    libc::SYS_futex,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_time,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getppid,
    libc::SYS_sched_yield,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_stat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_uname,
    libc::SYS_sched_getaffinity,
    libc::SYS_rt_sigpending,
    // It asks which descriptors are ready, and whether they are open.
    libc::SYS_poll,
    // What a copy has of the kernel ends with it.
    libc::SYS_exit_group,
];

/// One instruction of a filter.
fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..2].copy_from_slice(&(code as u16).to_le_bytes());
    (bytes[2], bytes[3]) = (jt, jf);
    bytes[4..].copy_from_slice(&k.to_le_bytes());
    bytes
}

/// The filter: harmless calls, and writes to these descriptors, pass.
fn program(sinks: &[u32]) -> Vec<[u8; 8]> {
    let load = |at: u32| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, at);
    let equal = |k: u32, jt: u8, jf: u8| instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, jt, jf, k);
    let end = |k: u32| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, k);
    let mut code = vec![load(0)];
    for nr in HARMLESS {
        code.extend([equal(*nr as u32, 0, 1), end(libc::SECCOMP_RET_ALLOW)]);
    }
    code.extend([equal(libc::SYS_write as u32, 1, 0), end(libc::SECCOMP_RET_TRACE)]);
    code.push(load(16));
    for sink in sinks {
        code.extend([equal(*sink, 0, 1), end(libc::SECCOMP_RET_ALLOW)]);
    }
    code.push(end(libc::SECCOMP_RET_TRACE));
    code
}

/// Descriptors of a process that swallow what is written to them.
fn sinks(pid: i32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let is_null = |path: &std::path::Path| std::fs::read_link(path).is_ok_and(|to| to.as_os_str() == "/dev/null");
    let entries = entries.flatten().filter(|entry| is_null(&entry.path()));
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).take(32).collect()
}

/// Installs the filter in a stopped copy; false if the kernel refuses.
pub(super) fn install(copy: i32, memory: &File, instruction: u64, program_pid: i32) -> Result<bool, Failed> {
    let code = program(&sinks(program_pid)).concat();
    let length = code.len() / 8;
    // Into the page that the stack pointer is in, or the one above: put back before the copy runs.
    let at = (cpu::registers(copy)?.rsp + 64) & !15;
    let mut bytes = (length as u64).to_le_bytes().to_vec();
    bytes.extend((at + 16).to_le_bytes());
    bytes.extend(code);
    let mut kept = vec![0; bytes.len()];
    if memory.read_exact_at(&mut kept, at).is_err() || memory.write_all_at(&bytes, at).is_err() {
        return Ok(false);
    }
    const SET_FILTER: u64 = libc::SECCOMP_SET_MODE_FILTER as u64;
    let no_new = [libc::PR_SET_NO_NEW_PRIVS as u64, 1, 0, 0, 0];
    let made = remote::call(copy, instruction, libc::SYS_prctl, no_new)? == 0
        && remote::call(copy, instruction, libc::SYS_seccomp, [SET_FILTER, 0, at, 0, 0])? == 0;
    Ok(memory.write_all_at(&kept, at).is_ok() && made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_short_enough_and_ends_with_a_return() {
        let code = program(&[1, 2]);
        assert!(code.len() < 256, "a jump reaches all of it");
        assert_eq!(code.last().unwrap()[0], (libc::BPF_RET | libc::BPF_K) as u8);
    }
}
