//! What a thread does, from its system call: which kind of wait, and whether it ends by itself.

use crate::diagnose::linux::memory::Memory;
use crate::hang::procfs::Syscall;

/// `struct pollfd` has a descriptor of 4 bytes first, and is 8 bytes long.
const POLLFD_BYTES: u64 = 8;
/// More descriptors in one call are not looked into.
const POLL_LIMIT: u64 = 4096;
/// linux/futex.h; not in every libc version.
const FUTEX_LOCK_PI2: i32 = 13;
/// No thread has a greater id.
const PID_MAX: u32 = 1 << 22;
/// linux/sched.h.
const CLONE_VFORK: u64 = 0x4000;

/// What one thread does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// It is on a processor or waits for one.
    Runs,
    /// It has ended; its entry is left.
    Ended,
    /// It waits inside the kernel, not in a system call: for a page, for example.
    Kernel,
    /// A futex. `lock`: it is used as a lock is.
    Futex { address: u64, shared: bool, lock: bool },
    /// A call with a time limit.
    Timed(&'static str),
    /// Any signal.
    Signal(&'static str),
    /// One of these signals: bit n-1 for signal n.
    SignalOf(u64),
    /// One descriptor.
    Descriptor { call: &'static str, fd: i32, does: Does },
    /// Any of several descriptors.
    Descriptors { call: &'static str, fds: Vec<(i32, Does)> },
    /// An epoll instance.
    Epoll(i32),
    /// A child: of this id, or any.
    Child(Option<u32>),
    /// The child made by `vfork`, until it ends or executes a program.
    Vfork,
    /// A lock of a file.
    FileLock(i32),
    /// The opening of this file.
    Open(String),
    /// A call that is not known here, or whose end cannot be foreseen.
    Call(String),
}

/// What is asked of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    Read,
    Write,
    Accept,
    Connect,
}

impl Wait {
    /// What a system call waits for. Descriptors and signals are read from the memory of the process.
    pub(super) fn of(syscall: Syscall, state: char, memory: &mut Memory) -> Self {
        let (nr, args, pc) = match syscall {
            Syscall::Running => return Self::Runs,
            Syscall::Outside { sp: 0, pc: 0 } => return Self::Ended,
            Syscall::Outside { .. } if state == 'R' => return Self::Runs,
            Syscall::Outside { .. } => return Self::Kernel,
            Syscall::In { nr, args, pc, .. } => (nr, args, pc),
        };
        let nr = if nr == libc::SYS_restart_syscall { restarted(pc, memory).unwrap_or(nr) } else { nr };
        let fd = args[0] as i32;
        let one = |call, does| Self::Descriptor { call, fd, does };
        match nr {
            libc::SYS_futex => futex(args),
            libc::SYS_restart_syscall => Self::Timed("a call with a time limit"),
            libc::SYS_nanosleep | libc::SYS_clock_nanosleep => Self::Timed("sleep"),
            libc::SYS_rt_sigsuspend => Self::Signal("sigsuspend"),
            libc::SYS_rt_sigtimedwait if args[2] == 0 => Self::SignalOf(memory.word(args[0]).unwrap_or(u64::MAX)),
            libc::SYS_rt_sigtimedwait => Self::Timed("sigtimedwait"),
            libc::SYS_read | libc::SYS_readv | libc::SYS_pread64 | libc::SYS_preadv => one("read", Does::Read),
            libc::SYS_write | libc::SYS_writev | libc::SYS_pwrite64 | libc::SYS_pwritev => one("write", Does::Write),
            libc::SYS_recvfrom | libc::SYS_recvmsg => one("recv", Does::Read),
            libc::SYS_recvmmsg if args[4] == 0 => one("recvmmsg", Does::Read),
            libc::SYS_recvmmsg => Self::Timed("recvmmsg"),
            libc::SYS_sendto | libc::SYS_sendmsg | libc::SYS_sendmmsg => one("send", Does::Write),
            libc::SYS_accept | libc::SYS_accept4 => one("accept", Does::Accept),
            libc::SYS_connect => one("connect", Does::Connect),
            libc::SYS_splice | libc::SYS_sendfile => Self::Call(name(nr)),
            libc::SYS_ppoll if args[2] == 0 => polled("ppoll", args, memory),
            libc::SYS_ppoll => Self::Timed("ppoll"),
            libc::SYS_pselect6 if args[4] == 0 => selected("pselect", args, memory),
            libc::SYS_pselect6 => Self::Timed("pselect"),
            libc::SYS_epoll_pwait if (args[3] as i32) < 0 => Self::Epoll(fd),
            libc::SYS_epoll_pwait2 if args[3] == 0 => Self::Epoll(fd),
            libc::SYS_epoll_pwait | libc::SYS_epoll_pwait2 => Self::Timed("epoll_wait"),
            libc::SYS_wait4 => Self::Child(u32::try_from(args[0] as i32).ok().filter(|pid| *pid != 0)),
            libc::SYS_waitid => {
                let of_one = args[0] == u64::from(libc::P_PID);
                Self::Child(u32::try_from(args[1]).ok().filter(|_| of_one))
            }
            libc::SYS_clone if args[0] & CLONE_VFORK != 0 => Self::Vfork,
            libc::SYS_clone3 if memory.word(args[0]).is_some_and(|flags| flags & CLONE_VFORK != 0) => Self::Vfork,
            libc::SYS_openat => Self::Open(text(args[1], memory)),
            libc::SYS_flock => Self::FileLock(fd),
            libc::SYS_fcntl if matches!(args[1] as i32, libc::F_SETLKW | libc::F_OFD_SETLKW) => Self::FileLock(fd),
            _ => legacy(nr, args, memory).unwrap_or_else(|| Self::Call(name(nr))),
        }
    }

    /// Whether a stop makes the call fail with `EINTR`, so that its thread has to be left alone.
    pub(super) fn is_fragile(&self) -> bool {
        match self {
            Self::Epoll(_) | Self::SignalOf(_) | Self::Call(_) => true,
            // Sockets with a time limit of their own, and inotify.
            Self::Descriptor { call, does, .. } => *call != "write" && *call != "read" || *does == Does::Accept,
            Self::Timed(call) => !matches!(*call, "sleep" | "futex" | "poll" | "ppoll" | "select" | "pselect"),
            _ => false,
        }
    }

    /// Whether the thread waits for a lock, without a time limit.
    pub(super) fn is_lock(&self) -> bool {
        matches!(self, Self::Futex { lock: true, .. })
    }
}

/// Calls that newer architectures do without.
#[cfg(target_arch = "x86_64")]
fn legacy(nr: i64, args: [u64; 6], memory: &mut Memory) -> Option<Wait> {
    Some(match nr {
        libc::SYS_pause => Wait::Signal("pause"),
        libc::SYS_poll if (args[2] as i32) < 0 => polled("poll", args, memory),
        libc::SYS_poll => Wait::Timed("poll"),
        libc::SYS_select if args[4] == 0 => selected("select", args, memory),
        libc::SYS_select => Wait::Timed("select"),
        libc::SYS_epoll_wait if (args[3] as i32) < 0 => Wait::Epoll(args[0] as i32),
        libc::SYS_epoll_wait => Wait::Timed("epoll_wait"),
        libc::SYS_vfork => Wait::Vfork,
        libc::SYS_open => Wait::Open(text(args[0], memory)),
        _ => return None,
    })
}

/// Calls that newer architectures do without.
#[cfg(not(target_arch = "x86_64"))]
fn legacy(_nr: i64, _args: [u64; 6], _memory: &mut Memory) -> Option<Wait> {
    None
}

/// futex(2): the operation in argument 1, the value in 2, the time-out in 3. A lock that has waiters has the
/// value 2 in glibc, in std and in musl, or is one of the kernel's own.
fn futex(args: [u64; 6]) -> Wait {
    let operation = args[1] as i32;
    let command = operation & libc::FUTEX_CMD_MASK;
    let pi = matches!(command, libc::FUTEX_LOCK_PI | FUTEX_LOCK_PI2);
    if !pi && !matches!(command, libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET) {
        return Wait::Call("futex".to_owned());
    }
    if args[3] != 0 {
        return Wait::Timed("futex");
    }
    // A robust or PI mutex has the owner's id in its word, with the bit that says it has waiters; so has one
    // of musl's, or 16 in its place. A semaphore of musl's has that bit too, and no id, or all bits.
    let value = args[2] as u32;
    let id = value & libc::FUTEX_TID_MASK;
    let lock = pi || value == 2 || value & libc::FUTEX_WAITERS != 0 && (1..=PID_MAX).contains(&id);
    Wait::Futex { address: args[0], shared: operation & libc::FUTEX_PRIVATE_FLAG == 0, lock }
}

/// The call that a stop has made the kernel resume: by the instruction that put its number into place.
#[cfg(target_arch = "x86_64")]
fn restarted(pc: u64, memory: &mut Memory) -> Option<i64> {
    // `mov $nr, %eax; syscall`.
    let mut code = [0; 7];
    let known = memory.read(pc.checked_sub(7)?, &mut code) && code[0] == 0xb8 && code[5..] == [0x0f, 0x05];
    known.then(|| i64::from(i32::from_le_bytes([code[1], code[2], code[3], code[4]])))
}

/// The call that a stop has made the kernel resume is not told here.
#[cfg(not(target_arch = "x86_64"))]
fn restarted(_pc: u64, _memory: &mut Memory) -> Option<i64> {
    None
}

/// A path in the memory of the process.
fn text(address: u64, memory: &mut Memory) -> String {
    let mut text = Vec::new();
    for at in address..address.saturating_add(libc::PATH_MAX as u64) {
        let mut byte = [0];
        if !memory.read(at, &mut byte) || byte[0] == 0 {
            break;
        }
        text.push(byte[0]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn polled(call: &'static str, args: [u64; 6], memory: &mut Memory) -> Wait {
    if args[1] == 0 {
        return Wait::Signal(call);
    }
    if args[1] > POLL_LIMIT {
        return Wait::Call(format!("{call} of {} descriptors", args[1]));
    }
    let entry = |n: u64| {
        let at = args[0].wrapping_add(n * POLLFD_BYTES);
        let (fd, events) = (memory.half_word(at)? as i32, memory.half_word(at.wrapping_add(4))?);
        Some((fd, if events & libc::POLLIN as u32 != 0 { Does::Read } else { Does::Write }))
    };
    match (0..args[1]).map(entry).collect::<Option<Vec<_>>>() {
        Some(fds) => Wait::Descriptors { call, fds: fds.into_iter().filter(|(fd, _)| *fd >= 0).collect() },
        None => Wait::Call(call.to_owned()),
    }
}

/// The sets of descriptors to be read, written and looked at for exceptions.
fn selected(call: &'static str, args: [u64; 6], memory: &mut Memory) -> Wait {
    let count = args[0].min(POLL_LIMIT);
    let mut fds = Vec::new();
    for (set, does) in [(args[1], Does::Read), (args[2], Does::Write), (args[3], Does::Read)] {
        for word in (0..count.div_ceil(64)).filter(|_| set != 0) {
            let Some(bits) = memory.word(set.wrapping_add(8 * word)) else { return Wait::Call(call.to_owned()) };
            fds.extend((0..64).filter(|bit| bits >> bit & 1 == 1).map(|bit| ((64 * word + bit) as i32, does)));
        }
    }
    if fds.is_empty() { Wait::Signal(call) } else { Wait::Descriptors { call, fds } }
}

/// Calls that may wait and are not understood further.
const NAMES: &[(i64, &str)] = &[
    (libc::SYS_semop, "semop"),
    (libc::SYS_semtimedop, "semtimedop"),
    (libc::SYS_msgrcv, "msgrcv"),
    (libc::SYS_msgsnd, "msgsnd"),
    (libc::SYS_mq_timedreceive, "mq_receive"),
    (libc::SYS_mq_timedsend, "mq_send"),
    (libc::SYS_io_getevents, "io_getevents"),
    (libc::SYS_io_uring_enter, "io_uring_enter"),
    (libc::SYS_ioctl, "ioctl"),
    (libc::SYS_fsync, "fsync"),
    (libc::SYS_fdatasync, "fdatasync"),
    (libc::SYS_splice, "splice"),
    (libc::SYS_sendfile, "sendfile"),
    (libc::SYS_exit_group, "exit"),
    (libc::SYS_close, "close"),
    (libc::SYS_getrandom, "getrandom"),
    (libc::SYS_futex_waitv, "futex_waitv"),
];

fn name(nr: i64) -> String {
    NAMES
        .iter()
        .find(|(known, _)| *known == nr)
        .map_or_else(|| format!("system call {nr}"), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(nr: i64, args: [u64; 6]) -> Wait {
        let mut memory = Memory::new(std::process::id());
        Wait::of(Syscall::In { nr, args, sp: 1, pc: 0 }, 'S', &mut memory)
    }

    #[test]
    fn a_futex_is_a_lock_by_its_value() {
        let wait = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as u64;
        assert_eq!(of(libc::SYS_futex, [64, wait, 2, 0, 0, 0]), Wait::Futex { address: 64, shared: false, lock: true });
        assert_eq!(
            of(libc::SYS_futex, [64, wait, 0, 0, 0, 0]),
            Wait::Futex { address: 64, shared: false, lock: false }
        );
        assert_eq!(of(libc::SYS_futex, [64, wait, 2, 0x7000, 0, 0]), Wait::Timed("futex"));
        let is_lock = |value: u32| of(libc::SYS_futex, [64, wait, value.into(), 0, 0, 0]).is_lock();
        let waiters = libc::FUTEX_WAITERS;
        assert!(is_lock(waiters | 4711) && is_lock(waiters | 16), "a robust mutex, and one of musl's");
        assert!(!is_lock(waiters) && !is_lock(u32::MAX), "a semaphore of musl's, new and old");
        let shared = libc::FUTEX_WAIT as u64;
        assert_eq!(
            of(libc::SYS_futex, [64, shared, 9, 0, 0, 0]),
            Wait::Futex { address: 64, shared: true, lock: false }
        );
    }

    #[test]
    fn descriptors_are_read_from_the_sets() {
        let set = [1_u64 << 5 | 1 << 63, 1];
        let wait = of(libc::SYS_pselect6, [65, set.as_ptr() as u64, 0, 0, 0, 0]);
        let fds = vec![(5, Does::Read), (63, Does::Read), (64, Does::Read)];
        assert_eq!(wait, Wait::Descriptors { call: "pselect", fds });
        let polled = [libc::pollfd { fd: 7, events: libc::POLLOUT, revents: 0 }];
        let wait = of(libc::SYS_ppoll, [polled.as_ptr() as u64, 1, 0, 0, 0, 0]);
        assert_eq!(wait, Wait::Descriptors { call: "ppoll", fds: vec![(7, Does::Write)] });
        assert_eq!(of(libc::SYS_ppoll, [0, 0, 0, 0, 0, 0]), Wait::Signal("ppoll"));
    }

    #[test]
    fn what_has_a_time_limit_and_what_has_not() {
        assert_eq!(of(libc::SYS_epoll_pwait, [4, 0, 1, u64::from(u32::MAX), 0, 0]), Wait::Epoll(4));
        assert_eq!(of(libc::SYS_epoll_pwait, [4, 0, 1, 100, 0, 0]), Wait::Timed("epoll_wait"));
        assert_eq!(of(libc::SYS_wait4, [77, 0, 0, 0, 0, 0]), Wait::Child(Some(77)));
        assert_eq!(of(libc::SYS_wait4, [u64::from(u32::MAX), 0, 0, 0, 0, 0]), Wait::Child(None));
        assert_eq!(of(libc::SYS_restart_syscall, [0; 6]), Wait::Timed("a call with a time limit"));
        assert!(of(libc::SYS_epoll_pwait, [4, 0, 1, u64::from(u32::MAX), 0, 0]).is_fragile());
        assert!(!of(libc::SYS_read, [4, 0, 1, 0, 0, 0]).is_fragile());
    }
}
