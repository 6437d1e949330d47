//! All boundaries of a window by copies of one child, in each of which the signal is undone
//! ([`copy`](mod@crate::copy)).
//!
//! ```text
//! the child:  mark ── step ── step ── step ── ..  to the end of the window, without a signal
//!               │       │       │       │
//! a copy:       └signal ┴ undo, ┴ undo, ┴ ..      each time to the next window, behind its checks
//! ```
//!
//! | a copy | is judged by |
//! |---|---|
//! | comes to the next window | nothing more: all went well, by the child's own checks |
//! | ends | its end and its notes |
//! | sleeps for good: in an untimed wait on a futex of its own | its notes |
//! | is about to make a system call that changes what the kernel holds; spins; sleeps otherwise | nothing: the call is not made, the copy is thrown away, and the boundary is left to an execution of its own |
//!
//! # Invariants
//! 1. The child has the target, the thread that waits for it, and at most the helper, which acts only where
//!    the target sleeps outside of a handler: so nobody could wake a copy elsewhere, and a copy that sleeps
//!    there is not judged if there is a helper.
//! 2. All memory that the child shares is shared with this process, which puts it back after each use of a
//!    copy.
//! 3. No copy changes what it shares with the child in the kernel: the filter stops it before the call.

use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use nix::sys::ptrace::{self, Options};
use nix::unistd::Pid;
use sigproof_inspect::hang::Stuck;
use sigproof_inspect::hang::procfs::{self, Mapping};
use sigproof_shim::native::atomic::{AtomicU8, Ordering};

use super::{Ptrace, advance};
use crate::copy::{Copy, Looks, Origin, Stop};
use crate::engine::linux::pump::{self, End};
use crate::engine::linux::tracee::{Go, Tracee};
use crate::engine::linux::{arch, ptrace::judge};
use crate::engine::{Ended, Kind, Trouble};
use crate::{Boundary, Interrupted, Subject, slate};

/// Processor time after which a copy spins, perhaps: an execution of its own decides.
const SPIN: Duration = Duration::from_millis(3);

/// How long a copy is waited for that neither runs nor sleeps for good.
const PATIENCE: Duration = Duration::from_millis(20);

/// How many copies are thrown away before the rest of a window is left to executions of their own; and, on
/// top of that, one of so many boundaries.
const THROWN: usize = 4;
/// As above.
const ONE_OF: usize = 16;

/// The most memory that is shared and put back, in bytes.
const MOST: u64 = 64 << 10;

/// The end of one use of a copy.
#[derive(Debug, PartialEq)]
enum Use {
    /// It is before the next window.
    Round,
    /// It is judged.
    Ended(Ended),
    /// It sleeps for good.
    Stuck,
    /// It was about to make a system call that is not undone.
    Call,
    /// Nothing that a judgement could rest on.
    Unknown,
}

/// Judges the boundaries of a path, in their order. `tell` is given the result of each; `None` is left to an
/// execution of its own.
///
/// # Errors
/// [`Trouble::Incapable`], before anything was told: this is no window for copies.
pub(super) fn sweep(
    engine: &mut Ptrace<'_>,
    path: &[Boundary],
    tell: &mut dyn FnMut(usize, Option<Ended>),
) -> Result<(), Trouble> {
    able(engine.subject.interrupted() == Interrupted::Target, "hold the target while a bystander is interrupted")?;
    able(path.iter().all(|boundary| !boundary.asleep), "copy a thread that sleeps")?;
    // Their nested sweeps are the longer part by far.
    able(!engine.subject.nests(), "sweep a second signal")?;
    let mut walker = Walker::start(engine)?;
    walker.try_out()?;
    let (mut thrown, mut strayed) = (0, false);
    for at in 0..path.len() {
        if at > 0
            && let Err(trouble) = walker.step(path, at)
        {
            // Once more, in a fresh child.
            walker = match trouble {
                Trouble::Astray(_) if !strayed => {
                    drop(walker);
                    strayed = true;
                    match Walker::at(engine, path, at) {
                        Ok(walker) => walker,
                        Err(Trouble::Astray(_)) => {
                            leave(at, path, tell);
                            return Ok(());
                        }
                        Err(other) => return Err(other),
                    }
                }
                Trouble::Astray(_) => {
                    leave(at, path, tell);
                    return Ok(());
                }
                other => return Err(other),
            };
        }
        let ended = match walker.judge(engine.subject.signal())? {
            Use::Round => Some(judge::well()),
            Use::Ended(ended) => Some(ended),
            Use::Call | Use::Stuck | Use::Unknown => None,
        };
        thrown += usize::from(ended.is_none());
        tell(at, ended);
        if thrown > THROWN + at / ONE_OF {
            leave(at + 1, path, tell);
            break;
        }
    }
    let Walker { mut live, copy, .. } = walker;
    drop(copy);
    live.go(Go::On, None)?;
    if pump::to_next_window(&mut live, false)? == End::Round {
        engine.live = engine.warms_up.then_some(live);
    }
    Ok(())
}

