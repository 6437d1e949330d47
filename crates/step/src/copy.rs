//! Copies of a stopped program: processes that are forked from it at a boundary, take a signal there, and
//! leave the program itself as it was.
//!
//! ```text
//!  the program, stopped ──clone──► copy ──signal──► it goes on, and is judged
//!        │                          ▲  │
//!        one step                   └──┘ undo: pages, registers and mask are those of the program again
//! ```
//!
//! A copy is a child of this process (`CLONE_PARENT`) and sends no signal at its end, so the program never
//! hears of it. It has one thread, and shares descriptors and their offsets with the program.
//!
//! | file | holds |
//! |---|---|
//! | this one | a copy: its fork, its stops, what is undone in it |
//! | `pages` | the pages in which it differs from the program |
//! | `filter` | how it is noticed that it changes what is not undone |
//!
//! # Limits
//! What the kernel holds for a copy is not undone: a copy that has changed any of it is thrown away. Memory
//! that both share for good is for the user of the copy to put back.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::unistd::Pid;
use sigproof_inspect::hang::procfs;

use crate::traced::stops::{await_child_signal, resume, send, wait_for};
use crate::traced::{Failed, cpu, refused, remote};
use pages::Pages;

mod filter;
mod pages;

/// How long a copy is left alone before it is looked at.
const LOOK: Duration = Duration::from_micros(80);

/// How often a copy is given the processor before it is looked at.
const TURNS: u32 = 2;

/// Uses of a copy after which the actions of signals are compared whatever came of them.
const CHECKED: u32 = 3;

/// What happened to a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A breakpoint.
    Trap,
    /// A signal that it is about to take.
    Signal(i32),
    /// A call that the filter tells of.
    Call,
    /// It has started a process or a thread, which runs.
    Forked,
    /// It has become another program.
    Other,
    /// It has ended so.
    Ended(ExitStatus),
    /// Nothing for a while: it runs, or sleeps.
    Quiet,
}

/// The call whose refusal means that there is no copy.
pub const FORK: &str = "clone (a copy of the program)";

/// Where copies are forked from: a stopped thread of a program that is traced.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The process.
    pub pid: i32,
    /// The stopped thread.
    pub tid: i32,
    /// Where the program has a `syscall` instruction.
    pub syscall_at: u64,
    /// How the thread is traced.
    pub options: Options,
}

/// A copy.
#[derive(Debug)]
pub struct Copy {
    /// The process.
    pub pid: i32,
    /// Its memory.
    pub memory: File,
    alive: bool,
    /// Whether it is stopped.
    stopped: bool,
    /// Whether it has changed what is not undone.
    pub dirty: bool,
    sleeper: Option<(File, File)>,
    pages: Pages,
    /// What it has started.
    children: Vec<i32>,
    /// How often it was undone.
    uses: u32,
    /// Whether its last use did not come to the end that was waited for.
    pub unsure: bool,
    /// Whether it is known that no signal waits for it.
    pub has_none_pending: bool,
}

