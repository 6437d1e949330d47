//! The program on its way from one call of the function to the next, with all its threads.
//!
//! ```text
//!  start ──► entry of the loader's end ──► the function's address ──► a handler is installed ──► pass 0, 1,
//! 2 ...
//!
//!  a pass:   entry ── step ── step ── ... ── return address, the stack above the entry's
//! ```
//!
//! A signal of the program's own that comes while a thread is stepped is held back, and sent again at the
//! pass's end: it would run a handler in the middle of the path.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sigproof_inspect::hang::procfs;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};
use sigproof_step::Boundary;

use super::cpu::{self, Kind};
use super::descriptors::Descriptors;
use super::errno::{Errno, Spoiled};
use super::names::Function;
use super::process::{Event, Process};
use super::remote;
use super::waits::{Action, is_untimed};
use crate::{Request, Thread, Trouble};

mod apart;
mod run;
mod start;

pub(crate) use apart::{Arranged, Brought, OtherAt, Schedule};
pub(crate) use run::Ran;
pub(crate) use start::Arrival;

/// The breakpoint at the function's entry.
pub(crate) const ENTRY: usize = 0;
/// The one at the return address.
pub(crate) const RETURN: usize = 1;
/// The one behind a repeated instruction.
const BEHIND: usize = 3;

/// The one at an instruction that the thread is to reach: of its pass, or behind its handler.
pub(crate) const GOAL: usize = 2;
/// The one of other threads, at the function that one of them is brought to.
pub(crate) const OTHER: usize = 3;

/// How long a wait for an event takes before it is looked around.
const QUIET: Duration = Duration::from_micros(500);

/// How long a signal of the program's own is waited for at a boundary.
const OWN: Duration = Duration::from_millis(20);

/// The longest path; the rest of a window is said to be out of reach.
pub(crate) const LONGEST: usize = 60_000;

/// The program, in a pass.
pub(crate) struct Live<'a> {
    pub process: Process,
    /// What is swept.
    pub function: Function,
    /// The thread that is in the window, stopped, unless something else is said.
    pub tid: i32,
    /// The number of the pass, from 0, counted from the first one in which a handler was installed.
    pub pass: u64,
    /// Where the pass returns to.
    pub ret: u64,
    /// The stack pointer at its entry.
    pub sp: u64,
    /// Whether all passes so far were calls from one place, at one depth of the stack.
    pub same_site: bool,
    /// A `syscall` instruction of the program.
    pub syscall_at: u64,
    /// Signals of the program's own that wait for the pass's end.
    pub held: Vec<(i32, i32)>,
    /// What is open at the entry of the pass.
    pub descriptors: Descriptors,
    kinds: HashMap<u64, Kind>,
    /// Whether the program handles SIGTRAP.
    pub catches_traps: bool,
    /// Where `errno` is kept, once that is known.
    pub errno: Option<Errno>,
    /// Whether the window sleeps until the signal comes: see [`waits_again`](Self::waits_again).
    pub awaits: bool,
    /// Whether the program, left alone, comes to sleep in the window without a time limit.
    pub idles: bool,
    request: &'a Request,
    signal: i32,
    stop: &'a AtomicBool,
}

/// The code that a signal interrupts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interrupted {
    pub at: cpu::Registers,
    /// Its `errno`, if that is known.
    pub errno: Option<i32>,
}

/// What a step has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stepped {
    /// The next instruction.
    Next,
    /// Asleep in the system call.
    Asleep,
    /// The program has ended or has become another.
    Gone,
}

impl<'a> Live<'a> {
    /// Takes the place where a thread is stopped for the entry of a pass.
    fn enter(&mut self, tid: i32) -> Result<(), Trouble> {
        let registers = cpu::registers(tid)?;
        let ret = self.process.word(registers.rsp).unwrap_or_default();
        if self.pass > 0 {
            self.same_site &= (self.tid, self.sp, self.ret) == (tid, registers.rsp, ret);
        }
        (self.tid, self.sp, self.ret) = (tid, registers.rsp, ret);
        self.descriptors.note(self.process.pid);
        Ok(())
    }

    /// Whether a thread that is at the entry may be the one.
    pub(crate) fn accepts(&self, tid: i32) -> bool {
        accepts(&self.process, self.request, tid)
    }

