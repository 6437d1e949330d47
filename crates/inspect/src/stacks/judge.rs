//! What one activation of a handler does: it waits, runs, faults, stops on purpose, or only reports a crash.
//!
//! | the innermost frames of the handler | verdict |
//! |---|---|
//! | wait for a lock | waits |
//! | spin | runs |
//! | wait for anything else, in a function whose name says so on purpose, or for a signal or a time | waits by design |
//! | wait for a child or for data, and the signal is a fault's | reporter |
//! | wait for anything else | waits |
//! | are a check that failed | faults |
//! | send a signal, or the signal is a fault's | reporter |
//! | are where the process crashed | faults |
//! | have called a function that is not async-signal-safe | calls an unsafe function |
//! | anything else | runs |

use super::anatomy::{self, Layer};
use super::dump::{Dump, Notices, Tool, Trace, TraceFrame};
use super::verdict::Verdict;
use super::waiting::{self, Waiting};
use crate::rules::faults::{self, End};
use crate::rules::signals::{self, Known, Signal};
use crate::rules::waits::Wait;
use crate::rules::{frames, handlers, safety};

/// What one activation of a handler does.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The first words of the answer.
    pub verdict: Verdict,
    /// The stack, as an index into the dump.
    pub trace: usize,
    /// The layer, as an index into the stack's layers.
    pub layer: usize,
    /// What it waits for.
    pub waiting: Option<Waiting>,
    /// Why the program ends there.
    pub cause: Option<&'static str>,
    /// The signal that called the handler.
    pub signal: Option<Signal>,
    /// The signal is that of a fault or of `abort`.
    pub fatal: bool,
}

/// The activations of handlers on a stack, each with what it does. A handler that a second signal
/// interrupted only counts if it waits, or if it crashed.
pub fn findings(dump: &Dump, index: usize, layers: &[Layer]) -> Vec<Finding> {
    let trace = &dump.traces[index];
    let mut found: Vec<Finding> = Vec::new();
    for (at, layer) in layers.iter().enumerate() {
        let finding = judge(dump, index, layers, at);
        let Some(inner) = found.last() else {
            found.push(finding);
            continue;
        };
        let waits =
            finding.waiting.as_ref().is_some_and(|waiting| waiting.wait.is_held()) && finding.verdict == Verdict::Waits;
        if waits {
            found.push(finding);
        } else if inner.verdict == Verdict::Reporter
            && inner.fatal
            && !finding.fatal
            && !layer.handler.is_empty()
            && !raised(trace, layer)
        {
            found.push(Finding { verdict: Verdict::Faults, ..finding });
        }
    }
    found
}

/// Whether the handler ended the process on purpose, at the moment when the inner signal came.
fn raised(trace: &Trace, layer: &Layer) -> bool {
    trace.frames[layer.handler.clone()]
        .first()
        .is_some_and(|frame| matches!(frame.name.key.as_str(), "pause" | "sigsuspend"))
}

fn judge(dump: &Dump, index: usize, layers: &[Layer], at: usize) -> Finding {
    let trace = &dump.traces[index];
    let layer = &layers[at];
    let frames = &trace.frames[layer.handler.clone()];
    let signal = signal(trace, layer, &dump.notices, at == 0 && is_crashed(dump, index));
    // A call that sends a signal is an end of the program only below `abort` and its like.
    let below = code_below(trace, layers, at);
    let raised_here = below.first().is_some_and(|frame| faults::of(&frame.name) == Some(End::Raise)) && aborts(below);
    let named_reporter = frames.iter().any(|frame| !frame.is_unknown() && handlers::reports(&frame.name));
    let fatal = match &signal {
        Some(signal) if signal.is_fatal() => true,
        Some(_) => false,
        None => raised_here || named_reporter,
    };
    let unnamed = || waiting::unnamed(frames).filter(|_| !dump.notices.crashed);
    let waiting = waiting::waiting(frames).or_else(unnamed);
    // Where the process crashed, a function at whose entrance it stands does not wait.
    let crashed = at == 0 && dump.notices.crashed && is_crashed(dump, index) && !fatal;
    let waiting = waiting.filter(|waiting| waiting.asleep || !crashed);
    let (verdict, cause) = verdict(dump, index, frames, waiting.as_ref(), fatal, signal.as_ref(), at);
    Finding { verdict, trace: index, layer: at, waiting, cause, signal, fatal }
}

