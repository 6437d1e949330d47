//! What becomes of a copy after a signal.

use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use sigproof_inspect::hang::{SPIN_CPU, Stuck, procfs};
use sigproof_step::copy::{Looks, Stop};
use sigproof_step::traced::stops::{is_own_trap, send};

use super::{Copy, ENTRY, RETURN, Told, Woken};
use crate::Trouble;
use crate::linux::cpu;
use crate::linux::follow::{End, FURTHER, Seen, has_frame};
use crate::linux::live::Live;
use crate::linux::offsets::Offsets;
use crate::linux::waits::{has_pending, is_pending, is_untimed};

impl Copy {
    /// Lets it go on with this signal (0: none), and follows it. `pace`: how long a pass takes, at most. The
    /// offsets of the program's files are put back.
    pub(crate) fn follow(&mut self, live: &Live<'_>, signal: i32, pace: Duration) -> Result<Told, Trouble> {
        let told = self.go_on(live, signal, pace)?;
        if matches!(told, Told::Nothing) {
            self.copy.end();
        }
        if let Some(offsets) = &self.offsets {
            offsets.put_back(live)?;
        }
        Ok(told)
    }

    fn go_on(&mut self, live: &Live<'_>, signal: i32, pace: Duration) -> Result<Told, Trouble> {
        let from = live.interrupted()?;
        let at = from.at;
        let mut seen = Seen::silent();
        self.copy.unsure = true;
        self.copy.has_none_pending = false;
        let entry = live.function.entry;
        self.set_break(ENTRY, self.first.is_none().then_some(entry))?;
        // Where each pass has come from the same place, the next entry tells that the window has returned.
        self.set_break(RETURN, (!live.same_site || live.request().open.is_some()).then_some(live.ret))?;
        self.copy.go(signal)?;
        let mut entries = 0;
        // The sleep to which a second signal was sent.
        let (mut looks, mut again) = (Looks::default(), None);
        let patience = (pace * 20).max(Duration::from_millis(20));
        let begun = Instant::now();
        let (mut used, mut forked) = (None, false);
        // A sleep is looked at twice without a pause: the copy has had the processor in between.
        let mut patient = false;
        loop {
            match self.copy.wait(patient)? {
                Stop::Ended(status) => {
                    // The second signal has ended the sleep, one way or another.
                    if let Some(call) = again {
                        return Ok(Told::Woken(Woken { call, end: Some(status) }));
                    }
                    seen.end = End::Ended(status);
                    return Ok(Told::Seen(Box::new(seen)));
                }
                Stop::Call => {
                    self.copy.dirty = true;
                    self.offsets.get_or_insert_with(|| Offsets::of(live.process.pid));
                    // The program's children are not those of the copy.
                    let nr = cpu::registers(self.copy.pid)?.orig_rax.cast_signed();
                    if matches!(nr, libc::SYS_wait4 | libc::SYS_waitid) && !forked {
                        return Ok(Told::Nothing);
                    }
                    self.copy.go(0)?;
                }
                Stop::Forked => {
                    (self.copy.dirty, forked) = (true, true);
                    self.copy.go(0)?;
                }
                Stop::Other => {
                    self.copy.dirty = true;
                    return Ok(Told::Nothing);
                }
                Stop::Signal(signal) => self.copy.go(signal)?,
                Stop::Trap => {
                    let mut registers = cpu::registers(self.copy.pid)?;
                    if let Some((errno, length)) = self.back
                        && registers.rip == errno.back + 1
                    {
                        if seen.errno.is_none()
                            && let Some(before) = from.errno
                        {
                            let read = |at: u64, into: &mut [u8]| self.copy.memory.read_exact_at(into, at).is_ok();
                            seen.errno = errno.after(&registers, (&at, before), read);
                        }
                        // The instruction in whose place the stop is.
                        registers.rax = libc::SYS_rt_sigreturn.cast_unsigned();
                        registers.rip = errno.back + length;
                        cpu::set_registers(self.copy.pid, registers)?;
                        (looks, patient) = (Looks::default(), false);
                        self.copy.go(0)?;
                        continue;
                    }
                    let stopped_by_us = self.first.is_some() && registers.rip == entry + 1;
                    if registers.rip == live.ret && registers.rsp > live.sp && !seen.returned {
                        seen.returned = true;
                        if let Some(call) = again {
                            // The second signal has. Whether the first one was lost, the program tells.
                            return Ok(Told::Woken(Woken { call, end: None }));
                        }
                        self.set_break(RETURN, None)?;
                    } else if registers.rip == entry || stopped_by_us {
                        if !seen.returned && registers.rsp >= live.sp {
                            seen.returned = true;
                        }
                        if let Some(call) = again.filter(|_| seen.returned) {
                            return Ok(Told::Woken(Woken { call, end: None }));
                        }
                        entries += u32::from(seen.returned);
                        if entries > FURTHER {
                            seen.end = End::Passed;
                            let any = has_pending(self.copy.pid);
                            // The signal that opens the window may wait as well.
                            seen.pending = any && (live.request().open.is_none() || is_pending(self.copy.pid, signal));
                            seen.opened = live.descriptors.since(self.copy.pid);
                            self.copy.has_none_pending = !any;
                            self.copy.unsure = false;
                            return Ok(Told::Seen(Box::new(seen)));
                        }
                    } else if is_own_trap(self.copy.pid) {
                        self.copy.go(libc::SIGTRAP)?;
                        continue;
                    }
                    (looks, patient) = (Looks::default(), false);
                    if stopped_by_us && let Some(first) = self.first {
                        let read = |at: u64, into: &mut [u8]| self.copy.memory.read_exact_at(into, at).is_ok();
                        let write = |at: u64, bytes: &[u8]| self.copy.memory.write_all_at(bytes, at).is_ok();
                        if !first.perform(&mut registers, read, write) {
                            return Ok(Told::Nothing);
                        }
                        cpu::set_registers(self.copy.pid, registers)?;
                    }
                    self.copy.go(0)?;
                }
                Stop::Quiet => {
                    live.mind_interruption()?;
                    if seen.returned
                        && let Some(open) = live.request().open
                    {
                        send(self.copy.pid, self.copy.pid, open)?;
                    }
                    looks.take(self.copy.look());
                    if looks.asleep(1).is_some_and(|call| live.waits_again(seen.returned, entries, Some(call))) {
                        seen.end = End::Returned;
                        return Ok(Told::Seen(Box::new(seen)));
                    }
                    if let Some(procfs::Syscall::In { sp, .. }) = looks.lasting(1) {
                        seen.in_handler =
                            has_frame(sp, &at, |from, into| self.copy.memory.read_exact_at(into, from).is_ok());
                        seen.end = End::Stuck(Stuck::AllAsleep);
                        return Ok(Told::Seen(Box::new(seen)));
                    }
                    // The program itself is not alone with what it waits for.
                    if (!seen.returned || signal == 0)
                        && let Some(call) = looks.asleep(2).filter(|call| is_untimed(*call))
                    {
                        if signal == 0 || again.is_some() {
                            // A second signal has not ended the sleep, which is not about signals then.
                            seen.end = End::Returned;
                            return Ok(if again.is_some() { Told::Seen(Box::new(seen)) } else { Told::Sleeps });
                        }
                        again = Some(call);
                        self.copy.dirty = true;
                        (looks, patient) = (Looks::default(), false);
                        send(self.copy.pid, self.copy.pid, signal)?;
                        continue;
                    }
                    patient = looks.lasting(0).is_none();
                    let account = self.copy.account().map_or(0, |run| run.cpu_ns);
                    let spent = account.saturating_sub(*used.get_or_insert(account));
                    if u128::from(spent) > SPIN_CPU.max(pace * 100).as_nanos() && entries == 0 {
                        self.copy.halt()?;
                        let sp = cpu::registers(self.copy.pid)?.rsp;
                        seen.in_handler =
                            has_frame(sp, &at, |from, into| self.copy.memory.read_exact_at(into, from).is_ok());
                        seen.end = End::Stuck(Stuck::Spinning { tid: self.copy.pid.cast_unsigned() });
                        return Ok(Told::Seen(Box::new(seen)));
                    }
                    if begun.elapsed() > patience && looks.asleep(4).is_some() || begun.elapsed() > patience * 50 {
                        return Ok(Told::Nothing);
                    }
                }
            }
        }
    }
}
