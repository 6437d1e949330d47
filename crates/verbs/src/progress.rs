//! The progress of a run on the standard error: bars on a terminal, lines elsewhere.
//!
//! One thread owns the display and all its state; the harness's threads send it events. So nothing is locked,
//! and a status line appears also while no event comes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sigproof_harness::stress;
use sigproof_report::Outcome;
use sigproof_report::{Run, Technique, Verdict};

use crate::output::{self, Out};
use crate::{table, units};

mod bars;
pub mod line;

use bars::Bars;

/// How long it may be quiet where there are no bars.
const QUIET: Duration = Duration::from_secs(3);

/// What goes on.
#[derive(Clone, Debug)]
pub enum Event {
    /// So many things are to be done.
    Planned {
        /// How many.
        count: usize,
        /// Of what: "setup".
        thing: &'static str,
    },
    /// One of them has begun.
    Started { index: usize, label: String },
    /// How far it is.
    Progress {
        index: usize,
        /// Of its budget, or of what is known of its work; from 0 to 1.
        fraction: f64,
        /// In words: "12 attempts".
        detail: String,
    },
    /// It has seen something bad.
    Bad {
        index: usize,
        outcome: Outcome,
        /// What happened.
        sentence: String,
    },
    /// It is done.
    Finished { index: usize, run: Box<Run> },
    /// A job without a run has ended: its line.
    Said { index: usize, line: String },
}

impl From<stress::Event> for Event {
    fn from(event: stress::Event) -> Self {
        match event {
            stress::Event::Planned { setups } => Self::Planned { count: setups, thing: "setup" },
            stress::Event::Started { index, label } => Self::Started { index, label },
            stress::Event::Progress { index, attempts, signals_in_window, fraction, .. } => {
                let attempts = units::of(usize::try_from(attempts).unwrap_or(usize::MAX), "attempt");
                let detail = format!("{attempts}, {} signals in the window", units::count(signals_in_window));
                Self::Progress { index, fraction, detail }
            }
            stress::Event::Bad { index, outcome, sentence } => Self::Bad { index, outcome, sentence },
            stress::Event::Finished { index, run } => Self::Finished { index, run },
        }
    }
}

/// The display of a run. A run without a display is the same run.
pub struct Progress {
    events: Sender<Event>,
    display: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts the display that suits the standard error. Where no thread can be made for it, the run goes on
    /// without one.
    pub fn start() -> Self {
        let (events, receiver) = channel();
        let terminal = Out::Stderr.is_terminal();
        let display = thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || if terminal { show(&receiver, Bars::new()) } else { show(&receiver, Lines) });
        if let Err(error) = &display {
            output::tell(&format!(
                "warning: no progress is shown, since no thread can be made: {error}; see `ulimit -u`"
            ));
        }
        Self { events, display: display.ok() }
    }

    /// Takes in an event; from any thread.
    pub fn event(&self, event: impl Into<Event>) {
        // Fails where there is no display: it could not be started, or has panicked, which `finish` tells.
        let _ = self.events.send(event.into());
    }

    /// Shows what is left to show, and takes the display away.
    pub fn finish(self) {
        drop(self.events);
        if self.display.is_some_and(|display| display.join().is_err()) {
            output::tell("warning: the display of the progress has failed; the results are not affected");
        }
    }
}

/// A way to show what goes on.
trait Display {
    /// The state has changed by `event`.
    fn event(&mut self, event: &Event, state: &State);
    /// A line that stays.
    fn line(&mut self, line: &str);
    /// After so much time without a line, it is asked to say something.
    fn period(&self) -> Duration {
        QUIET
    }
    /// Nothing has been said for that time.
    fn quiet(&mut self, state: &State);
    fn finish(&mut self);
}

/// What is known of the run so far.
struct State {
    started: Instant,
    planned: usize,
    done: usize,
    running: BTreeMap<usize, Running>,
}

/// A setup under way.
struct Running {
    label: String,
    detail: String,
    fraction: f64,
    bad: BTreeSet<Outcome>,
}

impl Running {
    /// What a bar says: `note-sleep broken/sema: 3 attempts; self-deadlock seen`.
    fn message(&self) -> String {
        let bad: Vec<_> = self.bad.iter().map(|outcome| outcome.as_str()).collect();
        let bad = bad.join(", ");
        match (self.detail.is_empty(), bad.is_empty()) {
            (true, true) => self.label.clone(),
            (false, true) => format!("{}: {}", self.label, self.detail),
            (true, false) => format!("{}: {bad} seen", self.label),
            (false, false) => format!("{}: {}; {bad} seen", self.label, self.detail),
        }
    }
}

impl State {
    fn new() -> Self {
        Self { started: Instant::now(), planned: 0, done: 0, running: BTreeMap::new() }
    }

