//! Boundaries that the program itself is asked about.

use std::time::Instant;

use super::Sweep;
use super::advance::{Advanced, advance, advance_by_steps};
use super::share::Share;
use crate::linux::follow::End;
use crate::linux::grade::{Beside, Judged, grade};
use crate::linux::live::{Arranged, Brought, Live, OtherAt, Schedule, Stepped};
use crate::linux::names::{self, Found};
use crate::linux::outcome::Point;
use crate::{Ending, Engine, Means, Trouble, WindowName};

/// How the program is asked about a boundary.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    /// Whether a hang is explained.
    pub explains: bool,
    /// The schedule of the other threads.
    pub schedule: u32,
    /// Where one of them stood when the schedule was tried before.
    pub stands: Option<OtherAt>,
}

/// What the program has said.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Judged(Box<Judged>),
    /// Nothing that a judgement could rest on.
    Undecided,
    /// What is to be placed there does not come.
    Unmet,
}

impl Asked {
    pub(super) fn judged(self) -> Option<Judged> {
        match self {
            Self::Judged(judged) => Some(*judged),
            Self::Undecided | Self::Unmet => None,
        }
    }
}

/// Runs by which a boundary under a schedule is repeated at most.
pub(super) const REPEATS: u32 = 8;

/// The first of them bring another thread to the place where it stood, each at a later arrival there.
const ARRIVALS: u32 = 4;

/// Passes in which a signal of the program's own is looked for.
const OWN_PASSES: u32 = 8;

/// Passes that may take another path before a boundary is given up.
const TRIES: u32 = 3;

impl<'a> Sweep<'a> {
    /// What copies could not judge: by the program itself.
    pub(super) fn rest(&mut self, tell: &mut dyn FnMut(&str)) -> Result<(), Trouble> {
        self.by_ends(tell)?;
        for number in 0..if self.request.own { self.walks.len() } else { 0 } {
            let first = match self.first_own(number) {
                Err(Trouble::Gone(_)) => None,
                first => first?,
            };
            let walk = &mut self.walks[number];
            (walk.pass, walk.from) = first.unwrap_or((walk.pass, walk.points.len()));
            // Where `--time` was over, nothing is known of them.
            self.unplaced += if self.incomplete { 0 } else { walk.from };
        }
        if self.request.jobs < 2 {
            return self.rest_of(Share::ALL, tell);
        }
        let prepare = |own: &Self, job: &mut Sweep<'a>| job.walks = own.walks.clone();
        for job in self.in_jobs(prepare, |job, share, tell| job.rest_of(share, tell), tell)? {
            self.merge(job);
        }
        Ok(())
    }

    /// Neighbours at which copies slept alike and a second signal ended the sleep alike: the program is asked
    /// at the first and the last. If it loses the wake-up at both, it does so at those between.
    fn by_ends(&mut self, tell: &mut dyn FnMut(&str)) -> Result<(), Trouble> {
        for number in 0..self.walks.len() {
            let open = |point: &Point| point.woken.filter(|_| point.judged.is_none() && !point.alike);
            let mut start = 0;
            let mut runs = Vec::new();
            for run in self.walks[number].points.chunk_by(|one, other| open(one) == open(other)) {
                if open(&run[0]).is_some() && run.len() > 2 {
                    runs.push((start, start + run.len() - 1));
                }
                start += run.len();
            }
            for (first, last) in runs {
                for k in [first, last] {
                    if Instant::now() > self.deadline {
                        return Ok(());
                    }
                    tell(&format!("{}: {} boundaries judged", self.window, self.judged()));
                    let judged = self.judge_again((number, k), 0, None)?.0.judged();
                    let point = &mut self.walks[number].points[k];
                    point.undecided = judged.is_none();
                    point.judged = judged;
                }
                let points = &mut self.walks[number].points[first..=last];
                let [one, between @ .., other] = points else { continue };
                let lost = one.judged.as_ref().filter(|judged| judged.ending == Ending::LostWakeup);
                if let Some(lost) = lost
                    && other.bad() == Some(Ending::LostWakeup)
                {
                    for point in between.iter_mut() {
                        point.judged = Some(Judged { means: Means::Copy, answer: None, ..lost.clone() });
                    }
                    *self.engines.entry(Means::Copy).or_default() += between.len();
                }
            }
        }
        Ok(())
    }

