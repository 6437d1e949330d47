//! Which system calls are waits that never time out, and what ends them.

use super::procfs::Syscall;

/// An untimed wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// A futex of this address space.
    Futex { address: u64 },
    /// A futex looked up as shared: of this address space only if its memory is.
    SharedFutex { address: u64 },
    /// Until a signal comes (`pause`, `sigsuspend`, `sigwait`, a poll of nothing).
    Signal,
    /// A read from, or a write to, one descriptor.
    Descriptor { fd: i32 },
    /// A poll of `count` `struct pollfd` at `address` in the child.
    Poll { address: u64, count: u64 },
}

/// The untimed wait that a blocked thread is in, or `None` if it is none or not a known one.
///
/// System call numbers are of the architecture that this was compiled for: parent and child are the same
/// executable.
pub(crate) fn untimed(syscall: Syscall) -> Option<Sleep> {
    let Syscall::In { nr, args, .. } = syscall else { return None };
    match nr {
        libc::SYS_futex => futex(args),
        libc::SYS_rt_sigsuspend => Some(Sleep::Signal),
        libc::SYS_rt_sigtimedwait if args[2] == 0 => Some(Sleep::Signal),
        libc::SYS_read | libc::SYS_readv | libc::SYS_write | libc::SYS_writev => {
            Some(Sleep::Descriptor { fd: args[0] as i32 })
        }
        libc::SYS_ppoll if args[2] == 0 => Some(polled(args)),
        _ => legacy(nr, args),
    }
}

/// Calls that newer architectures do without.
#[cfg(target_arch = "x86_64")]
fn legacy(nr: i64, args: [u64; 6]) -> Option<Sleep> {
    match nr {
        libc::SYS_pause => Some(Sleep::Signal),
        libc::SYS_poll if (args[2] as i32) < 0 => Some(polled(args)),
        _ => None,
    }
}

/// Calls that newer architectures do without.
#[cfg(not(target_arch = "x86_64"))]
fn legacy(_nr: i64, _args: [u64; 6]) -> Option<Sleep> {
    None
}

fn polled(args: [u64; 6]) -> Sleep {
    if args[1] == 0 { Sleep::Signal } else { Sleep::Poll { address: args[0], count: args[1] } }
}

/// futex(2): the operation in argument 1, the time-out in argument 3. A null time-out waits for ever,
/// whatever the clock flag says.
fn futex(args: [u64; 6]) -> Option<Sleep> {
    let operation = args[1] as i32;
    let waits = matches!(
        operation & libc::FUTEX_CMD_MASK,
        libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET | libc::FUTEX_LOCK_PI | FUTEX_LOCK_PI2
    );
    if !waits || args[3] != 0 {
        return None;
    }
    let address = args[0];
    if operation & libc::FUTEX_PRIVATE_FLAG != 0 {
        Some(Sleep::Futex { address })
    } else {
        Some(Sleep::SharedFutex { address })
    }
}

/// linux/futex.h; not in every libc version.
const FUTEX_LOCK_PI2: i32 = 13;

#[cfg(test)]
mod tests {
    use super::*;

    fn blocked(nr: i64, args: [u64; 6]) -> Option<Sleep> {
        untimed(Syscall::In { nr, args, sp: 1, pc: 1 })
    }

    #[test]
    fn a_futex_wait_counts_only_without_a_time_out() {
        let private = libc::FUTEX_PRIVATE_FLAG as u64;
        let realtime = libc::FUTEX_CLOCK_REALTIME as u64;
        let wait = libc::FUTEX_WAIT as u64;
        let bitset = libc::FUTEX_WAIT_BITSET as u64;
        let here = Some(Sleep::Futex { address: 0x40 });
        assert_eq!(blocked(libc::SYS_futex, [0x40, wait | private, 2, 0, 0, 0]), here);
        assert_eq!(blocked(libc::SYS_futex, [0x40, bitset | private | realtime, 2, 0, 0, 9]), here);
        assert_eq!(blocked(libc::SYS_futex, [0x40, libc::FUTEX_LOCK_PI as u64 | private, 0, 0, 0, 0]), here);
        assert_eq!(blocked(libc::SYS_futex, [0x40, wait | private, 2, 0x7000, 0, 0]), None);
        assert_eq!(blocked(libc::SYS_futex, [0x40, libc::FUTEX_LOCK_PI as u64 | private, 0, 0x7000, 0, 0]), None);
        assert_eq!(blocked(libc::SYS_futex, [0x40, wait, 2, 0, 0, 0]), Some(Sleep::SharedFutex { address: 0x40 }));
        assert_eq!(blocked(libc::SYS_futex, [0x40, libc::FUTEX_WAKE as u64 | private, 1, 0, 0, 0]), None);
        assert_eq!(blocked(libc::SYS_futex, [0x40, libc::FUTEX_WAIT_REQUEUE_PI as u64 | private, 1, 0, 0, 0]), None);
    }

    #[test]
    fn waits_for_signals_and_descriptors() {
        assert_eq!(blocked(libc::SYS_rt_sigsuspend, [1, 8, 0, 0, 0, 0]), Some(Sleep::Signal));
        assert_eq!(blocked(libc::SYS_rt_sigtimedwait, [1, 2, 0, 8, 0, 0]), Some(Sleep::Signal));
        assert_eq!(blocked(libc::SYS_rt_sigtimedwait, [1, 2, 3, 8, 0, 0]), None);
        assert_eq!(blocked(libc::SYS_read, [7, 1, 1, 0, 0, 0]), Some(Sleep::Descriptor { fd: 7 }));
        assert_eq!(blocked(libc::SYS_ppoll, [0x90, 2, 0, 0, 0, 0]), Some(Sleep::Poll { address: 0x90, count: 2 }));
        assert_eq!(blocked(libc::SYS_ppoll, [0x90, 2, 0x80, 0, 0, 0]), None);
        assert_eq!(blocked(libc::SYS_ppoll, [0x90, 0, 0, 0, 0, 0]), Some(Sleep::Signal));
    }

    #[test]
    fn everything_else_is_no_evidence() {
        for nr in
            [libc::SYS_nanosleep, libc::SYS_clock_nanosleep, libc::SYS_wait4, libc::SYS_waitid, libc::SYS_recvfrom]
        {
            assert_eq!(blocked(nr, [0; 6]), None, "system call {nr}");
        }
        assert_eq!(blocked(libc::SYS_restart_syscall, [0; 6]), None, "a timed wait, resumed");
        assert_eq!(untimed(Syscall::Running), None);
        assert_eq!(untimed(Syscall::Outside { sp: 1, pc: 1 }), None);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn older_calls() {
        assert_eq!(blocked(libc::SYS_pause, [0; 6]), Some(Sleep::Signal));
        assert_eq!(
            blocked(libc::SYS_poll, [0x90, 1, u64::from(u32::MAX), 0, 0, 0]),
            Some(Sleep::Poll { address: 0x90, count: 1 })
        );
        assert_eq!(blocked(libc::SYS_poll, [0x90, 1, 100, 0, 0, 0]), None);
    }
}
