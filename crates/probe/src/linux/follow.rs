//! What becomes of the program after a signal, with all its threads running.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use sigproof_inspect::diagnose::{self, Diagnosis};
use sigproof_inspect::explain::{self, Answer, Refused, Verdict};
use sigproof_inspect::hang::{Look, SPIN_CPU, Stuck, Watch};

use super::cpu;
use super::descriptors::Descriptor;
use super::errno::Spoiled;
use super::live::{ENTRY, GOAL, Interrupted, Live, OTHER, RETURN, open};
use super::process::Event;
use super::stops;
use super::waits::{is_futex, is_untimed};
use crate::{Output, Trouble, refused};

/// Passes after the judged one that a program has to come through.
pub(crate) const FURTHER: u32 = 2;

/// How it went on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    /// The window returned, and further passes followed.
    Passed,
    /// The window returned; then nothing more was heard of it in the time allowed.
    Returned,
    /// The program ended.
    Ended(ExitStatus),
    /// It has become another program.
    Became,
    /// Nothing moves it any more.
    Stuck(Stuck),
    /// The window did not return in the time allowed; the program can still go on by itself.
    Silent,
    /// The thread sleeps, and has slept for many times as long as a pass takes.
    Still,
}

/// What was seen.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub end: End,
    /// Whether the window returned, or was left by a jump.
    pub returned: bool,
    /// Whether the signal still waits, although the program went on.
    pub pending: bool,
    /// Whether the handler was on the stack at the end.
    pub in_handler: bool,
    /// For how long the thread was seen asleep in the window with its handler returned.
    pub slept: Duration,
    /// What the program wrote until it ended, if that is compared.
    pub output: Option<Vec<u8>>,
    /// Descriptors that are open after the further passes and were not before, if that is minded.
    pub opened: Vec<Descriptor>,
    /// What the handler made of `errno`.
    pub errno: Option<Spoiled>,
    /// What explain says of a program that is stuck, if it was asked for.
    pub answer: Option<Answer>,
    /// Whether explain was asked.
    pub asked: bool,
    /// Whether it went on, to its end, because it was stopped for an explanation.
    pub disturbed: bool,
    /// The same, of the stacks alone, where explain cannot tell whether it is stuck.
    pub diagnosis: Option<Diagnosis>,
}

impl Seen {
    /// Nothing was seen yet.
    pub(super) fn silent() -> Self {
        Self {
            end: End::Silent,
            returned: false,
            pending: false,
            in_handler: false,
            slept: Duration::ZERO,
            output: None,
            opened: Vec::new(),
            errno: None,
            answer: None,
            asked: false,
            disturbed: false,
            diagnosis: None,
        }
    }
}

/// How often explain is asked again when it says that the program can go on.
const ASKED: u32 = 3;

/// How often the program is looked at.
const LOOK: Duration = Duration::from_micros(300);

