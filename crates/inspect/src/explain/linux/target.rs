//! What is known of a process before its threads are looked at, and whether they may be.

use crate::explain::{Process, Refused};
use crate::hang::procfs;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

/// The byte of an object file that tells 32 bits (1) from 64 (2), behind the four of its mark.
const CLASS: usize = 4;
/// The machine's code in an object file.
const MACHINE: usize = 18;

/// A process that may be looked at.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub process: Process,
    /// The process that traces it.
    pub tracer: Option<u32>,
    /// Stopped by a signal (`T`) or by its tracer (`t`).
    pub stopped: Option<char>,
    /// It has another architecture, or 32 bits.
    pub other_kind: Option<&'static str>,
    /// A filter of system calls is installed.
    pub seccomp: bool,
    /// The signals that it handles: bit n-1 for signal n.
    pub caught: u64,
    /// The signals that it ignores.
    pub ignored: u64,
}

impl Target {
    /// The process `pid`, or the one that has a thread of this id.
    ///
    /// # Errors
    /// It does not exist, has ended, or may not be looked at.
    pub(super) fn of(pid: u32) -> Result<Self, Refused> {
        if !procfs::is_ours() {
            return Err(Refused::Proc(crate::hang::FOREIGN_PROC.to_owned()));
        }
        let status = match fs::read(format!("/proc/{pid}/status")) {
            Ok(status) => String::from_utf8_lossy(&status).into_owned(),
            Err(error) => return Err(missing(pid, &error)),
        };
        let field = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let number = |key: &str| field(key).and_then(|value| value.split_whitespace().next()?.parse::<u32>().ok());
        let signals = procfs::parse_status(&status).unwrap_or_default();
        let pid = number("Tgid:").unwrap_or(pid);
        let name = field("Name:").unwrap_or_default().to_owned();
        let state = field("State:").and_then(|state| state.chars().next()).unwrap_or('?');
        let parent = number("PPid:").unwrap_or_default();
        let threads = number("Threads:").unwrap_or(1) as usize;
        if field("Kthread:") == Some("1") || (parent == 2 || pid == 2) && field("VmSize:").is_none() && state != 'Z' {
            return Err(Refused::Kernel { pid, name });
        }
        // The leader may have ended while other threads go on.
        if matches!(state, 'Z' | 'X') && procfs::thread_stat(pid, pid).is_none_or(|stat| stat.threads <= 1) {
            return Err(Refused::Zombie { pid, name, parent });
        }
        let ids: Vec<u32> = field("NSpid:").unwrap_or_default().split_whitespace().flat_map(str::parse).collect();
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let command = command.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
        let mut command: Vec<String> = command.collect();
        // Each word ends in a zero.
        command.pop();
        let this = Self {
            process: Process { pid, name, command, threads, ids: if ids.len() > 1 { ids } else { Vec::new() } },
            tracer: number("TracerPid:").filter(|tracer| *tracer != 0),
            stopped: Some(state).filter(|state| matches!(state, 'T' | 't')),
            other_kind: other_kind(pid),
            seccomp: number("Seccomp:").is_some_and(|mode| mode != 0),
            caught: signals.caught,
            ignored: signals.ignored,
        };
        this.may_be_looked_at(number("Uid:").unwrap_or_default())?;
        Ok(this)
    }

    fn may_be_looked_at(&self, user: u32) -> Result<(), Refused> {
        let pid = self.process.pid;
        let mut living = Vec::new();
        let _ = procfs::thread_ids(pid, &mut living);
        let tid = living.into_iter().find(|tid| procfs::thread_stat(pid, *tid).is_some_and(|stat| stat.state != 'Z'));
        let Err(error) = fs::read(format!("/proc/{pid}/task/{}/syscall", tid.unwrap_or(pid))) else { return Ok(()) };
        if error.raw_os_error() == Some(libc::ESRCH) || !fs::exists(format!("/proc/{pid}")).unwrap_or(false) {
            return Err(Refused::Gone(pid));
        }
        let (why, remedy) = reason(user, &error);
        Err(Refused::MayNot { pid, name: self.process.name.clone(), why, remedy })
    }
}

