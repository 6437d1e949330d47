//! From the stacks of a dump to one answer.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::anatomy::{self, Layer, Mark};
use super::answer::{Answer, Certainty, Line};
use super::casebook;
use super::chain;
use super::dump::{Dump, Tool, Trace, TraceFrame};
use super::judge::{self, Finding};
use super::waiting::{self, Hold, Waiting};
use crate::rules::fingerprint::{self, Awaited, Fingerprint, Mechanism};
use crate::rules::locks::{self, Lock};
use crate::rules::name::Name;
use crate::rules::waits::Wait;
use crate::rules::{frames, handlers, safety};

/// The first words of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// A thread is in a handler and blocked.
    Waits,
    /// A thread is in a handler and not blocked.
    Runs,
    /// A handler crashes, or the runtime stops it.
    Faults,
    /// A handler stops its thread on purpose.
    ByDesign,
    /// A handler calls a function that no handler may call.
    Unsafe,
    /// A handler only reports a crash.
    Reporter,
    /// No thread is in a handler, but one sleeps until a handler wakes it.
    NoThread,
    /// The dump has nothing to do with a handler.
    NoHandler,
    /// The dump does not tell.
    NotEnough,
}

impl Verdict {
    /// The verdict in words, as the answer prints it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Waits => "handler waits",
            Self::Runs => "handler runs",
            Self::Faults => "handler faults",
            Self::ByDesign => "handler waits by design",
            Self::Unsafe => "handler calls an unsafe function",
            Self::Reporter => "handler is only the reporter",
            Self::NoThread => "no thread in a handler",
            Self::NoHandler => "no handler involved",
            Self::NotEnough => "not enough to tell",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}

/// The answer for a dump.
pub fn reach(dump: &Dump) -> Answer {
    // Threads of a pool have equal stacks: one of them is taken apart.
    let mut taken: Vec<Vec<Layer>> = Vec::with_capacity(dump.traces.len());
    let mut known: HashMap<u64, usize> = HashMap::new();
    for (index, trace) in dump.traces.iter().enumerate() {
        let first = *known.entry(shape(trace)).or_insert(index);
        let layers = match taken.get(first) {
            Some(layers) => layers.clone(),
            None if trace.history => Vec::new(),
            None => anatomy::layers(trace),
        };
        taken.push(layers);
    }
    let mut findings: Vec<Finding> = Vec::new();
    for (index, layers) in taken.iter().enumerate() {
        if !layers.is_empty() {
            findings.extend(judge::findings(dump, index, layers));
        }
    }
    match findings
        .iter()
        .min_by_key(|finding| (rank(finding), uncertainty(&taken, finding), finding.trace, finding.layer))
    {
        Some(best) => in_handler(dump, &taken, &findings, best),
        None => super::outside::reach(dump),
    }
}

/// Equal for stacks of the same functions, called in the same way.
pub fn shape(trace: &Trace) -> u64 {
    let mut hasher = DefaultHasher::new();
    for frame in &trace.frames {
        let named = frame.args.split('=').next().unwrap_or_default();
        (&frame.function, named, handlers::number(&frame.args).is_some(), &frame.module, frame.number.is_some())
            .hash(&mut hasher);
        (frame.offset, frame.address == Some(0), frame.source.is_some()).hash(&mut hasher);
    }
    (trace.history, trace.tool, &trace.gaps).hash(&mut hasher);
    hasher.finish()
}

/// Which of several findings the answer is about.
fn rank(finding: &Finding) -> u8 {
    let held = finding.waiting.as_ref().is_some_and(|waiting| waiting.wait.is_held());
    match finding.verdict {
        Verdict::Waits if held => 0,
        Verdict::Faults => 1,
        Verdict::Waits => 2,
        Verdict::Reporter => 3,
        Verdict::Unsafe => 4,
        Verdict::ByDesign => 5,
        _ => 6,
    }
}

fn uncertainty(taken: &[Vec<Layer>], finding: &Finding) -> bool {
    !taken[finding.trace][finding.layer].mark.is_shown()
}

