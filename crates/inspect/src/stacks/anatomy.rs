//! One stack taken apart at its signal frames: the innermost handler, what it interrupted (which may be a
//! handler as well), and so on down to the code that no signal called.
//!
//! A signal frame has a marker. Where a tool or a tracker has lost it, three things tell: a frame without a
//! name in libc below a handler, a function that looks like a handler above nothing or above a frame without
//! a name, and a function of the program above a library function that calls nothing of the program.

use std::ops::Range;

use super::dump::{Tool, Trace, TraceFrame};
use super::parse::python;
use crate::rules::frames::{self, Marker};
use crate::rules::handlers::{self, Likeness};
use crate::rules::{faults, locks, safety, waits};

/// How a signal frame is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The dump shows a marker.
    Shown,
    /// An interpreter called a handler of its language, between two instructions.
    Interpreter,
    /// The name is one that tools print for a restorer without a symbol, or there is none.
    Unnamed,
    /// There is no frame for it.
    Lost,
}

impl Mark {
    /// Whether the dump shows it.
    pub fn is_shown(self) -> bool {
        matches!(self, Self::Shown | Self::Interpreter)
    }
}

/// One activation of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The handler's frames, innermost first; may be empty if only the signal frame is shown.
    pub handler: Range<usize>,
    /// How the signal frame is known.
    pub mark: Mark,
    /// The first frame behind the signal frame: where the interrupted code begins.
    pub interrupted: usize,
}

/// The signal frames of a stack, the innermost first.
pub fn layers(trace: &Trace) -> Vec<Layer> {
    let marks = marks(trace);
    let marks = if marks.is_empty() { lost(trace).into_iter().collect() } else { marks };
    let mut found = Vec::new();
    let mut from = 0;
    for (range, mark) in marks {
        found.push(Layer { handler: from..range.start, mark, interrupted: range.end });
        from = range.end;
    }
    found
}

/// The function that the signal called, of a layer's frames.
pub fn handler<'a>(trace: &'a Trace, layer: &Layer) -> Option<&'a TraceFrame> {
    let frames = &trace.frames[layer.handler.clone()];
    let placed = |frame: &&TraceFrame| !frame.is_unknown() || frame.module.is_some() && frame.offset.is_some();
    let of_freebsd = |frame: &TraceFrame| frame.name.path == "handle_signal" && frame.library().contains("libthr");
    let named = frames.iter().rev().find(|frame| placed(frame) && !of_freebsd(frame) && !frames::is_relay(&frame.name));
    named.or_else(|| frames.iter().rev().find(|frame| !frame.is_unknown()))
}

/// The marked signal frames: the frames of each, and how it is known.
fn marks(trace: &Trace) -> Vec<(Range<usize>, Mark)> {
    let frames = &trace.frames;
    let mut found: Vec<(Range<usize>, Mark)> = Vec::new();
    for (at, frame) in frames.iter().enumerate() {
        let Some(mark) = mark(trace, at) else { continue };
        match found.last_mut() {
            // The parts of one signal frame: Go's trampolines, the system's, and a frame without an address
            // between.
            Some((range, known))
                if range.end == at
                    || (range.end + 1 == at
                        && frames[range.end].is_unknown()
                        && is_trampoline(frame)
                        && is_trampoline(&frames[range.start])) =>
            {
                range.end = at + 1;
                if mark.is_shown() {
                    *known = mark;
                }
            }
            _ => found.push((at..at + 1, mark)),
        }
    }
    for (range, _) in &mut found {
        // macOS shows a frame at address 0 behind `_sigtramp`.
        while frames.get(range.end).is_some_and(|frame| frame.is_unknown() && is_nowhere(frame)) {
            range.end += 1;
        }
    }
    found
}

fn is_trampoline(frame: &TraceFrame) -> bool {
    frames::marker(&frame.function, &frame.name, false) == Some(Marker::Shown)
}

fn is_nowhere(frame: &TraceFrame) -> bool {
    let zero = frame.function.trim_start_matches("0x").bytes().all(|b| b == b'0') && !frame.function.is_empty();
    frame.address == Some(0) || zero
}

fn mark(trace: &Trace, at: usize) -> Option<Mark> {
    let frame = &trace.frames[at];
    if python::is_python(frame) || frame.module.as_deref() == Some("Java") {
        return None;
    }
    if frame.name.path.ends_with("CallUserSignalHandler") && at > 0 {
        return Some(Mark::Shown);
    }
    match frames::marker(&frame.function, &frame.name, at == 0) {
        Some(Marker::Shown) => return Some(Mark::Shown),
        // `sigaction` that a handler calls stands above, not below, the handler: what it calls is never a
        // handler.
        Some(Marker::Misnamed) => {
            // With debug symbols a tool names the restorer itself, and prints arguments and sources of the
            // others.
            let described = !frame.args.is_empty() || frame.source.is_some();
            return (!described && !is_library(&trace.frames[at - 1])).then_some(Mark::Unnamed);
        }
        None => {}
    }
    if at >= 3 && INTERPRETERS.contains(&frame.name.path.as_str()) {
        return Some(Mark::Interpreter);
    }
    (at > 0 && is_unnamed_restorer(trace, at)).then_some(Mark::Unnamed)
}

