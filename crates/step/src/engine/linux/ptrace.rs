//! The engines that trace.
//!
//! An execution, from the stop behind the first mark to the next such stop:
//!
//! ```text
//! mark ── hold others ── advance to the boundary ── let others go, settle ── signal ── run on ── mark ── check ── mark
//!                          │ the target sleeps:                                         │ the target sleeps:
//!                          └ others, helper act                                         └ helper acts; or stuck
//! ```
//!
//! Up to the signal the target runs alone, or everybody else rests while it is stopped: so that it takes the same path each time. Where it does
//! not, [`Trouble::Astray`] says so.

use std::time::{Duration, Instant};

use sigproof_shim::native::atomic::Ordering;

use super::child::Child;
use super::tracee::{Go, Stop, Tracee};
use crate::engine::{Ended, Engine, Kind, OnlyThread, Recorded, Shot, Trouble};
use crate::{Boundary, Interrupted, Subject};
use sigproof_inspect::hang::Deadline;
use sigproof_inspect::hang::Look;

mod advance;
pub(super) mod judge;

pub(super) use judge::End;

/// The longest that one execution may take, whatever the reason.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// The longest path.
const LONGEST: usize = crate::slate::PATH;

/// See the module.
pub(super) struct Ptrace<'s> {
    kind: Kind,
    subject: &'s dyn Subject,
    only: OnlyThread,
    /// Stopped behind the first mark, if it is there.
    live: Option<Tracee<'s>>,
    /// Whether a new child runs the window once before it is used: what is done the first time only is then out of the way. Not if that
    /// ends badly.
    warms_up: bool,
}

impl<'s> Ptrace<'s> {
    pub(super) fn new(kind: Kind, subject: &'s dyn Subject, only: OnlyThread) -> Result<Self, Trouble> {
        Ok(Self { kind, subject, only, live: None, warms_up: true })
    }

