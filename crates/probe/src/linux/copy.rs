//! Copies of the stopped program: processes that are forked from it at a boundary, take the signal there, and
//! leave the program itself as it was.
//!
//! ```text
//!  the program, stopped ──clone──► copy ──signal──► the window returns, further passes follow, or not
//!        │                          ▲  │
//!        one step                   └──┘ undo: pages, registers and mask are those of the program again
//! ```
//!
//! A copy is a child of this process (`CLONE_PARENT`) and sends no signal at its end, so the program never
//! hears of it. It has one thread, and shares descriptors and their offsets with the program.
//!
//! # Limits
//! What the kernel holds for a copy is not undone: a copy that has changed any of it is thrown away. See
//! `filter` for how that is noticed.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::ptrace::{self, Options};
use nix::unistd::Pid;
use sigproof_inspect::hang::{SPIN_CPU, Stuck, procfs};

use super::cpu;
use super::follow::{End, FURTHER, Seen, has_frame};
use super::live::{ENTRY, Live, RETURN};
use super::pages::Pages;
use super::process::{await_child_signal, resume, send, wait_for};
use super::{filter, remote};
use crate::{Trouble, refused};

/// How long a copy is left alone before it is looked at.
const LOOK: Duration = Duration::from_micros(80);

/// What happened to a copy.
enum Stop {
    /// A breakpoint.
    Trap,
    /// A signal that it is about to take.
    Signal(i32),
    /// A call that the filter tells of.
    Call,
    /// It has become another program, or forked.
    Other,
    Ended(ExitStatus),
    Quiet,
}

/// A copy.
pub(crate) struct Copy {
    pid: i32,
    memory: File,
    control: u64,
    breaks: [Option<u64>; 2],
    alive: bool,
    /// Whether it is stopped.
    stopped: bool,
    /// Whether it has changed what is not undone.
    pub dirty: bool,
    sleeper: Option<(File, File)>,
    pages: Pages,
}

impl Copy {
    /// Forks one from the program, whose thread is stopped.
    pub(crate) fn fork(live: &Live<'_>, undoable: bool) -> Result<Self, Trouble> {
        let tid = Pid::from_raw(live.tid);
        let bare = Options::PTRACE_O_EXITKILL;
        // No event of the program's own tells of the copy.
        ptrace::setoptions(tid, bare).map_err(refused("ptrace(PTRACE_SETOPTIONS)"))?;
        let flags = (libc::CLONE_PTRACE | libc::CLONE_PARENT) as u64;
        let forked = remote::call(live.tid, live.syscall_at, libc::SYS_clone, [flags, 0, 0, 0, 0]);
        let all = bare
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACEEXEC;
        ptrace::setoptions(tid, all).map_err(refused("ptrace(PTRACE_SETOPTIONS)"))?;
        let forked = forked?;
        let pid = i32::try_from(forked).ok().filter(|pid| *pid > 0).ok_or_else(|| {
            let errno = i32::try_from(-forked).unwrap_or_default();
            Trouble::Lacks(format!(
                "a copy of the program is refused ({}); raise the limit of processes or of memory, or use --engine rerun",
                std::io::Error::from_raw_os_error(errno)
            ))
        })?;
        wait_for(pid, 0)?;
        let options = all | Options::PTRACE_O_TRACESECCOMP;
        ptrace::setoptions(Pid::from_raw(pid), options).map_err(refused("ptrace(PTRACE_SETOPTIONS)"))?;
        let memory = File::options().read(true).write(true).open(format!("/proc/{pid}/mem"));
        let memory = memory.map_err(refused("open of /proc/PID/mem"))?;
        let mut copy = Self {
            pid,
            memory,
            control: 0,
            breaks: [None; 2],
            alive: true,
            stopped: true,
            dirty: false,
            sleeper: None,
            pages: Pages::default(),
        };
        if undoable {
            let filtered = filter::install(copy.pid, &copy.memory, live.syscall_at, live.process.pid)?;
            copy.dirty = !filtered;
        }
        cpu::set_registers(pid, cpu::registers(live.tid)?)?;
        Ok(copy)
    }

