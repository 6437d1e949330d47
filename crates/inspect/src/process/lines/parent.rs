//! The parent's side: a child that gets orders, and whose events a thread reads as they come.

use std::fmt;
use std::io::{self, BufReader, Write};
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::process::{ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use super::{Dialect, First, LONGEST, Line, read_line};
use crate::process::{Group, Streams, ended_from_outside, ending, interrupted, pause};
use crate::refusal::Refusal;

/// The time between two looks at the wish to stop.
const LOOK: Duration = Duration::from_millis(50);

/// How long a child that says no more may take to end.
const SILENCE: Duration = Duration::from_secs(5);

/// How long the signal that ended a child may take to reach this process, too.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

/// Events that are read and not taken yet. Then the child waits.
const AHEAD: usize = 64;

/// How much of a line that is no event is shown, in characters.
const SHOWN: usize = 300;

/// A child that speaks a dialect. It and what it has started end when this is dropped.
pub struct Talk<D> {
    group: Group,
    /// `None` once the child takes no more orders.
    pub(super) orders: Option<ChildStdin>,
    lines: Receiver<Line>,
    /// What the child is called in messages.
    child: String,
    has_greeted: bool,
    dialect: PhantomData<fn() -> D>,
}

/// Why no more events come.
#[derive(Debug, thiserror::Error)]
#[error("{child} {how}{}", said(.words))]
pub struct Broken {
    /// What the child is called.
    pub child: String,
    /// What it did.
    pub how: How,
    /// What it wrote to its standard error: of a long text, the beginning and the end.
    pub words: String,
}

/// What a child did that ends the talk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum How {
    /// It greeted as something else: what and why.
    Stranger(String),
    /// It wrote this line, which is no event, for this reason.
    Junk {
        /// The line, or the beginning of it.
        line: String,
        /// What the parser says.
        error: String,
    },
    /// It wrote more than [`LONGEST`] bytes without the end of a line.
    TooLong,
    /// It ended.
    Ended(ExitStatus),
    /// It closed its standard output and did not end.
    Hushed,
    /// It closed its standard input and neither said anything nor ended.
    Deaf,
    /// The system does not tell whether it has ended.
    Unwatchable(Refusal),
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stranger(what) => write!(f, "{what}; build this program and that one from the same sources"),
            Self::Junk { line, error } => write!(f, "wrote a line that is no event ({error}): {line}"),
            Self::TooLong => write!(f, "wrote a line of more than {} MiB", LONGEST >> 20),
            Self::Ended(status) => f.write_str(&ending(*status)),
            Self::Hushed => write!(f, "closed its standard output and did not end within {SILENCE:?}"),
            Self::Deaf => write!(f, "takes no orders, and said nothing for {SILENCE:?}"),
            Self::Unwatchable(refusal) => write!(f, "cannot be waited for: {refusal}"),
        }
    }
}

fn said(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!("; it said: {words}") }
}

impl Broken {
    /// Whether somebody else ended the child: this says nothing about what it worked on.
    pub fn is_from_outside(&self) -> bool {
        matches!(self.how, How::Ended(status) if ended_from_outside(status, &self.words))
    }
}

impl<D: Dialect> Talk<D> {
    /// Starts a child. `child` names it in messages: `the process that sweeps`.
    ///
    /// # Errors
    /// Those of [`Group::start`], and a refused thread.
    pub fn start(child: impl Into<String>, command: &mut Command) -> io::Result<Self> {
        let mut group = Group::start(command, Streams::piped())?;
        let (orders, output) = group.pipes();
        let (send, lines) = sync_channel(AHEAD);
        if let Some(output) = output {
            // It ends with the pipe, which the end of the child closes, or when the receiver is gone.
            let reader = thread::Builder::new().name("events".to_owned()).spawn(move || forward(output, &send));
            reader.map_err(|error| Refusal::thread(&error))?;
        }
        Ok(Self { group, orders, lines, child: child.into(), has_greeted: false, dialect: PhantomData })
    }

