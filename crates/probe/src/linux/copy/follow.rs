//! What becomes of a copy after a signal.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use sigproof_inspect::hang::{SPIN_CPU, Stuck, procfs};

use super::{Copy, ENTRY, RETURN, Stop, Told};
use crate::Trouble;
use crate::linux::cpu;
use crate::linux::follow::{End, FURTHER, Seen, has_frame};
use crate::linux::live::Live;
use crate::linux::stops::{is_own_trap, send};
use crate::linux::waits::{has_pending, is_lasting, is_untimed};

impl Copy {
    /// Lets it go on with this signal (0: none), and follows it. `pace`: how long a pass takes, at most.
    pub(crate) fn follow(&mut self, live: &Live<'_>, signal: i32, pace: Duration) -> Result<Told, Trouble> {
        let from = live.interrupted()?;
        let at = from.at;
        let mut seen = Seen::silent();
        self.unsure = true;
        self.has_none_pending = false;
        let entry = live.function.entry;
        self.set_break(ENTRY, self.first.is_none().then_some(entry))?;
        // Where each pass has come from the same place, the next entry tells that the window has returned.
        self.set_break(RETURN, (!live.same_site || live.request().open.is_some()).then_some(live.ret))?;
        self.go(signal)?;
        let mut entries = 0;
        let mut last = None;
        let (mut same, mut again) = (0, false);
        let patience = (pace * 20).max(Duration::from_millis(20));
        let begun = Instant::now();
        let (mut used, mut forked) = (None, false);
        // A sleep is looked at twice without a pause: the copy has had the processor in between.
        let mut patient = false;
        loop {
            match self.wait(patient)? {
                // The second signal has ended the sleep, one way or another.
                Stop::Ended(_) if again => return Ok(Told::Sleeps),
                Stop::Ended(status) => {
                    seen.end = End::Ended(status);
                    return Ok(Told::Seen(Box::new(seen)));
                }
                Stop::Call => {
                    self.dirty = true;
                    // The program's children are not those of the copy.
                    let nr = cpu::registers(self.pid)?.orig_rax.cast_signed();
                    if matches!(nr, libc::SYS_wait4 | libc::SYS_waitid) && !forked {
                        return Ok(Told::Nothing);
                    }
                    self.go(0)?;
                }
                Stop::Forked => {
                    (self.dirty, forked) = (true, true);
                    self.go(0)?;
                }
                Stop::Other => {
                    self.dirty = true;
                    return Ok(Told::Nothing);
                }
                Stop::Signal(signal) => self.go(signal)?,
                Stop::Trap => {
                    let mut registers = cpu::registers(self.pid)?;
                    if let Some((errno, length)) = self.back
                        && registers.rip == errno.back + 1
                    {
                        if seen.errno.is_none()
                            && let Some(before) = from.errno
                        {
                            let read = |at: u64, into: &mut [u8]| self.memory.read_exact_at(into, at).is_ok();
                            seen.errno = errno.after(&registers, (&at, before), read);
                        }
                        // The instruction in whose place the stop is.
                        registers.rax = libc::SYS_rt_sigreturn.cast_unsigned();
                        registers.rip = errno.back + length;
                        cpu::set_registers(self.pid, registers)?;
                        (last, patient) = (None, false);
                        self.go(0)?;
                        continue;
                    }
                    let stopped_by_us = self.first.is_some() && registers.rip == entry + 1;
                    if registers.rip == live.ret && registers.rsp > live.sp && !seen.returned {
                        seen.returned = true;
                        if again {
                            // The second signal has. Whether the first one was lost, the program tells.
                            return Ok(Told::Sleeps);
                        }
                        self.set_break(RETURN, None)?;
                    } else if registers.rip == entry || stopped_by_us {
                        if !seen.returned && registers.rsp >= live.sp {
                            seen.returned = true;
                        }
                        if again && seen.returned {
                            return Ok(Told::Sleeps);
                        }
                        entries += u32::from(seen.returned);
                        if entries > FURTHER {
                            seen.end = End::Passed;
                            seen.pending = has_pending(self.pid);
                            seen.opened = live.descriptors.since(self.pid);
                            self.has_none_pending = !seen.pending;
                            self.unsure = false;
                            return Ok(Told::Seen(Box::new(seen)));
                        }
                    } else if is_own_trap(self.pid) {
                        self.go(libc::SIGTRAP)?;
                        continue;
                    }
                    (last, patient) = (None, false);
                    if stopped_by_us && let Some(first) = self.first {
                        let read = |at: u64, into: &mut [u8]| self.memory.read_exact_at(into, at).is_ok();
                        let write = |at: u64, bytes: &[u8]| self.memory.write_all_at(bytes, at).is_ok();
                        if !first.perform(&mut registers, read, write) {
                            return Ok(Told::Nothing);
                        }
                        cpu::set_registers(self.pid, registers)?;
                    }
                    self.go(0)?;
                }
                Stop::Quiet => {
                    live.mind_interruption()?;
                    if seen.returned
                        && let Some(open) = live.request().open
                    {
                        send(self.pid, self.pid, open)?;
                    }
                    let look = self.look();
                    same = if look.is_some() && look == last { same + 1 } else { 0 };
                    last = look;
                    if same >= 1 && live.waits_again(seen.returned, entries, look.map(|(syscall, _)| syscall)) {
                        seen.end = End::Returned;
                        return Ok(Told::Seen(Box::new(seen)));
                    }
                    if same >= 1
                        && let Some((procfs::Syscall::In { nr, args, sp, .. }, _)) = look
                        && is_lasting(nr, &args)
                    {
                        seen.in_handler =
                            has_frame(sp, &at, |from, into| self.memory.read_exact_at(into, from).is_ok());
                        seen.end = End::Stuck(Stuck::AllAsleep);
                        return Ok(Told::Seen(Box::new(seen)));
                    }
                    // The program itself is not alone with what it waits for.
                    if same >= 2
                        && (!seen.returned || signal == 0)
                        && let Some((syscall @ procfs::Syscall::In { .. }, _)) = look
                        && is_untimed(syscall)
                    {
                        if signal == 0 || again {
                            // A second signal has not ended the sleep, which is not about signals then.
                            seen.end = End::Returned;
                            return Ok(if again { Told::Seen(Box::new(seen)) } else { Told::Sleeps });
                        }
                        again = true;
                        self.dirty = true;
                        (last, same, patient) = (None, 0, false);
                        send(self.pid, self.pid, signal)?;
                        continue;
                    }
                    patient = !matches!(look, Some((procfs::Syscall::In { nr, args, .. }, _)) if is_lasting(nr, &args));
                    let account = self.account().map_or(0, |run| run.cpu_ns);
                    let spent = account.saturating_sub(*used.get_or_insert(account));
                    if u128::from(spent) > SPIN_CPU.max(pace * 100).as_nanos() && entries == 0 {
                        self.halt()?;
                        let sp = cpu::registers(self.pid)?.rsp;
                        seen.in_handler =
                            has_frame(sp, &at, |from, into| self.memory.read_exact_at(into, from).is_ok());
                        seen.end = End::Stuck(Stuck::Spinning { tid: self.pid.cast_unsigned() });
                        return Ok(Told::Seen(Box::new(seen)));
                    }
                    // One that runs is not still: its account is brought up to date now and then only.
                    let sleeps = matches!(look, Some((procfs::Syscall::In { .. }, _)));
                    if begun.elapsed() > patience && same > 3 && sleeps || begun.elapsed() > patience * 50 {
                        return Ok(Told::Nothing);
                    }
                }
            }
        }
    }

    fn files(&mut self) -> Option<&(File, File)> {
        if self.sleeper.is_none() {
            let open = |name: &str| File::open(format!("/proc/{}/{name}", self.pid)).ok();
            self.sleeper = Some((open("syscall")?, open("schedstat")?));
        }
        self.sleeper.as_ref()
    }

    fn account(&mut self) -> Option<procfs::RunAccount> {
        let mut buffer = [0; 256];
        procfs::parse_schedstat(procfs::reread(&self.files()?.1, &mut buffer).ok()?)
    }

    /// The system call that it sleeps in, and its run-time account.
    fn look(&mut self) -> Option<(procfs::Syscall, procfs::RunAccount)> {
        let mut buffer = [0; 256];
        let syscall = procfs::parse_syscall(procfs::reread(&self.files()?.0, &mut buffer).ok()?)?;
        Some((syscall, self.account()?))
    }
}