fn missing(pid: u32, error: &io::Error) -> Refused {
    // With hidepid, a process of another user has no entry, but can be named.
    // SAFETY: signal 0 sends nothing.
    let hidden = pid > 0
        && i32::try_from(pid).is_ok()
        && unsafe { libc::kill(pid as i32, 0) } != 0
        && io::Error::last_os_error().raw_os_error() == Some(libc::EPERM);
    if error.kind() != io::ErrorKind::NotFound || hidden {
        let remedy = "run this as its user, or as root".to_owned();
        return Refused::MayNot {
            pid,
            name: "?".to_owned(),
            why: "/proc does not show it to this user".into(),
            remedy,
        };
    }
    Refused::Gone(pid)
}

/// What forbids to look, and what permits it.
fn reason(user: u32, error: &io::Error) -> (String, String) {
    // SAFETY: takes nothing and cannot fail.
    let we = unsafe { libc::geteuid() };
    if error.kind() == io::ErrorKind::NotFound {
        let remedy = "a kernel with CONFIG_HAVE_ARCH_TRACEHOOK and CONFIG_SCHED_INFO is needed";
        return ("the kernel does not show the system calls of threads".to_owned(), remedy.to_owned());
    }
    if we != 0 && user != we {
        return (
            format!("it belongs to user {user}, and this is user {we}"),
            "run this as that user, or as root".into(),
        );
    }
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
    match scope.as_deref().map(str::trim) {
        Some("1") => (
            "the security module yama lets only a parent look (kernel.yama.ptrace_scope is 1)".to_owned(),
            "run this with sudo, or set `sysctl kernel.yama.ptrace_scope=0`, or start the program by `explain -- COMMAND`"
                .to_owned(),
        ),
        Some("2") => (
            "the security module yama lets only administrators look (kernel.yama.ptrace_scope is 2)".to_owned(),
            "run this with sudo (CAP_SYS_PTRACE)".to_owned(),
        ),
        Some("3") => (
            "the security module yama permits no process to look (kernel.yama.ptrace_scope is 3)".to_owned(),
            "that can be changed by a restart only; take a core file, and `explain --core FILE`".to_owned(),
        ),
        _ => (
            format!("{error}"),
            "run this as root, or with CAP_SYS_PTRACE (`docker run --cap-add SYS_PTRACE`); a program that is set-user-ID \
             or has made itself undumpable is shown to root only"
                .to_owned(),
        ),
    }
}

/// What sets the program of the process apart from this one, if its calls and stacks look otherwise.
fn other_kind(pid: u32) -> Option<&'static str> {
    let head = |path: &str| {
        let mut head = [0; MACHINE + 2];
        fs::File::open(path).ok()?.read_exact(&mut head).ok()?;
        Some((head[CLASS], u16::from_le_bytes([head[MACHINE], head[MACHINE + 1]])))
    };
    let (class, machine) = head(&format!("/proc/{pid}/exe"))?;
    let own = head("/proc/self/exe")?;
    match (class, machine) {
        (1, _) => Some("a program of 32 bits"),
        (_, machine) if machine != own.1 => Some("a program of another architecture"),
        _ => None,
    }
}

/// The name of a process, as the kernel has it: `process 12 (sh)`.
pub(super) fn named(pid: u32) -> String {
    match fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) => format!("process {pid} ({})", name.trim_end()),
        Err(_) => format!("process {pid}"),
    }
}

/// The network namespace of a process, by its inode; processes with equal ones see the same sockets.
pub(super) fn network(pid: u32) -> Option<u64> {
    fs::metadata(format!("/proc/{pid}/ns/net")).ok().map(|metadata| metadata.ino())
}
