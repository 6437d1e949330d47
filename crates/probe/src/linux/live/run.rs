//! The thread runs freely through its pass, up to an instruction or to the pass's end.
//!
//! A breakpoint costs one stop for each arrival at its instruction; a walk by single steps costs one stop for
//! each instruction.

use std::time::Instant;

use super::{GOAL, LONGEST, Live, QUIET, RETURN, Stepped, is_fault};
use crate::Trouble;
use crate::linux::cpu;
use crate::linux::process::Event;

/// Where a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// Before the instruction that was asked for.
    There,
    /// Behind the window's return.
    Returned,
    /// At the entry of the next pass: the window was left without a return.
    Entered,
    /// The program has ended, has become another, or does not come there in time.
    Gone,
}

impl Live<'_> {
    /// Lets the thread, which is in the window, run to the `nth` arrival (from 1) at an instruction of it, or
    /// without one to the window's return. Signals of the program's own are held back meanwhile.
    pub(crate) fn run(&mut self, goal: Option<(u64, u32)>, deadline: Instant) -> Result<Ran, Trouble> {
        let tid = self.tid;
        self.process.set_break(tid, RETURN, Some(self.ret))?;
        if let Some((pc, _)) = goal {
            self.process.set_break(tid, GOAL, Some(pc))?;
        }
        self.process.go(tid, 0)?;
        let ran = self.run_on(goal, deadline)?;
        if ran != Ran::Gone {
            self.process.set_break(tid, RETURN, None)?;
            self.process.set_break(tid, GOAL, None)?;
        }
        Ok(ran)
    }

    fn run_on(&mut self, goal: Option<(u64, u32)>, deadline: Instant) -> Result<Ran, Trouble> {
        let tid = self.tid;
        let mut arrivals = 0;
        loop {
            match self.process.wait(QUIET)? {
                Event::Trap(who) if who == tid => {
                    let registers = cpu::registers(tid)?;
                    if registers.rip == self.ret && registers.rsp > self.sp {
                        return Ok(Ran::Returned);
                    }
                    if let Some((pc, nth)) = goal
                        && registers.rip == pc
                    {
                        arrivals += 1;
                        if arrivals == nth {
                            return Ok(Ran::There);
                        }
                    }
                    if registers.rip == self.function.entry && registers.rsp >= self.sp {
                        self.pass += 1;
                        self.enter(tid)?;
                        return Ok(Ran::Entered);
                    }
                    self.process.go(tid, 0)?;
                }
                Event::Signal(who, signal) if who == tid && !is_fault(signal) => {
                    self.held.push((who, signal));
                    self.process.go(who, 0)?;
                }
                Event::Trap(who) => self.process.go(who, 0)?,
                Event::Signal(who, signal) => self.process.go(who, signal)?,
                Event::Ended(_) | Event::Exec(_) => return Ok(Ran::Gone),
                Event::Quiet if Instant::now() > deadline => return Ok(Ran::Gone),
                Event::Quiet => self.mind_interruption()?,
            }
        }
    }

    /// Brings the thread behind the window; false if it does not come there.
    pub(crate) fn leave(&mut self, deadline: Instant) -> Result<bool, Trouble> {
        match self.run(None, deadline)? {
            Ran::Returned => return Ok(true),
            Ran::There | Ran::Gone => return Ok(false),
            Ran::Entered => {}
        }
        // A window that is left by a jump: only steps show where.
        let mut steps = 0;
        while self.place()?.is_some() {
            steps += 1;
            let goes_on = match self.step()? {
                Stepped::Next => steps < LONGEST,
                Stepped::Asleep => self.wake(deadline)?,
                Stepped::Gone => false,
            };
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
