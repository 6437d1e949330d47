//! The engine that does not trace: the target steps itself, and this watches from outside, through `/proc`
//! and what both have mapped.
//!
//! An execution is begun by a signal to the target, and ended by one from it. A sleep is seen as such; where
//! in the path it lies is told by how many boundaries have been written down by then.

use sigproof_shim::native::atomic::Ordering;

use super::child::Child;
use super::ptrace::judge;
use super::pump::{Came, End, PATIENCE, Then, pump};
use super::tracee::Stop;
use crate::engine::{Ended, Engine, Kind, OnlyThread, Recorded, Shot, Trouble};
use crate::follow::Path;
use crate::slate::{PATH, task};
use crate::{Boundary, GO_ON, Interrupted, Subject};

/// See the module.
pub(super) struct TrapFlag<'s> {
    subject: &'s dyn Subject,
    only: OnlyThread,
    live: Option<Child<'s>>,
    warms_up: bool,
}

/// What is to happen in an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Run,
    Record,
    /// Before this trap's instruction.
    Before(u64),
    /// In this sleep, counted from 0.
    Asleep(usize),
}

impl<'s> TrapFlag<'s> {
    pub(super) fn new(subject: &'s dyn Subject, only: OnlyThread) -> Result<Self, Trouble> {
        if subject.interrupted() == Interrupted::Bystander {
            return Err(incapable("hold the target while a bystander is interrupted"));
        }
        Ok(Self { subject, only, live: None, warms_up: true })
    }

    fn live(&mut self) -> Result<Child<'s>, Trouble> {
        if let Some(mut live) = self.live.take() {
            live.called = false;
            return Ok(live);
        }
        let child = self.start_cold()?;
        if child.memory.slate.others.load(Ordering::Relaxed) > 0 {
            return Err(incapable("hold other threads"));
        }
        if !self.warms_up {
            return Ok(child);
        }
        match self.execute(child, Task::Run)? {
            (End::Round, mut child, _) => {
                child.called = false;
                Ok(child)
            }
            _ => {
                self.warms_up = false;
                self.start_cold()
            }
        }
    }

    fn start_cold(&self) -> Result<Child<'s>, Trouble> {
        let mut child = Child::start(self.subject, true, self.only)?;
        child.go()?;
        match self.to_next(&mut child, Task::Run)? {
            (End::Round, _) => Ok(child),
            (End::Left(status), _) => {
                let detail = self.subject.ended(status)?.detail;
                Err(Trouble::Astray(format!("it ended before its first window: {detail}")))
            }
            _ => Err(Trouble::Astray("it does not come to its first window".to_owned())),
        }
    }

    /// One execution. With it, after how many boundaries the target slept.
    fn execute(&self, mut child: Child<'s>, task: Task) -> Result<(End, Child<'s>, Vec<usize>), Trouble> {
        let slate = child.memory.slate;
        slate.len.store(0, Ordering::Relaxed);
        slate.boundary.store(if let Task::Before(trap) = task { trap } else { 0 }, Ordering::Relaxed);
        let word = match task {
            Task::Run | Task::Asleep(_) => task::RUN,
            Task::Record => task::RECORD,
            Task::Before(_) => task::INJECT,
        };
        slate.task.store(word, Ordering::Release);
        child.send(child.target_id(), GO_ON)?;
        let (end, sleeps) = self.to_next(&mut child, task)?;
        Ok((end, child, sleeps))
    }

    /// Waits until the target is before its next execution.
    fn to_next(&self, child: &mut Child<'s>, task: Task) -> Result<(End, Vec<usize>), Trouble> {
        let (notes, slate) = (child.memory.notes, child.memory.slate);
        let target = child.target_id();
        let mut sleeps = Vec::new();
        let mut counted = 0;
        let came = pump(child, |child, stop| {
            match stop {
                Stop::Mark => return Ok(Then::Over(())),
                Stop::Quiet => {}
                _ => return Ok(Then::Wait),
            }
            if slate.inside.load(Ordering::Relaxed) != 0 && !child.in_handler() && child.target_sleeps() {
                let written = slate.len.load(Ordering::Acquire) as usize;
                // The same sleep, seen again, is where it was.
                if task == Task::Record && sleeps.last() != Some(&written) {
                    sleeps.push(written);
                }
                if let Task::Asleep(number) = task
                    && notes.armed().load(Ordering::Relaxed) == notes.begun()
                {
                    counted += 1;
                    if counted == number + 1 {
                        child.signal(target)?;
                        return Ok(Then::Wait);
                    }
                }
                if child.call_helper()? {
                    return Ok(Then::Wait);
                }
            }
            Ok(Then::Look)
        })?;
        let end = match came {
            Came::To(()) => End::Round,
            Came::End(end) => end,
        };
        Ok((end, sleeps))
    }

    fn finish(&mut self, end: End, child: Child<'s>, explain: bool) -> Result<Ended, Trouble> {
        match end {
            End::Round => {
                // As with ptrace.
                self.live = self.warms_up.then_some(child);
                Ok(judge::well())
            }
            End::Left(status) => self.subject.ended(status),
            End::Stuck(stuck) if explain => Ok(judge::explained(&child, stuck)),
            End::Stuck(stuck) => Ok(judge::at_a_glance(&child, stuck)),
            End::Presumed(stuck) => Ok(judge::presumed(&child, stuck)),
            End::Endless => Err(Trouble::Endless(PATIENCE)),
        }
    }
}