impl Copy {
    /// Forks one. One that is `undoable` stops before each system call that changes what is not undone.
    ///
    /// # Errors
    /// [`Failed`]; of the call [`FORK`] if there is no memory, or if there are too many processes.
    pub fn fork(origin: &Origin, undoable: bool) -> Result<Self, Failed> {
        let tid = Pid::from_raw(origin.tid);
        let bare = Options::PTRACE_O_EXITKILL;
        // No event of the program's own tells of the copy.
        ptrace::setoptions(tid, bare).map_err(refused("ptrace(PTRACE_SETOPTIONS)"))?;
        let flags = (libc::CLONE_PTRACE | libc::CLONE_PARENT) as u64;
        let forked = remote::call(origin.tid, origin.syscall_at, libc::SYS_clone, [flags, 0, 0, 0, 0]);
        ptrace::setoptions(tid, origin.options).map_err(refused("ptrace(PTRACE_SETOPTIONS)"))?;
        let forked = forked?;
        let pid = i32::try_from(forked).ok().filter(|pid| *pid > 0).ok_or_else(|| {
            let errno = i32::try_from(-forked).unwrap_or_default();
            refused(FORK)(Errno::from_raw(errno))
        })?;
        wait_for(pid, 0)?;
        let options = bare
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_TRACESECCOMP;
        ptrace::setoptions(Pid::from_raw(pid), options).map_err(refused("ptrace(PTRACE_SETOPTIONS)"))?;
        let memory = File::options().read(true).write(true).open(format!("/proc/{pid}/mem"));
        let errno = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or_default());
        let memory = memory.map_err(|error| refused("open of /proc/PID/mem")(errno(error)))?;
        let mut copy = Self {
            pid,
            memory,
            alive: true,
            stopped: true,
            dirty: false,
            sleeper: None,
            pages: Pages::default(),
            children: Vec::new(),
            uses: 0,
            unsure: true,
            has_none_pending: false,
        };
        if undoable {
            let filtered = filter::install(copy.pid, &copy.memory, origin.syscall_at, origin.pid)?;
            copy.dirty = !filtered;
        }
        cpu::set_registers(pid, cpu::registers(origin.tid)?)?;
        Ok(copy)
    }

    /// Makes it again what the program is now; false if that cannot be done.
    ///
    /// # Errors
    /// [`Failed`].
    pub fn undo(&mut self, origin: &Origin) -> Result<bool, Failed> {
        if !self.alive || self.dirty {
            return Ok(false);
        }
        if !self.stopped && !self.halt()? {
            return Ok(false);
        }
        // An action may be reset by the kernel itself (SA_RESETHAND), which no filter sees.
        if (self.unsure || self.uses < CHECKED) && caught(self.pid) != caught(origin.pid) {
            return Ok(false);
        }
        self.unsure = false;
        self.uses += 1;
        if !self.has_none_pending && has_pending(self.pid) || !self.pages.put_back(origin.pid, origin.tid, self.pid) {
            return Ok(false);
        }
        let mut registers = cpu::registers(origin.tid)?;
        // It is in no call, whatever it was in.
        registers.orig_rax = u64::MAX;
        cpu::set_registers(self.pid, registers)?;
        remote::copy_state(origin.tid, self.pid)?;
        Ok(true)
    }

    /// Stops it wherever it is.
    ///
    /// # Errors
    /// [`Failed`].
    pub fn halt(&mut self) -> Result<bool, Failed> {
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

    /// Its next stop. Impatiently: `Quiet` as soon as it sleeps or has used its turn of the processor.
    ///
    /// # Errors
    /// [`Failed`].
    pub fn wait(&mut self, patient: bool) -> Result<Stop, Failed> {
        let mut turns = 0;
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
                        (_, libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE) => {
                            let child = ptrace::getevent(Pid::from_raw(self.pid));
                            self.children.extend(child.ok().and_then(|child| i32::try_from(child).ok()));
                            Stop::Forked
                        }
                        (_, event) if event != 0 => Stop::Other,
                        (libc::SIGTRAP, _) => Stop::Trap,
                        (signal, _) => Stop::Signal(signal),
                    });
                }
                None => {
                    if self.mind_children()? {
                        continue;
                    }
                    if turns < TURNS {
                        // Both have one processor: it runs until it stops, sleeps, or its turn is over.
                        turns += 1;
                        std::thread::yield_now();
                    } else if !patient || !await_child_signal(LOOK) {
                        return Ok(Stop::Quiet);
                    }
                }
            }
        }
    }

    /// Lets what it has started run, and takes note of its ends; whether there was anything to do.
    fn mind_children(&mut self) -> Result<bool, Failed> {
        let mut any = false;
        for child in std::mem::take(&mut self.children) {
            match wait_for(child, libc::WNOHANG)? {
                None => self.children.push(child),
                Some((_, status)) if libc::WIFSTOPPED(status) => {
                    any = true;
                    let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
                    // Its own children do not matter here: they end with this process.
                    let own = event != 0 || matches!(signal, libc::SIGSTOP | libc::SIGTRAP);
                    resume(libc::PTRACE_CONT, child, if own { 0 } else { signal })?;
                    self.children.push(child);
                }
                Some(_) => any = true,
            }
        }
        Ok(any)
    }

    /// Lets it go on, with this signal (0: none).
    ///
    /// # Errors
    /// [`Failed`].
    pub fn go(&mut self, signal: i32) -> Result<(), Failed> {
        self.stopped = false;
        resume(libc::PTRACE_CONT, self.pid, signal)
    }

    /// Ends it: from now on it does nothing.
    pub fn end(&mut self) {
        if std::mem::take(&mut self.alive) {
            self.kill();
        }
    }

    fn files(&mut self) -> Option<&(File, File)> {
        if self.sleeper.is_none() {
            let open = |name: &str| File::open(format!("/proc/{}/{name}", self.pid)).ok();
            self.sleeper = Some((open("syscall")?, open("schedstat")?));
        }
        self.sleeper.as_ref()
    }

    /// Its run-time account.
    pub fn account(&mut self) -> Option<procfs::RunAccount> {
        let mut buffer = [0; 256];
        procfs::parse_schedstat(procfs::reread(&self.files()?.1, &mut buffer).ok()?)
    }

    /// The system call that it sleeps in, and its run-time account.
    pub fn look(&mut self) -> Option<(procfs::Syscall, procfs::RunAccount)> {
        let mut buffer = [0; 256];
        let syscall = procfs::parse_syscall(procfs::reread(&self.files()?.0, &mut buffer).ok()?)?;
        Some((syscall, self.account()?))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        for child in &self.children {
            // SAFETY: takes numbers; the id is that of a process that is not reaped.
            unsafe { libc::kill(*child, libc::SIGKILL) };
        }
        self.end();
        for child in std::mem::take(&mut self.children) {
            while wait_for(child, 0).is_ok_and(|heard| heard.is_some_and(|(_, status)| libc::WIFSTOPPED(status))) {}
        }
    }
}

