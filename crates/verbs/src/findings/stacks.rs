//! The stacks of a finding, cut to what matters. The cut works on the finding's details, which are a
//! [`Diagnosis`] or the traceback of a Go runtime, not on its text. Of a traceback, each stack is cut to its
//! innermost frames. Of a diagnosis are cut:
//!
//! 1. Threads: those that the diagnosis is about, see [`involved`]. All others are one line.
//! 2. Frames that call the case's attempt: the harness and the start of the program or of the thread. They
//!    are cut first.
//! 3. Functions of the standard library that were inlined: iterators, atomics.
//! 4. Frames: the innermost ones of each side of a signal stay; the rest is a number.
//! 5. Paths of modules in the names of functions whose source line is printed.
//! 6. Remarks that an earlier finding of the same output has.
//!
//! The expected findings of a run of many setups have the frames of each side in one line, see
//! [`Layout::Joined`].

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt::Write;

use sigproof_inspect::diagnose::{Diagnosis, Frame, HangKind, Method, Owner, ResourceKind, ThreadReport};
use sigproof_report::Finding;
use sigproof_report::traceback::trim_to;

/// So many threads of a lost wake-up are described in its sentence.
const DESCRIBED: usize = 3;

/// The text of a finding with all frames of all threads. A Go runtime's idle threads are left out.
pub fn whole(finding: &Finding) -> String {
    traceback(finding).map_or_else(|| finding.text.clone(), |traceback| trim_to(traceback, usize::MAX))
}

fn traceback(finding: &Finding) -> Option<&str> {
    finding.details.get("traceback")?.as_str()
}

/// How the frames of a stack are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A line for each frame.
    Lines,
    /// A line for each side of a signal; names without the paths of their modules, sources without their
    /// folders, the sentence included.
    Joined,
}

/// The text of a finding with at most `side` frames on each side of a signal. A text without stacks stays
/// whole. `remarks` has those that an earlier finding printed; new ones are added.
pub fn cut(finding: &Finding, side: usize, layout: Layout, remarks: &mut BTreeSet<String>) -> String {
    if let Some(traceback) = traceback(finding) {
        return trim_to(traceback, side);
    }
    match diagnosis(finding) {
        Some(diagnosis) => finding.text.replacen(&diagnosis.to_string(), &render(&diagnosis, side, layout, remarks), 1),
        None => finding.text.clone(),
    }
}

fn diagnosis(finding: &Finding) -> Option<Diagnosis> {
    serde_json::from_value(finding.details.clone()).ok()
}

/// The sentence of a finding: functions without the paths of their modules, sources without their folders.
pub fn sentence(finding: &Finding) -> String {
    diagnosis(finding).map_or_else(|| finding.sentence.clone(), |diagnosis| short_sentence(&diagnosis))
}

fn short_sentence(diagnosis: &Diagnosis) -> String {
    let frames = || diagnosis.threads.iter().flat_map(|thread| &thread.frames);
    let names = frames().filter_map(|frame| frame.symbol.as_deref()).filter(|name| name.contains("::"));
    let files = frames().filter_map(|frame| frame.file.as_deref());
    let mut all: Vec<_> = names.map(|name| (name, without_modules(name))).collect();
    all.extend(files.map(|file| (file, without_folders(file).to_owned())));
    // A name may be the beginning of another one.
    all.sort_unstable_by_key(|(name, _)| Reverse(name.len()));
    all.into_iter().fold(diagnosis.sentence.clone(), |text, (name, short)| text.replace(name, &short))
}

