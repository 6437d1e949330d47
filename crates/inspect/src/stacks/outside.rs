//! The answer where no stack shows a handler.

use std::collections::HashSet;

use super::answer::{Answer, Certainty};
use super::casebook;
use super::dump::{Dump, Tool, Trace, TraceFrame};
use super::verdict::{Verdict, handler_by_name_only, is_named, may_hide_handler, shape, title};
use super::waiting;
use crate::rules::bugs;
use crate::rules::fingerprint::{Awaited, Fingerprint, Mechanism};
use crate::rules::locks::{self, Lock};
use crate::rules::{frames, safety};

/// More sleepers than this are counted, not described.
const DESCRIBED: usize = 3;

/// The answer for a dump without a handler on a stack.
pub fn reach(dump: &Dump) -> Answer {
    let stacks: Vec<&Trace> = dump.traces.iter().filter(|trace| !trace.history && !trace.frames.is_empty()).collect();
    let mut shapes = HashSet::new();
    let distinct: Vec<&Trace> = stacks.iter().filter(|trace| shapes.insert(shape(trace))).copied().collect();
    let notices = &dump.notices;
    if notices.no_signal_stack {
        let mut answer =
            plain(dump, Verdict::Faults, Mechanism::Fault, "the signal arrived on a thread that has no signal stack");
        answer.signal = notices.arrived.and_then(|number| crate::rules::signals::by_number(number, notices.bsd));
        answer.casebook = Some(&bugs::STACK_FREED_BEFORE_EXIT);
        answer.tell(dump);
        return answer;
    }
    if notices.wrong_signal_stack {
        let why = "the signal arrived on the thread's ordinary stack: code outside Go has installed the handler without SA_ONSTACK";
        let mut answer = plain(dump, Verdict::Faults, Mechanism::Fault, why);
        answer.signal = notices.arrived.and_then(|number| crate::rules::signals::by_number(number, notices.bsd));
        answer.tell(dump);
        return answer;
    }
    if notices.unsafe_call || notices.errno_spoiled {
        return by_sanitizer(dump, &stacks);
    }
    if notices.reported_by_handler && !distinct.iter().any(|trace| may_hide_handler(trace)) {
        let signal = notices.signal.clone();
        let mut answer = plain(
            dump,
            Verdict::Reporter,
            Mechanism::Report,
            "the text was printed by the handler of a fault, and no stack shows another handler",
        );
        answer.signal = signal;
        crash(dump, &stacks, &mut answer);
        answer.tell(dump);
        return answer;
    }
    if let Some((trace, (what, entry))) =
        distinct.iter().find_map(|trace| casebook::sleeper(trace).map(|found| (*trace, found)))
    {
        let mut answer = plain(dump, Verdict::NoThread, Mechanism::LostWakeup, what);
        answer.thread = Some(title(trace));
        answer.casebook = entry;
        answer.certainty = if entry.is_some() { Certainty::Likely } else { Certainty::Shown };
        if entry.is_some() {
            answer.notes.push("one stack cannot tell a lost wake-up from the thread's normal sleep".to_owned());
        }
        answer.add_missing(trace);
        answer.tell(dump);
        return answer;
    }
    let of_jvm = dump.traces.iter().any(|trace| trace.tool == Some(Tool::Jstack));
    if stacks.is_empty() && (notices.java_deadlock || of_jvm) {
        let why = match notices.java_deadlock {
            true => "the JVM names a deadlock of Java monitors, which signals do not take",
            false => "the text names threads of a JVM without their frames, and none of them is in a handler of C",
        };
        let mut answer = plain(dump, Verdict::NoHandler, Mechanism::Other, why);
        answer.tell(dump);
        return answer;
    }
    if stacks.is_empty() || !distinct.iter().any(|trace| is_named(trace)) {
        return unreadable(dump, &stacks);
    }
    let whole = distinct.iter().any(|trace| {
        !may_hide_handler(trace) && waiting::waiting(&trace.frames).is_some_and(|waiting| waiting.wait.is_held())
    });
    if let Some(trace) = distinct.iter().find(|trace| may_hide_handler(trace) && !whole) {
        let waiting = waiting::waiting(&trace.frames).map(|waiting| waiting.what()).unwrap_or_default();
        let mut answer = plain(
            dump,
            Verdict::NotEnough,
            Mechanism::Other,
            &format!(
                "{} waits for {waiting}; frames that the dump does not show or does not name may be a signal frame",
                title(trace)
            ),
        );
        answer.add_missing(trace);
        answer.tell(dump);
        return answer;
    }
    if let Some(trace) = distinct.iter().find(|trace| notices.crashed && unwinds(trace)) {
        let why = "the process ends in an unwinder, whose caller the dump does not show: a profiler's handler, or the program";
        let mut answer = plain(dump, Verdict::NotEnough, Mechanism::Other, why);
        answer.add_missing(trace);
        answer.tell(dump);
        return answer;
    }
    let mut answer = plain(dump, Verdict::NoHandler, Mechanism::Other, "");
    describe(&stacks, &mut answer);
    if notices.crashed {
        crash(dump, &stacks, &mut answer);
    }
    if let Some(frame) = distinct.iter().find_map(|trace| handler_by_name_only(trace)) {
        answer.notes.push(format!("{} has a handler's name, but no signal called it: the program did", frame.label()));
    }
    if stacks.len() == 1 {
        answer.notes.push("the dump shows one thread; the others may tell more".to_owned());
    }
    if let Some(trace) = stacks.first() {
        answer.add_missing(trace);
    }
    answer.tell(dump);
    answer
}

