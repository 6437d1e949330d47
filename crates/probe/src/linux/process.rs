//! A traced program with all its threads: start, stops, breakpoints, memory, end.
//!
//! | process | is |
//! |---|---|
//! | the program | started here, traced from its first instruction, with every thread |
//! | a child of the program | traced too, so that nothing outlives the tracer; it runs freely |
//! | a copy | see `copy`; its stops are its own affair |
//!
//! # Invariants
//! 1. A thread that this type reports as stopped stays stopped until a method of this type lets it go.
//! 2. Every process here ends with its tracer (`PTRACE_O_EXITKILL`), and at the latest when this is dropped.
//!
//! All calls come from the thread that started the program: ptrace knows no other tracer.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::ptrace::{self, Options};
use nix::unistd::Pid;
use sigproof_inspect::hang::procfs;

use super::cpu;
use super::written::{Wanted, Written};
use crate::{Request, Trouble, refused};
use sigproof_step::traced::stops::{
    PtraceRequest, await_child_signal, block_child_signal, is_own_trap, resume, send, stop, wait_for,
};

/// What happened to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A thread is stopped by a step or a breakpoint of ours.
    Trap(i32),
    /// A thread is stopped before it takes this signal.
    Signal(i32, i32),
    /// The program has become another one; its only thread is stopped.
    Exec(i32),
    /// The program has ended.
    Ended(ExitStatus),
    /// Nothing for as long as was allowed.
    Quiet,
}

/// A thread of the program.
#[derive(Clone, Copy, Debug, Default)]
struct Thread {
    /// The breakpoints that are set, as the register that enables them has it.
    control: u64,
    /// Where they are.
    breaks: [Option<u64>; 4],
}

pub(crate) struct Process {
    pub pid: i32,
    pub written: Written,
    threads: BTreeMap<i32, Thread>,
    strangers: BTreeSet<i32>,
    /// Children that the program has forked and whose end is not known.
    pub children: BTreeSet<i32>,
    /// Whether it has ever forked one.
    pub has_forked: bool,
    /// Breakpoints of every thread, also of one that is to come.
    everywhere: [Option<u64>; 4],
    /// How the first thread goes on after a stop that no caller hears of: freely, or to its next system call.
    pub onwards: PtraceRequest,
    /// The thread that makes a step; 0: none.
    stepping: Cell<i32>,
    /// Threads that are stopped until they are released.
    held: BTreeSet<i32>,
    ended: Option<ExitStatus>,
    memory: File,
}

/// What the program may do without being killed, and what is told of it.
pub(super) const OPTIONS: Options = Options::PTRACE_O_EXITKILL
    .union(Options::PTRACE_O_TRACECLONE)
    .union(Options::PTRACE_O_TRACEFORK)
    .union(Options::PTRACE_O_TRACEVFORK)
    .union(Options::PTRACE_O_TRACEEXEC);