fn in_handler(dump: &Dump, taken: &[Vec<Layer>], findings: &[Finding], finding: &Finding) -> Answer {
    let trace = &dump.traces[finding.trace];
    let layers = &taken[finding.trace];
    let layer = &layers[finding.layer];
    let frames = &trace.frames[layer.handler.clone()];
    // Behind a gap, the next frame that is shown is not the interrupted one.
    let gap = layer.interrupted > 0 && trace.gaps.contains(&(layer.interrupted - 1));
    let code = if gap { &[] } else { judge::code_below(trace, layers, finding.layer) };
    let mut answer = Answer::new(finding.verdict, dump);
    answer.thread = Some(title(trace));
    answer.signal = finding.signal.as_ref().map(|signal| signal.name.clone());
    answer.signal_known = finding.signal.as_ref().map(|signal| signal.label());
    answer.handler = anatomy::handler(trace, layer).map(TraceFrame::label);
    answer.interrupted = code.iter().find(|frame| !frame.is_unknown()).map(TraceFrame::label);
    let mut certain = layer.mark.is_shown();
    if finding.waiting.as_ref().is_some_and(|waiting| frames[..waiting.depth].iter().all(TraceFrame::is_unknown)) {
        certain = false;
        answer.notes.push("the innermost frames have no names: that they wait is an inference".to_owned());
    }
    match layer.mark {
        Mark::Unnamed => {
            answer.notes.push("the signal frame has no name in the dump: its place below the handler tells".to_owned())
        }
        Mark::Lost => answer.notes.push(
            "the dump shows no signal frame: the handler is known by its name, its parameters or its place".to_owned(),
        ),
        Mark::Interpreter => {
            answer.notes.push("the interpreter calls this handler between two instructions".to_owned())
        }
        Mark::Shown => {}
    }
    let (mut mechanism, mut held) = (mechanism(finding), None);
    let mut shared = false;
    if let (Verdict::Waits | Verdict::Runs, Some(waiting)) = (finding.verdict, &finding.waiting) {
        answer.waits_for = Some(waiting.what());
        let askers = frames.get(waiting.depth..).unwrap_or_default();
        let below = &trace.frames[layer.interrupted.min(trace.frames.len())..];
        let hold = if waiting.wait.is_held() { waiting::holds(below, waiting, askers) } else { Hold::Unknown };
        let own = dump.notices.owners.as_slice();
        let itself =
            matches!(own, [owner] if trace.tid == Some(*owner)) && waiting.lock.is_some_and(Lock::is_of_program);
        let chained = chain::find(dump, taken, finding.trace, waiting, below, &hold);
        match (&hold, itself, chained) {
            (_, true, _) => {
                answer.held_by = Some("the same thread, as the lock itself says (__owner)".to_owned());
                (mechanism, held) = (Mechanism::SelfDeadlock, waiting.lock);
            }
            (_, false, Some(chain)) => {
                certain &= chain.shown;
                answer.held_by = Some(chain.holder);
                answer.lines.push(Line::new("chain", chain.sentence));
                mechanism = if chain.circle { Mechanism::CrossDeadlock } else { mechanism };
                held = waiting.lock;
            }
            (Hold::Shown(at), ..) => {
                answer.held_by = Some(format!(
                    "the code that the signal interrupted, in {}{}",
                    below[*at].label(),
                    same_address(&below[*at], waiting)
                ));
                (mechanism, held) = (Mechanism::SelfDeadlock, waiting.lock);
                shared = is_in_outer_layer(layers, finding.layer, layer.interrupted + at);
            }
            (Hold::Likely(at), ..) => {
                certain = false;
                answer.held_by = Some(format!(
                    "likely the code that the signal interrupted, in {}, which takes that lock",
                    below[*at].label()
                ));
                (mechanism, held) = (Mechanism::SelfDeadlock, waiting.lock);
                shared = is_in_outer_layer(layers, finding.layer, layer.interrupted + at);
            }
            (Hold::Waits(_), ..) => {
                certain = false;
                answer.held_by = Some("not the code that the signal interrupted, for it waits for the same lock: another thread, which the dump does not show".to_owned());
            }
            (Hold::Another(at), ..) => {
                certain = false;
                answer.held_by = Some(format!("not shown: {} works with another one of its kind", below[*at].label()));
            }
            (Hold::Unknown, ..) if waiting.wait.is_held() => {
                certain = false;
                let shown = below.iter().any(|frame| !frame.is_unknown());
                let elsewhere =
                    shown && !waiting.lock.is_some_and(Lock::is_of_program) && waiting.lock != Some(Lock::Libc);
                answer.held_by = Some(match (shown, elsewhere) {
                    (false, _) => {
                        "likely the code that the signal interrupted, which the dump does not show".to_owned()
                    }
                    (true, true) => "not shown: no frame of the interrupted code takes that lock".to_owned(),
                    (true, false) => "not shown; likely the code that the signal interrupted".to_owned(),
                });
                if !shown || !elsewhere {
                    (mechanism, held) = (Mechanism::SelfDeadlock, waiting.lock);
                }
            }
            (Hold::Unknown, ..) => {
                certain &= waiting.wait != Wait::Output && waiting.wait != Wait::Kernel;
            }
        }
    }
    if let Some(cause) = finding.cause {
        answer.lines.push(Line::new("because", cause.to_owned()));
    }
    answer.faulted_in = (finding.verdict == Verdict::Faults)
        .then(|| frames.iter().find(|frame| !frame.is_unknown()).map(TraceFrame::label))
        .flatten();
    if finding.verdict == Verdict::Faults {
        let lock = frames.iter().find_map(|frame| locks::of(&frame.name)).map(|(lock, _)| lock);
        let inside = code.iter().find(|frame| locks::of(&frame.name).is_some_and(|(other, _)| Some(other) == lock));
        if let (Some(lock), Some(inside)) = (lock, inside) {
            answer.lines.push(Line::new("interrupted code", format!("{} holds {}", inside.label(), lock.what())));
            held = Some(lock);
        }
    }
    answer.rule = rule(finding, frames);
    answer.casebook = casebook::entry(dump, finding, frames, shared);
    answer.certainty = if certain { Certainty::Shown } else { Certainty::Likely };
    let awaited = finding.waiting.as_ref().map(|waiting| match (waiting.wait.is_held(), waiting.lock) {
        (true, Some(lock)) => Awaited::Lock(lock),
        _ => Awaited::Other(waiting.wait),
    });
    let called = called(finding, frames);
    answer.fingerprint = Some(Fingerprint::of(mechanism, awaited, called.as_deref(), held));
    answer.add_missing(trace);
    others(dump, taken, findings, finding, &mut answer);
    answer.tell(dump);
    answer
}