/// A stack that is cut inside an unwinder.
fn unwinds(trace: &Trace) -> bool {
    let unwinder = |frame: &TraceFrame| locks::of(&frame.name).is_some_and(|(lock, _)| lock == Lock::Unwinder);
    let rooted = trace.frames.iter().rev().take(4).any(|frame| frames::is_root(&frame.name));
    !rooted && trace.frames.iter().take(6).any(unwinder)
}

fn plain(dump: &Dump, verdict: Verdict, mechanism: Mechanism, why: &str) -> Answer {
    let mut answer = Answer::new(verdict, dump);
    answer.why = Some(why.to_owned()).filter(|why| !why.is_empty());
    answer.fingerprint = Some(Fingerprint::of(mechanism, None, None, None));
    answer
}

/// TSan knows that the call is in a handler, and shows the handler's frames only.
fn by_sanitizer(dump: &Dump, stacks: &[&Trace]) -> Answer {
    let mut answer = plain(dump, Verdict::Unsafe, Mechanism::UnsafeCall, "");
    answer.why = dump.notices.errno_spoiled.then(|| "it changes errno and does not restore it".to_owned());
    if let Some(trace) = stacks.first() {
        let library = |frame: &&TraceFrame| !frame.is_unknown() && safety::is_unsafe(&frame.name);
        let outer = trace.frames.iter().find(|frame| !frame.is_unknown() && !super::anatomy::is_library(frame));
        answer.handler = outer.map(TraceFrame::label);
        let mut named = trace.frames.iter().filter(|frame| {
            !frame.is_unknown() && crate::rules::handlers::likeness(&frame.name, &frame.args).is_some()
        });
        answer.handler = named.next_back().map(TraceFrame::label).or(answer.handler);
        if let Some(frame) = trace.frames.iter().find(library).filter(|_| !dump.notices.errno_spoiled) {
            answer.rule = Some(format!("{} is not async-signal-safe: {}", frame.name.key, safety::RULE));
            answer.casebook =
                locks::of(&frame.name).filter(|(lock, _)| *lock == Lock::Heap).map(|_| &bugs::ALLOCATOR_IN_HANDLER);
            answer.fingerprint = Some(Fingerprint::of(Mechanism::UnsafeCall, None, Some(&frame.name.key), None));
        }
        answer.thread = Some(title(trace));
    }
    if dump.notices.errno_spoiled {
        answer.casebook = Some(&bugs::ERRNO_SPOILED);
    }
    answer.tell(dump);
    answer
}

fn crash(dump: &Dump, stacks: &[&Trace], answer: &mut Answer) {
    let crashed = stacks.iter().find(|trace| trace.crashed).or(stacks.first());
    if let Some(trace) = crashed {
        let place = trace
            .frames
            .iter()
            .find(|frame| !frame.is_unknown())
            .map_or_else(|| "a function without a name".to_owned(), TraceFrame::label);
        let signal = dump.notices.signal.as_deref().map_or_else(String::new, |signal| format!(" by {signal}"));
        answer.notes.push(format!("the process ends{signal}; {} stands in {place}", title(trace)));
    }
}

/// What the threads wait for, in a few words.
fn describe(stacks: &[&Trace], answer: &mut Answer) {
    let mut parts = Vec::new();
    for trace in stacks.iter().take(DESCRIBED) {
        let text = match waiting::waiting(&trace.frames) {
            Some(waiting) => format!("{} waits for {}", title(trace), waiting.what()),
            None => {
                let place = trace
                    .frames
                    .iter()
                    .find(|frame| !frame.is_unknown())
                    .map_or_else(|| "a function without a name".to_owned(), TraceFrame::label);
                format!("{} is in {place}", title(trace))
            }
        };
        parts.push(text);
    }
    if stacks.len() > DESCRIBED {
        parts.push(format!("and {} more", stacks.len() - DESCRIBED));
    }
    answer.why = Some(parts.join("; "));
    let first = stacks.iter().find_map(|trace| waiting::waiting(&trace.frames));
    let awaited = first.map(|waiting| match (waiting.wait.is_held(), waiting.lock) {
        (true, Some(lock)) => Awaited::Lock(lock),
        _ => Awaited::Other(waiting.wait),
    });
    answer.fingerprint = Some(Fingerprint::of(Mechanism::Other, awaited, None, None));
}

fn unreadable(dump: &Dump, stacks: &[&Trace]) -> Answer {
    let why = if dump.kernel_frames > 0 && stacks.is_empty() {
        "the text has stacks of the kernel only, which show no signal handler: take the stack of the process, with gdb or eu-stack"
    } else if stacks.is_empty() {
        "the text has no stack that this command reads. It reads dumps of gdb, pstack, eu-stack, systemd-coredump, lldb, macOS sample, spindump and crash reports, Go, delve, JVMs (hs_err, jstack), \
         ASan, TSan, UBSan, Valgrind, py-spy, faulthandler, Android, glog, Rust, Julia, Node, perf, minidump_stackwalk, and of backtrace_symbols"
    } else {
        "the frames have no names: install the debug symbols and take the stack again"
    };
    let mut answer = plain(dump, Verdict::NotEnough, Mechanism::Other, why);
    if let Some(trace) = stacks.first() {
        answer.add_missing(trace);
    }
    answer.tell(dump);
    answer
}
