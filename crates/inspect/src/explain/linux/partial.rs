//! Threads that hang while others of their process go on: a cycle of locks is stuck whatever other threads
//! do.
//!
//! The threads that may be in one are found without stopping anything; only they are stopped then.

use super::view::{Seen, View};
use super::wait::Wait;
use crate::diagnose::linux::seen;
use crate::diagnose::linux::verdict::shortest_cycle;
use crate::diagnose::{Known, ResourceKind, ThreadReport};
use crate::explain::Since;
use crate::hang::procfs;
use std::thread;
use std::time::Duration;

/// What was found.
pub(super) struct Partial {
    pub seen: seen::Seen,
    /// The threads of the cycle, in its order.
    pub about: Vec<u32>,
    /// Whether each of its edges is proven; else a handler waits, and it is not known for what it waits.
    pub proven: bool,
    /// Since when they have not run.
    pub since: Option<Since>,
}

/// Looks for threads that hang among those that sleep.
pub(super) fn find(view: &View) -> Option<Partial> {
    let sleepers: Vec<&Seen> = view.threads.iter().filter(|thread| thread.is_inside()).collect();
    if sleepers.is_empty() {
        return None;
    }
    let all: Vec<u32> = view.threads.iter().map(|thread| thread.looked.tid).collect();
    let locks = sleepers.iter().filter(|thread| thread.wait.is_lock()).map(|thread| thread.looked.tid);
    let mut suspects: Vec<u32> = locks.collect();
    // Handlers, and waits for an interpreter's lock, by stacks that are walked while nothing is stopped: the
    // sleepers do not move.
    let interprets = interprets(view);
    if interprets || sleepers.iter().any(|thread| !thread.wait.is_lock()) {
        let mut walked = seen::see(view.pid(), &all).ok()?;
        for _ in 0..if interprets { WALKS } else { 0 } {
            let waiting = walked.subjects.iter().filter(|subject| waits_for_interpreter(&subject.report));
            let before = suspects.len();
            suspects.extend(waiting.map(|subject| subject.report.tid));
            if suspects.len() > before {
                break;
            }
            thread::sleep(TURN);
            walked = seen::see(view.pid(), &all).ok()?;
        }
        let in_handler = walked.subjects.iter().filter(|subject| subject.report.handler_depth() > 0);
        let in_handler = in_handler.map(|subject| subject.report.tid);
        let waits = |tid: &u32| sleepers.iter().any(|thread| thread.looked.tid == *tid && thread.wait != Wait::Ended);
        suspects.extend(in_handler.filter(waits));
    }
    suspects.sort_unstable();
    suspects.dedup();
    if suspects.is_empty() {
        return None;
    }
    let since = view.since(&suspects);
    let spared: Vec<u32> = all.into_iter().filter(|tid| !suspects.contains(tid)).collect();
    let seen = seen::see(view.pid(), &spared).ok()?;
    // Our own stop gives a thread the processor: that it is in the same call as before is what counts.
    let rests = |tid: u32| {
        let was = view.threads.iter().find(|thread| thread.looked.tid == tid).map(|thread| thread.looked.syscall);
        let subject = seen.subjects.iter().find(|subject| subject.report.tid == tid);
        was.is_some() && subject.is_some_and(|subject| subject.syscall == was || waits_for_interpreter(&subject.report))
    };
    suspects.retain(|tid| rests(*tid));
    let reports: Vec<ThreadReport> = seen.subjects.iter().map(|subject| subject.report.clone()).collect();
    let suspected: Vec<ThreadReport> =
        reports.iter().filter(|report| suspects.contains(&report.tid)).cloned().collect();
    if let Some(cycle) = shortest_cycle(&suspected) {
        let sure = cycle.iter().all(|thread| is_sure(thread));
        let about = cycle.iter().map(|thread| thread.tid).collect();
        return Some(Partial { seen, about, proven: sure, since });
    }
    // A lock whose owner is not there any more.
    let living = |tid: u32| view.threads.iter().any(|thread| thread.looked.tid == tid);
    let orphan = suspected.iter().find(|thread| {
        let owner = thread.waits_for.as_ref().and_then(|resource| resource.owner.as_ref());
        owner.is_some_and(|owner| owner.known == Known::Stored && !living(owner.tid))
    });
    if let Some(thread) = orphan {
        let about = vec![thread.tid];
        return Some(Partial { seen, about, proven: true, since });
    }
    let handler = suspected.iter().find(|thread| thread.handler_depth() > 0 && thread.waits_for.is_some())?;
    let about = vec![handler.tid];
    Some(Partial { seen, about, proven: false, since })
}

/// How often a thread is looked for that waits for the global interpreter lock: it does so by calls that have
/// a time limit of 5 ms, and may be between two of them.
const WALKS: usize = 6;

/// Between two such looks.
const TURN: Duration = Duration::from_millis(2);

/// Whether it is a process of CPython in which a thread sleeps for a lock and another one does not sleep for
/// good.
fn interprets(view: &View) -> bool {
    let is_python = |path: &str| path.rsplit('/').next().is_some_and(|file| file.contains("python"));
    let sleeps = |thread: &Seen| thread.is_inside() || thread.wait == Wait::Ended;
    view.threads.iter().any(|thread| thread.is_inside() && thread.wait.is_lock())
        && !view.threads.iter().all(sleeps)
        && procfs::maps(view.pid()).iter().any(|map| is_python(&map.path))
}

/// Whether a thread waits for the global interpreter lock.
pub(super) fn waits_for_interpreter(report: &ThreadReport) -> bool {
    report.waits_for.as_ref().is_some_and(|resource| resource.kind == ResourceKind::Gil)
}

/// Whether the owner of what a thread waits for is certain: stored in the lock, or the code that the thread's
/// own handler interrupted has the lock at hand.
pub(super) fn is_sure(thread: &ThreadReport) -> bool {
    let Some(owner) = thread.waits_for.as_ref().and_then(|resource| resource.owner.as_ref()) else { return false };
    match owner.known {
        Known::Stored => true,
        Known::InterruptedRegister | Known::InterruptedStack | Known::InterruptedFunction => {
            owner.tid == thread.tid && thread.handler_depth() > 0
        }
        _ => false,
    }
}