fn verdict(
    dump: &Dump,
    index: usize,
    frames: &[TraceFrame],
    waiting: Option<&Waiting>,
    fatal: bool,
    signal: Option<&Signal>,
    at: usize,
) -> (Verdict, Option<&'static str>) {
    if at == 0 && dump.notices.unsafe_call {
        return (Verdict::Unsafe, None);
    }
    let design = frames.iter().any(|frame| !frame.is_unknown() && handlers::waits_by_design(&frame.name));
    if let Some(waiting) = waiting {
        let child_or_data = matches!(waiting.wait, Wait::Child | Wait::Input | Wait::Output);
        let verdict = match waiting.wait {
            Wait::Spin if design => Verdict::ByDesign,
            Wait::Spin => Verdict::Runs,
            wait if wait.is_held() => Verdict::Waits,
            _ if design => Verdict::ByDesign,
            Wait::Signal | Wait::Sleep => Verdict::ByDesign,
            _ if child_or_data && fatal => Verdict::Reporter,
            Wait::Kernel if fatal && !waiting.asleep => Verdict::Reporter,
            _ => Verdict::Waits,
        };
        return (verdict, None);
    }
    if let Some(cause) = end(frames) {
        let report = fatal
            && !matches!(cause, End::Check(text) if text.contains("allocator") || text.contains("unfair") || text.contains("assertion") || text.contains("check of libc"));
        let stops =
            signal.is_some_and(|signal| matches!(signal.name.as_str(), "SIGTSTP" | "SIGTTIN" | "SIGTTOU" | "SIGSTOP"));
        return match cause {
            End::Check(text) if !report => (Verdict::Faults, Some(text)),
            End::Raise if stops => (Verdict::ByDesign, None),
            _ => (Verdict::Reporter, None),
        };
    }
    if frames.iter().all(TraceFrame::is_unknown) && repeats(&dump.traces[index]) {
        return (Verdict::Faults, Some("the handler cannot be entered: the signal comes again and again"));
    }
    if at == 0 && frames.is_empty() && dump.notices.crashed && ends_at_the_entrance(dump, index) {
        return (Verdict::Faults, Some("the process ends in the code that enters the handler"));
    }
    if fatal && !(at == 0 && dump.notices.wrong_signal_stack) {
        let crashes = at == 0 && dump.notices.crashed && crashes_itself(dump, index, frames);
        return (if crashes { Verdict::Faults } else { Verdict::Reporter }, None);
    }
    if at == 0 && (dump.notices.no_signal_stack || dump.notices.wrong_signal_stack) {
        return (Verdict::Faults, Some("the Go runtime stopped the program"));
    }
    if at == 0 && dump.notices.crashed && is_crashed(dump, index) && !frames.is_empty() {
        return (Verdict::Faults, None);
    }
    if design {
        return (Verdict::ByDesign, None);
    }
    let calls = frames.iter().any(|frame| !frame.is_unknown() && safety::is_unsafe(&frame.name));
    (if calls || dump.notices.errno_spoiled { Verdict::Unsafe } else { Verdict::Runs }, None)
}

/// Whether a debugger shows that the process ended inside the handler of a fault: in a function that reports
/// nothing.
fn crashes_itself(dump: &Dump, index: usize, frames: &[TraceFrame]) -> bool {
    let debugger =
        matches!(dump.traces[index].tool, Some(Tool::Gdb | Tool::Lldb | Tool::Coredump | Tool::EuStack | Tool::Apple));
    let top = frames.iter().position(|frame| !frame.is_unknown());
    let reports = frames[..frames.len().saturating_sub(1)].iter().any(|frame| handlers::reports(&frame.name));
    let own = top.is_some_and(|top| top + 1 < frames.len() && !anatomy::is_library(&frames[top]));
    debugger && is_crashed(dump, index) && own && (!reports || dump.notices.stopped_at_fault)
}

/// Whether a debugger shows the process ending in the trampoline of a signal itself.
fn ends_at_the_entrance(dump: &Dump, index: usize) -> bool {
    let trace = &dump.traces[index];
    let debugger = matches!(trace.tool, Some(Tool::Gdb | Tool::Lldb | Tool::Coredump | Tool::EuStack | Tool::Apple));
    let innermost = trace.frames.first().is_some_and(|frame| {
        frame.number.is_none_or(|number| number == 0) && !frame.function.contains("signal handler called")
    });
    debugger && innermost && is_crashed(dump, index)
}

/// Whether the stack is a long row of signal frames with no handler between.
fn repeats(trace: &Trace) -> bool {
    trace
        .frames
        .iter()
        .filter(|frame| frames::marker(&frame.function, &frame.name, false) == Some(frames::Marker::Shown))
        .count()
        >= 5
}

/// Whether this is the stack that crashed: marked by the tool, or the first one of a text that speaks of a
/// crash.
pub fn is_crashed(dump: &Dump, index: usize) -> bool {
    if dump.traces.iter().any(|trace| trace.crashed) {
        return dump.traces[index].crashed;
    }
    dump.notices.crashed && index == dump.traces.iter().position(|trace| !trace.history).unwrap_or(0)
}

