//! From a wait-for graph to the kind of hang and one sentence.
//!
//! | found | kind |
//! |---|---|
//! | the child spins | livelock |
//! | a thread waits for what it owns | self-deadlock |
//! | a longer cycle | cross deadlock |
//! | no cycle, a handler waits, for a lock of another thread that sleeps elsewhere | cross deadlock |
//! | no cycle, a handler waits for anything else | self-deadlock: all others sleep, so only the code that it interrupted is left |
//! | none of these | lost wake-up |

use crate::diagnose::report::NO_THREAD_LEFT;
use crate::diagnose::{Frame, HangKind, Known, Owner, ResourceKind, ThreadReport};
use crate::hang::Stuck;

/// More sleepers than this are counted, not described.
const DESCRIBED: usize = 3;

/// What it comes down to.
pub(crate) struct Verdict {
    pub kind: HangKind,
    pub sentence: String,
    /// The threads in the sentence, in order.
    pub about: Vec<u32>,
}

/// Judges the threads of a stuck child.
pub(crate) fn reach(threads: &[ThreadReport], stuck: Stuck) -> Verdict {
    if let Stuck::Spinning { tid } = stuck {
        return spinning(threads, tid);
    }
    if let Some(cycle) = shortest_cycle(threads) {
        let kind = if cycle.len() == 1 { HangKind::SelfDeadlock } else { HangKind::CrossDeadlock };
        let sentence = cycle.iter().map(|thread| waits_sentence(thread, threads)).collect::<Vec<_>>().join("; ");
        return Verdict { kind, sentence, about: ids(&cycle) };
    }
    let in_handler = |thread: &&ThreadReport| thread.handler_depth() > 0 && thread.waits_for.is_some();
    if let Some(thread) = threads.iter().find(in_handler) {
        return waiting_handler(thread, threads);
    }
    lost(threads)
}

fn ids(threads: &[&ThreadReport]) -> Vec<u32> {
    threads.iter().map(|thread| thread.tid).collect()
}

fn owner(thread: &ThreadReport) -> Option<&Owner> {
    thread.waits_for.as_ref()?.owner.as_ref()
}

fn by_tid(threads: &[ThreadReport], tid: u32) -> Option<&ThreadReport> {
    threads.iter().find(|thread| thread.tid == tid)
}

/// Each thread waits for at most one other, so a walk along owners either ends or comes round.
pub(crate) fn shortest_cycle(threads: &[ThreadReport]) -> Option<Vec<&ThreadReport>> {
    let mut best: Option<Vec<&ThreadReport>> = None;
    for start in threads {
        let mut path = vec![start];
        let mut at = start;
        while let Some(next) = owner(at).and_then(|owner| by_tid(threads, owner.tid)) {
            if next.tid == start.tid {
                if best.as_ref().is_none_or(|best| path.len() < best.len()) {
                    best = Some(path);
                }
                break;
            }
            if path.iter().any(|seen| seen.tid == next.tid) {
                break;
            }
            path.push(next);
            at = next;
        }
    }
    best
}

/// `thread 12 "reader" waits in a signal handler for mutex S.m, owned by thread 12, itself, interrupted at
/// pthread_cond_wait+0x32`.
fn waits_sentence(thread: &ThreadReport, threads: &[ThreadReport]) -> String {
    let mut text = title(thread);
    text += if thread.handler_depth() > 0 { " waits in a signal handler for " } else { " waits for " };
    text += &thread.waits_for.as_ref().map_or_else(|| "something unknown".to_owned(), |resource| resource.label());
    let Some(owner) = owner(thread) else { return text };
    let inferred = if owner.known == Known::Stored { "" } else { " (inferred)" };
    text += &format!(", owned{inferred} by thread {}", owner.tid);
    if owner.tid == thread.tid {
        text += ", itself";
    }
    if by_tid(threads, owner.tid).is_none() {
        text += ", which has ended";
    }
    if let Some(place) = by_tid(threads, owner.tid).and_then(|owner| place_of(owner.interrupted())) {
        text += &format!(", interrupted at {place}");
    }
    text
}

fn title(thread: &ThreadReport) -> String {
    format!("thread {}", thread.tid)
}

/// Where a stack is: the innermost function proper, and the innermost line of our own code.
fn place_of(frames: &[Frame]) -> Option<String> {
    let first = frames.iter().find(|frame| !frame.signal_frame && !frame.inlined)?;
    let ours = frames.iter().take_while(|frame| !frame.signal_frame).find(|frame| frame.is_ours());
    match ours {
        Some(ours) if ours.pc == first.pc => Some(format!("{} ({})", first.place(), ours.source().unwrap_or_default())),
        Some(ours) => Some(format!("{}, in {}", first.place(), line_in(ours, frames))),
        None => Some(first.place()),
    }
}

