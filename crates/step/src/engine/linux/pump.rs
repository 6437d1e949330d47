//! The one loop that waits for a child, and the phases of an execution in which an engine waits.
//!
//! | phase | it ends with | passed on | any other stop | nothing is heard |
//! |---|---|---|---|---|
//! | [first window](to_first_window) | a mark | signals, traps, interruptions | the end: astray | - |
//! | [one instruction](Recording) | a trap; a mark ends the path | signals | - | asleep: others and the helper act, then look |
//! | [expected](expect) | what is expected | - | astray | asleep: astray |
//! | [falling asleep](fall_asleep) | the target sleeps | - | astray | - |
//! | [to the next window](to_next_window) | the second mark, then a first mark | signals, traps, interruptions | - | asleep: the helper acts; else look |
//! | trap flag, [self-stepping](super::trap_flag) | a sign of the target | - | - | asleep: the signal or the helper; else look |
//!
//! In every phase the end of the process ends the wait. In every phase a wait that lasts [`PATIENCE`] ends.
//! *Look* asks [`Watch`](sigproof_inspect::hang::Watch) whether the child is stuck. Where a child cannot be
//! looked at, a [`Deadline`] decides by its progress.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::child::{self, Child};
use super::ptrace::judge;
use super::tracee::{Go, Stop, Tracee};
use crate::engine::Trouble;
use sigproof_inspect::hang::{Deadline, Look, Stuck};

/// The longest that one wait may take, whatever the reason.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// How an execution ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The child is at the beginning of the next one.
    Round,
    /// The process has ended.
    Left(ExitStatus),
    /// The child can never go on.
    Stuck(Stuck),
    /// The child cannot be looked at, and has not moved for as long as a [`Deadline`] allows.
    Presumed(Stuck),
    /// The execution neither ended nor stood still for [`PATIENCE`].
    Endless,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came<T> {
    /// With what the phase waits for.
    To(T),
    /// With the execution.
    End(End),
}

/// The answer of a phase to one stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then<T> {
    /// The phase is over.
    Over(T),
    /// Wait on.
    Wait,
    /// Nothing is left to do for a child that is quiet: look whether it is stuck, and wait on if it is not.
    Look,
}

/// What the loop waits for.
pub(super) trait Heard<'s> {
    /// The next thing that is heard; [`Stop::Quiet`] if that is nothing for a while.
    fn wait(&mut self) -> Result<Stop, Trouble>;

    /// The child.
    fn child(&mut self) -> &mut Child<'s>;
}

impl<'s> Heard<'s> for Tracee<'s> {
    fn wait(&mut self) -> Result<Stop, Trouble> {
        Tracee::wait(self)
    }

    fn child(&mut self) -> &mut Child<'s> {
        &mut self.child
    }
}

/// A child that is not traced: its target tells each end of a window by a signal, which is a mark here.
impl<'s> Heard<'s> for Child<'s> {
    fn wait(&mut self) -> Result<Stop, Trouble> {
        if child::await_sign() {
            return Ok(Stop::Mark);
        }
        Ok(self.ended()?.map_or(Stop::Quiet, Stop::Ended))
    }

    fn child(&mut self) -> &mut Child<'s> {
        self
    }
}

/// Waits for the child until `phase` says that it is over, or until the execution is.
pub(super) fn pump<'s, H: Heard<'s>, T>(
    live: &mut H,
    mut phase: impl FnMut(&mut H, Stop) -> Result<Then<T>, Trouble>,
) -> Result<Came<T>, Trouble> {
    let started = Instant::now();
    let mut deadline = Deadline::new(live.child().pid.as_raw().cast_unsigned());
    loop {
        let stop = live.wait()?;
        match phase(live, stop)? {
            Then::Over(result) => return Ok(Came::To(result)),
            Then::Wait => {}
            Then::Look => match live.child().look() {
                Look::Stuck(stuck) => return Ok(Came::End(End::Stuck(stuck))),
                Look::Unwatchable(_) => {
                    let progress = live.child().memory.notes.progress();
                    if let Some(stuck) = deadline.look(progress) {
                        return Ok(Came::End(End::Presumed(stuck)));
                    }
                }
                Look::Running | Look::Gone => {}
            },
        }
        match stop {
            Stop::Ended(status) => return Ok(Came::End(End::Left(status))),
            Stop::Quiet if started.elapsed() > PATIENCE => return Ok(Came::End(End::Endless)),
            _ => {}
        }
    }
}

