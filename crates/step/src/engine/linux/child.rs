//! The process in which the window runs: forked by the sweeping process, which has one thread, so that every
//! address in it is the same each time.
//!
//! The target is a thread of its own, so that its memory comes from an arena of its own: what the sweeping
//! process has allocated before the fork leaves no trace in the allocator's path.
//!
//! It is ended and reaped when this is dropped, and dies with the sweeping process whatever happens to that.

use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{ForkResult, Pid, fork};
use sigproof_shim::native::atomic::Ordering;
use sigproof_shim::native::os::thread::yield_now;

use super::refused;
use crate::engine::{OnlyThread, Trouble};
use crate::slate::Slate;
use crate::{GO_ON, Notes, OVER, Subject};
use sigproof_inspect::hang::procfs::{RunAccount, maps, parse_schedstat, thread_stat};
use sigproof_inspect::hang::{self, Look, Watch};
use sigproof_inspect::process::pause;

/// How long threads may take to come to rest.
const REST: Duration = Duration::from_secs(2);

/// How long the sweeping process waits for a sign of its child before it looks for itself, in nanoseconds.
const QUIET_NS: i64 = 60_000;

/// What both sides have mapped: one for all children of this process, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub notes: &'static dyn Notes,
    pub slate: &'static Slate,
    /// The address range of the vDSO; empty if the process has none.
    pub vdso: Range<u64>,
}

impl Memory {
    fn of(subject: &dyn Subject) -> Result<Self, Trouble> {
        static MADE: OnceLock<(&Slate, Range<u64>)> = OnceLock::new();
        let mapping = |error| Trouble::System { call: "mapping shared memory", error };
        let (slate, vdso) = match MADE.get() {
            Some(made) => made.clone(),
            None => {
                let vdso = maps(std::process::id()).into_iter().find(|map| map.path == "[vdso]");
                let vdso = vdso.map_or(0..0, |map| map.start..map.end);
                let slate: &'static Slate = Slate::make().map_err(mapping)?;
                MADE.get_or_init(|| (slate, vdso)).clone()
            }
        };
        Ok(Self { notes: subject.notes().map_err(mapping)?, slate, vdso })
    }
}

/// A child.
pub(super) struct Child<'s> {
    pub subject: &'s dyn Subject,
    pub pid: Pid,
    /// The thread that is in the window.
    pub target: Pid,
    pub memory: Memory,
    /// Until it is to end.
    watch: Option<Watch>,
    /// Whether it has been reaped.
    pub reaped: bool,
    /// Whether the helper has been called in this execution.
    pub called: bool,
}

impl<'s> Child<'s> {
    /// Starts one, which waits for [`go`](Self::go).
    pub(super) fn start(subject: &'s dyn Subject, steps_itself: bool, _only: OnlyThread) -> Result<Self, Trouble> {
        let memory = Memory::of(subject)?;
        memory.slate.reset();
        memory.slate.steps_itself.store(u32::from(steps_itself), Ordering::Relaxed);
        memory.slate.vdso[0].store(memory.vdso.start, Ordering::Relaxed);
        memory.slate.vdso[1].store(memory.vdso.end, Ordering::Relaxed);
        // Before the fork: a signal that the child waits for must find it blocked there.
        signals().thread_block().map_err(refused("pthread_sigmask"))?;
        // SAFETY: this process has one thread (`_only`), so that the child may do whatever it likes.
        match unsafe { fork() }.map_err(refused("fork"))? {
            ForkResult::Child => perform(subject, memory.slate),
            ForkResult::Parent { child: pid } => {
                let watch = Some(Watch::new(pid.as_raw().cast_unsigned()));
                let mut child = Self { subject, pid, target: pid, memory, watch, reaped: false, called: false };
                child.await_target()?;
                Ok(child)
            }
        }
    }

