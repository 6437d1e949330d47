//! Where the program keeps `errno`, and whether the handler leaves it as it was outside the window.

use std::time::{Duration, Instant};

use super::Sweep;
use crate::linux::cpu::{self, Registers};
use crate::linux::errno::Errno;
use crate::linux::follow::has_frame;
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
    /// What the handler leaves in `errno`; `None` if it leaves it alone, or does not return, or there is
    /// none. From then on each boundary is compared.
    pub(super) fn errno(&mut self) -> Result<Option<i32>, Trouble> {
        let Some(mut live) = self.bring(self.first)? else { return Ok(None) };
        if self.awaits || !live.leave(self.patience())? {
            return Ok(None);
        }
        let Some(function) = errno_location(live.process.pid)? else { return Ok(None) };
        let Some(place) = call(&mut live, function)? else { return Ok(None) };
        let at = cpu::registers(live.tid)?;
        if !live.process.write(place, &MARK.to_le_bytes()) {
            return Ok(None);
        }
        live.process.step(live.tid, self.signal)?;
        loop {
            match live.process.wait_step(live.tid)? {
                Event::Trap(tid) if tid == live.tid => break,
                Event::Trap(tid) => live.process.go(tid, 0)?,
                Event::Signal(tid, signal) if tid != live.tid => live.process.go(tid, signal)?,
                Event::Signal(..) | Event::Ended(_) | Event::Exec(_) | Event::Quiet => return Ok(None),
            }
        }
        // Where the signal is blocked, the step is one of the program itself.
        let handler = cpu::registers(live.tid)?;
        if !has_frame(handler.rsp, &at, |from, into| live.process.read(from, into)) {
            return Ok(None);
        }
        let Some(back) = live.process.word(handler.rsp) else { return Ok(None) };
        let errno = Errno { offset: place.wrapping_sub(at.fs_base), back };
        self.errno_at = Some(errno);
        // Not at the interrupted instruction: its breakpoint may be passed over once (RFLAGS.RF).
        live.process.set_break(live.tid, BACK, Some(back))?;
        live.process.go(live.tid, 0)?;
        let after = |live: &Live<'_>, now: &Registers| {
            errno.after(now, (&at, MARK), |from, into| live.process.read(from, into))
        };
        // A handler that leaves by a jump never comes there: the function is called again from above its
        // frame.
        let entry = live.function.entry;
        let returned = comes_to(&mut live, |live, now| match now.rip {
            rip if rip == back && after(live, now).is_some() => Way::There,
            rip if rip == entry && now.rsp > handler.rsp => Way::Never,
            _ => Way::On,
        })?;
        let left = returned.and_then(|now| after(&live, &now)).map(|spoiled| spoiled.after);
        Ok(left.filter(|left| *left != MARK))
    }
}

/// The function that says where the calling thread has its `errno`.
fn errno_location(pid: i32) -> Result<Option<u64>, Trouble> {
    // A static program has it under the same name.
    for library in [Some("libc".to_owned()), None] {
        let window = WindowName { function: "__errno_location".to_owned(), library };
        if let Found::At(function) = names::find(pid, &window)? {
            return Ok(Some(function.entry));
        }
    }
    Ok(None)
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
    let is_back = |now: &Registers| (now.rip, now.rsp) == (before.rip, sp + 8);
    let Some(after) = comes_to(live, |_, now| if is_back(now) { Way::There } else { Way::On })? else {
        return Ok(None);
    };
    live.process.set_break(live.tid, BACK, None)?;
    cpu::set_registers(live.tid, before)?;
    Ok(Some(after.rax))
}

/// What a stop on the way to a place says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    There,
    On,
    /// The thread does not come there any more.
    Never,
}

/// Waits until the thread is there; its registers then. `None`: it does not come there.
fn comes_to(live: &mut Live<'_>, way: impl Fn(&Live<'_>, &Registers) -> Way) -> Result<Option<Registers>, Trouble> {
    let deadline = Instant::now() + live.request().timeout;
    loop {
        live.mind_interruption()?;
        match live.process.wait(Duration::from_micros(500))? {
            Event::Trap(tid) if tid == live.tid => {
                let registers = cpu::registers(tid)?;
                match way(live, &registers) {
                    Way::There => return Ok(Some(registers)),
                    Way::Never => return Ok(None),
                    Way::On => live.process.go(tid, 0)?,
                }
            }
            Event::Trap(tid) => live.process.go(tid, 0)?,
            Event::Signal(tid, signal) => live.process.go(tid, signal)?,
            Event::Ended(_) | Event::Exec(_) => return Ok(None),
            Event::Quiet if Instant::now() > deadline => return Ok(None),
            Event::Quiet => {}
        }
    }
}
