//! The ending, from what was seen after the signal.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use sigproof_inspect::diagnose::{Diagnosis, HangKind, ResourceKind};
use sigproof_inspect::explain::Answer;
use sigproof_inspect::hang::Stuck;

use super::before::{signal_name, text};
use super::descriptors;
use super::follow::{End, Seen};
use super::live::Schedule;
use crate::{Ending, Means};

/// How a boundary was judged.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub ending: Ending,
    /// What was seen.
    pub detail: String,
    /// By what means.
    pub means: Means,
    /// What explain says.
    pub answer: Option<Answer>,
    /// Of a sleep without an end: what it is by sight, without an explanation.
    pub glance: Option<Ending>,
    /// By which schedule of the other threads, if not by the free one.
    pub beside: Option<Beside>,
}

/// What the other threads did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beside {
    /// The number of the schedule, from 1.
    pub number: u32,
    /// `None`: one of them was brought to where it stood in an earlier run.
    pub schedule: Option<Schedule>,
    /// Where one of them was held, if it was at an instruction.
    pub stands: Option<u64>,
}

impl Judged {
    /// A hang that was not explained is what its neighbour before it is, if both look alike.
    pub(crate) fn follow(&mut self, before: Option<&Self>) {
        if self.answer.is_none()
            && self.glance.is_some()
            && let Some(before) = before.filter(|before| before.glance == self.glance)
        {
            self.ending = before.ending;
        }
    }
}

/// What is meant to happen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meant {
    /// Ends that are no fault: of untouched runs, and of runs with the signal outside the window.
    pub ends: Vec<ExitStatus>,
    /// Whether the program may become another one.
    pub becomes: bool,
    /// Whether the signal stays pending outside the window, too.
    pub pends: bool,
    /// The one exit status that was asked for.
    pub exit: Option<i32>,
    /// What it may write, if that is compared.
    pub outputs: Vec<Vec<u8>>,
    /// Whether the window sleeps until the signal comes.
    pub awaits: bool,
    /// How many descriptors the signal leaves open outside the window.
    pub opened: usize,
}

impl Meant {
    fn is_meant(&self, status: ExitStatus) -> bool {
        match self.exit {
            Some(code) => status.code() == Some(code),
            None => self.ends.contains(&status),
        }
    }
}

impl Meant {
    /// Whether it may write this.
    fn writes(&self, output: Option<&[u8]>) -> bool {
        output.is_none_or(|output| self.outputs.is_empty() || self.outputs.iter().any(|meant| meant == output))
    }