impl Live<'_> {
    /// Lets the stopped thread go on with this signal (0: none), and follows the program. `pace`: how long a
    /// pass takes, at most. Only after [`End::Passed`] does the thread stand at an entry again.
    pub(crate) fn follow(&mut self, signal: i32, pace: Duration, explains: bool) -> Result<Seen, Trouble> {
        let from = self.interrupted()?;
        self.release_held()?;
        self.process.set_break(self.tid, RETURN, Some(self.ret))?;
        if let Some(errno) = self.errno {
            self.process.set_break(self.tid, GOAL, Some(errno.back))?;
        }
        self.process.go(self.tid, signal)?;
        self.watch(&from, pace, explains, None)
    }

    /// The same for a thread that sleeps at its boundary: the signal is sent to it.
    pub(crate) fn follow_sleeper(&mut self, signal: i32, pace: Duration, explains: bool) -> Result<Seen, Trouble> {
        let from = Interrupted { at: zeroed(), errno: None };
        self.process.send(self.tid, signal)?;
        self.watch(&from, pace, explains, None)
    }

    /// Follows the program, whose threads run but for one of which `event` tells.
    pub(super) fn watch(
        &mut self,
        from: &Interrupted,
        pace: Duration,
        explains: bool,
        mut event: Option<Event>,
    ) -> Result<Seen, Trouble> {
        let at = &from.at;
        let outside = at.rsp > self.sp;
        let mut seen = Seen::silent();
        let spin = SPIN_CPU.max(pace * 100);
        let mut watch = Watch::new(self.process.pid.cast_unsigned()).spin_limit(spin);
        let (mut events, mut entries, mut has_timer) = (0_u64, 0, false);
        let begun = Instant::now();
        let mut moved = begun;
        let mut asleep_since: Option<Instant> = None;
        let timeout = self.request().timeout;
        loop {
            let event = match event.take() {
                Some(event) => event,
                None => self.process.wait(LOOK)?,
            };
            if event != Event::Quiet {
                events += 1;
            }
            match event {
                Event::Ended(status) => {
                    seen.end = End::Ended(status);
                    seen.output = self.process.written.all().map_err(refused("read"))?;
                    return Ok(seen);
                }
                Event::Exec(_) => {
                    seen.end = End::Became;
                    return Ok(seen);
                }
                Event::Signal(tid, signal) => self.process.go(tid, signal)?,
                Event::Trap(tid) => {
                    let registers = cpu::registers(tid)?;
                    let mine = tid == self.tid;
                    if mine && self.errno.is_some_and(|errno| errno.back == registers.rip) {
                        // The breakpoint there is for the first return to the interrupted code alone.
                        seen.errno = self.after_handler(&registers, from);
                        if seen.errno.is_some() {
                            self.process.set_break(tid, GOAL, None)?;
                        }
                        self.process.go(tid, 0)?;
                        continue;
                    }
                    if mine && registers.rip == self.ret && registers.rsp > self.sp && !seen.returned {
                        seen.returned = true;
                        moved = Instant::now();
                        self.process.set_break(tid, RETURN, None)?;
                    }
                    if registers.rip == self.function.entry && self.accepts(tid) {
                        // A call by the handler, or by the function itself, lies deeper. Behind the window
                        // any call counts that the handler has not made.
                        let by_handler = || has_frame(registers.rsp, at, |from, into| self.process.read(from, into));
                        if mine && !seen.returned && (registers.rsp >= self.sp || outside && !by_handler()) {
                            seen.returned = true;
                        }
                        if seen.returned {
                            moved = Instant::now();
                            entries += 1;
                            if entries > FURTHER && self.request().expect_output != Output::Any {
                                // On to the end.
                                self.process.break_everywhere(ENTRY, None);
                                self.process.set_break(tid, ENTRY, None)?;
                                self.process.go(tid, 0)?;
                                continue;
                            }
                            if entries > FURTHER {
                                self.process.set_break(tid, RETURN, None)?;
                                seen.pending = self.process.is_pending(self.tid, self.signal());
                                seen.end = End::Passed;
                                seen.opened = self.descriptors.since(self.process.pid);
                                self.pass += u64::from(entries);
                                self.tid = tid;
                                self.sp = registers.rsp;
                                self.ret = self.process.word(registers.rsp).unwrap_or_default();
                                self.descriptors.note(self.process.pid);
                                return Ok(seen);
                            }
                        }
                    }
                    self.process.set_break(tid, if mine { GOAL } else { OTHER }, None)?;
                    self.process.go(tid, 0)?;
                }
                Event::Quiet => {
                    self.mind_interruption()?;
                    if seen.returned || outside {
                        open(&self.process, self.request())?;
                    }
                    if !seen.returned && self.is_asleep(self.tid) && !self.in_handler(at) {
                        let since = *asleep_since.get_or_insert_with(Instant::now);
                        seen.slept = seen.slept.max(since.elapsed());
                    } else {
                        asleep_since = None;
                    }
                    if self.waits_again(seen.returned, entries, self.sleeps_in(self.tid)) {
                        seen.end = End::Returned;
                        return Ok(seen);
                    }
                    match watch.look(events, !has_timer) {
                        Look::Stuck(stuck) => {
                            if stuck == Stuck::AllAsleep && !has_timer && self.has_timer() {
                                has_timer = true;
                                continue;
                            }
                            seen.in_handler = match stuck {
                                Stuck::Spinning { .. } => self.spins_in_handler(at)?,
                                _ => self.in_handler(at),
                            };
                            seen.end = End::Stuck(stuck);
                            if (explains || seen.returned) && !self.ask(stuck, &mut seen)? {
                                // A timer that only the program itself can be asked for.
                                has_timer = true;
                                self.process.attach()?;
                                watch.begin_again();
                                continue;
                            }
                            return Ok(seen);
                        }
                        Look::Gone | Look::Running | Look::Unwatchable(_) => {}
                    }
                    // Passes came, and do not come any more.
                    let long = (pace * 200).max(Duration::from_millis(250));
                    if moved.elapsed() > long && long < timeout && self.sleeps_untimed() {
                        seen.in_handler = self.in_handler(at);
                        seen.end = End::Still;
                        if self.ask(Stuck::AllAsleep, &mut seen)? && seen.answer.is_some() {
                            seen.end = End::Stuck(Stuck::AllAsleep);
                        }
                        return Ok(seen);
                    }
                    if moved.elapsed() > timeout {
                        seen.in_handler = self.in_handler(at);
                        seen.end = if seen.returned { End::Returned } else { End::Silent };
                        return Ok(seen);
                    }
                }
            }
        }
    }

    /// Lets go of the program and asks explain about it. False if that says that the program can go on.
    fn ask(&mut self, stuck: Stuck, seen: &mut Seen) -> Result<bool, Trouble> {
        self.process.detach()?;
        let pid = self.process.pid.cast_unsigned();
        let asked = explain::explain(pid);
        seen.asked = true;
        seen.disturbed = matches!(asked, Err(Refused::Gone(_) | Refused::Zombie { .. }));
        let mut answer = asked.ok();
        for _ in 0..ASKED {
            let not_stuck = |answer: &Answer| answer.verdict == Verdict::NotStuck && stuck == Stuck::AllAsleep;
            if !answer.as_ref().is_some_and(not_stuck) {
                break;
            }
            // A thread that was let go is on its way back into its wait.
            std::thread::sleep(Duration::from_millis(20));
            answer = explain::explain(pid).ok();
        }
        let goes_on = answer.as_ref().is_some_and(|answer| answer.verdict == Verdict::NotStuck);
        seen.answer = answer.filter(|answer| answer.verdict == Verdict::Stuck);
        if seen.answer.is_none() {
            seen.diagnosis = diagnose::diagnose(pid, stuck).ok();
        }
        Ok(!goes_on || stuck != Stuck::AllAsleep)
    }

    /// Whether the thread sleeps in a wait without a time limit.
    fn sleeps_untimed(&self) -> bool {
        self.sleeps_in(self.tid).is_some_and(|syscall| is_untimed(syscall) || is_futex(syscall))
    }

    /// Whether the program has a timer of `timer_create`.
    fn has_timer(&self) -> bool {
        std::fs::read_to_string(format!("/proc/{}/timers", self.process.pid)).is_ok_and(|text| !text.is_empty())
    }

    /// Whether the handler that interrupted these registers is still on the thread's stack: whether its frame
    /// is there, above the stack pointer of the system call that the thread sleeps in.
    fn in_handler(&self, at: &cpu::Registers) -> bool {
        let path = format!("/proc/{}/task/{}/syscall", self.process.pid, self.tid);
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let sp = match sigproof_inspect::hang::procfs::parse_syscall(&text) {
            Some(sigproof_inspect::hang::procfs::Syscall::In { sp, .. }) => sp,
            _ => return false,
        };
        has_frame(sp, at, |from, into| self.process.read(from, into))
    }

    /// The same of a thread that runs. It is stopped for that, and stays so.
    fn spins_in_handler(&self, at: &cpu::Registers) -> Result<bool, Trouble> {
        if !stops::stop(self.process.pid, self.tid)? {
            return Ok(false);
        }
        let sp = cpu::registers(self.tid)?.rsp;
        Ok(has_frame(sp, at, |from, into| self.process.read(from, into)))
    }

    /// Sends the thread one signal more, of a program that is not traced any more, and says whether that ends
    /// its sleep.
    pub(crate) fn is_woken_by_another(&self) -> bool {
        let look = || std::fs::read_to_string(format!("/proc/{}/task/{}/syscall", self.process.pid, self.tid)).ok();
        let before = look();
        if self.process.send(self.tid, self.signal()).is_err() {
            return false;
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(200) {
            std::thread::sleep(Duration::from_millis(2));
            if look() != before {
                return true;
            }
        }
        false
    }
}

/// Whether a signal frame of x86_64 Linux that holds these registers lies above `sp`. In it, program counter
/// and stack pointer are neighbours (`struct ucontext`, general registers 15 and 16).
pub(crate) fn has_frame(sp: u64, at: &cpu::Registers, read: impl Fn(u64, &mut [u8]) -> bool) -> bool {
    let mut stack = vec![0; 32 << 10];
    while !read(sp, &mut stack) {
        stack.truncate(stack.len() / 2);
        if stack.len() < 512 {
            return false;
        }
    }
    let words: Vec<u64> = stack.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    words.windows(2).any(|pair| pair == [at.rsp, at.rip])
}

fn zeroed() -> libc::user_regs_struct {
    // SAFETY: numbers only.
    unsafe { core::mem::zeroed() }
}