fn is_in_outer_layer(layers: &[Layer], at: usize, frame: usize) -> bool {
    layers.get(at + 1).is_some_and(|outer| outer.handler.contains(&frame))
}

fn same_address(frame: &TraceFrame, waiting: &Waiting) -> &'static str {
    let used = waiting::addresses_in(
        &frame.args,
        &["av", "mutex", "m", "futex", "lock", "this", "ar_ptr", "arena", "fp", "f", "mtx", "s"],
    );
    if used.iter().any(|address| waiting.addresses.contains(address)) {
        ", which has the same address"
    } else {
        ", which is only called with that lock held"
    }
}

fn mechanism(finding: &Finding) -> Mechanism {
    match finding.verdict {
        Verdict::Waits => Mechanism::HandlerWaits,
        Verdict::Runs => Mechanism::Livelock,
        Verdict::Faults => Mechanism::Fault,
        Verdict::ByDesign => Mechanism::Design,
        Verdict::Unsafe => Mechanism::UnsafeCall,
        Verdict::Reporter => Mechanism::Report,
        Verdict::NoThread => Mechanism::LostWakeup,
        Verdict::NoHandler | Verdict::NotEnough => Mechanism::Other,
    }
}

/// The library function in the handler that a fingerprint names.
fn called(finding: &Finding, frames: &[TraceFrame]) -> Option<String> {
    let library = |frame: &&TraceFrame| !frame.is_unknown() && anatomy::is_library(frame);
    let found = match &finding.waiting {
        Some(waiting) => {
            // Who asked for a lock of the library: `malloc` rather than the lock's own function.
            let asked = frames.get(waiting.depth).filter(library).filter(|frame| locks::of(&frame.name).is_some());
            return fingerprint::called(named(asked.into_iter().chain(frames[..waiting.depth].iter().rev())));
        }
        None => judge::unsafe_call(frames).or_else(|| frames.iter().find(library)),
    };
    fingerprint::called(named(found.into_iter()))
}

/// The names of these frames, of those that have one.
pub(super) fn named<'a>(
    frames: impl Iterator<Item = &'a TraceFrame> + Clone,
) -> impl Iterator<Item = &'a Name> + Clone {
    frames.filter(|frame| !frame.is_unknown()).map(|frame| &frame.name)
}