    /// Brings the program, whose thread is stopped, to the entry of a later pass; false if it ends before, or
    /// does not come there in time.
    pub(crate) fn go_to_pass(&mut self, pass: u64, deadline: Instant) -> Result<bool, Trouble> {
        while self.pass < pass {
            self.release_held()?;
            self.process.go(self.tid, 0)?;
            if !self.next_entry(deadline.min(Instant::now() + self.request.timeout))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits until a thread is at the entry.
    pub(crate) fn next_entry(&mut self, deadline: Instant) -> Result<bool, Trouble> {
        loop {
            self.mind_interruption()?;
            match self.process.wait(QUIET)? {
                Event::Ended(_) | Event::Exec(_) => return Ok(false),
                Event::Quiet if Instant::now() > deadline => return Ok(false),
                Event::Quiet => open(&self.process, self.request)?,
                Event::Signal(tid, signal) => self.process.go(tid, signal)?,
                Event::Trap(tid) => {
                    if cpu::registers(tid)?.rip == self.function.entry && self.accepts(tid) {
                        self.pass += 1;
                        self.enter(tid)?;
                        return Ok(true);
                    }
                    self.process.go(tid, 0)?;
                }
            }
        }
    }

    /// Waits, while the thread is stopped, until a signal of the program's own is there; whether it is. One
    /// that was held back is returned, and is to be delivered with the next step.
    pub(crate) fn own_signal(&mut self) -> Result<Option<i32>, Trouble> {
        let begun = Instant::now();
        loop {
            if let Some(at) = self.held.iter().position(|(_, signal)| *signal == self.signal) {
                return Ok(Some(self.held.remove(at).1));
            }
            // It comes by itself.
            if self.process.is_pending(self.tid, self.signal) {
                return Ok(Some(0));
            }
            // One that is not there yet can come later only if something is left that sends it.
            let childless = self.signal == libc::SIGCHLD && self.process.children.is_empty();
            if childless || begun.elapsed() > OWN {
                return Ok(None);
            }
            match self.process.wait(QUIET)? {
                Event::Trap(tid) if tid != self.tid => self.process.go(tid, 0)?,
                Event::Signal(tid, signal) if tid != self.tid => self.process.go(tid, signal)?,
                Event::Ended(_) | Event::Exec(_) => return Ok(None),
                Event::Trap(_) | Event::Signal(..) | Event::Quiet => self.mind_interruption()?,
            }
        }
    }

    /// Sends what was held back. The thread takes it as soon as it goes on.
    pub(crate) fn release_held(&mut self) -> Result<(), Trouble> {
        for (tid, signal) in std::mem::take(&mut self.held) {
            self.process.send(tid, signal)?;
        }
        Ok(())
    }

    /// Ends the work if the user wants that.
    pub(crate) fn mind_interruption(&self) -> Result<(), Trouble> {
        if self.stop.load(Ordering::Relaxed) { Err(Trouble::Interrupted) } else { Ok(()) }
    }

    /// Where the stopped thread is, and whether that is still in the window.
    pub(crate) fn place(&self) -> Result<Option<Boundary>, Trouble> {
        let registers = cpu::registers(self.tid)?;
        let out = registers.rsp > self.sp;
        Ok((!out).then(|| self.boundary(&registers)))
    }

    /// A place in the window.
    pub(crate) fn boundary(&self, registers: &cpu::Registers) -> Boundary {
        Boundary { pc: registers.rip, depth: self.sp.wrapping_sub(registers.rsp), asleep: false }
    }

    /// Lets the thread make one step; a repeated instruction is one step.
    pub(crate) fn step(&mut self) -> Result<Stepped, Trouble> {
        let tid = self.tid;
        let pc = cpu::registers(tid)?.rip;
        let kind = *self.kinds.entry(pc).or_insert_with(|| kind_at(&self.process, pc));
        let blocks = if self.catches_traps { self.unblock_trap(kind)? } else { None };
        if let Kind::Repeats(length) = kind {
            self.process.set_break(tid, BEHIND, Some(pc + u64::from(length)))?;
            self.process.go(tid, 0)?;
        } else {
            self.process.step(tid, 0)?;
        }
        let deadline = Instant::now() + self.request.timeout;
        loop {
            let event = if kind == Kind::Plain {
                self.process.wait_step(tid)?
            } else {
                self.process.wait(Duration::from_micros(200))?
            };
            match event {
                Event::Trap(who) if who == tid => break,
                Event::Trap(who) => self.process.go(who, 0)?,
                Event::Signal(who, signal) if who == tid => {
                    if is_fault(signal) {
                        // A fault of the instruction itself: the program's own affair.
                        self.process.step(tid, signal)?;
                    } else {
                        self.held.push((who, signal));
                        self.process.step(tid, 0)?;
                    }
                }
                Event::Signal(who, signal) => self.process.go(who, signal)?,
                Event::Ended(_) | Event::Exec(_) => return Ok(Stepped::Gone),
                Event::Quiet if kind == Kind::Call && self.is_asleep(tid) => return Ok(Stepped::Asleep),
                Event::Quiet if Instant::now() > deadline => return Ok(Stepped::Gone),
                Event::Quiet => self.mind_interruption()?,
            }
        }
        if kind != Kind::Plain {
            self.process.set_break(tid, BEHIND, None)?;
        }
        if let Some(mask) = blocks {
            remote::set_mask(tid, mask)?;
        }
        Ok(Stepped::Next)
    }

    /// A step while SIGTRAP is blocked makes the kernel reset the program's handler of it: it is unblocked
    /// before such a step. The mask that the thread is to have after the step; `None` if the step leaves the
    /// right one.
    fn unblock_trap(&self, kind: Kind) -> Result<Option<u64>, Trouble> {
        const TRAP: u64 = 1 << (libc::SIGTRAP - 1);
        let mask = remote::mask(self.tid)?;
        if mask & TRAP == 0 {
            return Ok(None);
        }
        remote::set_mask(self.tid, mask & !TRAP)?;
        let nr = cpu::registers(self.tid)?.rax.cast_signed();
        // These two set the mask themselves.
        let sets = kind == Kind::Call && matches!(nr, libc::SYS_rt_sigreturn | libc::SYS_rt_sigprocmask);
        Ok((!sets).then_some(mask))
    }

    /// Whether the instruction there repeats itself.
    pub(crate) fn repeats(&self, pc: u64) -> bool {
        let kind = self.kinds.get(&pc).copied().unwrap_or_else(|| kind_at(&self.process, pc));
        matches!(kind, Kind::Repeats(_))
    }

    /// Waits until a thread that sleeps in the middle of a step comes out; false if it does not in time.
    pub(crate) fn wake(&mut self, deadline: Instant) -> Result<bool, Trouble> {
        loop {
            self.mind_interruption()?;
            match self.process.wait(QUIET)? {
                Event::Trap(who) if who == self.tid => return Ok(true),
                Event::Signal(who, signal) if who == self.tid => {
                    self.held.push((who, signal));
                    self.process.step(who, 0)?;
                }
                Event::Trap(who) => self.process.go(who, 0)?,
                Event::Signal(who, signal) => self.process.go(who, signal)?,
                Event::Ended(_) | Event::Exec(_) => return Ok(false),
                Event::Quiet if Instant::now() > deadline => return Ok(false),
                Event::Quiet => {}
            }
        }
    }

    /// Whether a thread sleeps in a system call: twice, and has not run in between.
    pub(crate) fn is_asleep(&self, tid: i32) -> bool {
        let look = || {
            let read =
                |name: &str| std::fs::read_to_string(format!("/proc/{}/task/{tid}/{name}", self.process.pid)).ok();
            let syscall = procfs::parse_syscall(&read("syscall")?)?;
            let run = procfs::parse_schedstat(&read("schedstat")?)?;
            let state = procfs::thread_stat(self.process.pid.cast_unsigned(), tid.cast_unsigned())?.state;
            (state == 'S').then_some((syscall, run))
        };
        look().is_some_and(|first| matches!(first.0, procfs::Syscall::In { .. }) && look() == Some(first))
    }

    /// The system call that a thread sleeps in.
    pub(crate) fn sleeps_in(&self, tid: i32) -> Option<procfs::Syscall> {
        let text = std::fs::read_to_string(format!("/proc/{}/task/{tid}/syscall", self.process.pid)).ok()?;
        procfs::parse_syscall(&text).filter(|_| self.is_asleep(tid))
    }

    /// Whether the thread, whose window has returned and was entered again, sleeps there until the signal or
    /// something from outside comes: as far as the program goes on by itself.
    pub(crate) fn waits_again(&self, returned: bool, entries: u32, asleep_in: Option<procfs::Syscall>) -> bool {
        (self.awaits || self.idles) && returned && entries > 0 && asleep_in.is_some_and(is_untimed)
    }

    /// The code that a signal is about to interrupt, in the thread, which is stopped.
    pub(crate) fn interrupted(&self) -> Result<Interrupted, Trouble> {
        let at = cpu::registers(self.tid)?;
        let errno = self.errno.and_then(|errno| errno.of(&at, |from, into| self.process.read(from, into)));
        Ok(Interrupted { at, errno })
    }

    /// What the handler made of `errno`, of a thread with these registers that returns to what it has
    /// interrupted.
    pub(crate) fn after_handler(&self, now: &cpu::Registers, from: &Interrupted) -> Option<Spoiled> {
        let (errno, before) = self.errno.filter(|errno| errno.back == now.rip).zip(from.errno)?;
        errno.after(now, (&from.at, before), |from, into| self.process.read(from, into))
    }

    /// What is asked for.
    pub(crate) fn request(&self) -> &'a Request {
        self.request
    }

    pub(crate) fn signal(&self) -> i32 {
        self.signal
    }
}

/// What the instruction at an address is.
fn kind_at(process: &Process, pc: u64) -> Kind {
    let mut code = [0; 16];
    if process.read(pc, &mut code) { cpu::kind(&code) } else { Kind::Plain }
}

/// Sends the signal that opens the window, if there is one, and if its handler is installed.
pub(super) fn open(process: &Process, request: &Request) -> Result<(), Trouble> {
    match request.open {
        Some(signal) if process.action(signal) == Action::Caught && !process.is_pending(process.pid, signal) => {
            process.send(process.pid, signal)
        }
        _ => Ok(()),
    }
}

/// A signal that an instruction brings upon itself.
pub(super) fn is_fault(signal: i32) -> bool {
    matches!(signal, libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL | libc::SIGTRAP)
}

fn accepts(process: &Process, request: &Request, tid: i32) -> bool {
    match &request.thread {
        Thread::Main => tid == process.pid,
        Thread::Any => true,
        Thread::Named(name) => {
            let comm = std::fs::read_to_string(format!("/proc/{}/task/{tid}/comm", process.pid)).unwrap_or_default();
            comm.trim_end() == name
        }
    }
}