    /// Where the output is another one first.
    fn difference(&self, output: &[u8]) -> String {
        let meant = self.outputs.first().map(Vec::as_slice).unwrap_or_default();
        let at = output.iter().zip(meant).take_while(|(is, meant)| is == meant).count();
        let start = output[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let line = |text: &'_ [u8]| {
            let line = text.get(start..).filter(|line| !line.is_empty())?.split(|byte| *byte == b'\n').next()?;
            (line.len() <= LINE && line.is_ascii()).then(|| format!("{:?}", String::from_utf8_lossy(line)))
        };
        let number = output[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let none = || "no line".to_owned();
        match (line(output), line(meant)) {
            (Some(is), Some(meant)) => format!("line {number} of its output is {is} and not {meant}"),
            (Some(is), None) if meant.len() <= start => {
                format!("line {number} of its output is {is} and not {}", none())
            }
            (None, Some(meant)) if output.len() <= start => {
                format!("line {number} of its output is {} and not {meant}", none())
            }
            _ => {
                let part =
                    |text: &[u8]| text[at.min(text.len())..(at + PART).min(text.len())].escape_ascii().to_string();
                let (is, should) = (part(output), part(meant));
                let lengths = format!("{} bytes in all and not {}", output.len(), meant.len());
                format!("its output is \"{is}\" from byte {at} on and not \"{should}\"; {lengths}")
            }
        }
    }
}

/// The longest line that is shown.
const LINE: usize = 100;

/// Bytes that are shown of an output that is not text.
const PART: usize = 16;

/// A sleep in the window that is too long for chance.
const SLEPT: Duration = Duration::from_millis(50);

/// One that explains an end which is not as meant.
const SLEPT_AND_ENDED: Duration = Duration::from_millis(2);

/// The ending; `None` if nothing can be said.
pub(crate) fn grade(seen: Seen, meant: &Meant, means: Means, woken: impl FnOnce() -> bool) -> Option<Judged> {
    let spoiled = seen.errno.filter(|errno| errno.before != errno.after);
    let mut judged = grade_end(seen, meant, means, woken)?;
    // Whatever else came of the signal says more.
    if let Some(spoiled) = spoiled.filter(|_| judged.ending == Ending::Clean) {
        (judged.ending, judged.detail) = (Ending::Errno, spoiled.text());
    }
    Some(judged)
}

fn grade_end(seen: Seen, meant: &Meant, means: Means, woken: impl FnOnce() -> bool) -> Option<Judged> {
    let judged =
        |ending, detail: String| Some(Judged { ending, detail, means, answer: None, glance: None, beside: None });
    match seen.end {
        End::Passed if seen.pending && !meant.pends => {
            judged(Ending::Undelivered, "the program went on, and the signal still waits".to_owned())
        }
        End::Passed if seen.opened.len() > meant.opened => {
            judged(Ending::Leak, descriptors::text(&seen.opened, meant.opened))
        }
        End::Passed | End::Returned => judged(Ending::Clean, String::new()),
        End::Ended(status) if meant.is_meant(status) && !meant.writes(seen.output.as_deref()) => {
            judged(Ending::WrongOutput, meant.difference(seen.output.as_deref().unwrap_or_default()))
        }
        End::Ended(status) if meant.is_meant(status) => judged(Ending::Clean, String::new()),
        End::Ended(status) if seen.slept > SLEPT_AND_ENDED => judged(
            Ending::LostWakeup,
            format!(
                "it slept on in the window for {:.0} ms after the handler had returned, and ended then: {}",
                seen.slept.as_secs_f64() * 1e3,
                text(status)
            ),
        ),
        End::Ended(status) => match status.signal() {
            Some(signal) => judged(Ending::Crash, format!("killed by {}", signal_name(signal))),
            None => judged(Ending::WrongExit, text(status)),
        },
        End::Became if meant.becomes => judged(Ending::Clean, String::new()),
        End::Became => judged(Ending::WrongExit, "it became another program".to_owned()),
        End::Stuck(stuck) => Some(of_stuck(seen, stuck, means, woken)),
        End::Silent if seen.slept > SLEPT && woken() => judged(
            Ending::LostWakeup,
            "the handler has returned, the thread sleeps in the window, and a second signal ends the sleep".to_owned(),
        ),
        End::Silent | End::Still if meant.awaits && !seen.returned && !seen.in_handler => judged(
            Ending::LostWakeup,
            "the handler has returned, and the window sleeps on; the same signal ends that sleep if it comes there"
                .to_owned(),
        ),
        End::Silent | End::Still => {
            let place = if seen.returned { "after the window" } else { "in the window" };
            let said = seen.answer.as_ref().map(|answer| &answer.sentence);
            let said = said.or(seen.diagnosis.as_ref().map(|diagnosis| &diagnosis.sentence));
            let said = said.map_or(String::new(), |said| format!("\nexplain: {said}"));
            let kind = seen.answer.as_ref().and_then(|answer| answer.diagnosis.as_ref()).or(seen.diagnosis.as_ref());
            let ending = match kind.map(|diagnosis| diagnosis.kind) {
                Some(HangKind::SelfDeadlock) => Ending::SelfDeadlock,
                Some(HangKind::CrossDeadlock) => Ending::CrossDeadlock,
                _ => Ending::Hang,
            };
            (seen.end == End::Still).then(|| Judged {
                ending,
                detail: format!(
                    "asleep {place}: no call of the function came for 200 times as long as one takes{said}"
                ),
                means,
                answer: seen.answer,
                glance: None,
                beside: None,
            })
        }
    }
}

/// Whether the thread that the diagnosis is about waits for a lock.
fn waits_for_lock(diagnosis: &Diagnosis) -> bool {
    let resource = diagnosis.threads.first().and_then(|thread| thread.waits_for.as_ref());
    resource.is_some_and(|resource| {
        use ResourceKind::{Futex, Gil, GoLock, LibcLock, Mutex, ParkingLot, PythonLock, RwLock, StdLock};
        matches!(resource.kind, Mutex | LibcLock | StdLock | RwLock | ParkingLot | GoLock | PythonLock | Gil | Futex)
    })
}

fn waits_for_semaphore(diagnosis: &Diagnosis) -> bool {
    let resource = diagnosis.threads.first().and_then(|thread| thread.waits_for.as_ref());
    resource.is_some_and(|resource| resource.kind == ResourceKind::Semaphore)
}

fn of_stuck(seen: Seen, stuck: Stuck, means: Means, woken: impl FnOnce() -> bool) -> Judged {
    let place = match (seen.in_handler, seen.returned) {
        (true, _) => "inside the handler",
        (false, true) => "after the window",
        (false, false) => "in the window, after the handler",
    };
    if let Stuck::Spinning { .. } = stuck {
        let detail = format!("processor time is used {place}, and nothing moves");
        return Judged { ending: Ending::Livelock, detail, means, answer: seen.answer, glance: None, beside: None };
    }
    let glance = if seen.in_handler || seen.returned { Ending::SelfDeadlock } else { Ending::LostWakeup };
    let diagnosis = seen.answer.as_ref().and_then(|answer| answer.diagnosis.as_ref()).or(seen.diagnosis.as_ref());
    let sentence = seen.answer.as_ref().map(|answer| answer.sentence.clone());
    let Some(mut detail) = sentence.or_else(|| diagnosis.map(|diagnosis| diagnosis.sentence.clone())) else {
        let detail = format!("asleep for good {place}");
        if seen.asked {
            // A thread that is stopped looks at its lock again as it goes on.
            let why = match seen.disturbed {
                true => {
                    "the program went on once it was stopped for an explanation: a lock was free, and the code that the \
                     signal interrupted had not woken its waiter yet"
                }
                false => "an explanation was not to be had",
            };
            let detail = format!("{detail}; {why}");
            return Judged { ending: Ending::Hang, detail, means, answer: None, glance: Some(glance), beside: None };
        }
        return Judged { ending: glance, detail, means, answer: None, glance: Some(glance), beside: None };
    };
    let ending = match diagnosis.map(|diagnosis| diagnosis.kind) {
        Some(HangKind::SelfDeadlock) => Ending::SelfDeadlock,
        Some(HangKind::CrossDeadlock) => Ending::CrossDeadlock,
        Some(HangKind::Livelock) => Ending::Livelock,
        // Behind the window, a lock that was left; or something that will not come. A semaphore may be
        // either.
        _ if seen.returned && !seen.in_handler && diagnosis.is_some_and(waits_for_semaphore) => Ending::Hang,
        _ if seen.returned && !seen.in_handler && diagnosis.is_some_and(|diagnosis| !waits_for_lock(diagnosis)) => {
            Ending::LostWakeup
        }
        _ => glance,
    };
    if ending == Ending::LostWakeup && woken() {
        detail += "\na second signal ends the sleep";
    }
    if ending == Ending::SelfDeadlock && !seen.in_handler {
        detail += "\nno handler is active: the lock was left by the code that the signal interrupted";
    }
    Judged { ending, detail, means, answer: seen.answer, glance: Some(glance), beside: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::line("a\nb\n", "a\nc\n", "line 2 of its output is \"b\" and not \"c\"")]
    #[case::more("a\nb\n", "a\n", "line 2 of its output is \"b\" and not no line")]
    #[case::less("a\n", "a\nc\n", "line 2 of its output is no line and not \"c\"")]
    #[case::bytes(
        "a\n\u{0}\u{e9}x",
        "a\n\u{0}\u{e9}y",
        "its output is \"x\" from byte 5 on and not \"y\"; 6 bytes in all and not 6"
    )]
    fn the_first_difference_is_named(#[case] is: &str, #[case] meant: &str, #[case] expected: &str) {
        let meant = Meant { outputs: vec![meant.as_bytes().to_vec()], ..Meant::default() };
        assert_eq!(meant.difference(is.as_bytes()), expected);
    }
}
