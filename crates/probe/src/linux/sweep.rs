//! All boundaries of a window: the walk, the judgements, the confirmation.
//!
//! | phase | does |
//! |---|---|
//! | reference | the signal right behind the window's return, twice |
//! | controls | two copies without a signal, and one that is undone and runs again |
//! | walk | step by step through a pass; a copy, or the next pass, takes the signal at each boundary |
//! | rest | boundaries that a copy cannot be judged by: by passes of the program itself |
//! | confirm | the first and the last boundary of each bad range: by a run of their own, with all threads |

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use sigproof_inspect::diagnose::Symbols;
use sigproof_inspect::hang::procfs;
use sigproof_shim::native::atomic::AtomicBool;
use sigproof_step::Boundary;

use super::before::{Untouched, signal_name, text};
use super::copy::{Copy, Told};
use super::follow::{End, Seen};
use super::grade::{Judged, Meant, grade};
use super::live::{Arrival, ENTRY, LONGEST, Live, Stepped};
use super::outcome::{Point, Walk};
use super::process::Action;
use crate::{Ending, Engine, Means, Report, Request, Trouble, WindowName};

/// Passes that go by before the first one is swept: what is done once only is done by then.
const SETTLED: u64 = 20;

/// Passes in turn that have to add no new boundary before no more are swept.
const NOTHING_NEW: u32 = 3;

/// Passes that are swept at most.
const PASSES: u64 = 12;

/// Passes that may take another path before a boundary is given up.
const TRIES: u32 = 3;

/// Bad ranges that are confirmed at most.
const CONFIRMED: usize = 24;

pub(super) struct Sweep<'a> {
    request: &'a Request,
    window: &'a WindowName,
    signal: i32,
    stop: &'a AtomicBool,
    deadline: Instant,
    /// The first pass that is swept.
    first: u64,
    /// The longest time that one pass has taken, without steps.
    pace: Duration,
    meant: Meant,
    engines: BTreeMap<Means, usize>,
    starts: usize,
    notes: Vec<String>,
    walks: Vec<Walk>,
    incomplete: bool,
    /// Boundaries that were judged in walks, and the time of these walks.
    walked: (usize, Duration),
}

/// How a copy may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copies {
    Undone,
    Fresh,
    Not,
}

/// Sweeps one window with one signal.
pub(super) fn sweep(
    request: &Request,
    window: &WindowName,
    signal: i32,
    untouched: &Untouched,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(&str),
) -> Result<Report, Trouble> {
    let begun = Instant::now();
    let mut sweep = Sweep {
        request,
        window,
        signal,
        stop,
        deadline: begun + request.time,
        first: request.from.unwrap_or(SETTLED),
        pace: Duration::from_micros(20),
        meant: Meant { ends: untouched.end.into_iter().collect(), exit: request.expect_exit, ..Meant::default() },
        engines: BTreeMap::new(),
        starts: 0,
        notes: Vec::new(),
        walks: Vec::new(),
        incomplete: false,
        walked: (0, Duration::ZERO),
    };
    tell(&format!("{window}: the way to it"));
    let live = sweep.first_arrival()?;
    let object = live.function.object.clone();
    tell(&format!("{window}: the signal outside it"));
    let reference = sweep.reference(live)?;
    let mut walked = (0, Duration::ZERO);
    if let Some(token) = &request.replay {
        sweep.replay(token)?;
    } else {
        let done = sweep.walk(tell);
        walked = sweep.walked;
        match done {
            Err(Trouble::Interrupted) => return Err(Trouble::Interrupted),
            done => done?,
        }
        tell(&format!("{window}: confirming"));
        sweep.confirm()?;
    }
    let label = format!("{}:{}@{}:{}", program(request), signal_name(signal), window, sweep.first);
    let live = sweep.bring(sweep.first)?;
    let paths = match &live {
        Some(live) => {
            let places = Symbols::of(live.process.pid.cast_unsigned());
            let label = |pass: u64| format!("{}:{}@{}:{pass}", program(request), signal_name(signal), window);
            sweep.walks.iter().map(|walk| walk.report(&label(walk.pass), &places)).collect()
        }
        None => sweep.walks.iter().map(|walk| walk.report(&label, &Symbols::of(0))).collect(),
    };
    drop(live);
    Ok(Report {
        program: program(request),
        signal: signal_name(signal),
        window: window.to_string(),
        object,
        untouched: untouched.text(),
        reference,
        paths,
        engines: sweep.engines.into_iter().collect(),
        starts: sweep.starts,
        seconds: begun.elapsed().as_secs_f64(),
        rate: walked.0 as f64 / walked.1.as_secs_f64().max(1e-9),
        notes: sweep.notes,
        incomplete: sweep.incomplete,
    })
}

