//! Other threads at chosen places while the swept thread takes the signal.
//!
//! ```text
//!  swept thread:  ── boundary k ─────────────── signal ── handler ... ── sleeps or returns ──► all run
//!  another one:        └─► runs to FUNCTION ──── held ───────────────────────────┘
//! ```
//!
//! | schedule | the other threads |
//! |---|---|
//! | 0 | run freely |
//! | 1 | are held until the swept thread has left the window, sleeps, or has had its time |
//! | 2 and more | are held as under 1 until the handler returns; before the signal, one runs some instructions |
//!
//! A thread that sleeps when its instructions begin is waited for, so that they count from its wake-up.
//! Otherwise they count from where the thread is when the swept one comes to its boundary, which is not the
//! same place in each run. So the place where it is held is kept, and a run that repeats another brings it
//! there by a breakpoint.

use std::time::{Duration, Instant};

use super::{ENTRY, GOAL, Live, OTHER, QUIET, RETURN};
use crate::Trouble;
use crate::linux::cpu;
use crate::linux::errno::Spoiled;
use crate::linux::follow::Seen;
use crate::linux::process::Event;
use crate::linux::waits::{is_futex, is_untimed};

/// RFLAGS.RF: the next instruction does not stop at its breakpoint.
const RESUME_FLAG: u64 = 1 << 16;

/// Instructions by which schedules differ.
const STRIDE: u32 = 8;

/// How long the swept thread may run alone before the others go on, at least.
const ALONE: Duration = Duration::from_millis(20);

/// Looks that have to show every other thread asleep for good before none of them is waited for.
const LOOKS: u32 = 4;

/// Whether another thread came to the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brought {
    /// It is stopped there.
    There,
    /// None comes while the swept thread stands where it is.
    Never,
    /// The program has ended.
    Gone,
}

/// What the other threads do while the signal is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// They run.
    Free,
    /// They are held.
    Held,
    /// One of them, by its place in the order of creation, runs so many instructions first.
    First {
        thread: u32,
        /// How many.
        instructions: u32,
    },
}

impl Schedule {
    /// The schedule of a number, for a program with so many other threads.
    pub(crate) fn nth(number: u32, others: u32) -> Self {
        match number {
            0 => Self::Free,
            1 => Self::Held,
            _ => {
                let (number, others) = (number - 2, others.max(1));
                Self::First { thread: number % others, instructions: STRIDE * (number / others + 1) }
            }
        }
    }
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Free => f.write_str("the other threads ran freely"),
            Self::Held => f.write_str("the other threads were held until the swept thread left the window or slept"),
            Self::First { thread, instructions } => {
                write!(f, "other thread {} ran {instructions} instructions first", thread + 1)
            }
        }
    }
}

/// An instruction that another thread is brought to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OtherAt {
    pub at: u64,
    /// Which arrival there it is, from 1, since the swept thread stands at its boundary.
    pub number: u32,
}

/// How a run stands to a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arranged {
    /// One thread has run the instructions of the schedule. Where it is held, if that is at an instruction.
    Ready(Option<u64>),
    /// One thread was brought here.
    Brought(u64),
    /// The program has ended.
    Gone,
}

/// Until when the other threads are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// The handler returns.
    Handled,
    /// The window is left.
    Left,
}

