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
use std::time::Duration;

use nix::sys::ptrace::{self, Options};
use nix::unistd::Pid;

use super::cpu;
use super::entry::{First, STOP};
use super::errno::{Errno, length_of_return};
use super::follow::Seen;
use super::live::{ENTRY, Live, RETURN};
use super::pages::Pages;
use super::stops::{await_child_signal, resume, send, wait_for};
use super::waits::{caught, has_pending};
use super::{filter, remote};
use crate::{Trouble, refused};

mod follow;

/// How long a copy is left alone before it is looked at.
const LOOK: Duration = Duration::from_micros(80);

/// How often a copy is given the processor before it is looked at.
const TURNS: u32 = 2;

/// Uses of a copy after which the actions of signals are compared whatever came of them.
const CHECKED: u32 = 3;

/// What happened to a copy.
enum Stop {
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
    Ended(ExitStatus),
    Quiet,
}

/// What a copy has told.
pub(crate) enum Told {
    /// What became of it.
    Seen(Box<Seen>),
    /// It sleeps in the window, and only something outside, or another signal, ends the sleep.
    Sleeps,
    /// Nothing that a judgement could rest on.
    Nothing,
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
    /// What it has started.
    children: Vec<i32>,
    /// The first instruction of the function, if a stop is in its place.
    first: Option<First>,
    /// Where its handlers return, if a stop is in the place of the instruction there; with the length of
    /// that.
    back: Option<(Errno, u64)>,
    /// How often it was undone.
    uses: u32,
    /// Whether its last use did not come to a further pass.
    unsure: bool,
    /// Whether it is known that no signal waits for it.
    has_none_pending: bool,
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
            children: Vec::new(),
            first: None,
            back: None,
            uses: 0,
            unsure: true,
            has_none_pending: false,
        };
        let mut code = [0; 16];
        copy.first = live.process.read(live.function.entry, &mut code).then(|| First::of(&code)).flatten();
        // Writing to it makes the page the copy's own.
        if copy.first.is_some() && copy.memory.write_all_at(&[STOP], live.function.entry).is_err() {
            copy.first = None;
        }
        copy.back = live.errno.and_then(|errno| {
            let mut code = [0; 16];
            let length = live.process.read(errno.back, &mut code).then(|| length_of_return(&code))??;
            copy.memory.write_all_at(&[STOP], errno.back).ok().map(|()| (errno, length))
        });
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
        // An action may be reset by the kernel itself (SA_RESETHAND), which no filter sees.
        if (self.unsure || self.uses < CHECKED) && caught(self.pid) != caught(live.process.pid) {
            return Ok(false);
        }
        self.unsure = false;
        self.uses += 1;
        if !self.has_none_pending && has_pending(self.pid) || !self.pages.put_back(live.process.pid, live.tid, self.pid)
        {
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

    /// Its next stop. Impatiently: `Quiet` as soon as it sleeps or has used its turn of the processor.
    fn wait(&mut self, patient: bool) -> Result<Stop, Trouble> {
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
    fn mind_children(&mut self) -> Result<bool, Trouble> {
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

    fn go(&mut self, signal: i32) -> Result<(), Trouble> {
        self.stopped = false;
        resume(libc::PTRACE_CONT, self.pid, signal)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        for child in &self.children {
            // SAFETY: takes numbers; the id is that of a process that is not reaped.
            unsafe { libc::kill(*child, libc::SIGKILL) };
        }
        if self.alive {
            self.kill();
        }
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