/// Why the program ends in the innermost of these frames.
fn end(frames: &[TraceFrame]) -> Option<End> {
    let mut found = None;
    let mut others = 0;
    for frame in frames.iter().take(24) {
        match faults::of(&frame.name) {
            Some(End::Check(text)) => return Some(End::Check(text)),
            Some(End::Raise) => found = Some(End::Raise),
            None if found.is_none() && others >= 2 => return None,
            None if frame.is_unknown()
                || frame.is_in_libc()
                || frame.name.path.starts_with("__")
                || frame.name.path.starts_with("runtime.") =>
            {
                others += 1
            }
            None if found.is_some() => return found,
            None => return None,
        }
    }
    found
}

/// The signal of a layer, by the surest sign.
fn signal(trace: &Trace, layer: &Layer, notices: &Notices, innermost_crash: bool) -> Option<Signal> {
    let frames = &trace.frames[layer.handler.clone()];
    let outermost = || frames.iter().rev().take(6);
    let by_number =
        |number| signals::by_number(number, notices.bsd).map(|name| Signal { name, known: Known::Argument });
    let of_handler = || frames.last().and_then(|frame| handlers::number_of_handler(&frame.args));
    if let Some(number) = outermost().find_map(|frame| handlers::number(&frame.args)).or_else(of_handler) {
        return by_number(number);
    }
    // Go: the first argument of `sigtrampgo` and `sighandler`.
    let of_go = trace.frames.iter().take(layer.interrupted).rev().take(8).filter(|frame| {
        matches!(
            frame.name.path.as_str(),
            "runtime.sigtrampgo"
                | "runtime.sighandler"
                | "runtime.sigtramp"
                | "runtime.adjustSignalStack"
                | "runtime.badsignal"
        )
    });
    let argument = |frame: &TraceFrame| {
        frame
            .args
            .split(',')
            .next()
            .and_then(|arg| {
                arg.trim()
                    .trim_end_matches('?')
                    .strip_prefix("0x")
                    .and_then(|hex| u64::from_str_radix(hex, 16).ok().map(|number| number & 0xffff_ffff))
            })
            .filter(|number| (1..=64).contains(number))
    };
    if let Some(number) = of_go.filter_map(argument).next() {
        return by_number(number);
    }
    if let Some(number) = notices.arrived {
        return signals::by_number(number, notices.bsd).map(|name| Signal { name, known: Known::Header });
    }
    // A handler of several signals has none of them in its name.
    if let Some(frame) = anatomy::handler(trace, layer)
        && let Some(name) = signals::in_name(&frame.name.path)
    {
        return Some(Signal { name, known: Known::Name });
    }
    if let Some(name) = outermost().find_map(|frame| signals::in_name(frame.name.last())) {
        return Some(Signal { name, known: Known::Name });
    }
    let interrupted = trace.frames.get(layer.interrupted..).unwrap_or_default();
    let interrupted = &interrupted[..interrupted.len().min(8)];
    let sends = |frame: &TraceFrame| faults::of(&frame.name).is_some() || frame.name.key == "syscall";
    if let Some(end) = end(interrupted).filter(|_| interrupted.first().is_some_and(sends)) {
        let sent = interrupted.iter().take_while(|frame| sends(frame));
        let number = sent.clone().flat_map(|frame| frame.args.split(',')).find_map(handlers::number);
        let aborts = matches!(end, End::Check(_)) || aborts(interrupted);
        let number = number.or(aborts.then_some(libc::SIGABRT as u64));
        if let Some(name) = number.and_then(|number| signals::by_number(number, notices.bsd)) {
            return Some(Signal { name, known: Known::Raised });
        }
    }
    let reporter = frames.iter().any(|frame| handlers::reports(&frame.name));
    let samples = frames
        .iter()
        .any(|frame| handlers::runs_in_handlers_only(&frame.name) || frame.name.path.starts_with("runtime."));
    let header =
        notices.signal.as_ref().filter(|_| !samples && innermost_crash && (reporter || notices.reported_by_handler));
    header.map(|name| Signal { name: name.clone(), known: Known::Header })
}

/// Whether `abort` or a failed check is among the innermost of these frames.
fn aborts(frames: &[TraceFrame]) -> bool {
    let frames = &frames[..frames.len().min(8)];
    frames.iter().any(|frame| frame.name.key == "abort" || matches!(faults::of(&frame.name), Some(End::Check(_))))
}

/// The frames that a layer interrupted, up to the next signal frame.
pub fn code_below<'a>(trace: &'a Trace, layers: &[Layer], at: usize) -> &'a [TraceFrame] {
    let from = layers[at].interrupted;
    let to = layers.get(at + 1).map_or(trace.frames.len(), |next| next.handler.end);
    trace.frames.get(from..to.max(from)).unwrap_or_default()
}

/// The function of the handler that breaks the rule: the outermost one that is known to be unsafe.
pub fn unsafe_call(frames: &[TraceFrame]) -> Option<&TraceFrame> {
    frames
        .iter()
        .rev()
        .find(|frame| !frame.is_unknown() && safety::is_unsafe(&frame.name) && !frames::is_relay(&frame.name))
}