    /// Waits until the target is there. A child that the machine refuses something tells what, and ends.
    fn await_target(&mut self) -> Result<(), Trouble> {
        let started = Instant::now();
        while !await_sign() {
            if let Some(status) = self.ended()? {
                let detail = self.subject.ended(status)?.detail;
                return Err(Trouble::Astray(format!("the child ended before its target began: {detail}")));
            }
            if started.elapsed() > REST {
                return Err(Trouble::Astray(format!("the target of the child did not begin within {REST:?}")));
            }
        }
        self.target = Pid::from_raw(self.memory.slate.target.load(Ordering::Relaxed).cast_signed());
        Ok(())
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>, Trouble> {
        let mut status = 0;
        // SAFETY: the status is a live local.
        match unsafe { libc::waitpid(self.pid.as_raw(), &raw mut status, libc::WNOHANG) } {
            0 => Ok(None),
            -1 => Err(refused("wait4")(Errno::last())),
            _ => {
                self.reaped = true;
                Ok(Some(ExitStatus::from_raw(status)))
            }
        }
    }

    /// The id of the target.
    pub(super) fn target_id(&self) -> u32 {
        self.target.as_raw().cast_unsigned()
    }

    /// Lets it begin.
    pub(super) fn go(&self) -> Result<(), Trouble> {
        self.send(self.target_id(), GO_ON)
    }

    /// Sends a signal to one of its threads.
    pub(super) fn send(&self, tid: u32, signal: libc::c_int) -> Result<(), Trouble> {
        // SAFETY: no memory is touched; the ids are those of a child that is not reaped.
        let result = unsafe { libc::syscall(libc::SYS_tgkill, self.pid.as_raw(), tid, signal) };
        if result == 0 { Ok(()) } else { Err(refused("tgkill")(Errno::last())) }
    }

    /// Sends the signal that is judged, to the target or the bystander.
    pub(super) fn signal(&self, tid: u32) -> Result<(), Trouble> {
        self.memory.notes.armed().fetch_add(1, Ordering::Release);
        self.send(tid, self.subject.signal())
    }

    /// Whether a handler is on some thread's stack.
    pub(super) fn in_handler(&self) -> bool {
        self.memory.notes.in_handler()
    }

    /// Calls the helper, if there is one and it was not called in this execution. Whether it was.
    pub(super) fn call_helper(&mut self) -> Result<bool, Trouble> {
        let helper = self.memory.slate.helper.load(Ordering::Relaxed);
        if helper == 0 || self.called {
            return Ok(false);
        }
        self.called = true;
        self.memory.slate.calls.fetch_add(1, Ordering::Relaxed);
        self.send(helper, GO_ON)?;
        Ok(true)
    }

    /// One look at whether it is stuck.
    pub(super) fn look(&mut self) -> Look {
        let notes = self.memory.notes;
        // Who blocks the signal and sleeps is not woken by it.
        let idle = notes.signals_idle()
            || !hang::held_back(self.pid.as_raw().cast_unsigned(), self.subject.signal()).is_empty();
        self.watch.as_mut().map_or(Look::Gone, |watch| watch.look(notes.progress(), idle))
    }

    /// Why it cannot be looked at, if that is so.
    pub(super) fn unwatchable(&mut self) -> Option<String> {
        match self.look() {
            Look::Unwatchable(why) => Some(why),
            _ => None,
        }
    }

    /// Whether the target sleeps. A target that has ended does not sleep: its end is still to be reported.
    pub(super) fn target_sleeps(&self) -> bool {
        let look = || self.sleeper(self.target_id()).flatten();
        let Some(first) = look() else { return false };
        yield_now();
        look() == Some(first)
    }

    /// Waits until all of these threads sleep. Whether they do.
    pub(super) fn settle(&self, tids: &[u32]) -> bool {
        let started = Instant::now();
        while !self.asleep(tids) {
            if started.elapsed() > REST {
                return false;
            }
            pause(Duration::from_micros(10));
        }
        true
    }

    /// Whether all of these threads sleep, and did not run in between two looks. One that has ended sleeps
    /// well.
    fn asleep(&self, tids: &[u32]) -> bool {
        let look = || tids.iter().map(|tid| self.sleeper(*tid)).collect::<Option<Vec<_>>>();
        let Some(first) = look() else { return false };
        yield_now();
        look() == Some(first)
    }

    fn sleeper(&self, tid: u32) -> Option<Option<RunAccount>> {
        let pid = self.pid.as_raw().cast_unsigned();
        let Some(stat) = thread_stat(pid, tid) else { return Some(None) };
        match stat.state {
            'Z' | 'X' => Some(None),
            'S' => {
                let account = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/schedstat")).ok()?;
                parse_schedstat(&account).map(Some)
            }
            _ => None,
        }
    }
}

impl Child<'_> {
    /// Kills it. It is still to be reaped. Whether the kernel took the signal.
    pub(super) fn kill(&mut self) -> bool {
        // What is open of a process in /proc makes its end dear.
        self.watch = None;
        // A sandbox may refuse one of the two calls. SIGKILL to one thread ends them all.
        self.reaped
            || kill(self.pid, Signal::SIGKILL).is_ok()
            || self.send(self.pid.as_raw().cast_unsigned(), libc::SIGKILL).is_ok()
    }
}

impl Drop for Child<'_> {
    fn drop(&mut self) {
        // One that cannot be killed is not waited for: it dies with this process, by PR_SET_PDEATHSIG.
        if self.kill() && !self.reaped {
            // SAFETY: no status is asked for.
            while unsafe { libc::waitpid(self.pid.as_raw(), core::ptr::null_mut(), libc::__WALL) } < 0
                && Errno::last() == Errno::EINTR
            {}
        }
    }
}

/// What the sweeping process waits for, and what its children do.
fn signals() -> SigSet {
    let numbers = [libc::SIGCHLD, OVER, GO_ON];
    numbers.into_iter().filter_map(|number| Signal::try_from(number).ok()).collect()
}

/// Waits for a sign of the child, for a while. Whether it was that an execution is over.
pub(super) fn await_sign() -> bool {
    let time = libc::timespec { tv_sec: 0, tv_nsec: QUIET_NS };
    // SAFETY: the set is initialised before it is used, and all pointers are to live locals.
    unsafe {
        let mut set = core::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        libc::sigaddset(&raw mut set, OVER);
        libc::sigtimedwait(&raw const set, core::ptr::null_mut(), &raw const time) == OVER
    }
}

/// The child's whole life.
fn perform(subject: &dyn Subject, slate: &'static Slate) -> ! {
    // SAFETY: PR_SET_PDEATHSIG takes a number.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    subject.perform(slate)
}
