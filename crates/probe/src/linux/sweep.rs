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
use sigproof_shim::native::atomic::AtomicBool;
use sigproof_step::Boundary;

use super::before::{Untouched, signal_name, text};
use super::errno::Errno;
use super::follow::End;
use super::grade::Meant;
use super::live::Live;
use super::names::{self, Found};
use super::outcome::Walk;
use super::stops;
use super::waits::is_untimed;
use crate::text::boundaries;
use crate::{Means, Output, Report, Request, Trouble, WindowName};

mod advance;
mod arrive;
mod errno;
mod judge;
mod share;
mod walk;

pub(super) use advance::arrivals;
use judge::{Asked, REPEATS};
use share::Share;
use walk::Copies;

/// Passes that go by before the first one is swept: what is done once only is done by then.
const SETTLED: u64 = 20;

/// The same where each pass may be the last, by the program's own signal.
const SETTLED_OWN: u64 = 2;

/// Bad ranges that are confirmed at most.
const CONFIRMED: usize = 24;

pub(super) struct Sweep<'a> {
    request: &'a Request,
    window: &'a WindowName,
    signal: i32,
    stop: &'a AtomicBool,
    deadline: Instant,
    /// Where jobs may run.
    processors: &'a [usize],
    /// The first pass that is swept.
    first: u64,
    /// The longest time that one pass has taken, without steps.
    pace: Duration,
    meant: Meant,
    /// The last line that the program wrote when it failed without a signal.
    last_line: Option<&'a str>,
    /// Where the program keeps `errno`, once that is known.
    errno_at: Option<Errno>,
    engines: BTreeMap<Means, usize>,
    starts: usize,
    notes: Vec<String>,
    walks: Vec<Walk>,
    incomplete: bool,
    /// Whether the window sleeps until the signal comes.
    awaits: bool,
    /// Whether the program, left alone, comes to sleep in the window without a time limit.
    idles: bool,
    /// Where another thread is brought to.
    meanwhile_at: Option<u64>,
    /// Boundaries at which no other thread came there.
    unmet: usize,
    /// Boundaries at which a copy told nothing.
    untold: usize,
    /// Boundaries before the first one at which the program's own signal could be placed.
    unplaced: usize,
    /// Ends of bad ranges that no run of the whole program came to.
    unconfirmed: usize,
    /// Runs of the program with a signal, each under one schedule.
    runs: usize,
    /// Single steps of other jobs.
    elsewhere: u64,
    /// Boundaries that were judged in walks, and the time of these walks.
    walked: (usize, Duration),
}