/// Lets a target go on that has stopped for nothing that the phase waits for.
fn pass_on<T>(live: &Tracee<'_>, stop: Stop) -> Result<Then<T>, Trouble> {
    match stop {
        Stop::Signal(signal) => live.go(Go::On, Some(signal))?,
        Stop::Trap | Stop::Interrupted | Stop::Mark => live.go(Go::On, None)?,
        Stop::Ended(_) | Stop::Quiet => {}
    }
    Ok(Then::Wait)
}

/// From the start of a child to its first window.
pub(super) fn to_first_window(live: &mut Tracee<'_>) -> Result<(), Trouble> {
    let came = pump(live, |live, stop| match stop {
        Stop::Mark => Ok(Then::Over(())),
        other => pass_on(live, other),
    })?;
    match came {
        Came::To(()) => Ok(()),
        Came::End(End::Left(status)) => {
            let detail = live.child.subject.ended(status)?.detail;
            Err(Trouble::Astray(format!("it ended before its first window: {detail}")))
        }
        Came::End(_) => Err(Trouble::Astray("it does not come to its first window".to_owned())),
    }
}

/// From a running target to the next window. `behind`: the second mark of this one is passed.
pub(super) fn to_next_window(live: &mut Tracee<'_>, mut behind: bool) -> Result<End, Trouble> {
    let came = pump(live, |live, stop| match stop {
        Stop::Mark if behind => Ok(Then::Over(())),
        Stop::Mark => {
            behind = true;
            live.let_go();
            pass_on(live, stop)
        }
        Stop::Quiet => {
            if !behind && !live.child.in_handler() && live.child.target_sleeps() {
                live.release()?;
                if live.child.call_helper()? {
                    return Ok(Then::Wait);
                }
            }
            Ok(Then::Look)
        }
        other => pass_on(live, other),
    })?;
    Ok(match came {
        Came::To(()) => End::Round,
        Came::End(end) => end,
    })
}

/// The next stop, which must be this one.
pub(super) fn expect(live: &mut Tracee<'_>, what: &str, is: impl Fn(Stop) -> bool) -> Result<(), Trouble> {
    let came = pump(live, |live, stop| match stop {
        stop if is(stop) => Ok(Then::Over(())),
        Stop::Quiet if live.child.target_sleeps() => {
            Err(Trouble::Astray(format!("{what} was expected, and the target sleeps")))
        }
        Stop::Quiet => Ok(Then::Wait),
        other => Err(Trouble::Astray(format!("{what} was expected, and {} came", judge::word(other)))),
    })?;
    in_time(came)
}

/// Waits until the running target sleeps.
pub(super) fn fall_asleep(live: &mut Tracee<'_>) -> Result<(), Trouble> {
    let came = pump(live, |live, stop| match stop {
        Stop::Quiet if live.child.target_sleeps() => Ok(Then::Over(())),
        Stop::Quiet => Ok(Then::Wait),
        other => Err(Trouble::Astray(format!("a sleep was expected, and {} came", judge::word(other)))),
    })?;
    in_time(came)
}

/// Of a phase that lets no end of an execution through but the last one.
fn in_time(came: Came<()>) -> Result<(), Trouble> {
    match came {
        Came::To(()) => Ok(()),
        Came::End(_) => Err(Trouble::Endless(PATIENCE)),
    }
}

/// One instruction of a path that is written down.
pub(super) enum Recording {
    /// The target is before the next instruction.
    Next,
    /// The target is behind the second mark.
    Marked,
}

/// From one instruction to the next, or to the second mark. `fell_asleep` is called once, where the
/// instruction is a system call that sleeps; it lets others act.
pub(super) fn step_once(
    live: &mut Tracee<'_>,
    mut fell_asleep: impl FnMut(&mut Tracee<'_>) -> Result<(), Trouble>,
) -> Result<Came<Recording>, Trouble> {
    let mut slept = false;
    pump(live, |live, stop| match stop {
        Stop::Trap => Ok(Then::Over(Recording::Next)),
        Stop::Mark => Ok(Then::Over(Recording::Marked)),
        Stop::Quiet if slept => Ok(Then::Look),
        Stop::Quiet if live.child.target_sleeps() => {
            slept = true;
            fell_asleep(live)?;
            Ok(Then::Wait)
        }
        Stop::Signal(signal) => {
            live.go(Go::Step, Some(signal))?;
            Ok(Then::Wait)
        }
        Stop::Quiet | Stop::Interrupted | Stop::Ended(_) => Ok(Then::Wait),
    })
}