fn without_folders(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn render(diagnosis: &Diagnosis, side: usize, layout: Layout, remarks: &mut BTreeSet<String>) -> String {
    let mut text = match layout {
        Layout::Lines => format!("{}: {}\n", diagnosis.kind, diagnosis.sentence),
        Layout::Joined => format!("{}: {}\n", diagnosis.kind, short_sentence(diagnosis)),
    };
    for remark in &diagnosis.remarks {
        if remarks.insert(remark.clone()) {
            let _ = writeln!(text, "  ({remark})");
        }
    }
    let shown = involved(diagnosis);
    for thread in &shown {
        stack(&mut text, thread, side, layout);
    }
    let others: Vec<_> =
        diagnosis.threads.iter().filter(|thread| shown.iter().all(|shown| shown.tid != thread.tid)).collect();
    bystanders(&mut text, &others);
    if diagnosis.method != Method::Ptrace {
        let _ = writeln!(text, "  [registers by {}]", diagnosis.method);
    }
    text.truncate(text.trim_end().len());
    text
}

/// The threads that a diagnosis is about. The first one is always of them. Of a lost wake-up: those that wait
/// for no other thread, as many as the sentence describes. Of anything else: those that the first one waits
/// for, one through the other.
fn involved(diagnosis: &Diagnosis) -> Vec<&ThreadReport> {
    let threads = &diagnosis.threads;
    if diagnosis.kind == HangKind::LostWakeup {
        let joins = |thread: &ThreadReport| {
            thread.waits_for.as_ref().is_some_and(|resource| resource.kind == ResourceKind::ThreadExit)
        };
        let subjects = threads.iter().filter(|thread| owner(thread).is_none() && !joins(thread)).take(DESCRIBED);
        let subjects: Vec<_> = subjects.collect();
        return if subjects.is_empty() { threads.iter().take(1).collect() } else { subjects };
    }
    diagnosis.about()
}

/// The owner of what a thread waits for.
fn owner(thread: &ThreadReport) -> Option<&Owner> {
    thread.waits_for.as_ref()?.owner.as_ref()
}

/// The threads that the diagnosis is not about, in one line.
fn bystanders(text: &mut String, others: &[&ThreadReport]) {
    let asleep = others.iter().filter(|thread| thread.state == "asleep").count();
    let what = match (others.len(), asleep) {
        (0, _) => return,
        (1, 1) => "1 more thread sleeps".to_owned(),
        (1, _) => "1 more thread does not sleep".to_owned(),
        (all, asleep) if all == asleep => format!("{all} more threads sleep"),
        (all, asleep) => format!("{all} more threads, {asleep} of them asleep"),
    };
    let it = if others.len() == 1 { "it" } else { "them" };
    let _ = writeln!(text, "  {what}; --verbose shows {it}");
}

fn stack(text: &mut String, thread: &ThreadReport, side: usize, layout: Layout) {
    let _ = write!(text, "  thread {} \"{}\", {}", thread.tid, thread.name, thread.state);
    if let Some(resource) = &thread.waits_for {
        let _ = write!(text, ", waits for {resource}");
    }
    let _ = writeln!(text);
    let sides: Vec<_> = thread.frames.split(|frame| frame.signal_frame).collect();
    let mut number = 0;
    for (at, frames) in sides.iter().enumerate() {
        if at > 0 {
            number += 1;
        }
        let is_last = at + 1 == sides.len();
        let kept = if is_last { frames.len() - callers(frames) } else { frames.len() };
        let numbered = frames.iter().zip(number..).take(kept);
        let printed: Vec<_> = numbered.filter(|(frame, _)| !is_noise(frame)).take(side).collect();
        let omitted = match frames.len() - printed.len() {
            0 => None,
            1 => Some("1 more frame".to_owned()),
            more => Some(format!("{more} more frames")),
        };
        match layout {
            Layout::Lines => {
                if at > 0 {
                    text.push_str("      -- signal handler called; interrupted: --\n");
                }
                for (frame, number) in printed {
                    let _ = writeln!(text, "    #{number:<2} {}", short(frame));
                }
                if let Some(omitted) = omitted {
                    let _ = writeln!(text, "    ... {omitted}");
                }
            }
            Layout::Joined if frames.is_empty() => {}
            Layout::Joined => {
                let label = match (at, is_last) {
                    (0, true) => "stack",
                    (0, false) => "in the handler",
                    _ => "interrupted",
                };
                let frames: Vec<_> = printed.into_iter().map(|(frame, _)| brief(frame)).chain(omitted).collect();
                let _ = writeln!(text, "    {label}: {}", frames.join(" <- "));
            }
        }
        number += frames.len();
    }
    if let Some(reason) = &thread.cut_short {
        let _ = writeln!(text, "    ... cut short: {reason}");
    }
}

/// The frame in a row of frames: `Mutex::lock (pthread.rs:68)`, or `read+0x4c` if its source is not known.
fn brief(frame: &Frame) -> String {
    let guessed = if frame.guessed { " (guessed)" } else { "" };
    match (&frame.symbol, frame.source()) {
        (Some(symbol), Some(source)) => {
            format!("{} ({}){guessed}", without_modules(symbol), without_folders(&source))
        }
        _ => frame.place() + guessed,
    }
}

/// How many of the outermost frames are not the case's: those that called its attempt, or else what started
/// the thread.
fn callers(frames: &[Frame]) -> usize {
    let is_attempt = |frame: &Frame| frame.symbol.as_ref().is_some_and(|name| name.ends_with("::case::Case>::attempt"));
    let outermost = frames.iter().position(is_attempt).or_else(|| frames.iter().rposition(Frame::is_ours));
    outermost.map_or(0, |outermost| frames.len() - outermost - 1)
}

/// Whether a frame is a function of the standard library that was inlined.
fn is_noise(frame: &Frame) -> bool {
    frame.inlined && frame.file.as_ref().is_some_and(|file| file.starts_with("library/"))
}

/// The frame, its function named without modules if the source line tells where it is.
fn short(frame: &Frame) -> Frame {
    let symbol = frame.symbol.as_ref().map(|name| match frame.file {
        Some(_) => without_modules(name),
        None => name.clone(),
    });
    Frame { symbol, ..frame.clone() }
}

/// `PthreadSemaphore::wakeup` of `<a::b::PthreadSemaphore as c::Semaphore>::wakeup`, `CpuProf::add` of
/// `a::b::CpuProf::add`.
fn without_modules(name: &str) -> String {
    let (of, rest) = match name.strip_prefix('<').and_then(|name| name.split_once('>')) {
        Some((of, rest)) => (of.split(" as ").next().unwrap_or(of), rest),
        None => ("", name),
    };
    // Generic arguments may have paths of their own.
    if [of, rest].iter().any(|part| part.contains(['<', '>'])) {
        return name.to_owned();
    }
    if !of.is_empty() {
        return format!("{}{rest}", of.rsplit("::").next().unwrap_or(of));
    }
    let parts: Vec<_> = rest.split("::").collect();
    let closures = parts.iter().rev().take_while(|part| part.starts_with('{')).count();
    parts[parts.len().saturating_sub(closures + 2)..].join("::")
}

#[cfg(test)]
mod tests;
