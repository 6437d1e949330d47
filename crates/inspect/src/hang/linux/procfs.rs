//! What `/proc` says, parsed: pure functions over the texts that proc(5) describes, and small readers around
//! them.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

/// One thread's `/proc/PID/task/TID/syscall`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syscall {
    /// On a CPU or waiting for one.
    Running,
    /// Blocked, but not in a system call (a page fault, a stop), or dead: then `pc` is 0.
    Outside {
        /// The stack pointer.
        sp: u64,
        /// The program counter.
        pc: u64,
    },
    /// Blocked in system call `nr`.
    In {
        /// The number of the call.
        nr: i64,
        /// The six arguments of the call.
        args: [u64; 6],
        /// The stack pointer.
        sp: u64,
        /// The program counter.
        pc: u64,
    },
}

/// Parses the text of a `syscall` file; `None` for anything else.
pub fn parse_syscall(text: &str) -> Option<Syscall> {
    let text = text.trim_end();
    if text == "running" {
        return Some(Syscall::Running);
    }
    let mut words = text.split(' ');
    let nr: i64 = words.next()?.parse().ok()?;
    let mut hex = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    if nr == -1 {
        return Some(Syscall::Outside { sp: hex()?, pc: hex()? });
    }
    let mut args = [0; 6];
    for arg in &mut args {
        *arg = hex()?;
    }
    Some(Syscall::In { nr, args, sp: hex()?, pc: hex()? })
}

/// The account of `/proc/PID/task/TID/schedstat` that matters: both only ever grow, and grow whenever the
/// thread gets a CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunAccount {
    /// CPU time, ns; of a running thread as of its last tick.
    pub cpu_ns: u64,
    /// How often the thread was given a CPU.
    pub slices: u64,
}

/// Parses the text of a `schedstat` file.
pub fn parse_schedstat(text: &str) -> Option<RunAccount> {
    let mut words = text.split_ascii_whitespace();
    let cpu_ns = words.next()?.parse().ok()?;
    let _queued_ns = words.next()?;
    Some(RunAccount { cpu_ns, slices: words.next()?.parse().ok()? })
}

/// The fields of a `stat` file used here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The scheduler's letter: R, S, D, T, t, Z, X and others.
    pub state: char,
    /// The parent's process id.
    pub parent: u32,
    /// The process group.
    pub group: u32,
    /// Minor and major page faults.
    pub faults: u64,
    /// Threads of the process.
    pub threads: usize,
}

/// Parses a `stat` file. The command name may hold anything, brackets and spaces included: the fields start
/// after the last `)`.
pub fn parse_stat(text: &str) -> Option<Stat> {
    let rest = text.get(text.rfind(')')? + 1..)?;
    let field: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Field n of proc(5), counted from 1, is field[n - 3] here.
    let number = |n: usize| field.get(n - 3)?.parse::<u64>().ok();
    Some(Stat {
        state: field.first()?.chars().next()?,
        parent: number(4)? as u32,
        group: number(5)? as u32,
        faults: number(10)? + number(12)?,
        threads: number(20)? as usize,
    })
}

/// What a `status` file says and `stat` does not. Signal sets have bit n-1 for signal n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Pending for this thread or for its process.
    pub pending: u64,
    /// Blocked by this thread.
    pub blocked: u64,
    /// Handled by the process.
    pub caught: u64,
    /// Ignored by the process.
    pub ignored: u64,
    /// How often the thread gave up its CPU to wait; a yield or a preemption is not counted.
    pub sleeps: u64,
}

impl Status {
    /// Whether a signal is about to be delivered here.
    pub fn deliverable(self) -> bool {
        self.pending & !self.blocked != 0
    }

    /// Whether this signal is pending, and blocked here.
    pub fn holds_back(self, signal: i32) -> bool {
        let bit = u32::try_from(signal - 1).ok().and_then(|bit| 1_u64.checked_shl(bit)).unwrap_or(0);
        self.pending & self.blocked & bit != 0
    }
}

/// Parses a `status` file.
pub fn parse_status(text: &str) -> Option<Status> {
    let field = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    let set = |key: &str| u64::from_str_radix(field(key)?, 16).ok();
    Some(Status {
        pending: set("SigPnd:")? | set("ShdPnd:")?,
        blocked: set("SigBlk:")?,
        caught: set("SigCgt:").unwrap_or_default(),
        ignored: set("SigIgn:").unwrap_or_default(),
        sleeps: field("voluntary_ctxt_switches:")?.parse().ok()?,
    })
}

