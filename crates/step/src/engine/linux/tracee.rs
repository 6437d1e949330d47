//! One ptrace stop after another, of the thread that is in the window and of those that are held.
//!
//! | thread | is |
//! |---|---|
//! | target | seized before it begins; stops at marks, breakpoints, steps and signals |
//! | other | seized before the first window; [held](Tracee::hold) at its beginning, [let go](Tracee::release) when the signal comes or the target sleeps |
//! | helper, bystander | not traced |
//!
//! The target is stopped or runs; only its tracer changes that, and every function here says which it leaves.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::arch;
use super::child::{self, Child};
use super::refused;
use crate::Boundary;
use crate::engine::Trouble;
use crate::traced;

/// What was heard of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It is stopped behind a mark.
    Mark,
    /// It is stopped after a step or before a breakpoint's instruction.
    Trap,
    /// It is stopped before this signal is delivered.
    Signal(libc::c_int),
    /// It is stopped by an interruption of ours.
    Interrupted,
    /// The process has ended, and is reaped.
    Ended(ExitStatus),
    /// Nothing for a while: it runs, or sleeps.
    Quiet,
}

/// How to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Go {
    /// Until something happens.
    On,
    /// By one instruction.
    Step,
}

/// A child that is traced.
pub(super) struct Tracee<'s> {
    pub child: Child<'s>,
    /// Other threads, seized.
    pub others: Vec<Pid>,
    held: bool,
    /// The stack pointer at the first mark.
    base: u64,
}

impl<'s> Tracee<'s> {
    /// Takes hold of a child that waits to begin, and lets it.
    pub(super) fn seize(child: Child<'s>) -> Result<Self, Trouble> {
        ptrace::seize(child.target, Options::PTRACE_O_EXITKILL).map_err(refused("ptrace(PTRACE_SEIZE)"))?;
        let tracee = Self { child, others: Vec::new(), held: false, base: 0 };
        tracee.child.go()?;
        Ok(tracee)
    }

    /// Takes hold of the other threads, which are there once the first window begins.
    pub(super) fn seize_others(&mut self) -> Result<(), Trouble> {
        for tid in self.child.memory.slate.other_ids() {
            let tid = Pid::from_raw(tid.cast_signed());
            ptrace::seize(tid, Options::PTRACE_O_EXITKILL).map_err(refused("ptrace(PTRACE_SEIZE)"))?;
            self.others.push(tid);
        }
        Ok(())
    }

    /// Lets the stopped target go on, with this signal.
    pub(super) fn go(&self, how: Go, signal: Option<libc::c_int>) -> Result<(), Trouble> {
        let signal = signal.and_then(|number| Signal::try_from(number).ok());
        let gone = match how {
            Go::On => ptrace::cont(self.child.target, signal),
            Go::Step => ptrace::step(self.child.target, signal),
        };
        match gone {
            // It was killed meanwhile: its end is what is heard of it next.
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(refused("ptrace(PTRACE_CONT)")(error)),
        }
    }

    /// Where the stopped target is: program counter, and the stack's depth below the first mark.
    pub(super) fn place(&self) -> Result<Boundary, Trouble> {
        let (pc, sp) = arch::place(self.child.target).map_err(stopped("ptrace(PTRACE_GETREGS)"))?;
        Ok(Boundary { pc, depth: self.base.wrapping_sub(sp), asleep: false })
    }

    /// Takes the place where it is stopped for the first mark.
    pub(super) fn at_first_mark(&mut self) -> Result<(), Trouble> {
        (_, self.base) = arch::place(self.child.target).map_err(stopped("ptrace(PTRACE_GETREGS)"))?;
        Ok(())
    }

    /// Sets the breakpoint of the stopped target, or clears it.
    pub(super) fn breakpoint(&self, at: Option<u64>) -> Result<(), Trouble> {
        arch::breakpoint(self.child.target, at).map_err(stopped("ptrace(PTRACE_POKEUSER)"))
    }

    /// The next thing that is heard of the running target.
    pub(super) fn wait(&mut self) -> Result<Stop, Trouble> {
        loop {
            if let Some(status) = state_change(self.child.target, libc::WNOHANG)?
                && libc::WIFSTOPPED(status)
            {
                return self.understand(status);
            }
            // The end of the process is not told before that of its traced threads.
            for other in &self.others {
                let _ = state_change(*other, libc::WNOHANG);
            }
            if let Some(status) = state_change(self.child.pid, libc::WNOHANG)? {
                self.child.reaped = true;
                return Ok(Stop::Ended(ExitStatus::from_raw(status)));
            }
            if !child::await_sign() {
                return Ok(Stop::Quiet);
            }
        }
    }

