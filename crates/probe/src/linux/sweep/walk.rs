//! The walk through the passes, with copies where they may be used.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use sigproof_inspect::hang::procfs;
use sigproof_step::{Boundary, follow};

use super::Sweep;
use super::share::Share;
use crate::linux::copy::{Copy, Told};
use crate::linux::follow::End;
use crate::linux::grade::grade;
use crate::linux::live::{ENTRY, LONGEST, Live, Stepped};
use crate::linux::outcome::{Point, Walk};
use crate::linux::waits::is_untimed;
use crate::{Ending, Engine, Means, Output, Trouble};

/// Passes in turn that have to add no new boundary before no more are swept.
const NOTHING_NEW: u32 = 3;

/// Passes that are swept at most.
const PASSES: u64 = 12;

/// How a copy may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copies {
    Undone,
    Fresh,
    Not,
    /// Not either, and those that were tried may have taken from the program what it needs: it is started
    /// again.
    Harmful,
}

impl<'a> Sweep<'a> {
    /// Whether copies behave as the program does, without a signal.
    pub(super) fn controls(&mut self, live: &Live<'a>) -> Result<Copies, Trouble> {
        if self.request.own {
            self.notes.push("the signal is the program's own: the program itself takes it at each boundary".to_owned());
            return Ok(Copies::Not);
        }
        if self.request.expect_output != Output::Any {
            self.notes.push("output is compared: each boundary takes a run to the program's end".to_owned());
            return Ok(Copies::Not);
        }
        if self.request.meanwhile.is_some() || self.request.schedules > 1 {
            self.notes
                .push("other threads are placed: the program itself takes the signal at each boundary".to_owned());
            return Ok(Copies::Not);
        }
        match self.request.engine {
            Engine::Pass | Engine::Rerun => return Ok(Copies::Not),
            Engine::Auto | Engine::Copy => {}
        }
        if let Some(shared) = shared_memory(live.process.pid) {
            self.notes.push(format!(
                "the program has memory that it shares with others ({shared}), which a copy would change: copies are not used"
            ));
            return Ok(Copies::Not);
        }
        for _ in 0..2 {
            let ok = match Copy::fork(live, false)?.follow(live, 0, self.pace)? {
                Told::Seen(seen) => match seen.end {
                    End::Passed => true,
                    End::Ended(status) => self.meant.ends.first() == Some(&status),
                    _ => false,
                },
                Told::Sleeps => true,
                _ => false,
            };
            if !ok {
                self.notes
                    .push("a copy without a signal does not do what the program does: copies are not used".to_owned());
                return Ok(Copies::Harmful);
            }
        }
        if self.request.engine == Engine::Copy {
            return Ok(Copies::Fresh);
        }
        // The same copy twice, with the signal: an unnoticed change would show.
        let mut copy = Copy::fork(live, true)?;
        let first = copy.follow(live, self.signal, self.pace)?;
        if copy.undo(live)? {
            let second = copy.follow(live, self.signal, self.pace)?;
            let end = |told: &Told| match told {
                Told::Seen(seen) => Some(seen.end.clone()),
                Told::Sleeps | Told::Woken(_) | Told::Nothing => None,
            };
            if end(&first) != end(&second) {
                self.notes.push(
                    "a copy that was undone does not do the same again: each boundary gets a copy of its own"
                        .to_owned(),
                );
                return Ok(Copies::Fresh);
            }
        }
        Ok(Copies::Undone)
    }

    /// All boundaries: by walks first, then those that copies cannot judge.
    pub(super) fn walk(&mut self, tell: &mut dyn FnMut(&str)) -> Result<(), Trouble> {
        let never = self.request.own || self.request.meanwhile.is_some() || self.request.schedules > 1;
        if self.request.jobs < 2 || never || matches!(self.request.engine, Engine::Pass | Engine::Rerun) {
            self.walk_passes(Share::ALL, tell)?;
        } else {
            for job in self.in_jobs(|_, _| {}, |job, share, tell| job.walk_passes(share, tell), tell)? {
                self.merge(job);
            }
        }
        self.rest(tell)
    }