/// The file name of the program.
fn program(request: &Request) -> String {
    let name = request.command.first().map(std::path::Path::new).and_then(|path| path.file_name());
    name.unwrap_or_default().to_string_lossy().into_owned()
}

impl<'a> Sweep<'a> {
    fn judged(&self) -> usize {
        self.engines.values().sum()
    }

    fn start(&mut self) -> Result<Arrival<'a>, Trouble> {
        self.starts += 1;
        Live::start(self.request, self.window, self.signal, self.stop)
    }

    /// The program at the first pass that is swept; why it never comes there, else.
    fn first_arrival(&mut self) -> Result<Box<Live<'a>>, Trouble> {
        let live = match self.start()? {
            Arrival::At(live) => live,
            never => return Err(self.never(never)),
        };
        if live.syscall_at == 0 {
            return Err(Trouble::Lacks("the program has no system call instruction to be borrowed".to_owned()));
        }
        let mut live = live;
        let begun = Instant::now();
        if live.to_pass(self.first, self.deadline)? {
            let passes = u32::try_from(self.first.max(1)).unwrap_or(u32::MAX);
            self.pace = self.pace.max(begun.elapsed() / passes).min(self.request.timeout);
            return Ok(live);
        }
        if self.request.from.is_some() {
            return Err(Trouble::Inconclusive(format!(
                "{} is called {} times with a handler of {} installed; --from asks for a later call",
                self.window,
                live.pass + 1,
                signal_name(self.signal)
            )));
        }
        // Few passes: the middle one.
        self.first = live.pass / 2;
        self.pace = self.pace.max(begun.elapsed() / (live.pass as u32 + 1)).min(self.request.timeout);
        self.notes.push(format!(
            "the function is called {} times only; call {} is swept first",
            live.pass + 1,
            self.first
        ));
        drop(live);
        let first = self.first;
        self.bring(first)?.ok_or_else(|| {
            Trouble::Inconclusive("the program does not take the same way twice: the call was not met again".to_owned())
        })
    }

    /// Why the program never comes to a pass.
    fn never(&self, arrival: Arrival<'a>) -> Trouble {
        let Arrival::Never { function, called, nearest, has_library, ended, became_another } = arrival else {
            return Trouble::Inconclusive(String::new());
        };
        let window = self.window;
        let name = signal_name(self.signal);
        let how = match ended {
            Some(status) => format!("it ended ({})", text(status)),
            None => format!("{:?} were over", self.request.time),
        };
        let another = if became_another { "; it has become another program (exec): name that one" } else { "" };
        match function {
            None if !has_library => Trouble::Inconclusive(format!(
                "{} is never loaded: {how}{another}; `ldd PROGRAM` shows what is",
                window.library.as_deref().unwrap_or_default()
            )),
            None => {
                let near =
                    if nearest.is_empty() { String::new() } else { format!("; nearest: {}", nearest.join(", ")) };
                Trouble::Usage(format!(
                    "no function {window} in the program or its libraries{near}; perhaps it is inlined or stripped: \
                     OBJECT+0xOFFSET names it by its place"
                ))
            }
            Some(_) if called.is_none() => Trouble::Inconclusive(format!(
                "nobody called {window} before {how}{another}; --time gives it longer, --thread any lets another thread \
                 call it"
            )),
            Some(_) => {
                let what = match called {
                    Some(Action::Ignored) => "it is ignored",
                    _ => "its default action is in place",
                };
                Trouble::Lacks(format!(
                    "no handler of {name} was installed when {window} was called, until {how}: {what}, and there is nothing \
                     to be swept"
                ))
            }
        }
    }

    /// A program at the entry of this pass; `None` if it does not come there.
    fn bring(&mut self, pass: u64) -> Result<Option<Box<Live<'a>>>, Trouble> {
        let Arrival::At(mut live) = self.start()? else { return Ok(None) };
        let deadline = Instant::now() + self.request.time;
        Ok(live.to_pass(pass, deadline)?.then_some(live))
    }

    /// What the signal does right behind the window, twice.
    fn reference(&mut self, live: Box<Live<'a>>) -> Result<String, Trouble> {
        let mut next = Some(live);
        let mut told: Vec<String> = Vec::new();
        for _ in 0..2 {
            let live = match next.take() {
                Some(live) => Some(live),
                None => self.bring(self.first)?,
            };
            let Some(mut live) = live else { break };
            // To the window's return.
            let mut steps = 0;
            while live.place()?.is_some() && steps < LONGEST {
                steps += 1;
                match live.step()? {
                    Stepped::Next => {}
                    Stepped::Asleep if live.wake(self.deadline)? => {}
                    Stepped::Asleep | Stepped::Gone => break,
                }
            }
            if live.place().map_or(true, |place| place.is_some()) {
                self.notes.push("no pass without a signal was followed to its return".to_owned());
                break;
            }
            let seen = live.follow(self.signal, self.pace, true)?;
            let text = match &seen.end {
                End::Passed if seen.pending => "the signal stays pending".to_owned(),
                End::Passed | End::Returned => "the program goes on".to_owned(),
                End::Ended(status) => text(*status),
                End::Became => "the program becomes another".to_owned(),
                End::Stuck(_) => seen
                    .answer
                    .as_ref()
                    .map_or("it hangs".to_owned(), |answer| format!("it hangs: {}", answer.sentence)),
                End::Silent | End::Still => "it does not go on in the time allowed".to_owned(),
            };
            self.meant.pends |= seen.pending;
            match seen.end {
                End::Ended(status) => self.meant.ends.push(status),
                End::Became => self.meant.becomes = true,
                End::Passed => next = Some(live),
                _ => {}
            }
            if !told.contains(&text) {
                told.push(text);
            }
        }
        Ok(told.join("; or "))
    }

    /// Whether copies behave as the program does, without a signal.
    fn controls(&mut self, live: &Live<'a>) -> Result<Copies, Trouble> {
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
                Told::Seen(Seen { end: End::Passed, .. }) => true,
                Told::Seen(Seen { end: End::Ended(status), .. }) => self.meant.ends.first() == Some(&status),
                Told::Sleeps => true,
                _ => false,
            };
            if !ok {
                self.notes
                    .push("a copy without a signal does not do what the program does: copies are not used".to_owned());
                return Ok(Copies::Not);
            }
        }
        if self.request.engine == Engine::Copy {
            return Ok(Copies::Fresh);
        }
        // The same copy twice, with the signal: what it changes and nobody notices would show.
        let mut copy = Copy::fork(live, true)?;
        let first = copy.follow(live, self.signal, self.pace)?;
        if copy.undo(live)? {
            let second = copy.follow(live, self.signal, self.pace)?;
            let end = |told: &Told| match told {
                Told::Seen(seen) => Some(seen.end.clone()),
                Told::Sleeps | Told::Nothing => None,
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

    /// Walks through passes until they add nothing new.
    fn walk(&mut self, tell: &mut dyn FnMut(&str)) -> Result<(), Trouble> {
        let Some(mut live) = self.bring(self.first)? else {
            return Err(Trouble::Inconclusive("the call was not met again".to_owned()));
        };
        // Before the controls: what other threads do in the meantime is not to be taken for the window's.
        if !matches!(self.request.engine, Engine::Pass | Engine::Rerun) {
            live.process.hold_others(live.tid)?;
        }
        let copies = self.controls(&live)?;
        if copies == Copies::Not {
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
            let mut walk = Walk { pass: live.pass, points: Vec::new() };
            let (begun, judged) = (Instant::now(), self.judged());
            let whole = self.walk_pass(&mut live, copies, &mut known, &mut walk, tell)?;
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
        drop(live);
        self.rest(tell)
    }

    /// Walks through one pass; whether the window returned.
    fn walk_pass(
        &mut self,
        live: &mut Live<'a>,
        copies: Copies,
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
        let whole = self.walk_held(live, copies, &mut slot, known, walk, tell);
        live.process.set_break(live.tid, ENTRY, Some(live.function.entry))?;
        live.process.release_others()?;
        whole
    }

    /// The same, with the other threads held where copies are used.
    fn walk_held(
        &mut self,
        live: &mut Live<'a>,
        mut copies: Copies,
        slot: &mut Option<Copy>,
        known: &mut HashSet<(u64, u64)>,
        walk: &mut Walk,
        tell: &mut dyn FnMut(&str),
    ) -> Result<bool, Trouble> {
        let first_pass = known.is_empty();
        let mut own: HashSet<(u64, u64)> = HashSet::new();
        while let Some(boundary) = live.place()? {
            let key = (boundary.pc, boundary.depth);
            let mut point = Point::at(boundary);
            let in_time = Instant::now() < self.deadline;
            // Turns of a loop in the first pass are boundaries of their own.
            if (first_pass || !known.contains(&key)) && copies != Copies::Not && in_time {
                let before = walk.points.last().and_then(Point::bad);
                self.judge_by_copy(live, &mut copies, slot, &mut point, before)?;
            } else if !first_pass && known.contains(&key) {
                point.rerun = true;
            }
            own.insert(key);
            walk.points.push(point);
            if walk.points.len() % 500 == 0 {
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
    fn judge_by_copy(
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
            None => slot.insert(Copy::fork(live, *copies == Copies::Undone)?),
        };
        if let Told::Seen(seen) = copy.follow(live, self.signal, self.pace)? {
            point.judged = grade(seen, &self.meant, means, || false);
        }
        // Where a bad range begins or changes, what is left of earlier uses is not to be taken for it.
        if means == Means::Undo && point.bad().is_some() && point.bad() != before {
            means = Means::Copy;
            let undone = point.bad();
            *slot = None;
            let copy = slot.insert(Copy::fork(live, true)?);
            point.judged = None;
            if let Told::Seen(seen) = copy.follow(live, self.signal, self.pace)? {
                point.judged = grade(seen, &self.meant, means, || false);
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

    /// What copies could not judge: by the program itself.
    fn rest(&mut self, tell: &mut dyn FnMut(&str)) -> Result<(), Trouble> {
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
                if k % 20 == 0 {
                    tell(&format!("{}: {} boundaries judged", self.window, self.judged()));
                }
                let explains = k == 0 || self.walks[number].points[k - 1].bad().is_none();
                let (judged, after) = self.judge_by_pass(live.take(), number, k, explains)?;
                live = after.filter(|_| self.request.engine != Engine::Rerun);
                let point = &mut self.walks[number].points[k];
                point.undecided = judged.is_none();
                point.judged = judged;
            }
        }
        Ok(())
    }

    /// Lets the program itself take the signal at a boundary. It is given back if it stands at an entry again.
    fn judge_by_pass(
        &mut self,
        live: Option<Box<Live<'a>>>,
        number: usize,
        k: usize,
        explains: bool,
    ) -> Result<(Option<Judged>, Option<Box<Live<'a>>>), Trouble> {
        let points = &self.walks[number].points;
        let target = points[k].boundary;
        let alike = |point: &&Point| same(&point.boundary, &target);
        let nth = points[..=k].iter().filter(alike).count();
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
            match advance(&mut now, &target, nth)? {
                Advanced::There => {}
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
            let seen = match target.asleep {
                true => now.follow_sleeper(self.signal, self.pace, explains)?,
                false => now.follow(self.signal, self.pace, explains)?,
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

    /// Reruns of the first and the last boundary of each bad range.
    fn confirm(&mut self) -> Result<(), Trouble> {
        let mut done = 0;
        for number in 0..self.walks.len() {
            for range in self.walks[number].ranges() {
                if done >= CONFIRMED || Instant::now() > self.deadline {
                    self.notes.push("more bad ranges were found than are confirmed".to_owned());
                    return Ok(());
                }
                done += 1;
                let mut ends = vec![range.start, range.end - 1];
                ends.dedup();
                let mut shown = Vec::new();
                for k in ends {
                    let point = &self.walks[number].points[k];
                    let told = point.judged.as_ref().is_some_and(|judged| {
                        judged.means == Means::Rerun && (judged.answer.is_some() || k != range.start)
                    });
                    if !told && let (Some(judged), _) = self.judge_by_pass(None, number, k, true)? {
                        self.walks[number].points[k].judged = Some(judged);
                    }
                    shown.push(self.walks[number].points[k].bad());
                }
                // The judge's word for what the copies have seen.
                if let [Some(first), ..] = shown[..]
                    && shown.iter().all(|ending| *ending == Some(first))
                {
                    for point in &mut self.walks[number].points[range] {
                        if let Some(judged) = &mut point.judged {
                            judged.ending = first;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// One boundary, by its token.
    fn replay(&mut self, token: &sigproof_step::token::Token) -> Result<(), Trouble> {
        let pass = token.label.rsplit_once(':').and_then(|(_, pass)| pass.parse().ok());
        let pass = pass.ok_or_else(|| Trouble::Usage("the token names no call: it is not one of probe".to_owned()))?;
        self.first = pass;
        let Some(mut live) = self.bring(pass)? else {
            return Err(Trouble::Inconclusive(format!("call {pass} is not met any more")));
        };
        let mut walk = Walk { pass, points: Vec::new() };
        self.walk_pass(&mut live, Copies::Not, &mut HashSet::new(), &mut walk, &mut |_| {})?;
        let path: Vec<Boundary> = walk.points.iter().map(|point| point.boundary).collect();
        let places = Symbols::of(live.process.pid.cast_unsigned());
        let located = token
            .locate(&path, &places)
            .ok_or_else(|| Trouble::Inconclusive("the window does not go there any more: sweep it again".to_owned()))?;
        self.notes.extend(located.moved);
        drop(live);
        self.walks.push(walk);
        let (judged, _) = self.judge_by_pass(None, 0, located.k, true)?;
        let point = &mut self.walks[0].points[located.k];
        point.undecided = judged.is_none();
        point.judged = judged;
        Ok(())
    }
}

/// Memory of a process that a copy of it would have in common with it.
fn shared_memory(pid: i32) -> Option<String> {
    let maps = procfs::maps(pid.cast_unsigned());
    let shared = maps.into_iter().find(|map| map.writable && map.shared)?;
    Some(if shared.path.is_empty() { "without a name".to_owned() } else { shared.path })
}

fn same(one: &Boundary, other: &Boundary) -> bool {
    (one.pc, one.depth, one.asleep) == (other.pc, other.depth, other.asleep)
}

/// Where an advance has come to.
enum Advanced {
    There,
    /// The window has returned.
    Elsewhere,
    Gone,
}

/// Brings the program to the `nth` arrival at a boundary.
fn advance(live: &mut Live<'_>, target: &Boundary, nth: usize) -> Result<Advanced, Trouble> {
    let mut arrivals = 0;
    let mut steps = 0;
    while let Some(boundary) = live.place()? {
        if same(&boundary, target) {
            arrivals += 1;
            if arrivals == nth {
                return Ok(Advanced::There);
            }
        }
        steps += 1;
        if steps > LONGEST {
            return Ok(Advanced::Gone);
        }
        match live.step()? {
            Stepped::Next => {}
            Stepped::Asleep => {
                if same(&Boundary { asleep: true, ..boundary }, target) {
                    arrivals += 1;
                    if arrivals == nth {
                        return Ok(Advanced::There);
                    }
                }
                if !live.wake(Instant::now() + live.request().timeout)? {
                    return Ok(Advanced::Gone);
                }
            }
            Stepped::Gone => return Ok(Advanced::Gone),
        }
    }
    Ok(Advanced::Elsewhere)
}