impl Copy {
    fn kill(&self) {
        // SAFETY: takes numbers; the id is that of a process that is not reaped.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        while let Ok(Some((_, status))) = wait_for(self.pid, 0) {
            if !libc::WIFSTOPPED(status) {
                break;
            }
        }
    }
}

/// What looks at a copy, one after the other, tell of its sleep.
#[derive(Debug, Default)]
pub struct Looks {
    last: Option<(procfs::Syscall, procfs::RunAccount)>,
    same: u32,
}

impl Looks {
    /// One look more; `None` if it has told nothing.
    pub fn take(&mut self, look: Option<(procfs::Syscall, procfs::RunAccount)>) {
        self.same = if look.is_some() && look == self.last { self.same + 1 } else { 0 };
        self.last = look;
    }

    /// The system call that it sleeps in, if it was the same in so many looks after the first one and the
    /// copy has not run in between. A copy that runs sleeps in none: the kernel brings its account up to date
    /// now and then only, so that it may look still.
    pub fn asleep(&self, times: u32) -> Option<procfs::Syscall> {
        let (call, _) = self.last?;
        (self.same >= times && matches!(call, procfs::Syscall::In { .. })).then_some(call)
    }

    /// The same, if the sleep has no end.
    pub fn lasting(&self, times: u32) -> Option<procfs::Syscall> {
        self.asleep(times).filter(|call| matches!(call, procfs::Syscall::In { nr, args, .. } if is_lasting(*nr, args)))
    }
}

/// The signals that a process catches.
fn caught(pid: i32) -> Option<u64> {
    procfs::thread_status(pid.cast_unsigned(), pid.cast_unsigned()).map(|status| status.caught)
}

/// Whether a wait of a process with one thread has no end: an untimed wait on a futex that no other process
/// shares.
pub fn is_lasting(nr: i64, args: &[u64; 6]) -> bool {
    nr == libc::SYS_futex && waits(args) && args[3] == 0 && args[1] as i32 & libc::FUTEX_PRIVATE_FLAG != 0
}

/// Whether the operation of a futex call is a wait.
pub fn waits(args: &[u64; 6]) -> bool {
    let operation = args[1] as i32 & libc::FUTEX_CMD_MASK;
    matches!(operation, libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET | libc::FUTEX_LOCK_PI)
}

/// Whether any signal waits for a stopped process.
pub fn has_pending(pid: i32) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use procfs::{RunAccount, Syscall};

    fn looks(call: Syscall, accounts: &[u64]) -> Looks {
        let mut looks = Looks::default();
        for cpu_ns in accounts {
            looks.take(Some((call, RunAccount { cpu_ns: *cpu_ns, slices: 1 })));
        }
        looks
    }

    fn futex(operation: i32, timeout: u64) -> Syscall {
        Syscall::In { nr: libc::SYS_futex, args: [0, operation as u64, 0, timeout, 0, 0], sp: 0, pc: 0 }
    }

    #[test]
    fn a_copy_that_runs_does_not_sleep_however_still_it_looks() {
        let looks = looks(Syscall::Running, &[7; 9]);
        assert_eq!((looks.asleep(0), looks.asleep(4), looks.lasting(1)), (None, None, None));
    }

    #[test]
    fn a_sleep_is_the_same_call_and_no_time_in_between() {
        let wait = futex(libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, 0);
        assert_eq!((looks(wait, &[7]).asleep(1), looks(wait, &[7, 8]).asleep(1)), (None, None));
        assert_eq!(looks(wait, &[7, 7]).asleep(1), Some(wait));
        let mut interrupted = looks(wait, &[7, 7]);
        interrupted.take(None);
        assert_eq!(interrupted.asleep(0), None);
    }

    #[test]
    fn only_an_untimed_wait_on_a_futex_of_its_own_lasts() {
        let wait = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        let lasts = |call| looks(call, &[7, 7]).lasting(1).is_some();
        assert!(lasts(futex(wait, 0)));
        assert!(!lasts(futex(wait, 64)) && !lasts(futex(libc::FUTEX_WAIT, 0)));
        assert!(!lasts(futex(libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 0)));
    }
}