    /// Takes in an event; the line that it is worth, if any.
    fn take(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::Planned { count, thing } => {
                (self.planned, self.done) = (*count, 0);
                Some(format!("{} to run", units::of(*count, thing)))
            }
            Event::Started { index, label } => {
                let (label, detail) = (label.clone(), String::new());
                let running = Running { label, detail, fraction: 0.0, bad: BTreeSet::new() };
                self.running.insert(*index, running);
                None
            }
            Event::Progress { index, fraction, detail } => {
                if let Some(running) = self.running.get_mut(index) {
                    running.detail.clone_from(detail);
                    running.fraction = *fraction;
                }
                None
            }
            Event::Bad { index, outcome, sentence } => {
                let running = self.running.get_mut(index);
                let label = running.map_or_else(String::new, |running| {
                    running.bad.insert(*outcome);
                    running.label.clone()
                });
                Some(format!("{label}: {outcome}: {sentence}"))
            }
            Event::Finished { index, run } => {
                self.running.remove(index);
                self.done += 1;
                Some(self.finished(run))
            }
            Event::Said { index, line } => {
                self.running.remove(index);
                self.done += 1;
                Some(self.counted(line))
            }
        }
    }

    fn finished(&self, run: &Run) -> String {
        let detail = match (run.verdict, &run.reason) {
            (Verdict::AsExpected, _) | (_, None) => table::outcomes(run),
            (_, Some(reason)) => reason.clone(),
        };
        let coverage = match (run.technique(), run.signals) {
            (Technique::Stress, 1..) => format!("; {} signals in the window", units::count(run.signals_in_window)),
            _ => String::new(),
        };
        let (case, setup, verdict) = (&run.setup.case, run.title(), run.verdict);
        self.counted(&format!("{verdict:<12} {case} {setup}: {detail}{coverage}"))
    }

    fn counted(&self, line: &str) -> String {
        let width = self.planned.to_string().len();
        let (done, planned) = (self.done, self.planned);
        format!("[{done:>width$}/{planned}] {line}")
    }

    /// What is under way, in a line.
    fn line(&self) -> String {
        let running = self.running.values().map(|r| {
            let comma = if r.detail.is_empty() { "" } else { ", " };
            format!("{} ({:.0} %{comma}{})", r.label, r.fraction * 100.0, r.detail)
        });
        let running: Vec<_> = running.collect();
        let elapsed = self.started.elapsed().as_secs_f64();
        let after = units::seconds(elapsed);
        // As if the rest took as long as what is done; at the beginning there is nothing to tell from.
        let done = self.done as f64 + self.running.values().map(|r| r.fraction).sum::<f64>();
        let rest = elapsed * (self.planned as f64 - done).max(0.0) / done;
        let left = if done > 0.0 { format!(", about {} left", units::seconds(rest)) } else { String::new() };
        format!("{}/{} done after {after}{left}; running: {}", self.done, self.planned, running.join(", "))
    }
}

/// Shows events until there are no more senders.
fn show(events: &Receiver<Event>, mut display: impl Display) {
    let mut state = State::new();
    let mut spoken = Instant::now();
    loop {
        match events.recv_timeout(display.period().saturating_sub(spoken.elapsed())) {
            Ok(event) => {
                let line = state.take(&event);
                display.event(&event, &state);
                if let Some(line) = line {
                    display.line(&line);
                    spoken = Instant::now();
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return display.finish(),
        }
        // Not only when nothing came: events without a line of their own may come all the time.
        if spoken.elapsed() >= display.period() {
            display.quiet(&state);
            spoken = Instant::now();
        }
    }
}

/// Lines, for what is not a terminal.
struct Lines;

impl Display for Lines {
    fn event(&mut self, _: &Event, _: &State) {}

    fn line(&mut self, line: &str) {
        output::tell(line);
    }

    fn quiet(&mut self, state: &State) {
        output::tell(&state.line());
    }

    fn finish(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::tests::example;

    #[test]
    fn events_become_lines() {
        let mut state = State::new();
        let mut runs = example().runs.into_iter().map(Box::new);
        let mut finished = |index| Event::Finished { index, run: runs.next().unwrap() };
        let label = "darwin-profbuf-read broken/sema/blocking".to_owned();
        let sentence = "thread 7 waits for itself".to_owned();
        let progress =
            stress::Event::Progress { index: 0, attempts: 1, signals: 99, signals_in_window: 1234, fraction: 0.25 };
        let events = [
            stress::Event::Planned { setups: 12 }.into(),
            Event::Started { index: 0, label },
            Event::Bad { index: 0, outcome: Outcome::SelfDeadlock, sentence },
            progress.into(),
        ];
        let mut lines: Vec<_> = events.iter().filter_map(|event| state.take(event)).collect();
        let message =
            "darwin-profbuf-read broken/sema/blocking: 1 attempt, 1,234 signals in the window; self-deadlock seen";
        assert_eq!(state.running[&0].message(), message);
        let status = state.line();
        lines.push(status.replace(status.split(['r', ';']).nth(1).unwrap(), " "));
        lines.extend((0..4).filter_map(|index| state.take(&finished(index))));
        insta::with_settings!({filters => vec![(r"after [^;]*", "after TIME")]}, {
            insta::assert_snapshot!(lines.join("\n"));
        });
        assert!(state.running.is_empty());
        assert_eq!(state.done, 4);
    }

    /// A display that remembers.
    struct Memory(Sender<String>);

    impl Display for Memory {
        fn event(&mut self, _: &Event, _: &State) {}
        fn line(&mut self, line: &str) {
            let _ = self.0.send(line.to_owned());
        }
        fn quiet(&mut self, _: &State) {}
        fn finish(&mut self) {
            let _ = self.0.send("the end".to_owned());
        }
    }

    #[test]
    fn the_end_of_the_senders_is_the_end_and_nothing_before_it_is_lost() {
        let (events, receiver) = channel();
        let (lines, shown) = channel();
        for count in 0..100 {
            events.send(Event::Planned { count, thing: "setup" }).unwrap();
        }
        drop(events);
        show(&receiver, Memory(lines));
        let shown: Vec<_> = shown.into_iter().collect();
        assert_eq!(shown.len(), 101);
        assert_eq!(shown.last().unwrap(), "the end");
    }
}