/// `function (file:line)`; of an inlined function, which has a bare name, also what it was inlined into.
fn line_in(frame: &Frame, frames: &[Frame]) -> String {
    let text = format!("{} ({})", frame.symbol.as_deref().unwrap_or("?"), frame.source().unwrap_or_default());
    let whole = frames.iter().find(|other| frame.inlined && other.pc == frame.pc && !other.inlined);
    match whole.and_then(|whole| whole.symbol.as_deref()) {
        Some(whole) => format!("{text} of {whole}"),
        None => text,
    }
}

/// A handler that sleeps, and no cycle: owners are missing, or the owner itself waits for something that
/// no thread owns.
fn waiting_handler(thread: &ThreadReport, threads: &[ThreadReport]) -> Verdict {
    let mut sentence = waits_sentence(thread, threads);
    if let Some(holder) = owner(thread).and_then(|owner| by_tid(threads, owner.tid)) {
        sentence += "; ";
        sentence += &waits_sentence(holder, threads);
        return Verdict { kind: HangKind::CrossDeadlock, sentence, about: vec![thread.tid, holder.tid] };
    }
    sentence += ", which only the code that it interrupted could give: all other threads sleep";
    if let Some(place) = place_of(thread.interrupted()) {
        sentence += &format!("; interrupted at {place}");
    }
    Verdict { kind: HangKind::SelfDeadlock, sentence, about: vec![thread.tid] }
}

fn lost(threads: &[ThreadReport]) -> Verdict {
    // Who waits for another's end is a bystander as long as there is anybody else.
    let joins = |thread: &&ThreadReport| {
        thread.waits_for.as_ref().is_some_and(|resource| resource.kind == ResourceKind::ThreadExit)
    };
    let owned = |thread: &ThreadReport| owner(thread).is_some_and(|owner| by_tid(threads, owner.tid).is_some());
    let bystander = |thread: &&ThreadReport| owned(thread) || joins(thread);
    let (waiting, sleeping): (Vec<_>, Vec<_>) = threads.iter().partition(bystander);
    let subjects = if sleeping.is_empty() { waiting } else { sleeping };
    let mut parts: Vec<String> = subjects.iter().take(DESCRIBED).map(|thread| sleeps(thread, threads)).collect();
    if subjects.len() > DESCRIBED {
        parts.push(format!("so do {} more", subjects.len() - DESCRIBED));
    }
    let sentence = format!("{}{NO_THREAD_LEFT}", parts.join("; "));
    Verdict { kind: HangKind::LostWakeup, sentence, about: ids(&subjects) }
}

fn sleeps(thread: &ThreadReport, threads: &[ThreadReport]) -> String {
    let mut text = format!("{} sleeps for ever", title(thread));
    if let Some(resource) = &thread.waits_for {
        text += &format!(" on {}", resource.label());
        if let Some(owner) = resource.owner.as_ref().filter(|owner| by_tid(threads, owner.tid).is_none()) {
            text += &format!(", owned by thread {}, which has ended", owner.tid);
        }
    }
    if let Some(place) = place_of(&thread.frames) {
        text += &format!(", at {place}");
    }
    text
}

fn spinning(threads: &[ThreadReport], tid: u32) -> Verdict {
    let kind = HangKind::Livelock;
    let Some(thread) = by_tid(threads, tid) else {
        return Verdict { kind, sentence: format!("thread {tid} spins"), about: vec![tid] };
    };
    let place = spin_place(thread.handler());
    let sentence = if thread.handler_depth() == 0 {
        format!("{} spins in {place}; all other threads sleep", title(thread))
    } else {
        let below = spin_place(thread.interrupted());
        format!(
            "{} spins in a signal handler in {place}, interrupted {below}, which holds what it spins for; no other thread can set it free",
            title(thread)
        )
    };
    Verdict { kind, sentence, about: vec![tid] }
}

/// A spin is in the function that has the loop, not in the atomic operation inlined into it.
fn spin_place(frames: &[Frame]) -> String {
    let own = frames.iter().take_while(|frame| !frame.signal_frame).find(|frame| frame.is_ours());
    match own {
        Some(frame) => line_in(frame, frames),
        None => place_of(frames).unwrap_or_else(|| "an unknown place".to_owned()),
    }
}

#[cfg(test)]
#[path = "verdict/tests.rs"]
mod tests;