/// One line of `/proc/PID/maps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Its first address.
    pub start: u64,
    /// The address after its last.
    pub end: u64,
    /// Whether code may run there.
    pub executable: bool,
    /// Whether it may be written to.
    pub writable: bool,
    /// `MAP_SHARED`: another process may have the same memory.
    pub shared: bool,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// Device (major, minor) and inode; the inode is 0 for anonymous memory.
    pub device: (u32, u32),
    /// See `device`.
    pub inode: u64,
    /// Path or pseudo-path; may end in ` (deleted)`.
    pub path: String,
}

/// Parses a whole `maps` file, skipping lines that it cannot read.
pub fn parse_maps(text: &str) -> Vec<Mapping> {
    text.lines().filter_map(parse_mapping).collect()
}

fn parse_mapping(line: &str) -> Option<Mapping> {
    let mut rest = line;
    let mut word = || {
        let (head, tail) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = tail;
        head
    };
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let (start, end) = word().split_once('-')?;
    let flags = word();
    let offset = word();
    let (major, minor) = word().split_once(':')?;
    let inode = word().parse().ok()?;
    Some(Mapping {
        start: hex(start)?,
        end: hex(end)?,
        executable: flags.as_bytes().get(2) == Some(&b'x'),
        writable: flags.as_bytes().get(1) == Some(&b'w'),
        shared: flags.as_bytes().get(3) == Some(&b's'),
        offset: hex(offset)?,
        device: (hex(major)? as u32, hex(minor)? as u32),
        inode,
        path: rest.trim_start().to_owned(),
    })
}

/// Reads a `/proc` file afresh through an open handle into `buffer`.
///
/// # Errors
/// Those of the read (`ESRCH` once the thread is gone), and `InvalidData` for a text that is not UTF-8.
pub fn reread<'b>(file: &fs::File, buffer: &'b mut [u8]) -> io::Result<&'b str> {
    let length = file.read_at(buffer, 0)?;
    str::from_utf8(&buffer[..length]).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

/// Whether `/proc` is that of our own PID namespace: there, it knows this process by its own number.
pub fn is_ours() -> bool {
    static OURS: OnceLock<bool> = OnceLock::new();
    *OURS.get_or_init(|| {
        let own = lossy("/proc/self/stat");
        let number = own.as_deref().and_then(|text| text.split_once(' ')?.0.parse::<u32>().ok());
        number == Some(std::process::id())
    })
}

/// `stat` of a thread.
pub fn thread_stat(pid: u32, tid: u32) -> Option<Stat> {
    parse_stat(&lossy(&format!("/proc/{pid}/task/{tid}/stat"))?)
}

/// `status` of a thread.
pub fn thread_status(pid: u32, tid: u32) -> Option<Status> {
    parse_status(&lossy(&format!("/proc/{pid}/task/{tid}/status"))?)
}

/// See [`held_back`](super::super::held_back).
pub fn held_back(pid: u32, signal: i32) -> Vec<u32> {
    let mut tids = Vec::new();
    // A process that has gone holds nothing back.
    if thread_ids(pid, &mut tids).is_err() {
        return Vec::new();
    }
    tids.retain(|tid| thread_status(pid, *tid).is_some_and(|status| status.holds_back(signal)));
    tids
}

/// The mappings of a thread's process; empty if they may not be read. A leader that has ended has none,
/// though its process lives on.
pub fn maps(tid: u32) -> Vec<Mapping> {
    lossy(&format!("/proc/{tid}/maps")).map(|text| parse_maps(&text)).unwrap_or_default()
}

/// Thread ids of a process in ascending order.
///
/// # Errors
/// `NotFound` once the process is gone; others as the kernel says.
pub fn thread_ids(pid: u32, into: &mut Vec<u32>) -> io::Result<()> {
    into.clear();
    numbers(&format!("/proc/{pid}/task"), into)
}

/// Numeric entries of a directory, ascending.
///
/// # Errors
/// Those of opening and reading the directory.
pub fn numbers(directory: &str, into: &mut Vec<u32>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        if let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
            into.push(number);
        }
    }
    into.sort_unstable();
    Ok(())
}

fn lossy(path: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&fs::read(path).ok()?).into_owned())
}
