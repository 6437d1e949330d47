//! What an execution comes to: from how the child ended, or stands still, to an outcome.

use std::process::ExitStatus;

use crate::page::State;
use crate::step::engine::linux::child::Child;
use crate::step::engine::linux::tracee::{Stop, Tracee};
use crate::step::engine::{Ended, Trouble};
use crate::supervise;
use sigproof_inspect::hang::Stuck;
use sigproof_report::Finding;
use sigproof_report::Outcome;

/// How an execution ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::step::engine::linux) enum End {
    /// The child is at the beginning of the next one.
    Round,
    /// The process has ended.
    Left(ExitStatus),
    /// It will never go on.
    Stuck(Stuck),
    /// It cannot be looked at, and has not moved for as long as a [`Deadline`](supervise::Deadline) allows.
    Presumed(Stuck),
    /// It neither comes to an end nor stands still.
    Endless,
}

/// All went well.
pub(in crate::step::engine::linux) fn well() -> Ended {
    Ended { outcome: Outcome::Delivered, detail: String::new(), finding: None, presumed: false }
}

/// What came of a child that has ended.
pub(in crate::step::engine::linux) fn of_end(state: State, status: ExitStatus) -> Result<Ended, Trouble> {
    Ok(match supervise::judge(state, status, String::new) {
        (supervise::End::Outcome(outcome), finding) => {
            let detail = finding.as_ref().map(|finding| finding.sentence.clone()).unwrap_or_default();
            Ended { outcome, detail, finding, presumed: false }
        }
        (supervise::End::Unsupported(why), _) => return Err(Trouble::Refused(why)),
        (supervise::End::Abandoned, _) => {
            Ended { outcome: Outcome::Crash, detail: String::new(), finding: None, presumed: false }
        }
    })
}

/// What came of a child that stands still.
pub(in crate::step::engine::linux) fn of_stuck(
    mut live: Tracee,
    stuck: Stuck,
    explain: bool,
) -> Result<Ended, Trouble> {
    if explain {
        live.detach()?;
        if stuck == Stuck::AllAsleep {
            // On their way back into their waits; should one not get there, it is shown as it is.
            live.child.settle(&[live.child.target_id()]);
        }
        return Ok(explained(&live.child, stuck));
    }
    Ok(at_a_glance(&live.child, stuck))
}

/// What came of a child that stands still, by what it has noted itself.
pub(in crate::step::engine::linux) fn at_a_glance(child: &Child, stuck: Stuck) -> Ended {
    let (outcome, detail) = supervise::undiagnosed(child.memory.page, stuck);
    Ended { outcome, detail: detail.to_owned(), finding: None, presumed: false }
}

/// What came of a child that cannot be looked at and does not move.
pub(in crate::step::engine::linux) fn presumed(child: &Child, stuck: Stuck) -> Ended {
    let (outcome, what) = supervise::undiagnosed(child.memory.page, stuck);
    let detail = format!("{what} (decided by patience: the child cannot be looked at, and did not move)");
    Ended { outcome, finding: Some(Finding::new(outcome, detail.clone())), detail, presumed: true }
}

/// The same for one that is not traced, or not any more, with a look at every thread's stack.
pub(in crate::step::engine::linux) fn explained(child: &Child, stuck: Stuck) -> Ended {
    let pid = child.pid.as_raw().cast_unsigned();
    // The first thread does nothing but wait for the target.
    let (outcome, finding) = supervise::explain(pid, child.memory.page, stuck, Some(pid));
    Ended { outcome, detail: finding.sentence.clone(), finding: Some(finding), presumed: false }
}

/// In words.
pub(super) fn word(stop: Stop) -> String {
    match stop {
        Stop::Mark => "the end of the window".to_owned(),
        Stop::Trap => "another instruction".to_owned(),
        Stop::Signal(signal) => format!("signal {signal}"),
        Stop::Interrupted => "an interruption".to_owned(),
        Stop::Ended(status) => format!("the end of the process ({status})"),
        Stop::Quiet => "nothing".to_owned(),
    }
}