/// Sweeps one window with one signal.
pub(super) fn sweep(
    request: &Request,
    window: &WindowName,
    signal: i32,
    (untouched, processors): (&Untouched, &[usize]),
    stop: &AtomicBool,
    tell: &mut dyn FnMut(&str),
) -> Result<Report, Trouble> {
    let (begun, steps) = (Instant::now(), stops::steps());
    let outputs = if let Output::Is(text) = &request.expect_output { vec![text.clone()] } else { Vec::new() };
    let mut sweep = Sweep {
        request,
        window,
        signal,
        stop,
        deadline: begun + request.time,
        processors,
        first: request.from.unwrap_or(if request.own { SETTLED_OWN } else { SETTLED }),
        pace: Duration::from_micros(20),
        meant: Meant {
            ends: untouched.end.into_iter().collect(),
            exit: request.expect_exit,
            outputs,
            ..Meant::default()
        },
        last_line: untouched.last_line.as_deref(),
        errno_at: None,
        engines: BTreeMap::new(),
        starts: 0,
        notes: Vec::new(),
        walks: Vec::new(),
        incomplete: false,
        awaits: false,
        idles: false,
        meanwhile_at: None,
        unmet: 0,
        untold: 0,
        unplaced: 0,
        unconfirmed: 0,
        runs: 0,
        elsewhere: 0,
        walked: (0, Duration::ZERO),
    };
    tell(&format!("{window}: the way to it"));
    let live = sweep.first_arrival()?;
    let object = live.function.object.clone();
    if !live.process.children.is_empty() {
        sweep.notes.push("the program has started other processes: only the first one is swept".to_owned());
    }
    tell(&format!("{window}: the signal outside it"));
    let reference = sweep.reference(live)?;
    // A signal of the program's own does not come where it is wanted.
    let spoiled = match if request.own { Ok(None) } else { sweep.errno() } {
        Err(Trouble::Gone(_)) => None,
        spoiled => spoiled?,
    };
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
        sweep.tell_of_limits();
    }
    let label = format!("{}:{}@{}:{}", program(request), signal_name(signal), window, sweep.first);
    // Places are named in a process of the program; a clean sweep names none.
    let names_places = sweep.walks.iter().any(|walk| !walk.ranges().is_empty());
    let live = if names_places { sweep.bring(sweep.first)? } else { None };
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
        steps: stops::steps() - steps + sweep.elsewhere,
        seconds: begun.elapsed().as_secs_f64(),
        rate: walked.0 as f64 / walked.1.as_secs_f64().max(1e-9),
        errno: spoiled.filter(|_| request.replay.is_none()),
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

    /// Until when a pass may last that begins now.
    fn patience(&self) -> Instant {
        self.deadline.min(Instant::now() + self.request.timeout)
    }

    /// What the signal does right behind the window, twice. A window that sleeps until the signal comes gets
    /// it there.
    fn reference(&mut self, live: Box<Live<'a>>) -> Result<String, Trouble> {
        let mut next = Some(live);
        let mut told: Vec<String> = Vec::new();
        for _ in 0..2 {
            let live = match next.take() {
                Some(live) => Some(live),
                None => self.bring(self.first)?,
            };
            let Some(mut live) = live else { break };
            let left = live.leave(self.patience())?;
            let sleeps = !left && !self.request.own && live.sleeps_in(live.tid).is_some_and(is_untimed);
            if !left && !sleeps {
                told.push(format!(
                    "not seen, since no call returned without a signal within {:?}",
                    self.request.timeout
                ));
                break;
            }
            let signal = if self.request.own { 0 } else { self.signal };
            live.awaits = sleeps;
            let seen = match sleeps {
                true => live.follow_sleeper(signal, self.pace, true)?,
                false => live.follow(signal, self.pace, true)?,
            };
            self.awaits |= sleeps && matches!(seen.end, End::Passed | End::Returned | End::Ended(_));
            self.meant.awaits = self.awaits;
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
            self.meant.opened = self.meant.opened.max(seen.opened.len());
            match seen.end {
                End::Ended(status) => {
                    self.meant.ends.push(status);
                    if self.request.expect_output == Output::Same {
                        self.meant.outputs.extend(seen.output);
                    }
                }
                End::Became => self.meant.becomes = true,
                End::Passed => next = Some(live),
                _ => {}
            }
            let text = if sleeps { format!("the window sleeps until the signal comes; then {text}") } else { text };
            if !told.contains(&text) {
                told.push(text);
            }
        }
        Ok(told.join("; or "))
    }

    /// Reruns of the first and the last boundary of each bad range.
    fn confirm(&mut self) -> Result<(), Trouble> {
        let mut done = 0;
        for number in 0..self.walks.len() {
            for range in self.walks[number].ranges() {
                if done >= CONFIRMED {
                    self.notes.push(format!("more than {CONFIRMED} bad ranges were found; the rest is not confirmed"));
                    return Ok(());
                }
                if Instant::now() > self.deadline {
                    self.notes.push("--time was over before every bad range was confirmed".to_owned());
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
                    let beside = point.judged.as_ref().and_then(|judged| judged.beside);
                    let (schedule, stands) = beside.map_or((0, None), |beside| (beside.number, beside.stands));
                    if !told {
                        match self.judge_again((number, k), schedule, stands)?.0 {
                            Asked::Judged(judged) => self.walks[number].points[k].judged = Some(*judged),
                            Asked::Undecided | Asked::Unmet => self.unconfirmed += 1,
                        }
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

    /// What the reader has to know of the means, and of the other threads.
    fn tell_of_limits(&mut self) {
        if self.untold > 0 {
            self.notes.push(format!(
                "at {} a copy slept, took long or waited for a child: the program itself is asked there",
                boundaries(self.untold)
            ));
        }
        if self.unplaced > 0 {
            self.notes.push(format!(
                "at {} no {} had come yet that could be placed",
                boundaries(self.unplaced),
                signal_name(self.signal)
            ));
        }
        if self.unconfirmed > 0 {
            self.notes.push(format!(
                "{} of bad ranges not met again: the program takes another way in each run",
                if self.unconfirmed == 1 { "1 end was".to_owned() } else { format!("{} ends were", self.unconfirmed) }
            ));
        }
        if let Some(window) = &self.request.meanwhile
            && self.unmet > 0
        {
            self.notes.push(format!(
                "at {} boundaries no other thread came to {window}: each slept for good, or --timeout was over",
                self.unmet
            ));
        }
        if self.request.schedules > 1 {
            self.notes.push(format!(
                "{} schedules of the other threads for each boundary, up to the first bad one: {} runs",
                self.request.schedules, self.runs
            ));
        }
    }

    /// One boundary, by its token.
    fn replay(&mut self, token: &sigproof_step::token::Token) -> Result<(), Trouble> {
        let number = token.label.rsplit_once(':').map(|(_, number)| number).unwrap_or_default();
        let (pass, schedule) = number.split_once(",s").unwrap_or((number, "0"));
        let (schedule, stands) = schedule.split_once('=').map_or((schedule, None), |(number, at)| (number, Some(at)));
        let numbers = pass.parse().ok().zip(schedule.parse().ok());
        let (pass, schedule) =
            numbers.ok_or_else(|| Trouble::Usage("the token names no call: it is not one of probe".to_owned()))?;
        self.first = pass;
        let Some(mut live) = self.bring(pass)? else {
            return Err(Trouble::Inconclusive(format!("call {pass} is not met any more")));
        };
        let mut walk = Walk::of(pass);
        self.walk_pass(&mut live, (Copies::Not, Share::ALL), &mut HashSet::new(), &mut walk, &mut |_| {})?;
        let path: Vec<Boundary> = walk.points.iter().map(|point| point.boundary).collect();
        let places = Symbols::of(live.process.pid.cast_unsigned());
        let located = token
            .locate(&path, &places)
            .ok_or_else(|| Trouble::Inconclusive("the window does not go there any more: sweep it again".to_owned()))?;
        self.notes.extend(located.moved);
        let stands = match stands.map(str::parse::<WindowName>) {
            Some(Ok(place)) => match names::find(live.process.pid, &place)? {
                Found::At(function) => Some(function.entry),
                Found::Nowhere { .. } => None,
            },
            Some(Err(_)) | None => None,
        };
        drop(live);
        self.walks.push(walk);
        let (asked, run) = self.judge_again((0, located.k), schedule, stands)?;
        if run > 1 {
            self.notes.push(format!(
                "another thread stands elsewhere in each run: the ending was seen in run {run}, of at most {REPEATS}"
            ));
        }
        let judged = asked.judged();
        let point = &mut self.walks[0].points[located.k];
        point.undecided = judged.is_none();
        point.judged = judged;
        Ok(())
    }
}