    /// Gives an order. An order that the child does not take is no error here: [`Talk::hear`] tells the
    /// reason.
    pub fn order(&mut self, order: &D::Order) {
        let line = serde_json::to_string(order).map_err(io::Error::other);
        let written = line.and_then(|line| match &mut self.orders {
            Some(orders) => orders.write_all((line + "\n").as_bytes()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        });
        if written.is_err() {
            self.orders = None;
        }
    }

    /// The child's group.
    pub fn group(&mut self) -> &mut Group {
        &mut self.group
    }

    /// Whether it has not ended.
    pub fn lives(&mut self) -> bool {
        matches!(self.group.ended(), Ok(None))
    }

    /// The next event; `None` if none comes within this time.
    ///
    /// # Errors
    /// [`Broken`]. The child is then gone.
    pub fn hear(&mut self, time: Duration) -> Result<Option<D::Event>, Broken> {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = match self.lines.recv_timeout(left) {
                Ok(Line::Whole(line)) => line,
                Ok(Line::TooLong) => return Err(self.broken(How::TooLong)),
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Ok(Line::End) | Err(RecvTimeoutError::Disconnected) => return Err(self.silent()),
            };
            if self.has_greeted {
                return match serde_json::from_str(&line) {
                    Ok(event) => Ok(Some(event)),
                    Err(error) => {
                        let line = line.chars().take(SHOWN).collect();
                        Err(self.broken(How::Junk { line, error: error.to_string() }))
                    }
                };
            }
            if let Some(stranger) = stranger::<D>(&line) {
                return Err(self.broken(How::Stranger(stranger)));
            }
            self.has_greeted = true;
        }
    }

    /// Gives every event to `each`, until that breaks with a result. `None`: `stop` was set before; the child
    /// is then gone, with all that it has started.
    ///
    /// # Errors
    /// [`Broken`]. The child is then gone.
    pub fn until<T>(
        &mut self,
        stop: &AtomicBool,
        mut each: impl FnMut(D::Event) -> ControlFlow<T>,
    ) -> Result<Option<T>, Broken> {
        // A child that takes no orders may still tell why, and end.
        let deaf = self.orders.is_none().then(Instant::now);
        loop {
            if stop.load(Ordering::Relaxed) {
                self.group.end();
                return Ok(None);
            }
            match self.hear(LOOK) {
                Ok(Some(event)) => {
                    if let ControlFlow::Break(result) = each(event) {
                        return Ok(Some(result));
                    }
                }
                Ok(None) if deaf.is_some_and(|since| since.elapsed() > SILENCE) => {
                    return Err(self.broken(How::Deaf));
                }
                Ok(None) => {}
                Err(broken) if broken.is_of_the_user(stop) => return Ok(None),
                Err(broken) => return Err(broken),
            }
        }
    }

    /// Its output has ended: so has the child, or it will soon.
    fn silent(&mut self) -> Broken {
        let how = match self.group.wait(SILENCE) {
            Ok(Some(status)) => How::Ended(status),
            Ok(None) => How::Hushed,
            Err(error) => How::Unwatchable(Refusal::new("waitid", &error)),
        };
        self.broken(how)
    }

    fn broken(&mut self, how: How) -> Broken {
        self.group.end();
        Broken { child: self.child.clone(), how, words: self.group.last_words() }
    }
}

impl Broken {
    /// Whether the user wants an end: the flag is set, or the child died of a signal that sets it a moment
    /// later.
    pub fn is_of_the_user(&self, stop: &AtomicBool) -> bool {
        let started = Instant::now();
        let may_come = matches!(self.how, How::Ended(status) if interrupted(status));
        while may_come && !stop.load(Ordering::Relaxed) && started.elapsed() < SAME_SIGNAL {
            pause(Duration::from_millis(2));
        }
        stop.load(Ordering::Relaxed)
    }
}

/// Why the first line of a child is not the greeting of this dialect.
fn stranger<D: Dialect>(line: &str) -> Option<String> {
    match serde_json::from_str(line) {
        Ok(First::Hello { speaks, version }) if speaks == D::NAME && version == D::VERSION => None,
        Ok(First::Hello { speaks, version }) => Some(format!(
            "speaks version {version} of '{speaks}', and this program speaks version {} of '{}'",
            D::VERSION,
            D::NAME
        )),
        Err(_) => Some(format!("does not greet first, but writes: {}", line.chars().take(SHOWN).collect::<String>())),
    }
}

/// Sends every line on, until the stream ends or the receiver is gone.
fn forward(output: ChildStdout, to: &SyncSender<Line>) {
    let mut output = BufReader::new(output);
    loop {
        // An output that cannot be read has ended.
        let line = read_line(&mut output, LONGEST).unwrap_or(Line::End);
        let is_last = !matches!(line, Line::Whole(_));
        if to.send(line).is_err() || is_last {
            return;
        }
    }
}
