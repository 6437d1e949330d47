//! Several threads of the supervisor share the boundaries of a window (`--jobs`).
//!
//! ```text
//!  job 0   walk ──── judges chunks 0, 2, 4 ... ──┐           ┌── boundaries that copies cannot judge ──┐
//!  job 1   walk ──── judges chunks 1, 3, 5 ... ──┴── merge ──┴── chunks in turn ───────────────────────┴── merge
//! ```
//!
//! Each job has a program, copies and a processor of its own: only the thread that started a program may
//! trace it. A job whose program took another path in a pass adds nothing to that pass; the boundaries that
//! it would have judged are then judged as those that copies cannot judge.

use std::thread;

use super::{Sweep, stops};
use crate::Trouble;
use crate::linux::Pinned;
use crate::linux::outcome::{Point, Walk};

/// Boundaries that one job judges in a row, so that a copy serves several.
const CHUNK: usize = 32;

/// The part of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    number: usize,
    of: usize,
}

impl Share {
    /// Everything.
    pub(super) const ALL: Self = Self { number: 0, of: 1 };

    /// Whether this boundary belongs to it.
    pub(super) fn has(self, at: usize) -> bool {
        at / CHUNK % self.of == self.number
    }
}

impl<'a> Sweep<'a> {
    /// A job beside this one.
    fn beside(&self) -> Sweep<'a> {
        Sweep {
            meant: self.meant.clone(),
            engines: Default::default(),
            starts: 0,
            notes: Vec::new(),
            walks: Vec::new(),
            incomplete: false,
            unmet: 0,
            untold: 0,
            unplaced: 0,
            runs: 0,
            walked: Default::default(),
            elsewhere: 0,
            ..*self
        }
    }

    /// Does one piece of work in all jobs: this one in this thread, the others in threads of their own. They
    /// are given back in order.
    pub(super) fn in_jobs(
        &mut self,
        prepare: impl Fn(&Self, &mut Sweep<'a>),
        work: impl Fn(&mut Sweep<'a>, Share, &mut dyn FnMut(&str)) -> Result<(), Trouble> + Sync,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Vec<Sweep<'a>>, Trouble> {
        let jobs = self.request.jobs.max(1);
        let others: Vec<Sweep<'a>> = (1..jobs)
            .map(|_| {
                let mut job = self.beside();
                prepare(self, &mut job);
                job
            })
            .collect();
        let (processors, work) = (self.processors, &work);
        thread::scope(|scope| {
            let start = |(number, mut job): (usize, Sweep<'a>)| {
                scope.spawn(move || {
                    let _pinned = processors.get((number + 1) % processors.len().max(1)).map(|one| Pinned::to(*one));
                    let done = work(&mut job, Share { number: number + 1, of: jobs }, &mut |_| {});
                    job.elsewhere = stops::steps();
                    done.map(|()| job)
                })
            };
            let started: Vec<_> = others.into_iter().enumerate().map(start).collect();
            let own = work(self, Share { number: 0, of: jobs }, tell);
            let mut done = Vec::new();
            let mut trouble = own.err();
            for job in started {
                match job.join() {
                    Ok(Ok(job)) => done.push(job),
                    Ok(Err(error)) => trouble = trouble.or(Some(error)),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            trouble.map_or(Ok(done), Err)
        })
    }

    /// Takes over what another job has found.
    pub(super) fn merge(&mut self, job: Sweep<'a>) {
        for (means, count) in job.engines {
            *self.engines.entry(means).or_default() += count;
        }
        self.starts += job.starts;
        self.elsewhere += job.elsewhere;
        self.incomplete |= job.incomplete;
        self.untold += job.untold;
        (self.unmet, self.runs) = (self.unmet + job.unmet, self.runs + job.runs);
        self.walked = (self.walked.0 + job.walked.0, self.walked.1.max(job.walked.1));
        self.notes.extend(job.notes.into_iter().filter(|note| !self.notes.contains(note)).collect::<Vec<_>>());
        for theirs in job.walks {
            let same = |ours: &&mut Walk| {
                let path = |walk: &Walk| walk.points.iter().map(|point| point.boundary).collect::<Vec<_>>();
                ours.pass == theirs.pass && path(ours) == path(&theirs)
            };
            let Some(ours) = self.walks.iter_mut().find(same) else { continue };
            for (own, other) in ours.points.iter_mut().zip(theirs.points) {
                if own.judged.is_none() && !own.undecided {
                    *own = Point { woken: own.woken.or(other.woken), ..other };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_boundary_belongs_to_one_job() {
        let jobs = [0, 1, 2].map(|number| Share { number, of: 3 });
        assert!((0..1000).all(|at| jobs.iter().filter(|job| job.has(at)).count() == 1));
        assert!((0..1000).all(|at| Share::ALL.has(at)));
    }
}
