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
use super::entry::{First, STOP};
use super::follow::{End, FURTHER, Seen, has_frame};
use super::live::{ENTRY, Live, RETURN};
use super::pages::Pages;
use super::stops::{await_child_signal, is_own_trap, resume, send, wait_for};
use super::waits::{caught, has_pending, is_lasting, is_untimed};
use super::{filter, remote};
use crate::{Trouble, refused};

/// How long a copy is left alone before it is looked at.
const LOOK: Duration = Duration::from_micros(80);

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
    /// How often it was undone.
    uses: u32,
    /// Whether its last use did not come to a further pass.
    unsure: bool,
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
            uses: 0,
            unsure: true,
        };
        let mut code = [0; 16];
        copy.first = live.process.read(live.function.entry, &mut code).then(|| First::of(&code)).flatten();
        // Writing to it makes the page the copy's own.
        if copy.first.is_some() && copy.memory.write_all_at(&[STOP], live.function.entry).is_err() {
            copy.first = None;
        }
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
        if has_pending(self.pid) || !self.pages.put_back(live.process.pid, live.tid, self.pid) {
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
                    if !self.mind_children()? && !await_child_signal(LOOK) {
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

    /// Lets it go on with this signal (0: none), and follows it. `pace`: how long a pass takes, at most.
    pub(crate) fn follow(&mut self, live: &Live<'_>, signal: i32, pace: Duration) -> Result<Told, Trouble> {
        let at = cpu::registers(live.tid)?;
        let mut seen = Seen::silent();
        self.unsure = true;
        let entry = live.function.entry;
        self.set_break(ENTRY, self.first.is_none().then_some(entry))?;
        // Where each pass has come from the same place, the next entry tells that the window has returned.
        self.set_break(RETURN, (!live.same_site || live.request().open.is_some()).then_some(live.ret))?;
        self.go(signal)?;
        let mut entries = 0;
        let mut last = None;
        let (mut same, mut again) = (0, false);
        let patience = (pace * 20).max(Duration::from_millis(20));
        let begun = Instant::now();
        let used = self.account().map_or(0, |run| run.cpu_ns);
        loop {
            match self.wait()? {
                // The second signal has ended the sleep, one way or another.
                Stop::Ended(_) if again => return Ok(Told::Sleeps),
                Stop::Ended(status) => {
                    seen.end = End::Ended(status);
                    return Ok(Told::Seen(Box::new(seen)));
                }
                Stop::Call => {
                    self.dirty = true;
                    self.go(0)?;
                }
                Stop::Forked => {
                    self.dirty = true;
                    self.go(0)?;
                }
                Stop::Other => {
                    self.dirty = true;
                    return Ok(Told::Nothing);
                }
                Stop::Signal(signal) => self.go(signal)?,
                Stop::Trap => {
                    let mut registers = cpu::registers(self.pid)?;
                    let stopped_by_us = self.first.is_some() && registers.rip == entry + 1;
                    if registers.rip == live.ret && registers.rsp > live.sp && !seen.returned {
                        seen.returned = true;
                        if again {
                            // The second signal has. Whether the first one was lost, the program tells.
                            return Ok(Told::Sleeps);
                        }
                        self.set_break(RETURN, None)?;
                    } else if registers.rip == entry || stopped_by_us {
                        if !seen.returned && registers.rsp >= live.sp {
                            seen.returned = true;
                        }
                        if again && seen.returned {
                            return Ok(Told::Sleeps);
                        }
                        entries += u32::from(seen.returned);
                        if entries > FURTHER {
                            seen.end = End::Passed;
                            seen.pending = has_pending(self.pid);
                            self.unsure = false;
                            return Ok(Told::Seen(Box::new(seen)));
                        }
                    } else if is_own_trap(self.pid) {
                        self.go(libc::SIGTRAP)?;
                        continue;
                    }
                    last = None;
                    if stopped_by_us && let Some(first) = self.first {
                        let read = |at: u64, into: &mut [u8]| self.memory.read_exact_at(into, at).is_ok();
                        let write = |at: u64, bytes: &[u8]| self.memory.write_all_at(bytes, at).is_ok();
                        if !first.perform(&mut registers, read, write) {
                            return Ok(Told::Nothing);
                        }
                        cpu::set_registers(self.pid, registers)?;
                    }
                    self.go(0)?;
                }
                Stop::Quiet => {
                    live.mind_interruption()?;
                    if seen.returned
                        && let Some(open) = live.request().open
                    {
                        send(self.pid, self.pid, open)?;
                    }
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
                        return Ok(Told::Seen(Box::new(seen)));
                    }
                    // The program itself is not alone with what it waits for.
                    if same >= 2
                        && (!seen.returned || signal == 0)
                        && let Some((syscall @ procfs::Syscall::In { .. }, _)) = look
                        && is_untimed(syscall)
                    {
                        if signal == 0 || again {
                            // A second signal has not ended the sleep, which is not about signals then.
                            seen.end = End::Returned;
                            return Ok(if again { Told::Seen(Box::new(seen)) } else { Told::Sleeps });
                        }
                        again = true;
                        self.dirty = true;
                        (last, same) = (None, 0);
                        send(self.pid, self.pid, signal)?;
                        continue;
                    }
                    let spent = self.account().map_or(0, |run| run.cpu_ns).saturating_sub(used);
                    if u128::from(spent) > SPIN_CPU.max(pace * 100).as_nanos() && entries == 0 {
                        self.halt()?;
                        let sp = cpu::registers(self.pid)?.rsp;
                        seen.in_handler =
                            has_frame(sp, &at, |from, into| self.memory.read_exact_at(into, from).is_ok());
                        seen.end = End::Stuck(Stuck::Spinning { tid: self.pid.cast_unsigned() });
                        return Ok(Told::Seen(Box::new(seen)));
                    }
                    if begun.elapsed() > patience && same > 3 || begun.elapsed() > patience * 50 {
                        return Ok(Told::Nothing);
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
