//! Boundaries that the program itself is asked about.

use std::time::Instant;

use super::Sweep;
use super::advance::{Advanced, advance};
use crate::linux::follow::End;
use crate::linux::grade::{Judged, grade};
use crate::linux::live::Live;
use crate::{Engine, Means, Trouble};

/// Passes that may take another path before a boundary is given up.
const TRIES: u32 = 3;

impl<'a> Sweep<'a> {
    /// What copies could not judge: by the program itself.
    pub(super) fn rest(&mut self, tell: &mut dyn FnMut(&str)) -> Result<(), Trouble> {
        let mut live: Option<Box<Live<'a>>> = None;
        for number in 0..self.walks.len() {
            for k in 0..self.walks[number].points.len() {
                let point = &self.walks[number].points[k];
                if point.judged.is_some() || point.rerun {
                    continue;
                }
                if Instant::now() > self.deadline {
                    self.incomplete = true;
                    continue;
                }
                if k.is_multiple_of(20) {
                    tell(&format!("{}: {} boundaries judged", self.window, self.judged()));
                }
                let explains = k == 0 || self.walks[number].points[k - 1].bad().is_none();
                let (judged, after) = self.judge_by_pass(live.take(), number, k, explains)?;
                live = after.filter(|_| self.request.engine != Engine::Rerun);
                let point = &mut self.walks[number].points[k];
                // Where no signal of the program's own comes, there is nothing to decide.
                point.undecided = judged.is_none() && !self.request.own;
                point.judged = judged;
            }
        }
        Ok(())
    }

    /// Lets the program itself take the signal at a boundary. It is given back if it stands at an entry
    /// again.
    pub(super) fn judge_by_pass(
        &mut self,
        live: Option<Box<Live<'a>>>,
        number: usize,
        k: usize,
        explains: bool,
    ) -> Result<(Option<Judged>, Option<Box<Live<'a>>>), Trouble> {
        let target = self.walks[number].points[k].boundary;
        let pass = self.walks[number].pass;
        let mut live = live;
        let mut means = if live.is_some() { Means::Pass } else { Means::Rerun };
        for _ in 0..TRIES {
            let mut now = match live.take() {
                Some(now) => now,
                None => {
                    means = Means::Rerun;
                    match self.bring(pass)? {
                        Some(now) => now,
                        None => return Ok((None, None)),
                    }
                }
            };
            match advance(&mut now, &self.walks[number], k)? {
                Advanced::There => {}
                Advanced::Entered => {
                    live = Some(now);
                    continue;
                }
                Advanced::Elsewhere => {
                    // On to the next pass.
                    now.release_held()?;
                    now.process.go(now.tid, 0)?;
                    if now.next_entry(Instant::now() + self.request.timeout)? {
                        live = Some(now);
                    }
                    continue;
                }
                Advanced::Gone => continue,
            }
            let signal = if self.request.own { now.own_signal()? } else { Some(self.signal) };
            // No signal of the program's own is there: nothing is to be placed.
            let Some(signal) = signal else { return Ok((None, None)) };
            let seen = match target.asleep {
                true if signal == 0 => now.follow(0, self.pace, explains)?,
                true => now.follow_sleeper(signal, self.pace, explains)?,
                false => now.follow(signal, self.pace, explains)?,
            };
            let passed = seen.end == End::Passed;
            let judged = grade(seen, &self.meant, means, || now.is_woken_by_another());
            if judged.is_some() {
                *self.engines.entry(means).or_default() += 1;
            }
            return Ok((judged, passed.then_some(now)));
        }
        Ok((None, None))
    }
}