    /// Walks through passes until they add nothing new.
    fn walk_passes(&mut self, share: Share, tell: &mut dyn FnMut(&str)) -> Result<(), Trouble> {
        let mut live = self.bring(self.first)?.ok_or_else(not_met)?;
        // Before the controls: what other threads do in the meantime is not to be taken for the window's.
        if !matches!(self.request.engine, Engine::Pass | Engine::Rerun) {
            live.process.hold_others(live.tid)?;
        }
        let mut copies = self.controls(&live)?;
        if copies == Copies::Harmful {
            drop(live);
            live = self.bring(self.first)?.ok_or_else(not_met)?;
            copies = Copies::Not;
        } else if copies == Copies::Not {
            live.process.release_others()?;
        }
        let mut known: HashSet<(u64, u64)> = HashSet::new();
        let mut nothing_new = 0;
        let most = self.request.calls.unwrap_or(PASSES);
        for number in 0..most {
            if number > 0 {
                // The walker is behind the window.
                live.release_held()?;
                live.process.go(live.tid, 0)?;
                if !live.next_entry(Instant::now() + self.request.timeout)? {
                    break;
                }
            }
            tell(&format!("{}: pass {}, {} boundaries judged", self.window, live.pass, self.judged()));
            let before = known.len();
            let mut walk = Walk::of(live.pass);
            let (begun, judged) = (Instant::now(), self.judged());
            let whole = self.walk_pass(&mut live, (copies, share), &mut known, &mut walk, tell)?;
            if self.judged() > judged {
                self.walked.0 += self.judged() - judged;
                self.walked.1 += begun.elapsed();
            }
            let new = known.len() - before;
            if !walk.points.is_empty() && (new > 0 || number == 0) {
                self.walks.push(walk);
            }
            if !whole || Instant::now() > self.deadline {
                break;
            }
            nothing_new = if new == 0 { nothing_new + 1 } else { 0 };
            if nothing_new >= NOTHING_NEW && self.request.calls.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Walks through one pass; whether the window returned.
    pub(super) fn walk_pass(
        &mut self,
        live: &mut Live<'a>,
        (copies, share): (Copies, Share),
        known: &mut HashSet<(u64, u64)>,
        walk: &mut Walk,
        tell: &mut dyn FnMut(&str),
    ) -> Result<bool, Trouble> {
        let mut slot: Option<Copy> = None;
        if copies != Copies::Not {
            // A copy has one thread: what others do meanwhile is not to help it.
            live.process.hold_others(live.tid)?;
        }
        // Breakpoints make each step dearer.
        live.process.set_break(live.tid, ENTRY, None)?;
        let whole = match self.walk_held(live, (copies, share), &mut slot, known, walk, tell) {
            // Another thread has ended the program.
            Err(Trouble::Gone(_)) => return Ok(false),
            whole => whole,
        };
        live.process.set_break(live.tid, ENTRY, Some(live.function.entry))?;
        live.process.release_others()?;
        whole
    }

    /// The same, with the other threads held where copies are used.
    pub(super) fn walk_held(
        &mut self,
        live: &mut Live<'a>,
        (mut copies, share): (Copies, Share),
        slot: &mut Option<Copy>,
        known: &mut HashSet<(u64, u64)>,
        walk: &mut Walk,
        tell: &mut dyn FnMut(&str),
    ) -> Result<bool, Trouble> {
        let first_pass = known.is_empty();
        let mut own: HashSet<(u64, u64)> = HashSet::new();
        // The vDSO reads a clock again if the kernel has changed it meanwhile. At the pace of a walk that is
        // often: such a turn is left out of the path, and its boundaries are not judged once more.
        let vdso = vdso(live.process.pid);
        let mut turned: HashMap<(u64, u64), Point> = HashMap::new();
        while let Some(boundary) = live.place()? {
            let key = (boundary.pc, boundary.depth);
            if let Some(again) = follow::again(walk, walk.points.len(), &boundary, &vdso) {
                let turn = walk.points.drain(again..);
                turned.extend(turn.map(|point| ((point.boundary.pc, point.boundary.depth), point)));
            }
            let known_turn = if vdso.contains(&boundary.pc) { turned.remove(&key) } else { None };
            let is_new = known_turn.is_none();
            let mut point = known_turn.unwrap_or_else(|| Point::at(boundary));
            let in_time = Instant::now() < self.deadline && share.has(walk.points.len());
            // Turns of a loop in the first pass are boundaries of their own.
            if (first_pass || !known.contains(&key)) && copies != Copies::Not && in_time && is_new {
                let before = walk.points.last().and_then(Point::bad);
                self.judge_by_copy(live, &mut copies, slot, &mut point, before)?;
            } else if !first_pass && known.contains(&key) {
                point.alike = true;
            }
            own.insert(key);
            walk.points.push(point);
            if walk.points.len().is_multiple_of(500) {
                tell(&format!("{}: pass {}, {} boundaries judged", self.window, live.pass, self.judged()));
            }
            if walk.points.len() >= LONGEST {
                self.incomplete = true;
                self.notes.push(format!("the window has more than {LONGEST} boundaries: the rest is not judged"));
                known.extend(own);
                return Ok(false);
            }
            match live.step()? {
                Stepped::Next => {}
                Stepped::Asleep => {
                    walk.points.push(Point::at(Boundary { asleep: true, ..boundary }));
                    live.process.release_others()?;
                    // A later call in which the program slept when it was left alone.
                    let idles =
                        self.idles && live.pass > self.first && live.sleeps_in(live.tid).is_some_and(is_untimed);
                    if self.awaits || idles {
                        let what = if idles { "something from outside" } else { "the signal" };
                        self.notes.push(format!(
                            "the window sleeps until {what} comes: what comes behind that sleep is not judged"
                        ));
                        known.extend(own);
                        return Ok(false);
                    }
                    let awake = live.wake(Instant::now() + self.request.timeout)?;
                    if copies != Copies::Not {
                        live.process.hold_others(live.tid)?;
                    }
                    if !awake {
                        self.notes.push(
                            "the window sleeps for longer than --timeout: what comes after is not judged".to_owned(),
                        );
                        known.extend(own);
                        return Ok(false);
                    }
                }
                Stepped::Gone => {
                    known.extend(own);
                    return Ok(false);
                }
            }
        }
        known.extend(own);
        Ok(true)
    }

    /// Lets a copy take the signal at the place where the program is.
    pub(super) fn judge_by_copy(
        &mut self,
        live: &Live<'a>,
        copies: &mut Copies,
        slot: &mut Option<Copy>,
        point: &mut Point,
        before: Option<Ending>,
    ) -> Result<(), Trouble> {
        let mut means = Means::Copy;
        if let Some(copy) = slot {
            if *copies == Copies::Undone && copy.undo(live)? {
                means = Means::Undo;
            } else {
                *slot = None;
            }
        }
        let copy = match slot {
            Some(copy) => copy,
            None => slot.insert(Copy::fork(live, true)?),
        };
        match copy.follow(live, self.signal, self.pace)? {
            Told::Seen(seen) => point.judged = grade(*seen, &self.meant, means, || false),
            Told::Woken(woken) => point.woken = Some(woken),
            Told::Sleeps | Told::Nothing => self.untold += 1,
        }
        // Where a bad range begins or changes, what is left of earlier uses is not to be taken for it.
        if means == Means::Undo && point.bad().is_some() && point.bad() != before {
            means = Means::Copy;
            let undone = point.bad();
            *slot = None;
            let copy = slot.insert(Copy::fork(live, true)?);
            point.judged = None;
            if let Told::Seen(seen) = copy.follow(live, self.signal, self.pace)? {
                point.judged = grade(*seen, &self.meant, means, || false);
            }
            if point.bad() != undone {
                *copies = Copies::Fresh;
                self.notes.push(
                    "a copy that was undone did not do what a fresh one did: from there on each boundary got a copy of its own"
                        .to_owned(),
                );
            }
        }
        if point.judged.is_some() {
            *self.engines.entry(means).or_default() += 1;
        }
        Ok(())
    }
}

fn not_met() -> Trouble {
    Trouble::Inconclusive("the call was not met again".to_owned())
}

/// Where the process has the vDSO; empty if it has none.
fn vdso(pid: i32) -> std::ops::Range<u64> {
    let map = procfs::maps(pid.cast_unsigned()).into_iter().find(|map| map.path == "[vdso]");
    map.map_or(0..0, |map| map.start..map.end)
}

/// Memory of a process that a copy of it would have in common with it.
fn shared_memory(pid: i32) -> Option<String> {
    let maps = procfs::maps(pid.cast_unsigned());
    let shared = maps.into_iter().find(|map| map.writable && map.shared)?;
    Some(if shared.path.is_empty() { "without a name".to_owned() } else { shared.path })
}
