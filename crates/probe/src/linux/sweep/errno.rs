//! Whether the handler leaves `errno` as it was: once, right behind the window's return.

use std::time::{Duration, Instant};

use super::Sweep;
use crate::linux::cpu;
use crate::linux::live::Live;
use crate::linux::names::{self, Found};
use crate::linux::process::Event;
use crate::{Trouble, WindowName};

/// The breakpoint behind a call of ours, and behind the handler.
const BACK: usize = 2;

/// What no call leaves in `errno`.
const MARK: i32 = 4242;

/// Below the stack, beyond what the interrupted function may use there.
const BELOW: u64 = 1024;

impl Sweep<'_> {
    /// What the handler makes of `errno`; `None` if it leaves it alone, or does not return, or there is none.
    pub(super) fn errno(&mut self) -> Result<Option<i32>, Trouble> {
        let Some(mut live) = self.bring(self.first)? else { return Ok(None) };
        if !live.leave(self.deadline)? {
            return Ok(None);
        }
        let window = WindowName { function: "__errno_location".to_owned(), library: Some("libc".to_owned()) };
        let Found::At(function) = names::find(live.process.pid, &window)? else { return Ok(None) };
        let Some(place) = call(&mut live, function.entry)? else { return Ok(None) };
        let at = cpu::registers(live.tid)?;
        if !live.process.write(place, &MARK.to_le_bytes()) {
            return Ok(None);
        }
        live.process.step(live.tid, self.signal)?;
        if live.process.wait_step(live.tid)? != Event::Trap(live.tid) {
            return Ok(None);
        }
        live.process.set_break(live.tid, BACK, Some(at.rip))?;
        live.process.go(live.tid, 0)?;
        if !comes_to(&mut live, at.rip, at.rsp)? {
            return Ok(None);
        }
        let mut bytes = [0; 4];
        let read = live.process.read(place, &mut bytes);
        let left = i32::from_le_bytes(bytes);
        Ok((read && left != MARK).then_some(left))
    }
}

/// Calls a function without arguments; its result.
fn call(live: &mut Live<'_>, entry: u64) -> Result<Option<u64>, Trouble> {
    let before = cpu::registers(live.tid)?;
    let sp = ((before.rsp - BELOW) & !15) - 8;
    if !live.process.write(sp, &before.rip.to_le_bytes()) {
        return Ok(None);
    }
    cpu::set_registers(live.tid, libc::user_regs_struct { rip: entry, rsp: sp, orig_rax: u64::MAX, ..before })?;
    live.process.set_break(live.tid, BACK, Some(before.rip))?;
    live.process.go(live.tid, 0)?;
    if !comes_to(live, before.rip, sp + 8)? {
        return Ok(None);
    }
    let result = cpu::registers(live.tid)?.rax;
    live.process.set_break(live.tid, BACK, None)?;
    cpu::set_registers(live.tid, before)?;
    Ok(Some(result))
}

/// Waits until the thread is there.
fn comes_to(live: &mut Live<'_>, pc: u64, sp: u64) -> Result<bool, Trouble> {
    let deadline = Instant::now() + live.request().timeout;
    loop {
        live.mind_interruption()?;
        match live.process.wait(Duration::from_micros(500))? {
            Event::Trap(tid) if tid == live.tid => {
                let registers = cpu::registers(tid)?;
                if (registers.rip, registers.rsp) == (pc, sp) {
                    return Ok(true);
                }
                live.process.go(tid, 0)?;
            }
            Event::Trap(tid) => live.process.go(tid, 0)?,
            Event::Signal(tid, signal) => live.process.go(tid, signal)?,
            Event::Ended(_) | Event::Exec(_) => return Ok(false),
            Event::Quiet if Instant::now() > deadline => return Ok(false),
            Event::Quiet => {}
        }
    }
}