/// The sentence about the rule that the handler breaks.
fn rule(finding: &Finding, frames: &[TraceFrame]) -> Option<String> {
    if !matches!(finding.verdict, Verdict::Waits | Verdict::Faults | Verdict::Unsafe) {
        return None;
    }
    if let Some(frame) = judge::unsafe_call(frames) {
        return Some(format!("{} is not async-signal-safe: {}", frame.name.key, safety::RULE));
    }
    let waits = finding.waiting.as_ref().is_some_and(|waiting| waiting.wait.is_held());
    waits.then(|| format!("a handler must not take a lock that the code it interrupts may hold: {}", safety::RULE))
}

/// What the other findings add.
fn others(dump: &Dump, taken: &[Vec<Layer>], findings: &[Finding], best: &Finding, answer: &mut Answer) {
    let rest: Vec<&Finding> =
        findings.iter().filter(|other| other.trace != best.trace || other.layer != best.layer).collect();
    for other in rest.iter().take(4) {
        let trace = &dump.traces[other.trace];
        let handler = anatomy::handler(trace, &taken[other.trace][other.layer])
            .map_or_else(|| "a handler".to_owned(), TraceFrame::label);
        answer.notes.push(format!("{} is in a handler as well, {handler}: {}", title(trace), other.verdict.words()));
    }
    if rest.len() > 4 {
        answer.notes.push(format!("so are {} more", rest.len() - 4));
    }
    if best.verdict == Verdict::ByDesign {
        for (index, trace) in
            dump.traces.iter().enumerate().filter(|(index, trace)| taken[*index].is_empty() && !trace.history)
        {
            let Some(waiting) =
                waiting::waiting(&trace.frames).filter(|waiting| waiting.wait.is_held() && waiting.asleep)
            else {
                continue;
            };
            let holder = taken.iter().enumerate().find(|(other, layers)| {
                *other != index
                    && layers.first().is_some_and(|layer| {
                        matches!(
                            waiting::holds(
                                &dump.traces[*other].frames[layer.interrupted.min(dump.traces[*other].frames.len())..],
                                &waiting,
                                &[]
                            ),
                            Hold::Shown(_)
                        )
                    })
            });
            if let Some((other, _)) = holder {
                answer.notes.push(format!(
                    "{} waits for {}, which the code that was stopped in {} holds",
                    title(trace),
                    waiting.what(),
                    title(&dump.traces[other])
                ));
                break;
            }
        }
    }
}

/// `thread 10 "icinga2"`.
pub fn title(trace: &Trace) -> String {
    let title = if trace.title.is_empty() { "the thread" } else { trace.title.as_str() };
    match &trace.name {
        Some(name) if !title.contains(name.as_str()) => format!("{title} \"{name}\""),
        _ => title.to_owned(),
    }
}

/// Whether a stack has names enough to say that no handler is on it.
pub fn is_named(trace: &Trace) -> bool {
    let named = trace.frames.iter().filter(|frame| !frame.is_unknown()).count();
    named >= 2
        || (named == 1 && trace.frames.iter().any(|frame| frames::is_root(&frame.name)))
        || trace.tool == Some(Tool::Python) && named > 0
}

/// So many functions of the program between a lock and a handler are not met in reports.
const DEEP: usize = 8;

/// A stack that waits for a lock of a library, has no marker, and could hide one: it is cut, or has frames
/// without names.
pub fn may_hide_handler(trace: &Trace) -> bool {
    let Some(waiting) = waiting::waiting(&trace.frames) else { return false };
    let opaque = waiting.lock.is_none_or(|lock| matches!(lock, Lock::Interpreter | Lock::Go | Lock::Apple));
    if !waiting.wait.is_held() || opaque {
        return false;
    }
    let of_library = !waiting.lock.is_some_and(Lock::is_of_program);
    let rooted = trace.frames.iter().rev().take(4).any(|frame| frames::is_root(&frame.name));
    let outer = || trace.frames.iter().skip(waiting.depth + 1);
    let unnamed = outer().filter(|frame| frame.is_unknown()).count();
    // A handler stands near its wait for a lock of the program: so many of the program's functions in a row
    // are no handler's.
    let deep = outer().filter(|frame| !frame.is_unknown() && !anatomy::is_library(frame)).count() >= DEEP;
    if !of_library && deep && unnamed == 0 && trace.gaps.is_empty() {
        return false;
    }
    !rooted || (unnamed > 0 && of_library)
}

/// Whether a function of the stack has a handler's name although no signal called it.
pub fn handler_by_name_only(trace: &Trace) -> Option<&TraceFrame> {
    trace.frames.iter().find(|frame| {
        !frame.is_unknown() && !anatomy::is_library(frame) && handlers::likeness(&frame.name, &frame.args).is_some()
    })
}
