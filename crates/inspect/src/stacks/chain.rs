//! A lock that a handler waits for and another thread holds: who, and what that thread waits for in its turn.

use super::anatomy::Layer;
use super::dump::{Dump, TraceFrame};
use super::verdict::title;
use super::waiting::{self, Hold, Waiting};
use crate::rules::locks::Lock;

/// The other thread.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Who holds the lock, for the answer.
    pub holder: String,
    /// The whole chain.
    pub sentence: String,
    /// The code that the handler interrupted holds what the holder waits for.
    pub circle: bool,
    /// Addresses or the lock itself show it.
    pub shown: bool,
}

/// The other thread that holds what the handler of thread `own` waits for. `interrupted` is the code below
/// that handler.
pub fn find(
    dump: &Dump,
    taken: &[Vec<Layer>],
    own: usize,
    waiting: &Waiting,
    interrupted: &[TraceFrame],
    hold: &Hold,
) -> Option<Chain> {
    if !waiting.wait.is_held() || matches!(hold, Hold::Shown(_)) {
        return None;
    }
    let owner = match dump.notices.owners.as_slice() {
        [owner] if waiting.lock.is_some_and(Lock::is_of_program) => Some(*owner),
        _ => None,
    };
    let mut best: Option<(u8, Chain)> = None;
    for (index, trace) in dump.traces.iter().enumerate().filter(|(index, trace)| *index != own && !trace.history) {
        let top = taken[index].first().map_or(trace.frames.len(), |layer| layer.handler.end);
        let theirs = waiting::waiting(&trace.frames[..top]);
        let asleep_on_same = theirs.as_ref().is_some_and(|theirs| {
            theirs.asleep
                && theirs.lock == waiting.lock
                && theirs.wait.is_held()
                && (theirs.addresses.is_empty()
                    || waiting.addresses.is_empty()
                    || theirs.addresses.iter().any(|address| waiting.addresses.contains(address)))
        });
        let stored = owner.is_some() && trace.tid == owner;
        if asleep_on_same && !stored {
            continue;
        }
        let depth = theirs.as_ref().map_or(0, |theirs| theirs.depth);
        let below = trace.frames.get(depth..).unwrap_or_default();
        let evidence = if stored { Hold::Shown(0) } else { waiting::holds(below, waiting, &[]) };
        let back = theirs.as_ref().filter(|theirs| theirs.wait.is_held());
        let circle = back.is_some_and(|theirs| {
            let held = waiting::holds(interrupted, theirs, &[]);
            matches!(held, Hold::Shown(_) | Hold::Likely(_))
                && (theirs.lock != waiting.lock || theirs.lock.is_some_and(Lock::is_of_program))
        });
        let likely_holder = matches!(hold, Hold::Likely(_));
        let (weight, shown) = match (&evidence, circle, stored) {
            (_, _, true) => (0, true),
            (Hold::Shown(_), true, _) => (1, true),
            (Hold::Shown(_), false, _) if !likely_holder => (2, false),
            (Hold::Likely(_), true, _) => (3, false),
            (Hold::Unknown, true, _) if !likely_holder && waiting.lock.is_some_and(Lock::is_of_program) => (4, false),
            (Hold::Likely(_), false, _)
                if !likely_holder
                    && !waiting.lock.is_some_and(Lock::is_of_program)
                    && waiting.lock != Some(Lock::Libc) =>
            {
                (5, false)
            }
            _ => continue,
        };
        if best.as_ref().is_some_and(|(other, _)| *other <= weight) {
            continue;
        }
        let likely = if shown { "" } else { "likely " };
        let place = match &evidence {
            Hold::Shown(at) | Hold::Likely(at) if !stored => {
                format!(", in {}", below.get(*at).map_or_else(String::new, TraceFrame::label))
            }
            _ => String::new(),
        };
        let holder = format!(
            "{likely}{}{place}{}",
            title(trace),
            if stored { ", as the lock itself says (__owner)" } else { "" }
        );
        let theirs = back.map(|theirs| theirs.what());
        let sentence = match (&theirs, circle) {
            (Some(theirs), true) => format!(
                "{} waits for {theirs}, which the code that the signal interrupted holds: neither goes on",
                title(trace)
            ),
            (Some(theirs), false) => format!("{} waits for {theirs}", title(trace)),
            (None, _) => format!("{} does not wait for a lock in this dump", title(trace)),
        };
        best = Some((weight, Chain { holder, sentence, circle, shown }));
    }
    best.map(|(_, chain)| chain)
}
