//! The outcome of an execution, from how the child ended or hangs.

use crate::engine::linux::child::Child;
use crate::engine::linux::tracee::{Stop, Tracee};
use crate::engine::{Ended, Trouble};
use sigproof_inspect::hang::Stuck;
use sigproof_report::Finding;
use sigproof_report::Outcome;

/// All went well.
pub(in crate::engine::linux) fn well() -> Ended {
    Ended { outcome: Outcome::Delivered, detail: String::new(), finding: None, presumed: false }
}

/// The outcome of a child that is stuck.
pub(in crate::engine::linux) fn of_stuck(mut live: Tracee<'_>, stuck: Stuck, explain: bool) -> Result<Ended, Trouble> {
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

/// The outcome of a child that is stuck, by its own notes.
pub(in crate::engine::linux) fn at_a_glance(child: &Child<'_>, stuck: Stuck) -> Ended {
    let (outcome, detail) = child.subject.stuck(stuck);
    Ended { outcome, detail, finding: None, presumed: false }
}

/// The outcome of a child that cannot be inspected and makes no progress.
pub(in crate::engine::linux) fn presumed(child: &Child<'_>, stuck: Stuck) -> Ended {
    let (outcome, what) = child.subject.stuck(stuck);
    let detail = format!("{what} (decided by patience: the child cannot be looked at, and did not move)");
    Ended { outcome, finding: Some(Finding::new(outcome, detail.clone())), detail, presumed: true }
}

/// The same for one that is not traced, or not any more, with a look at every thread's stack.
pub(in crate::engine::linux) fn explained(child: &Child<'_>, stuck: Stuck) -> Ended {
    let pid = child.pid.as_raw().cast_unsigned();
    let (outcome, finding) = child.subject.diagnosed(pid, stuck);
    Ended { outcome, detail: finding.sentence.clone(), finding: Some(finding), presumed: false }
}

/// In words.
pub(in crate::engine::linux) fn word(stop: Stop) -> String {
    match stop {
        Stop::Mark => "the end of the window".to_owned(),
        Stop::Trap => "another instruction".to_owned(),
        Stop::Signal(signal) => format!("signal {signal}"),
        Stop::Interrupted => "an interruption".to_owned(),
        Stop::Ended(status) => format!("the end of the process ({status})"),
        Stop::Quiet => "nothing".to_owned(),
    }
}