impl Live<'_> {
    /// How many other threads there are.
    pub(crate) fn others(&self) -> u32 {
        u32::try_from(self.process.threads().filter(|tid| *tid != self.tid).count()).unwrap_or(u32::MAX)
    }

    /// Lets the others run until one of them is about to execute an instruction, and holds that one.
    pub(crate) fn bring_other(&mut self, to: OtherAt) -> Result<Brought, Trouble> {
        self.process.hold_others(self.tid)?;
        self.process.break_everywhere(OTHER, Some(to.at));
        self.process.release_others()?;
        let brought = self.await_other(to);
        self.process.break_everywhere(OTHER, None);
        brought
    }

    fn await_other(&mut self, to: OtherAt) -> Result<Brought, Trouble> {
        let deadline = Instant::now() + self.request.timeout;
        let (mut asleep, mut arrivals) = (0, 0);
        loop {
            match self.process.wait(QUIET)? {
                Event::Trap(tid) if tid != self.tid => {
                    arrivals += u32::from(cpu::registers(tid)?.rip == to.at);
                    if arrivals == to.number {
                        self.process.set_break(tid, OTHER, None)?;
                        self.process.hold(tid);
                        return Ok(Brought::There);
                    }
                    self.process.go(tid, 0)?;
                }
                Event::Signal(tid, signal) if tid != self.tid => self.process.go(tid, signal)?,
                Event::Ended(_) | Event::Exec(_) => return Ok(Brought::Gone),
                Event::Quiet if Instant::now() > deadline => return Ok(Brought::Never),
                Event::Quiet => {
                    self.mind_interruption()?;
                    asleep = if self.others_sleep_for_good() { asleep + 1 } else { 0 };
                    if asleep >= LOOKS {
                        return Ok(Brought::Never);
                    }
                }
                Event::Trap(_) | Event::Signal(..) => {}
            }
        }
    }

    /// Whether every other thread sleeps in a wait without a time limit.
    fn others_sleep_for_good(&self) -> bool {
        self.process.threads().filter(|tid| *tid != self.tid).all(|tid| {
            let syscall = self.sleeps_in(tid);
            syscall.is_some_and(|syscall| is_untimed(syscall) || is_futex(syscall))
        })
    }

    /// Prepares a schedule: the swept thread is stopped at its boundary. An earlier run may tell `stands`.
    pub(crate) fn arrange(&mut self, schedule: Schedule, stands: Option<OtherAt>) -> Result<Arranged, Trouble> {
        if schedule == Schedule::Free {
            return Ok(Arranged::Ready(None));
        }
        if let (Schedule::First { .. }, Some(stands)) = (schedule, stands) {
            match self.bring_other(stands)? {
                Brought::There => {
                    self.process.hold_others(self.tid)?;
                    return Ok(Arranged::Brought(stands.at));
                }
                Brought::Gone => return Ok(Arranged::Gone),
                // It is counted instead.
                Brought::Never => {}
            }
        }
        self.process.hold_others(self.tid)?;
        let Schedule::First { thread, instructions } = schedule else { return Ok(Arranged::Ready(None)) };
        let others: Vec<i32> = self.process.threads().filter(|tid| *tid != self.tid).collect();
        let Some(tid) = others.get(thread as usize).copied() else { return Ok(Arranged::Ready(None)) };
        let deadline = Instant::now() + self.request.timeout;
        for _ in 0..instructions {
            self.process.step(tid, 0)?;
            loop {
                match self.process.wait(QUIET)? {
                    Event::Trap(who) if who == tid => break,
                    Event::Signal(who, signal) if who == tid => self.process.step(who, signal)?,
                    Event::Trap(who) if who != self.tid => self.process.go(who, 0)?,
                    Event::Signal(who, signal) if who != self.tid => self.process.go(who, signal)?,
                    Event::Ended(_) | Event::Exec(_) => return Ok(Arranged::Gone),
                    Event::Quiet => {
                        self.mind_interruption()?;
                        let syscall = self.sleeps_in(tid);
                        let for_good = syscall.is_some_and(|call| is_untimed(call) || is_futex(call));
                        if for_good || Instant::now() > deadline {
                            // It runs on from its sleep when the others do.
                            self.process.let_run(tid);
                            return Ok(Arranged::Ready(None));
                        }
                    }
                    Event::Trap(_) | Event::Signal(..) => {}
                }
            }
        }
        Ok(Arranged::Ready(Some(cpu::registers(tid)?.rip)))
    }

    /// Delivers the signal while others are held, and lets them go once the handler has returned.
    pub(crate) fn follow_beside(&mut self, signal: i32, pace: Duration, explains: bool) -> Result<Seen, Trouble> {
        self.follow_apart(signal, pace, explains, Until::Handled)
    }

    /// Delivers the signal under a schedule that is arranged.
    pub(crate) fn follow_scheduled(
        &mut self,
        schedule: Schedule,
        signal: i32,
        pace: Duration,
        explains: bool,
    ) -> Result<Seen, Trouble> {
        match schedule {
            Schedule::Free => self.follow(signal, pace, explains),
            Schedule::Held => self.follow_apart(signal, pace, explains, Until::Left),
            Schedule::First { .. } => self.follow_apart(signal, pace, explains, Until::Handled),
        }
    }

    fn follow_apart(&mut self, signal: i32, pace: Duration, explains: bool, until: Until) -> Result<Seen, Trouble> {
        let tid = self.tid;
        let from = self.interrupted()?;
        let mut at = from.at;
        at.eflags &= !RESUME_FLAG;
        self.release_held()?;
        self.process.set_break(tid, RETURN, Some(self.ret))?;
        self.process.set_break(tid, ENTRY, Some(self.function.entry))?;
        if until == Until::Handled {
            // The handler's return restores the flags: the breakpoint there has to hold.
            cpu::set_registers(tid, at)?;
            self.process.set_break(tid, GOAL, Some(at.rip))?;
        } else if let Some(errno) = self.errno {
            self.process.set_break(tid, GOAL, Some(errno.back))?;
        }
        self.process.go(tid, signal)?;
        let begun = Instant::now();
        let long = ALONE.max(pace * 20);
        let mut spoiled = None;
        let event = loop {
            match self.process.wait(QUIET)? {
                event @ (Event::Ended(_) | Event::Exec(_)) => break Some(event),
                event @ Event::Trap(who) if who == tid => {
                    let registers = cpu::registers(tid)?;
                    let handled = until == Until::Handled && (registers.rip, registers.rsp) == (at.rip, at.rsp);
                    spoiled = spoiled.or_else(|| self.after_handler(&registers, &from));
                    if handled && let Some((errno, before)) = self.errno.zip(from.errno) {
                        let after = errno.of(&registers, |from, into| self.process.read(from, into));
                        spoiled = after.map(|after| Spoiled { before, after });
                    }
                    // Calls by the handler and turns of a loop lie deeper, or are others' business.
                    if handled || registers.rsp > self.sp || registers.rip == self.function.entry {
                        break Some(event);
                    }
                    self.process.go(tid, 0)?;
                }
                Event::Trap(who) => self.process.go(who, 0)?,
                Event::Signal(who, signal) => self.process.go(who, signal)?,
                Event::Quiet if self.is_asleep(tid) || begun.elapsed() > long => break None,
                Event::Quiet => self.mind_interruption()?,
            }
        };
        self.process.release_others()?;
        let mut seen = self.watch(&from, pace, explains, event)?;
        seen.errno = spoiled.or(seen.errno);
        Ok(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_counted() {
        let first = |thread, instructions| Schedule::First { thread, instructions };
        let all: Vec<Schedule> = (0..6).map(|number| Schedule::nth(number, 2)).collect();
        assert_eq!(all, [Schedule::Free, Schedule::Held, first(0, 8), first(1, 8), first(0, 16), first(1, 16)]);
        assert_eq!(Schedule::nth(3, 0), first(0, 16));
    }
}