/// Leaves the rest of the boundaries to executions of their own.
fn leave(from: usize, path: &[Boundary], tell: &mut dyn FnMut(usize, Option<Ended>)) {
    (from..path.len()).for_each(|at| tell(at, None));
}

fn able(is: bool, what: &'static str) -> Result<(), Trouble> {
    if is { Ok(()) } else { Err(Trouble::Incapable { engine: Kind::Undo, what }) }
}

/// The child, stopped at a boundary, and its copy.
struct Walker<'s> {
    live: Tracee<'s>,
    origin: Origin,
    /// Whether there is a helper.
    helps: bool,
    /// What this process and the child share beside slate and notes, by its addresses in both.
    shared: Vec<Range<u64>>,
    copy: Option<Copy>,
    /// How many copies there were.
    forks: usize,
}

impl<'s> Walker<'s> {
    /// Before the first boundary of a window.
    fn start(engine: &mut Ptrace<'s>) -> Result<Self, Trouble> {
        let live = engine.live()?;
        let pid = live.child.pid.as_raw();
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
        let helps = live.child.memory.slate.helper.load(Ordering::Relaxed) != 0;
        able(threads == 2 + usize::from(helps), "copy a window in which other threads take part")?;
        let known = [slate::range(live.child.memory.slate.header()), slate::range(live.child.memory.notes.memory())];
        let mut shared = procfs::maps(pid.cast_unsigned());
        // A mapping is as long as its pages.
        let is_known = |map: &Mapping| known.iter().any(|known| (map.start..map.end).contains(&known.start));
        shared.retain(|map| map.writable && map.shared && !is_known(map));
        let own = if shared.is_empty() { Vec::new() } else { procfs::maps(std::process::id()) };
        let size: u64 = shared.iter().map(|map| map.end - map.start).sum();
        let is_own = shared.iter().all(|map| own.contains(map));
        able(is_own && size <= MOST, "put back memory that the window shares with others")?;
        let shared = shared.iter().map(|map| map.start..map.end).collect();
        let syscall_at = syscall_instruction(&live.child.memory.vdso).unwrap_or_default();
        able(syscall_at != 0, "find a system call's instruction in the vDSO")?;
        let tid = live.child.target.as_raw();
        let origin = Origin { pid, tid, syscall_at, options: Options::PTRACE_O_EXITKILL };
        Ok(Self { live, origin, helps, shared, copy: None, forks: 0 })
    }

    /// At a boundary, in a fresh child.
    fn at(engine: &mut Ptrace<'s>, path: &[Boundary], at: usize) -> Result<Self, Trouble> {
        engine.live = None;
        let mut walker = Self::start(engine)?;
        advance::advance(&mut walker.live, Kind::Breakpoint, path, at)?;
        Ok(walker)
    }

    /// From the boundary before it to this one.
    fn step(&mut self, path: &[Boundary], at: usize) -> Result<(), Trouble> {
        advance::cover(&mut self.live, Kind::SingleStep, path, at - 1, at)
    }

    /// The controls: a copy without a signal, twice, comes to the next window; and with one, it changes
    /// nothing that is not undone.
    fn try_out(&mut self) -> Result<(), Trouble> {
        for signal in [0, 0, self.live.child.subject.signal()] {
            match self.judge(signal)? {
                Use::Round => {}
                Use::Call if signal == 0 => return able(false, "undo a system call of the window or of its checks"),
                Use::Call => return able(false, "undo a system call of the handler"),
                _ => able(signal != 0, "bring a copy without a signal to the next window")?,
            }
            able(self.forks == 1, "undo what a copy has done")?;
        }
        Ok(())
    }

    /// One use of a copy at the boundary where the child is. What the copy has noted is put back.
    fn judge(&mut self, signal: libc::c_int) -> Result<Use, Trouble> {
        let memory = &self.live.child.memory;
        let (slate, notes) = (memory.slate.header(), memory.notes);
        let memory: Vec<_> = self.shared.iter().map(bytes).chain([slate]).collect();
        // SAFETY: the child is stopped, and its copy, if there is one, is stopped or asleep for good.
        let (kept, noted) = unsafe {
            (memory.iter().map(|memory| slate::keep(memory)).collect::<Vec<_>>(), slate::keep(notes.memory()))
        };
        let used = self.use_copy(signal);
        if !matches!(used, Ok(Use::Round | Use::Ended(_))) {
            // It may still run, and write to what is put back.
            self.copy = None;
        }
        // SAFETY: as above.
        unsafe {
            memory.iter().zip(&kept).for_each(|(memory, kept)| slate::put_back(memory, kept));
            notes.put_back(&noted);
        }
        used
    }