    /// A child that is stopped behind the first mark, with the others held.
    fn live(&mut self) -> Result<Tracee<'s>, Trouble> {
        let mut live = match self.live.take() {
            Some(live) => live,
            None => self.start()?,
        };
        live.child.called = false;
        live.hold()?;
        live.at_first_mark()?;
        Ok(live)
    }

    fn start(&mut self) -> Result<Tracee<'s>, Trouble> {
        let tracee = self.start_cold()?;
        if !self.warms_up {
            return Ok(tracee);
        }
        match self.run_on(tracee, true)? {
            (End::Round, Some(tracee)) => Ok(tracee),
            _ => {
                self.warms_up = false;
                self.start_cold()
            }
        }
    }

    fn start_cold(&self) -> Result<Tracee<'s>, Trouble> {
        let mut tracee = Tracee::seize(Child::start(self.subject, false, self.only)?)?;
        let started = Instant::now();
        loop {
            match tracee.wait()? {
                Stop::Mark => break,
                Stop::Ended(status) => {
                    let detail = self.subject.ended(status)?.detail;
                    return Err(Trouble::Astray(format!("it ended before its first window: {detail}")));
                }
                Stop::Quiet if started.elapsed() > PATIENCE => {
                    return Err(Trouble::Astray("it does not come to its first window".to_owned()));
                }
                Stop::Quiet => {}
                Stop::Signal(signal) => tracee.go(Go::On, Some(signal))?,
                Stop::Trap | Stop::Interrupted => tracee.go(Go::On, None)?,
            }
        }
        tracee.seize_others()?;
        Ok(tracee)
    }

    /// Lets the target go on, if it is stopped, to the next first mark. The child is given back if it is there.
    fn run_on(&self, mut live: Tracee<'s>, stopped: bool) -> Result<(End, Option<Tracee<'s>>), Trouble> {
        if stopped {
            live.go(Go::On, None)?;
        }
        let started = Instant::now();
        let mut deadline = Deadline::new(live.child.pid.as_raw().cast_unsigned());
        let mut behind = false;
        loop {
            match live.wait()? {
                Stop::Mark if behind => return Ok((End::Round, Some(live))),
                Stop::Mark => {
                    behind = true;
                    live.let_go();
                    live.go(Go::On, None)?;
                }
                Stop::Signal(signal) => live.go(Go::On, Some(signal))?,
                Stop::Trap | Stop::Interrupted => live.go(Go::On, None)?,
                Stop::Ended(status) => return Ok((End::Left(status), Some(live))),
                Stop::Quiet => {
                    if started.elapsed() > PATIENCE {
                        return Ok((End::Endless, Some(live)));
                    }
                    if !behind && !live.child.in_handler() && live.child.target_sleeps() {
                        live.release()?;
                        if live.child.call_helper()? {
                            continue;
                        }
                    }
                    match live.child.look() {
                        Look::Stuck(stuck) => return Ok((End::Stuck(stuck), Some(live))),
                        Look::Unwatchable(_) => {
                            if let Some(stuck) = deadline.look(live.child.memory.notes.progress()) {
                                return Ok((End::Presumed(stuck), Some(live)));
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    /// The thread that the signal hits.
    fn hit(&self, live: &Tracee<'_>) -> u32 {
        match self.subject.interrupted() {
            Interrupted::Target => live.child.target_id(),
            Interrupted::Bystander => live.child.memory.slate.bystander.load(Ordering::Relaxed),
        }
    }

    /// The result of an execution. A child that is well is kept for the next one.
    fn finish(&mut self, end: End, live: Option<Tracee<'s>>, explain: bool) -> Result<Ended, Trouble> {
        let Some(live) = live else { return Err(Trouble::Astray("the child is gone".to_owned())) };
        match end {
            End::Round => {
                // What a child does the first time only is a part of the path, if it does not warm up.
                self.live = self.warms_up.then_some(live);
                Ok(judge::well())
            }
            End::Left(status) => self.subject.ended(status),
            End::Stuck(stuck) => {
                let explain = explain || self.several(&live);
                judge::of_stuck(live, stuck, explain)
            }
            End::Presumed(stuck) => Ok(judge::presumed(&live.child, stuck)),
            End::Endless => Err(Trouble::Endless(PATIENCE)),
        }
    }

    /// Whether more threads take part than the one that is interrupted: then the kind of a hang is not to be told without a look at all.
    fn several(&self, live: &Tracee<'_>) -> bool {
        self.subject.interrupted() == Interrupted::Bystander || !live.child.memory.slate.other_ids().is_empty()
    }

    /// Delivers the first signal to the target at its boundary, and lets it go on in this way.
    fn fire(&self, live: &mut Tracee<'_>, at: &Boundary, how: Go) -> Result<(), Trouble> {
        live.release()?;
        if self.subject.alone() {
            live.hold()?;
        }
        let signal = self.subject.signal();
        match self.subject.interrupted() {
            Interrupted::Target if at.asleep => {
                live.child.signal(self.hit(live))?;
                live.expect("the signal that wakes the sleeper", |stop| stop == Stop::Signal(signal))?;
                live.go(how, Some(signal))
            }
            Interrupted::Target => {
                live.child.memory.notes.armed().fetch_add(1, Ordering::Release);
                live.go(how, Some(signal))
            }
            Interrupted::Bystander => {
                live.child.signal(self.hit(live))?;
                live.settle()?;
                if at.asleep { Ok(()) } else { live.go(how, None) }
            }
        }
    }
}

impl Engine for Ptrace<'_> {
    fn renew(&mut self) {
        self.live = None;
    }

    fn unwatchable(&mut self) -> Option<String> {
        self.live.as_mut()?.child.unwatchable()
    }

    fn record(&mut self) -> Result<Recorded, Trouble> {
        let mut live = self.live()?;
        let (path, stuck) = advance::record(&mut live, None)?;
        let (end, live) = match stuck {
            Some(end) => (end, Some(live)),
            None => {
                // It is behind the second mark.
                live.go(Go::On, None)?;
                self.to_first_mark(live)?
            }
        };
        let ended = self.finish(end, live, true)?;
        Ok(Recorded { path, ended })
    }

    fn record_handler(&mut self, path: &[Boundary], at: usize) -> Result<Vec<Boundary>, Trouble> {
        let mut live = self.live()?;
        advance::advance(&mut live, self.kind, path, at)?;
        self.fire(&mut live, &path[at], Go::Step)?;
        live.expect("the handler's first instruction", |stop| stop == Stop::Trap)?;
        let (handler, stuck) = advance::record(&mut live, Some(path[at].depth))?;
        if stuck.is_none() {
            let (end, live) = self.run_on(live, true)?;
            self.finish(end, live, false)?;
        }
        Ok(handler)
    }

    fn inject(&mut self, shot: Shot<'_>) -> Result<Ended, Trouble> {
        let mut live = self.live()?;
        let at = &shot.path[shot.at];
        advance::advance(&mut live, self.kind, shot.path, shot.at)?;
        match shot.second {
            None => self.fire(&mut live, at, Go::On)?,
            Some((handler, second)) => {
                self.fire(&mut live, at, Go::Step)?;
                live.expect("the handler's first instruction", |stop| stop == Stop::Trap)?;
                advance::advance(&mut live, self.kind, handler, second)?;
                // Sent, not injected: the stop at a handler's first instruction is none that a signal could be put in for.
                live.child.signal(live.child.target_id())?;
                live.go(Go::On, None)?;
            }
        }
        let (end, live) = self.run_on(live, false)?;
        self.finish(end, live, shot.explain)
    }
}

impl<'s> Ptrace<'s> {
    /// From behind the second mark to the next first one.
    fn to_first_mark(&self, live: Tracee<'s>) -> Result<(End, Option<Tracee<'s>>), Trouble> {
        let mut live = live;
        live.let_go();
        let started = Instant::now();
        loop {
            match live.wait()? {
                Stop::Mark => return Ok((End::Round, Some(live))),
                Stop::Signal(signal) => live.go(Go::On, Some(signal))?,
                Stop::Trap | Stop::Interrupted => live.go(Go::On, None)?,
                Stop::Ended(status) => return Ok((End::Left(status), Some(live))),
                Stop::Quiet if started.elapsed() > PATIENCE => return Ok((End::Endless, Some(live))),
                Stop::Quiet => {
                    if let Look::Stuck(stuck) = live.child.look() {
                        return Ok((End::Stuck(stuck), Some(live)));
                    }
                }
            }
        }
    }
}

impl Tracee<'_> {
    /// The next thing that is heard of the target, which must be this.
    fn expect(&mut self, what: &str, is: impl Fn(Stop) -> bool) -> Result<Stop, Trouble> {
        let started = Instant::now();
        loop {
            let stop = self.wait()?;
            if is(stop) {
                return Ok(stop);
            }
            match stop {
                Stop::Quiet if self.child.target_sleeps() => {
                    return Err(Trouble::Astray(format!("{what} was to come, and the target sleeps")));
                }
                Stop::Quiet if started.elapsed() < PATIENCE => {}
                Stop::Quiet => return Err(Trouble::Endless(PATIENCE)),
                other => return Err(Trouble::Astray(format!("{what} was to come, and {} came", judge::word(other)))),
            }
        }
    }
}