/// The functions in which an interpreter calls the handlers that a program has installed in its language.
const INTERPRETERS: &[&str] = &[
    "_PyErr_CheckSignalsTstate",
    "PyErr_CheckSignals",
    "rb_signal_exec",
    "Perl_despatch_signals",
    "run_pending_traps",
    "pcntl_signal_dispatch",
    "caml_process_pending_signals",
];

/// Where glibc's restorer lies in libc or libpthread of common distributions, without a symbol.
const RESTORERS: &[u64] = &[
    0x42520, 0x45330, 0x3e6f0, 0x3f040, 0x3ebf0, 0x43170, 0x3ef70, 0x36400, 0x4df30, 0x54d90, 0x3e730, 0x38d50,
    0x3bf90, 0x3c050, 0x43090, 0x54db0, 0x3ef60, 0x3ef20, 0x3ef10, 0x43060, 0x46210, 0x38d60, 0x3dd80, 0x3bd60,
    0x42990, 0x4bf50, 0x35f50, 0x354b0, 0x36280, 0x33060, 0x37840, 0x3e3f0, 0x4a3a0, 0x40790, 0xf890, 0xf8d0, 0x12730,
    0x12890, 0x12980, 0x12b20, 0x12cf0, 0x13140, 0x14420, 0x14140, 0x153c0, 0x113e0, 0x11390, 0x10330, 0xf5d0, 0xf630,
    0xf130, 0xf6d0, 0x128a0, 0x12dd0, 0x12c20,
];

/// A frame without a name that must be a signal frame.
fn is_unnamed_restorer(trace: &Trace, at: usize) -> bool {
    let (frame, inner) = (&trace.frames[at], &trace.frames[at - 1]);
    if !frame.is_unknown() {
        return false;
    }
    let empty =
        frame.function.is_empty() && frame.module.is_none() && frame.address.is_none() && frame.number.is_some();
    if empty {
        // A browser takes `<signal handler called>` for a tag. At the end of the text, the number only tells
        // that it is cut.
        return trace.frames.get(at + 1).is_some();
    }
    let rest = &trace.frames[at + 1..];
    let outermost = rest.iter().all(|frame| frames::is_root(&frame.name) || frame.is_unknown() && frame.is_in_libc());
    let offset = frame.offset.is_some_and(|offset| RESTORERS.contains(&offset));
    let library = frame.library();
    let threads = library.starts_with("libc.") || library.starts_with("libc-") || library.starts_with("libpthread");
    let reports = trace.frames[..at].iter().any(|frame| !frame.is_unknown() && handlers::reports(&frame.name));
    let handler = reports || !inner.is_unknown() && looks_like_handler(inner);
    // Such a function is entered from the program and calls nothing of it.
    let below = trace.frames.get(at + 1).is_some_and(|next| !next.is_unknown() && frames::calls_nothing(&next.name));
    threads && !inner.is_in_libc() && (offset || handler || below) && (!outermost || offset || below)
}

fn looks_like_handler(frame: &TraceFrame) -> bool {
    handlers::likeness(&frame.name, &frame.args) == Some(Likeness::Handler)
}

/// A signal frame that is not there: the range is empty, or it is a frame without a name.
fn lost(trace: &Trace) -> Option<(Range<usize>, Mark)> {
    let frames = &trace.frames;
    if frames.iter().any(python::is_python) {
        return lost_in_python(trace);
    }
    if matches!(trace.tool, Some(Tool::Go | Tool::Delve | Tool::Jstack)) {
        return None;
    }
    let rooted = frames.iter().rev().take(4).any(|frame| frames::is_root(&frame.name));
    if let Some(at) = frames.iter().rposition(|frame| handlers::runs_in_handlers_only(&frame.name)) {
        let unnamed = frames.get(at + 1).is_some_and(TraceFrame::is_unknown);
        return Some((at + 1..at + 1 + usize::from(unnamed), if unnamed { Mark::Unnamed } else { Mark::Lost }));
    }
    for (at, frame) in frames.iter().enumerate() {
        if frame.is_unknown() || is_library(frame) {
            continue;
        }
        let likeness = handlers::likeness(&frame.name, &frame.args);
        let handler = likeness == Some(Likeness::Handler);
        let gap = trace.gaps.contains(&at);
        match frames.get(at + 1) {
            None if handler && !rooted && at > 0 => return Some((at + 1..at + 1, Mark::Lost)),
            _ if gap && handler && at > 0 => return Some((at + 1..at + 1, Mark::Lost)),
            None => {}
            Some(_) if gap => {}
            Some(next) if next.is_unknown() => {
                // A chain of frames without names up to the root says nothing.
                let named_below =
                    frames[at + 2..].iter().any(|frame| !frame.is_unknown() && !frames::is_root(&frame.name));
                // Such a function was entered from the program and calls nothing of it.
                let leaf = next.module.is_none()
                    && frames
                        .get(at + 2)
                        .is_some_and(|below| !below.is_unknown() && frames::calls_nothing(&below.name));
                if handler && (named_below || !rooted) || leaf {
                    return Some((at + 1..at + 2, Mark::Unnamed));
                }
            }
            Some(next) => {
                let leaf = frames::calls_nothing(&next.name);
                // Debug symbols show helpers that are inlined into libc's functions: only another module is the program's.
                let apart = next.is_in_libc() && !next.library().is_empty() && !frame.is_in_libc();
                let surely = |(_, holding)| holding == locks::Holding::Surely;
                let inside = leaf && apart && locks::of(&next.name).is_some_and(surely);
                let known = leaf
                    || locks::of(&next.name).is_some_and(|(lock, _)| never_calls_back(lock))
                    || faults::of(&next.name).is_some();
                let reports = handlers::reports(&frame.name) && !frames::is_root(&next.name);
                if inside
                    || ((handler || likeness.is_some() && leaf) && known)
                    || (reports && (leaf || faults::of(&next.name) == Some(faults::End::Raise)))
                {
                    return Some((at + 1..at + 1, Mark::Lost));
                }
            }
        }
    }
    None
}