    fn use_copy(&mut self, signal: libc::c_int) -> Result<Use, Trouble> {
        let undone = match &mut self.copy {
            Some(copy) => copy.undo(&self.origin)?,
            None => false,
        };
        if !undone {
            // The old one ends first.
            self.copy = None;
            let copy = Copy::fork(&self.origin, true)?;
            able(!copy.dirty, "filter the system calls of a copy")?;
            self.copy = Some(copy);
            self.forks += 1;
        }
        let Some(copy) = &mut self.copy else { return Ok(Use::Unknown) };
        if signal != 0 {
            self.live.child.memory.notes.armed().fetch_add(1, Ordering::Release);
        }
        match follow(copy, signal, self.live.child.subject)? {
            // The helper might have ended the sleep.
            Use::Stuck if self.helps && !self.live.child.in_handler() => {
                copy.dirty = true;
                Ok(Use::Unknown)
            }
            Use::Stuck => Ok(Use::Ended(judge::at_a_glance(&self.live.child, Stuck::AllAsleep))),
            used => Ok(used),
        }
    }
}

/// Lets a copy go on with this signal (0: none), to the next window if it comes there.
fn follow(copy: &mut Copy, signal: libc::c_int, subject: &dyn Subject) -> Result<Use, Trouble> {
    copy.unsure = true;
    copy.has_none_pending = false;
    copy.go(signal)?;
    let begun = Instant::now();
    let (mut behind, mut patient, mut looks, mut used) = (false, false, Looks::default(), None);
    loop {
        match copy.wait(patient)? {
            // Somebody else has killed it.
            Stop::Ended(status) if status.signal() == Some(libc::SIGKILL) => {
                return Ok(Use::Unknown);
            }
            // What the machine refuses, the child itself tells.
            Stop::Ended(status) => return Ok(subject.ended(status).map_or(Use::Unknown, Use::Ended)),
            Stop::Call => {
                copy.dirty = true;
                return Ok(Use::Call);
            }
            Stop::Forked | Stop::Other => {
                copy.dirty = true;
                return Ok(Use::Unknown);
            }
            Stop::Signal(signal) => copy.go(signal)?,
            Stop::Trap => {
                if ptrace::getsiginfo(Pid::from_raw(copy.pid)).is_ok_and(|info| arch::is_mark(info.si_code)) {
                    if behind {
                        copy.unsure = false;
                        return Ok(Use::Round);
                    }
                    behind = true;
                }
                (looks, patient) = (Looks::default(), false);
                copy.go(0)?;
            }
            Stop::Quiet => {
                looks.take(copy.look());
                if looks.lasting(1).is_some() {
                    return Ok(Use::Stuck);
                }
                patient = looks.lasting(0).is_none();
                let now = copy.account().map_or(0, |account| account.cpu_ns);
                let spent = now.saturating_sub(*used.get_or_insert(now));
                if u128::from(spent) > SPIN.as_nanos()
                    || begun.elapsed() > PATIENCE && looks.asleep(4).is_some()
                    || begun.elapsed() > PATIENCE * 50
                {
                    copy.dirty = true;
                    return Ok(Use::Unknown);
                }
            }
        }
    }
}

/// Shared memory of this process.
fn bytes<'a>(range: &Range<u64>) -> &'a [AtomicU8] {
    let start = core::ptr::with_exposed_provenance::<AtomicU8>(range.start as usize);
    // SAFETY: the mapping is one of this process, readable and writable, and this process unmaps nothing
    // while it sweeps.
    unsafe { core::slice::from_raw_parts(start, (range.end - range.start) as usize) }
}

/// Where the vDSO has a `syscall` instruction.
fn syscall_instruction(vdso: &Range<u64>) -> Option<u64> {
    const SYSCALL: [u8; 2] = [0x0f, 0x05];
    let length = usize::try_from(vdso.end - vdso.start).ok().filter(|length| *length > 0)?;
    let start = core::ptr::with_exposed_provenance::<u8>(usize::try_from(vdso.start).ok()?);
    // SAFETY: the kernel maps the vDSO for reading for the whole life of the process, and nothing writes to
    // it; its range is that of this process.
    let code = unsafe { core::slice::from_raw_parts(start, length) };
    code.windows(2).position(|pair| pair == SYSCALL).map(|at| vdso.start + at as u64)
}