    fn understand(&self, status: libc::c_int) -> Result<Stop, Trouble> {
        if status >> 16 != 0 {
            return Ok(Stop::Interrupted);
        }
        match libc::WSTOPSIG(status) {
            libc::SIGTRAP => {
                let target = self.child.target;
                let info = ptrace::getsiginfo(target).map_err(stopped("ptrace(PTRACE_GETSIGINFO)"))?;
                if arch::is_mark(info.si_code) {
                    arch::pass_mark(target).map_err(stopped("ptrace(PTRACE_SETREGS)"))?;
                    return Ok(Stop::Mark);
                }
                Ok(Stop::Trap)
            }
            signal => Ok(Stop::Signal(signal)),
        }
    }

    /// Stops the other threads, once they rest.
    pub(super) fn hold(&mut self) -> Result<(), Trouble> {
        if self.held {
            return Ok(());
        }
        if !self.others.is_empty() {
            self.settle()?;
        }
        for other in &self.others {
            // A thread that has ended needs no holding.
            if ptrace::interrupt(*other).is_ok() {
                state_change(*other, 0)?;
            }
        }
        self.held = true;
        Ok(())
    }

    /// Lets the other threads go, and waits until all sleep, the helper and the bystander included.
    pub(super) fn release(&mut self) -> Result<(), Trouble> {
        self.let_go();
        // The helper and the bystander rest until they are called.
        if self.others.is_empty() && !self.child.called { Ok(()) } else { self.settle() }
    }

    /// Lets the other threads go, and does not wait.
    pub(super) fn let_go(&mut self) {
        if self.held {
            for other in &self.others {
                // Fails for one that has ended.
                let _ = ptrace::cont(*other, None);
            }
            self.held = false;
        }
    }

    /// Waits until all but the target sleep.
    pub(super) fn settle(&self) -> Result<(), Trouble> {
        let slate = self.child.memory.slate;
        let ids = [&slate.helper, &slate.bystander];
        let ids = ids.into_iter().map(|id| id.load(sigproof_shim::native::atomic::Ordering::Relaxed));
        let mut ids: Vec<u32> = ids.filter(|id| *id != 0).collect();
        ids.extend(slate.other_ids());
        if self.child.settle(&ids) {
            Ok(())
        } else {
            Err(Trouble::Astray("the other threads do not come to rest".to_owned()))
        }
    }

    /// Lets go of every thread, so that somebody else may trace them. The child goes on as it was.
    pub(super) fn detach(&mut self) -> Result<(), Trouble> {
        for tid in self.others.iter().copied().chain([self.child.target]) {
            if ptrace::interrupt(tid).is_ok() && state_change(tid, 0)?.is_some_and(|status| libc::WIFSTOPPED(status)) {
                // Fails only for a thread that was killed.
                let _ = ptrace::detach(tid, None);
            }
        }
        self.others.clear();
        Ok(())
    }
}

impl Drop for Tracee<'_> {
    fn drop(&mut self) {
        if self.child.reaped {
            return;
        }
        self.child.kill();
        for other in self.others.iter().chain([&self.child.target]) {
            // Until it has ended: its end is for its tracer to collect, and comes before the process's.
            while let Ok(Some(status)) = state_change(*other, 0) {
                if !libc::WIFSTOPPED(status) {
                    break;
                }
            }
        }
    }
}

/// Maps `ESRCH` of a call on a stopped thread on [`Trouble::Astray`]: the thread was killed meanwhile.
fn stopped(call: &'static str) -> impl FnOnce(Errno) -> Trouble {
    move |errno| match errno {
        Errno::ESRCH => Trouble::Astray("the process was killed".to_owned()),
        errno => refused(call)(errno),
    }
}

/// A state change of one thread, waited for or not; `None` if there is none, or if the thread is gone.
fn state_change(tid: Pid, flags: libc::c_int) -> Result<Option<libc::c_int>, Trouble> {
    let change = traced::state_change(tid.as_raw(), flags).map_err(refused("wait4"))?;
    Ok(change.map(|(_, status)| status))
}