impl Process {
    /// Starts the program, stopped before its first instruction.
    pub(crate) fn start(request: &Request, wanted: Wanted) -> Result<Self, Trouble> {
        block_child_signal();
        let Some((name, arguments)) = request.command.split_first() else {
            return Err(Trouble::Usage("no program is named".to_owned()));
        };
        let mut command = Command::new(name);
        command.args(arguments).stdin(Stdio::null());
        if !request.cold {
            // What a call binds the first time is a part of no later pass.
            command.env("LD_BIND_NOW", "1");
        }
        command.envs(request.env.iter().map(|(name, value)| (name, value)));
        let written = Written::open(wanted, &mut command).map_err(refused("a pipe or a temporary file"))?;
        // SAFETY: between fork and exec: three system calls, no memory of this process is touched.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
                let mut none: libc::sigset_t = core::mem::zeroed();
                libc::sigemptyset(&raw mut none);
                libc::sigprocmask(libc::SIG_SETMASK, &raw const none, core::ptr::null_mut());
                if libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) != 0 {
                    return Err(io::Error::last_os_error());
                }
                Ok(())
            });
        }
        // `Child` neither waits nor kills when it is dropped: this type does both.
        let pid = command.spawn().map_err(|error| cannot_run(name, &error))?.id().cast_signed();
        let status = wait_for(pid, 0)?.map_or(0, |(_, status)| status);
        if !libc::WIFSTOPPED(status) {
            return Err(Trouble::Lacks(format!("{}: it ended before its first instruction", name.display())));
        }
        ptrace::setoptions(Pid::from_raw(pid), OPTIONS).map_err(refused("ptrace(PTRACE_SETOPTIONS)"))?;
        let path = format!("/proc/{pid}/mem");
        let memory = OpenOptions::new().read(true).write(true).open(&path).map_err(refused("open of /proc/PID/mem"))?;
        let threads = BTreeMap::from([(pid, Thread::default())]);
        let (strangers, everywhere) = (BTreeSet::new(), [None; 4]);
        Ok(Self {
            pid,
            written,
            threads,
            strangers,
            children: BTreeSet::new(),
            has_forked: false,
            everywhere,
            onwards: libc::PTRACE_CONT,
            stepping: Cell::new(0),
            held: BTreeSet::new(),
            ended: None,
            memory,
        })
    }

    /// The ids of its threads.
    pub(crate) fn threads(&self) -> impl Iterator<Item = i32> {
        self.threads.keys().copied()
    }

    /// Lets a stopped thread go on, with this signal (0: none).
    pub(crate) fn go(&self, tid: i32, signal: i32) -> Result<(), Trouble> {
        if self.stepping.get() == tid {
            self.stepping.set(0);
        }
        Ok(resume(libc::PTRACE_CONT, tid, signal)?)
    }

    /// Lets a stopped thread make one step, with this signal (0: none).
    pub(crate) fn step(&self, tid: i32, signal: i32) -> Result<(), Trouble> {
        self.stepping.set(tid);
        Ok(resume(libc::PTRACE_SINGLESTEP, tid, signal)?)
    }

    /// Sets breakpoint `number` of every thread that is stopped now or will be started; or clears it. Threads
    /// that run get it when they stop the next time.
    pub(crate) fn break_everywhere(&mut self, number: usize, at: Option<u64>) {
        self.everywhere[number] = at;
    }

    /// Sets breakpoint `number` of a stopped thread, or clears it.
    pub(crate) fn set_break(&mut self, tid: i32, number: usize, at: Option<u64>) -> Result<(), Trouble> {
        match self.threads.get_mut(&tid) {
            Some(thread) if thread.breaks[number] != at => {
                thread.breaks[number] = at;
                Ok(cpu::set_break(tid, &mut thread.control, number, at)?)
            }
            _ => Ok(()),
        }
    }

    /// Waits for something to happen, at most so long.
    pub(crate) fn wait(&mut self, patience: Duration) -> Result<Event, Trouble> {
        loop {
            if let Some(status) = self.ended {
                return Ok(Event::Ended(status));
            }
            match wait_for(-1, libc::WNOHANG)? {
                Some((tid, status)) => {
                    if let Some(event) = self.heard(tid, status)? {
                        return Ok(event);
                    }
                }
                None => {
                    if !await_child_signal(patience) {
                        return Ok(Event::Quiet);
                    }
                }
            }
        }
    }

    /// Waits for the next stop of a thread that makes a step: the quick way. Of several threads any may tell:
    /// the end of the first one is withheld until those of the others were waited for.
    pub(crate) fn wait_step(&mut self, tid: i32) -> Result<Event, Trouble> {
        loop {
            let whose = if self.threads.len() > 1 { -1 } else { tid };
            let Some((tid, status)) = wait_for(whose, 0)? else { return Ok(Event::Quiet) };
            if let Some(event) = self.heard(tid, status)? {
                return Ok(event);
            }
        }
    }

    fn heard(&mut self, tid: i32, status: i32) -> Result<Option<Event>, Trouble> {
        if !libc::WIFSTOPPED(status) {
            self.threads.remove(&tid);
            self.strangers.remove(&tid);
            self.children.remove(&tid);
            if tid != self.pid {
                return Ok(None);
            }
            let status = ExitStatus::from_raw(status);
            self.ended = Some(status);
            return Ok(Some(Event::Ended(status)));
        }
        if !self.threads.contains_key(&tid) && !self.strangers.contains(&tid) {
            self.adopt(tid);
        }
        let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
        if self.strangers.contains(&tid) {
            // Its first stop, and those that tell of its own children, deliver no signal.
            let own = signal == libc::SIGSTOP || event != 0;
            resume(libc::PTRACE_CONT, tid, if own { 0 } else { signal })?;
            return Ok(None);
        }
        if event == libc::PTRACE_EVENT_EXEC {
            // The kernel has cleared the breakpoints of the only thread that is left.
            self.threads = BTreeMap::from([(tid, Thread::default())]);
            self.held.clear();
            let path = format!("/proc/{}/mem", self.pid);
            self.memory =
                OpenOptions::new().read(true).write(true).open(path).map_err(refused("open of /proc/PID/mem"))?;
            return Ok(Some(Event::Exec(tid)));
        }
        if event != 0 {
            if matches!(event, libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK)
                && let Ok(child) = ptrace::getevent(Pid::from_raw(tid))
            {
                self.children.extend(i32::try_from(child));
                self.has_forked = true;
            }
            let how = match tid {
                // A step over a fork is a step still.
                _ if tid == self.stepping.get() => libc::PTRACE_SINGLESTEP,
                _ if tid == self.pid => self.onwards,
                _ => libc::PTRACE_CONT,
            };
            resume(how, tid, 0)?;
            return Ok(None);
        }
        self.equip(tid)?;
        match signal {
            libc::SIGTRAP if !is_own_trap(tid) => Ok(Some(Event::Trap(tid))),
            libc::SIGSTOP => {
                // The first stop of a thread, or one that was asked for and is not needed any more.
                self.go(tid, 0)?;
                Ok(None)
            }
            signal => Ok(Some(Event::Signal(tid, signal))),
        }
    }

    /// A thread or a process that was not known.
    fn adopt(&mut self, tid: i32) {
        let status = std::fs::read_to_string(format!("/proc/{tid}/status")).unwrap_or_default();
        let group = status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
        if group == Some(self.pid) {
            self.threads.insert(tid, Thread::default());
        } else {
            self.strangers.insert(tid);
        }
    }

    /// Gives a stopped thread the breakpoints that every thread has.
    fn equip(&mut self, tid: i32) -> Result<(), Trouble> {
        for (number, at) in self.everywhere.into_iter().enumerate().filter(|(_, at)| at.is_some()) {
            self.set_break(tid, number, at)?;
        }
        Ok(())
    }

    /// Sends a signal to one thread.
    pub(crate) fn send(&self, tid: i32, signal: i32) -> Result<(), Trouble> {
        Ok(send(self.pid, tid, signal)?)
    }

    /// Reads memory; false if it is not all there.
    pub(crate) fn read(&self, at: u64, into: &mut [u8]) -> bool {
        self.memory.read_exact_at(into, at).is_ok()
    }

    /// Writes memory; whether that was possible.
    pub(crate) fn write(&self, at: u64, bytes: &[u8]) -> bool {
        self.memory.write_all_at(bytes, at).is_ok()
    }

    /// The word at an address.
    pub(crate) fn word(&self, at: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.read(at, &mut bytes).then(|| u64::from_le_bytes(bytes))
    }

    /// Lets go of every thread, so that somebody else may trace them. The program goes on.
    pub(crate) fn detach(&mut self) -> Result<(), Trouble> {
        let tids: Vec<i32> = self.threads().collect();
        for tid in tids {
            stop(self.pid, tid)?;
            if let Some(thread) = self.threads.get_mut(&tid) {
                thread.breaks = [None; 4];
                cpu::clear_breaks(tid, &mut thread.control)?;
            }
            let _ = ptrace::detach(Pid::from_raw(tid), None);
        }
        self.held.clear();
        self.settle();
        Ok(())
    }

    /// Waits until no thread shows itself as stopped any more: the kernel takes a moment.
    fn settle(&self) {
        let begun = Instant::now();
        let stopped = |tid: i32| {
            let stat = procfs::thread_stat(self.pid.cast_unsigned(), tid.cast_unsigned());
            stat.is_some_and(|stat| matches!(stat.state, 't' | 'T'))
        };
        while self.threads().any(stopped) && begun.elapsed() < Duration::from_millis(100) {
            std::thread::sleep(Duration::from_micros(50));
        }
    }

    /// Stops every thread but one, which is stopped.
    pub(crate) fn hold_others(&mut self, but: i32) -> Result<(), Trouble> {
        let others: Vec<i32> = self.threads().filter(|tid| *tid != but && !self.held.contains(tid)).collect();
        for tid in others {
            if stop(self.pid, tid)? {
                self.held.insert(tid);
            }
        }
        Ok(())
    }

    /// Holds a thread that is stopped, until the others are let go.
    pub(crate) fn hold(&mut self, tid: i32) {
        self.held.insert(tid);
    }

    /// Takes note that a thread that was held runs.
    pub(crate) fn let_run(&mut self, tid: i32) {
        self.held.remove(&tid);
    }

    /// Lets them go.
    pub(crate) fn release_others(&mut self) -> Result<(), Trouble> {
        for tid in std::mem::take(&mut self.held) {
            self.equip(tid)?;
            self.go(tid, 0)?;
        }
        Ok(())
    }

    /// Takes hold of every thread again, and lets it run.
    pub(crate) fn attach(&mut self) -> Result<(), Trouble> {
        let tids: Vec<i32> = self.threads().collect();
        for tid in tids {
            if ptrace::attach(Pid::from_raw(tid)).is_err() {
                continue;
            }
            let Some((_, status)) = wait_for(tid, 0)? else { continue };
            if libc::WIFSTOPPED(status) {
                let _ = ptrace::setoptions(Pid::from_raw(tid), OPTIONS);
                self.equip(tid)?;
                self.go(tid, 0)?;
            }
        }
        Ok(())
    }

    /// Kills the program and what it has started, and waits for their ends.
    fn end(&mut self) {
        for pid in self.strangers.iter().chain([&self.pid]) {
            // SAFETY: takes numbers; the ids are those of processes that are not reaped.
            unsafe { libc::kill(*pid, libc::SIGKILL) };
        }
        // SAFETY: as above; the program leads a group of its own number.
        unsafe { libc::kill(-self.pid, libc::SIGKILL) };
        while self.ended.is_none() || !self.strangers.is_empty() {
            match wait_for(-1, 0) {
                Ok(Some((tid, status))) if !libc::WIFSTOPPED(status) => {
                    self.threads.remove(&tid);
                    self.strangers.remove(&tid);
                    if tid == self.pid {
                        self.ended = Some(ExitStatus::from_raw(status));
                    }
                }
                // One that was stopped when it was killed, or that was born meanwhile.
                Ok(Some((tid, _))) => {
                    // SAFETY: as above.
                    unsafe { libc::kill(tid, libc::SIGKILL) };
                }
                Ok(None) | Err(_) => return,
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn cannot_run(name: &std::ffi::OsStr, error: &io::Error) -> Trouble {
    let name = name.display();
    match error.kind() {
        io::ErrorKind::NotFound => {
            Trouble::Usage(format!("{name}: no such program; write its path, or put its folder into PATH"))
        }
        io::ErrorKind::PermissionDenied => Trouble::Usage(format!(
            "{name}: it may not be run ({error}); make it executable (`chmod +x`), or name its interpreter"
        )),
        _ => Trouble::Lacks(format!("{name}: it cannot be run under ptrace ({error})")),
    }
}
