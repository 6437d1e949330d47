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
//! Up to the signal the target runs alone, or everybody else rests while it is stopped: so that it takes the
//! same path each time. Where it does not, [`Trouble::Astray`] says so.

use sigproof_shim::native::atomic::Ordering;

use super::child::Child;
use super::pump::{self, End, PATIENCE, expect};
use super::tracee::{Go, Stop, Tracee};
use crate::engine::{Ended, Engine, Kind, OnlyThread, Recorded, Shot, Trouble};
use crate::{Boundary, Interrupted, Subject};
use sigproof_inspect::hang;

mod advance;
pub(super) mod judge;
#[cfg(target_arch = "x86_64")]
mod undo;

/// The longest path.
const LONGEST: usize = crate::slate::PATH;

/// See the module.
pub(super) struct Ptrace<'s> {
    kind: Kind,
    subject: &'s dyn Subject,
    only: OnlyThread,
    /// Stopped behind the first mark, if it is there.
    live: Option<Tracee<'s>>,
    /// Whether a new child runs the window once before it is used: what is done the first time only is then
    /// out of the way. Not if that ends badly.
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
        let mut tracee = self.start_cold()?;
        if !self.warms_up {
            return Ok(tracee);
        }
        tracee.go(Go::On, None)?;
        if pump::to_next_window(&mut tracee, false)? == End::Round {
            return Ok(tracee);
        }
        self.warms_up = false;
        drop(tracee);
        self.start_cold()
    }

    fn start_cold(&self) -> Result<Tracee<'s>, Trouble> {
        let mut tracee = Tracee::seize(Child::start(self.subject, false, self.only)?)?;
        pump::to_first_window(&mut tracee)?;
        tracee.seize_others()?;
        Ok(tracee)
    }

    /// The thread that the signal hits.
    fn hit(&self, live: &Tracee<'_>) -> u32 {
        match self.subject.interrupted() {
            Interrupted::Target => live.child.target_id(),
            Interrupted::Bystander => live.child.memory.slate.bystander.load(Ordering::Relaxed),
        }
    }

    /// The result of an execution. A child that is well is kept for the next one.
    fn finish(&mut self, end: End, live: Tracee<'s>, explain: bool) -> Result<Ended, Trouble> {
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

    /// Whether more threads take part than the one that is interrupted: then the kind of a hang is not to be
    /// told without a look at all.
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
                // Who blocks it sleeps on, and takes it later.
                if hang::held_back(live.child.pid.as_raw().cast_unsigned(), signal).contains(&self.hit(live)) {
                    return Ok(());
                }
                expect(live, "the signal that wakes the sleeper", |stop| stop == Stop::Signal(signal))?;
                live.go(how, Some(signal))
            }
            Interrupted::Target => {
                live.child.memory.notes.armed().fetch_add(1, Ordering::Release);
                live.go(how, Some(signal))
            }
            Interrupted::Bystander => {
                live.child.signal(self.hit(live))?;
                live.settle().map_err(|trouble| match trouble {
                    Trouble::Astray(_) => Trouble::Restless(
                        "the bystander's handler spins while the target is held, for what the target owns perhaps"
                            .to_owned(),
                    ),
                    other => other,
                })?;
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
        let end = match stuck {
            Some(end) => end,
            None => {
                // The target is behind the second mark.
                live.go(Go::On, None)?;
                live.let_go();
                pump::to_next_window(&mut live, true)?
            }
        };
        let ended = self.finish(end, live, true)?;
        Ok(Recorded { path, ended })
    }

    fn record_handler(&mut self, path: &[Boundary], at: usize) -> Result<Vec<Boundary>, Trouble> {
        let mut live = self.live()?;
        advance::advance(&mut live, self.kind, path, at)?;
        self.fire(&mut live, &path[at], Go::Step)?;
        expect(&mut live, "the handler's first instruction", |stop| stop == Stop::Trap)?;
        let (handler, stuck) = advance::record(&mut live, Some(path[at].depth))?;
        if stuck.is_none() {
            live.go(Go::On, None)?;
            let end = pump::to_next_window(&mut live, false)?;
            self.finish(end, live, false)?;
        }
        Ok(handler)
    }

    #[cfg(target_arch = "x86_64")]
    fn by_copies(&mut self, path: &[Boundary], tell: &mut dyn FnMut(usize, Option<Ended>)) -> Result<(), Trouble> {
        undo::sweep(self, path, tell)
    }

    fn inject(&mut self, shot: Shot<'_>) -> Result<Ended, Trouble> {
        let mut live = self.live()?;
        let at = &shot.path[shot.at];
        advance::advance(&mut live, self.kind, shot.path, shot.at)?;
        match shot.second {
            None => self.fire(&mut live, at, Go::On)?,
            Some((handler, second)) => {
                self.fire(&mut live, at, Go::Step)?;
                expect(&mut live, "the handler's first instruction", |stop| stop == Stop::Trap)?;
                advance::advance(&mut live, self.kind, handler, second)?;
                // Sent, not injected: at the stop at a handler's first instruction the kernel takes no signal
                // to inject.
                live.child.signal(live.child.target_id())?;
                live.go(Go::On, None)?;
            }
        }
        let end = pump::to_next_window(&mut live, false)?;
        self.finish(end, live, shot.explain)
    }
}