fn incapable(what: &'static str) -> Trouble {
    Trouble::Incapable { engine: Kind::TrapFlag, what }
}

impl Engine for TrapFlag<'_> {
    fn renew(&mut self) {
        self.live = None;
    }

    fn unwatchable(&mut self) -> Option<String> {
        self.live.as_mut()?.unwatchable()
    }

    fn record(&mut self) -> Result<Recorded, Trouble> {
        let live = self.live()?;
        let (end, child, sleeps) = self.execute(live, Task::Record)?;
        let slate = child.memory.slate;
        let written = slate.len.load(Ordering::Acquire) as usize;
        if written >= PATH {
            return Err(Trouble::TooLong(written));
        }
        if let End::Left(status) = end
            && std::os::unix::process::ExitStatusExt::signal(&status) == Some(libc::SIGTRAP)
        {
            return Err(incapable("step a window that blocks SIGTRAP"));
        }
        let mut path = Vec::with_capacity(written + sleeps.len());
        for (number, boundary) in (0..written).filter_map(|number| Some((number, slate.at(number)?))) {
            if sleeps.contains(&number) {
                path.push(Boundary { asleep: true, ..boundary });
            }
            path.push(boundary);
        }
        let ended = self.finish(end, child, true)?;
        Ok(Recorded { path, ended })
    }

    fn record_handler(&mut self, _path: &[Boundary], _at: usize) -> Result<Vec<Boundary>, Trouble> {
        Err(incapable("step through a handler"))
    }

    fn inject(&mut self, shot: Shot<'_>) -> Result<Ended, Trouble> {
        let Some(boundary) = shot.path.get(shot.at) else {
            return Err(Trouble::NoSuchBoundary { asked: shot.at, boundaries: shot.path.len() });
        };
        let live = self.live()?;
        let sleeps_before = shot.path[..shot.at].iter().filter(|boundary| boundary.asleep).count();
        let task = match boundary.asleep {
            true => Task::Asleep(sleeps_before),
            false => Task::Before((shot.at - sleeps_before) as u64),
        };
        let (notes, slate) = (live.memory.notes, live.memory.slate);
        let awake = shot.path.iter().filter(|boundary| !boundary.asleep);
        awake.enumerate().for_each(|(number, boundary)| slate.write(number, *boundary));
        slate.astray.store(0, Ordering::Relaxed);
        let before = notes.armed().load(Ordering::Relaxed);
        let (end, child, _) = self.execute(live, task)?;
        if notes.armed().load(Ordering::Relaxed) == before {
            let left = slate.astray.load(Ordering::Relaxed) != 0;
            let what =
                if left { "the target left the path before the boundary" } else { "the boundary was not reached" };
            return Err(Trouble::Astray(what.to_owned()));
        }
        self.finish(end, child, shot.explain)
    }
}