    /// Makes it again what the program is now; false if that cannot be done.
    pub(crate) fn undo(&mut self, live: &Live<'_>) -> Result<bool, Trouble> {
        if !self.alive || self.dirty {
            return Ok(false);
        }
        if !self.stopped && !self.halt()? {
            return Ok(false);
        }
        if has_pending(self.pid) || !self.pages.put_back(live.process.pid, self.pid) {
            return Ok(false);
        }
        let mut registers = cpu::registers(live.tid)?;
        // It is in no call, whatever it was in.
        registers.orig_rax = u64::MAX;
        cpu::set_registers(self.pid, registers)?;
        remote::copy_state(live.tid, self.pid)?;
        Ok(true)
    }

    /// Stops it wherever it is.
    fn halt(&mut self) -> Result<bool, Trouble> {
        send(self.pid, self.pid, libc::SIGSTOP)?;
        while let Some((_, status)) = wait_for(self.pid, 0)? {
            if !libc::WIFSTOPPED(status) {
                self.alive = false;
                return Ok(false);
            }
            if libc::WSTOPSIG(status) == libc::SIGSTOP {
                self.stopped = true;
                return Ok(true);
            }
            resume(libc::PTRACE_CONT, self.pid, 0)?;
        }
        Ok(false)
    }

    fn set_break(&mut self, number: usize, at: Option<u64>) -> Result<(), Trouble> {
        if self.breaks[number] != at {
            self.breaks[number] = at;
            cpu::set_break(self.pid, &mut self.control, number, at)?;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<Stop, Trouble> {
        loop {
            match wait_for(self.pid, libc::WNOHANG)? {
                Some((_, status)) if !libc::WIFSTOPPED(status) => {
                    self.alive = false;
                    return Ok(Stop::Ended(ExitStatus::from_raw(status)));
                }
                Some((_, status)) => {
                    self.stopped = true;
                    return Ok(match (libc::WSTOPSIG(status), status >> 16) {
                        (_, libc::PTRACE_EVENT_SECCOMP) => Stop::Call,
                        (_, event) if event != 0 => Stop::Other,
                        (libc::SIGTRAP, _) => Stop::Trap,
                        (signal, _) => Stop::Signal(signal),
                    });
                }
                None => {
                    if !await_child_signal(LOOK) {
                        return Ok(Stop::Quiet);
                    }
                }
            }
        }
    }

    fn go(&mut self, signal: i32) -> Result<(), Trouble> {
        self.stopped = false;
        resume(libc::PTRACE_CONT, self.pid, signal)
    }

    /// Lets it go on with this signal (0: none), and follows it. `pace`: how long a pass takes, at most.
    /// `None`: it does what a copy cannot be judged by.
    pub(crate) fn follow(&mut self, live: &Live<'_>, signal: i32, pace: Duration) -> Result<Option<Seen>, Trouble> {
        let at = cpu::registers(live.tid)?;
        let mut seen = Seen {
            end: End::Silent,
            returned: false,
            jumped: false,
            pending: false,
            in_handler: false,
            slept: Duration::ZERO,
            answer: None,
        };
        self.set_break(ENTRY, Some(live.function.entry))?;
        self.set_break(RETURN, Some(live.ret))?;
        self.go(signal)?;
        let mut entries = 0;
        let mut last = None;
        let mut same = 0;
        let patience = (pace * 20).max(Duration::from_millis(20));
        let begun = Instant::now();
        let used = self.account().map_or(0, |run| run.cpu_ns);
        loop {
            match self.wait()? {
                Stop::Ended(status) => {
                    seen.end = End::Ended(status);
                    return Ok(Some(seen));
                }
                Stop::Call => {
                    self.dirty = true;
                    self.go(0)?;
                }
                Stop::Other => {
                    self.dirty = true;
                    return Ok(None);
                }
                Stop::Signal(signal) => self.go(signal)?,
                Stop::Trap => {
                    let registers = cpu::registers(self.pid)?;
                    if registers.rip == live.ret && registers.rsp > live.sp && !seen.returned {
                        seen.returned = true;
                        self.set_break(RETURN, None)?;
                    } else if registers.rip == live.function.entry {
                        if !seen.returned && registers.rsp >= live.sp {
                            (seen.returned, seen.jumped) = (true, true);
                        }
                        entries += u32::from(seen.returned);
                        if entries > FURTHER {
                            seen.end = End::Passed;
                            seen.pending = has_pending(self.pid);
                            return Ok(Some(seen));
                        }
                    }
                    last = None;
                    self.go(0)?;
                }
                Stop::Quiet => {
                    live.mind_interruption()?;
                    let look = self.look();
                    same = if look.is_some() && look == last { same + 1 } else { 0 };
                    last = look;
                    if same >= 1
                        && let Some((procfs::Syscall::In { nr, args, sp, .. }, _)) = look
                        && is_lasting(nr, &args)
                    {
                        seen.in_handler =
                            has_frame(sp, &at, |from, into| self.memory.read_exact_at(into, from).is_ok());
                        seen.end = End::Stuck(Stuck::AllAsleep);
                        return Ok(Some(seen));
                    }
                    let spent = self.account().map_or(0, |run| run.cpu_ns).saturating_sub(used);
                    if u128::from(spent) > SPIN_CPU.max(pace * 100).as_nanos() && entries == 0 {
                        self.halt()?;
                        let sp = cpu::registers(self.pid)?.rsp;
                        seen.in_handler =
                            has_frame(sp, &at, |from, into| self.memory.read_exact_at(into, from).is_ok());
                        seen.end = End::Stuck(Stuck::Spinning { tid: self.pid.cast_unsigned() });
                        return Ok(Some(seen));
                    }
                    if begun.elapsed() > patience && same > 3 || begun.elapsed() > patience * 50 {
                        return Ok(None);
                    }
                }
            }
        }
    }

    fn files(&mut self) -> Option<&(File, File)> {
        if self.sleeper.is_none() {
            let open = |name: &str| File::open(format!("/proc/{}/{name}", self.pid)).ok();
            self.sleeper = Some((open("syscall")?, open("schedstat")?));
        }
        self.sleeper.as_ref()
    }

    fn account(&mut self) -> Option<procfs::RunAccount> {
        let mut buffer = [0; 256];
        procfs::parse_schedstat(procfs::reread(&self.files()?.1, &mut buffer).ok()?)
    }

    /// The system call that it sleeps in, and its run-time account.
    fn look(&mut self) -> Option<(procfs::Syscall, procfs::RunAccount)> {
        let mut buffer = [0; 256];
        let syscall = procfs::parse_syscall(procfs::reread(&self.files()?.0, &mut buffer).ok()?)?;
        Some((syscall, self.account()?))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if !self.alive {
            return;
        }
        // SAFETY: takes numbers; the id is that of a process that is not reaped.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        while let Ok(Some((_, status))) = wait_for(self.pid, 0) {
            if !libc::WIFSTOPPED(status) {
                break;
            }
        }
    }
}

/// Whether a wait of a process with one thread has no end: an untimed wait on a futex that nobody shares.
fn is_lasting(nr: i64, args: &[u64; 6]) -> bool {
    let operation = args[1] as i32;
    let waits =
        matches!(operation & libc::FUTEX_CMD_MASK, libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET | libc::FUTEX_LOCK_PI);
    nr == libc::SYS_futex && waits && args[3] == 0 && operation & libc::FUTEX_PRIVATE_FLAG != 0
}

/// Whether any signal waits for a stopped process.
fn has_pending(pid: i32) -> bool {
    /// linux/ptrace.h, `struct ptrace_peeksiginfo_args`.
    #[repr(C)]
    struct Peek {
        off: u64,
        flags: u32,
        nr: i32,
    }
    [0, 1].into_iter().any(|shared| {
        let peek = Peek { off: 0, flags: shared, nr: 1 };
        // SAFETY: zeroed is valid for the type.
        let mut info: libc::siginfo_t = unsafe { core::mem::zeroed() };
        // SAFETY: the kernel reads `peek` and writes one siginfo, both live locals.
        unsafe { libc::ptrace(libc::PTRACE_PEEKSIGINFO, pid, &raw const peek, &raw mut info) == 1 }
    })
}