    /// Where the first signal of the program's own may be placed, by one run that waits for it at each
    /// boundary of a pass, and of further passes on the same path while there is none: the pass and the
    /// boundary.
    fn first_own(&mut self, number: usize) -> Result<Option<(u64, usize)>, Trouble> {
        let Some(mut live) = self.bring(self.walks[number].pass)? else { return Ok(None) };
        let points = &self.walks[number].points;
        let mut another_path = None;
        for _ in 0..OWN_PASSES {
            for (k, point) in points.iter().enumerate() {
                if live.place()?.is_none_or(|place| place != point.boundary) {
                    another_path.get_or_insert((live.pass, k));
                    break;
                }
                if Instant::now() > self.deadline {
                    self.incomplete = true;
                    return Ok(None);
                }
                if live.own_signal()?.is_some() {
                    return Ok(Some((live.pass, k)));
                }
                match live.step()? {
                    Stepped::Next => {}
                    Stepped::Asleep => return Ok(Some((live.pass, k + 1))),
                    Stepped::Gone => return Ok(another_path),
                }
            }
            live.release_held()?;
            live.process.go(live.tid, 0)?;
            if !live.next_entry(self.patience())? {
                break;
            }
        }
        Ok(another_path)
    }

    fn rest_of(&mut self, share: Share, tell: &mut dyn FnMut(&str)) -> Result<(), Trouble> {
        let mut live: Option<Box<Live<'a>>> = None;
        for number in 0..self.walks.len() {
            for k in self.walks[number].from..self.walks[number].points.len() {
                let point = &self.walks[number].points[k];
                if point.judged.is_some() || point.alike || !share.has(k) {
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
                let mut judged = None;
                let mut tried = false;
                for schedule in 0..self.request.schedules.max(1) {
                    let (now, after) =
                        self.judge_by_pass(live.take(), number, k, How { explains, schedule, stands: None })?;
                    live = after.filter(|_| self.request.engine != Engine::Rerun);
                    tried |= !matches!(now, Asked::Unmet);
                    // The first schedule under which something bad comes of it is told.
                    judged = now.judged().or(judged);
                    if judged.as_ref().is_some_and(|judged: &Judged| judged.ending != Ending::Clean)
                        || Instant::now() > self.deadline
                    {
                        break;
                    }
                }
                let points = &mut self.walks[number].points;
                if let Some(judged) = &mut judged {
                    let before = k.checked_sub(1).and_then(|before| points[before].judged.as_ref());
                    judged.follow(before);
                }
                let point = &mut points[k];
                point.undecided = judged.is_none() && tried;
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
        how: How,
    ) -> Result<(Asked, Option<Box<Live<'a>>>), Trouble> {
        match self.judge_in_pass(live, (number, k), how) {
            Err(Trouble::Gone(_)) => Ok((Asked::Undecided, None)),
            asked => asked,
        }
    }

    fn judge_in_pass(
        &mut self,
        live: Option<Box<Live<'a>>>,
        (number, k): (usize, usize),
        how: How,
    ) -> Result<(Asked, Option<Box<Live<'a>>>), Trouble> {
        let target = self.walks[number].points[k].boundary;
        let pass = self.walks[number].pass;
        let mut live = live;
        let mut means = if live.is_some() { Means::Pass } else { Means::Rerun };
        for number_of_try in 0..TRIES {
            let mut now = match live.take() {
                Some(now) => now,
                None => {
                    means = Means::Rerun;
                    match self.bring(pass)? {
                        Some(now) => now,
                        None => return Ok((Asked::Undecided, None)),
                    }
                }
            };
            let walk = &self.walks[number];
            let advanced = match number_of_try {
                0 => advance(&mut now, walk, k)?,
                _ => advance_by_steps(&mut now, walk, k)?,
            };
            match advanced {
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
            let Some(signal) = signal else { return Ok((Asked::Unmet, None)) };
            if let Some(window) = &self.request.meanwhile {
                let entry = self.meanwhile(&now, window)?;
                match now.bring_other(OtherAt { at: entry, number: 1 })? {
                    Brought::There => {}
                    Brought::Never => {
                        self.unmet += 1;
                        return Ok((Asked::Unmet, None));
                    }
                    Brought::Gone => continue,
                }
            }
            let schedule = Schedule::nth(how.schedule, now.others());
            let (counted, stands) = match now.arrange(schedule, how.stands)? {
                Arranged::Ready(stands) => (Some(schedule), stands),
                Arranged::Brought(stands) => (None, Some(stands)),
                Arranged::Gone => continue,
            };
            self.runs += 1;
            let (pace, explains) = (self.pace, how.explains);
            let seen = match target.asleep {
                true if signal == 0 => now.follow(0, pace, explains)?,
                true => {
                    now.process.release_others()?;
                    now.follow_sleeper(signal, pace, explains)?
                }
                false if self.request.meanwhile.is_some() => now.follow_beside(signal, pace, explains)?,
                false => now.follow_scheduled(schedule, signal, pace, explains)?,
            };
            let passed = seen.end == End::Passed;
            let Some(mut judged) = grade(seen, &self.meant, means, || now.is_woken_by_another()) else {
                return Ok((Asked::Undecided, None));
            };
            if how.schedule > 0 && judged.ending != Ending::Clean {
                judged.beside = Some(Beside { number: how.schedule, schedule: counted, stands });
            }
            *self.engines.entry(means).or_default() += usize::from(how.schedule == 0 || judged.beside.is_some());
            // What the handler left in `errno` would hide the same at the next boundary.
            let goes_on = passed && judged.ending != Ending::Errno;
            return Ok((Asked::Judged(Box::new(judged)), goes_on.then_some(now)));
        }
        Ok((Asked::Undecided, None))
    }

    /// Judges a boundary again, under the schedule of an earlier run in which another thread stood there. The
    /// ending, and the number of the run that showed something bad.
    ///
    /// An instruction may be met on several ways, such as one of `pthread_mutex_lock`. So each arrival there
    /// is tried in turn; then the instructions are counted as before.
    pub(super) fn judge_again(
        &mut self,
        (number, k): (usize, usize),
        schedule: u32,
        stands: Option<u64>,
    ) -> Result<(Asked, u32), Trouble> {
        let mut asked = Asked::Undecided;
        for run in 1..=if schedule > 0 { REPEATS } else { 1 } {
            let stands = stands.filter(|_| run <= ARRIVALS).map(|at| OtherAt { at, number: run });
            asked = self.judge_by_pass(None, number, k, How { explains: true, schedule, stands })?.0;
            if matches!(&asked, Asked::Judged(judged) if judged.ending != Ending::Clean) {
                return Ok((asked, run));
            }
        }
        // A clean run under a schedule is one of several, and is not counted.
        if schedule > 0 && matches!(asked, Asked::Judged(_)) {
            *self.engines.entry(Means::Rerun).or_default() += 1;
        }
        Ok((asked, 1))
    }

    /// The first instruction of the function that another thread is brought to. The program is loaded to the
    /// same addresses each time.
    fn meanwhile(&mut self, live: &Live<'a>, window: &WindowName) -> Result<u64, Trouble> {
        if let Some(entry) = self.meanwhile_at {
            return Ok(entry);
        }
        match names::find(live.process.pid, window)? {
            Found::At(function) => Ok(*self.meanwhile_at.insert(function.entry)),
            Found::Nowhere { nearest, .. } => Err(Trouble::Usage(format!(
                "--while: no function {window} in the program or its libraries{}",
                if nearest.is_empty() { String::new() } else { format!("; nearest: {}", nearest.join(", ")) }
            ))),
        }
    }
}
