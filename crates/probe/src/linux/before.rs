//! The program without a signal, twice, before anything else.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use sigproof_inspect::explain;
use sigproof_inspect::hang::{Look, Watch};
use sigproof_inspect::rules::signals;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};

use super::process::{Event, Process};
use super::written::{OUTPUT, Wanted};
use crate::{Output, Request, Trouble, refused};

/// How long an untouched run is looked at.
const LONGEST: Duration = Duration::from_secs(2);

/// What the program does without a signal.
#[derive(Clone, Debug)]
pub(crate) struct Untouched {
    /// How it ended; `None` if it was still running.
    pub end: Option<ExitStatus>,
    /// What it wrote, if that is compared.
    pub output: Vec<u8>,
    /// The last line that it wrote, if it failed.
    pub last_line: Option<String>,
    /// What the two runs do not have in common.
    pub differs: Option<String>,
}

impl Untouched {
    /// In words.
    pub(crate) fn text(&self) -> String {
        let end = match self.end {
            Some(status) => failed(status, self.last_line.as_deref()),
            None => format!("it was still running after {LONGEST:?}, so its end is not compared"),
        };
        match &self.differs {
            Some(differs) => format!("{end}; two runs differ: {differs}"),
            None => end,
        }
    }
}

/// How a process ended, in words.
pub(crate) fn text(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by {}", signal_name(signal)),
        _ => "ended".to_owned(),
    }
}

/// How a process ended, and the last line that it wrote.
pub(crate) fn failed(status: ExitStatus, last_line: Option<&str>) -> String {
    let end = text(status);
    last_line.map_or_else(|| end.clone(), |line| format!("{end}; the last line that it wrote: \"{line}\""))
}

/// `SIGTERM`.
pub(crate) fn signal_name(signal: i32) -> String {
    signals::by_number(u64::from(signal.unsigned_abs()), false).unwrap_or_else(|| format!("signal {signal}"))
}

/// Runs it twice.
pub(crate) fn untouched(
    request: &Request,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(&str),
) -> Result<Untouched, Trouble> {
    tell("without a signal, twice");
    let first = run(request, stop)?;
    let second = run(request, stop)?;
    let differs = match (first.end, second.end) {
        (Some(one), Some(other)) if one != other => Some(format!("{} and {}", text(one), text(other))),
        (Some(_), Some(_)) if first.output != second.output => Some("their output".to_owned()),
        _ => None,
    };
    if differs.is_some() && request.expect_output == Output::Same {
        return Err(Trouble::Inconclusive(format!(
            "two untouched runs differ ({}), so their output cannot be compared; leave --expect-output out",
            differs.unwrap_or_default()
        )));
    }
    Ok(Untouched { differs, ..first })
}

fn run(request: &Request, stop: &AtomicBool) -> Result<Untouched, Trouble> {
    let compares = request.expect_output != Output::Any;
    let mut process = Process::start(request, if compares { Wanted::All } else { Wanted::LastLine })?;
    process.go(process.pid, 0)?;
    let begun = Instant::now();
    let mut watch = Watch::new(process.pid.cast_unsigned());
    let mut events = 0_u64;
    let end = loop {
        if stop.load(Ordering::Relaxed) {
            return Err(Trouble::Interrupted);
        }
        match process.wait(Duration::from_millis(1))? {
            Event::Ended(status) => break Some(status),
            Event::Signal(tid, signal) => process.go(tid, signal)?,
            Event::Trap(tid) | Event::Exec(tid) => process.go(tid, 0)?,
            Event::Quiet => {
                if begun.elapsed() > LONGEST.min(request.time) {
                    break None;
                }
                process.written.drain();
                if process.written.is_too_long() {
                    return Err(Trouble::Inconclusive(format!(
                        "it writes more than {} MiB, which is not compared; leave --expect-output out",
                        OUTPUT >> 20
                    )));
                }
                if let Look::Stuck(stuck) = watch.look(events, true) {
                    process.detach()?;
                    let answer = explain::explain(process.pid.cast_unsigned()).ok();
                    if answer.as_ref().is_some_and(|answer| answer.verdict == explain::Verdict::Stuck) {
                        if request.own {
                            break None;
                        }
                        let why = answer.map(|answer| answer.sentence).unwrap_or_default();
                        return Err(Trouble::Inconclusive(format!(
                            "it hangs without any signal of ours ({stuck:?}): {why}"
                        )));
                    }
                    process.attach()?;
                    watch.begin_again();
                    events += 1;
                    std::thread::sleep(Duration::from_millis(20));
                }
                continue;
            }
        }
        events += 1;
    };
    let output = process.written.all().map_err(refused("read"))?.unwrap_or_default();
    let last_line = end.filter(|status| !status.success()).and_then(|_| process.written.last_line());
    Ok(Untouched { end, output, last_line, differs: None })
}