fn never_calls_back(lock: locks::Lock) -> bool {
    use locks::Lock;
    matches!(lock, Lock::Heap | Lock::Stdio | Lock::TimeZone | Lock::Syslog | Lock::Environment | Lock::Random)
}

/// Whether the function is known to belong to a library.
pub fn is_library(frame: &TraceFrame) -> bool {
    let name = &frame.name;
    frame.is_in_libc()
        || name.path.starts_with("__")
        || waits::of(name).is_some()
        || locks::of(name).is_some()
        || faults::of(name).is_some()
        || safety::is_safe(name)
        || frames::calls_nothing(name)
}

/// Python calls a handler between two instructions, as if the interrupted function called it.
fn lost_in_python(trace: &Trace) -> Option<(Range<usize>, Mark)> {
    let frames = &trace.frames;
    for (at, frame) in frames.iter().enumerate() {
        let Some(next) = frames.get(at + 1) else { break };
        if !python::is_python(frame) || python::is_standard(frame) {
            continue;
        }
        let likeness = handlers::likeness(&frame.name, "");
        let words = handlers::words(&frame.name.path);
        let word = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
        let hints = likeness.is_some()
            || word(&[
                "handler",
                "shutdown",
                "terminate",
                "interrupt",
                "exit",
                "stop",
                "cleanup",
                "quit",
                "graceful",
                "gracefully",
            ]);
        let loops = matches!(
            next.name.path.as_str(),
            "_run" | "_run_once" | "run" | "run_forever" | "__call__" | "emit" | "handle"
        );
        if (python::waits(next).is_some() && hints)
            || (likeness == Some(Likeness::Handler)
                && !loops
                && word(&[
                    "sig", "signal", "handler", "sigterm", "sigint", "sigchld", "sigalrm", "sighup", "sigusr1",
                    "sigusr2",
                ]))
        {
            return Some((at + 1..at + 1, Mark::Lost));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stacks::parse::parse;
    use rstest::rstest;

    #[rstest]
    #[case::shown("#0 0x1 in f ()\n#1 <signal handler called>\n#2 0x2 in g ()\n", &[Mark::Shown])]
    #[case::two("#0 0x1 in f ()\n#1 <signal handler called>\n#2 0x2 in g ()\n#3 <signal handler called>\n#4 0x1 in main ()\n", &[Mark::Shown, Mark::Shown])]
    #[case::a_browser_took_it("#0 0x1 in f ()\n#1\n#2 0x2 in g ()\n", &[Mark::Unnamed])]
    #[case::without_symbol("#0 0x1 in on_sigchld (sig=17) from /a/b\n#1 0x2 in ?? () from /lib/libpthread.so.0\n#2 0x2 in g ()\n#3 0x2 in h ()\n#4 0x2 in main ()\n", &[Mark::Unnamed])]
    #[case::lost("#0 0x1 in sig_handler (sig=1)\n#1 0x2 in _int_free ()\n#2 0x2 in main ()\n", &[Mark::Lost])]
    #[case::called_by_the_program("#0 0x1 in sig_handler (sig=1)\n#1 0x2 in loop ()\n#2 0x2 in main ()\n", &[])]
    #[case::none("#0 0x1 in poll ()\n#1 0x2 in loop ()\n#2 0x2 in main ()\n", &[])]
    #[case::killpg_is_called("#0 0x1 in kill ()\n#1 0x2 in killpg ()\n#2 0x2 in main ()\n", &[])]
    fn signal_frames_are_found(#[case] text: &str, #[case] marks: &[Mark]) {
        let dump = parse(text.as_bytes());
        let found: Vec<Mark> = layers(&dump.traces[0]).iter().map(|layer| layer.mark).collect();
        assert_eq!(found, marks);
    }
}
