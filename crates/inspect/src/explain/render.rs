//! The text of an explanation, from the most important to the least: the sentence, since when and why for
//! ever, the cycle, the signal, the rule, what is not known, and the stacks.

use super::answer::{Answer, SignalNote, Since, Verdict};
use crate::diagnose::{Diagnosis, Frame, ThreadReport};
use crate::rules::bugs::{self, Bug};
use std::fmt::Write;

/// How many threads of a group are named.
const NAMED: usize = 8;
/// How many threads are told in one line each, of a process that is not stuck.
const LISTED: usize = 12;

/// The text. With `verbose`, every thread has its stack.
pub fn text(answer: &Answer, verbose: bool) -> String {
    let mut text = format!("{}: {}\n", answer.verdict, answer.sentence);
    let process = &answer.process;
    let ids = if process.ids.is_empty() { String::new() } else { format!(", {:?} in its PID namespaces", process.ids) };
    let threads = if process.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", process.threads) };
    line(&mut text, "process", &format!("{} ({}), {threads}{ids}", process.pid, process.name));
    if let Some(since) = &answer.since {
        line(&mut text, "since", &since_when(since));
    }
    each(&mut text, "proof", &answer.proof);
    let edges: Vec<String> = answer.cycle.iter().map(|edge| format!("{}  [{}]", edge.says, edge.evidence)).collect();
    each(&mut text, "cycle", &edges);
    let signals: Vec<String> = answer
        .signals
        .iter()
        .map(|note| {
            let number = note.number.map_or_else(String::new, |number| format!(" ({number})"));
            let SignalNote { name, sender, tid, interrupted, done, .. } = note;
            let done = done.as_ref().map_or_else(String::new, |done| format!(": {done}"));
            format!("{name}{number}, {sender}; it interrupted thread {tid} at {interrupted}{done}")
        })
        .collect();
    each(&mut text, "signal", &signals);
    each(&mut text, "rule", &answer.rules);
    if let Some(entry) = &answer.entry {
        line(&mut text, "casebook", &bugs::of(entry).map_or_else(|| entry.clone(), Bug::describe));
    }
    if let Some(fingerprint) = &answer.fingerprint {
        line(&mut text, "print", &format!("{fingerprint}  (equal for equal hangs)"));
    }
    each(&mut text, "limits", &answer.limits);
    if answer.verdict != Verdict::Stuck || verbose {
        does(&mut text, answer, verbose);
    }
    if let Some(diagnosis) = &answer.diagnosis {
        stacks(&mut text, diagnosis, verbose);
    }
    if let Some(stopped) = answer.stopped_micros {
        let method = answer.diagnosis.as_ref().map_or_else(String::new, |d| format!("; registers by {}", d.method));
        let _ = writeln!(text, "  [stopped for {}.{} ms{method}]", stopped / 1000, stopped % 1000 / 100);
    }
    text
}

fn line(text: &mut String, key: &str, says: &str) {
    let _ = writeln!(text, "  {key:<8} {says}");
}

fn each(text: &mut String, key: &str, says: &[String]) {
    for (at, says) in says.iter().enumerate() {
        line(text, if at == 0 { key } else { "" }, says);
    }
}

fn since_when(since: &Since) -> String {
    let ago = match since.seconds {
        Some(seconds) => format!("thread {} ran last, {} ago", since.tid, time(seconds)),
        None => format!("nothing has moved for the {} that it was looked at", time(since.watched_seconds)),
    };
    format!("{ago}; {} of processor time in all", time(since.cpu_seconds))
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// What each thread does, equal ones together.
fn does(text: &mut String, answer: &Answer, verbose: bool) {
    let mut groups: Vec<(String, Vec<u32>)> = Vec::new();
    for note in &answer.threads {
        let by = note.ended_by.as_ref().filter(|by| !note.does.contains(by.as_str()) && **by != "it runs");
        let says = format!("{}{}", note.does, by.map_or_else(String::new, |by| format!(", for {by}")));
        match groups.iter_mut().find(|(known, _)| *known == says) {
            Some((_, tids)) => tids.push(note.tid),
            None => groups.push((says, vec![note.tid])),
        }
    }
    let most = if verbose { usize::MAX } else { LISTED };
    let lines: Vec<String> =
        groups.iter().take(most).map(|(says, tids)| format!("{}: {says}", several(tids))).collect();
    each(text, "threads", &lines);
    if groups.len() > most {
        line(text, "", &format!("and {} more kinds; --verbose shows them", groups.len() - most));
    }
}

/// `thread 12`, `3 threads, 12, 13, 14`.
fn several(tids: &[u32]) -> String {
    let named: Vec<String> = tids.iter().take(NAMED).map(u32::to_string).collect();
    let more = if tids.len() > NAMED { ", ..." } else { "" };
    match tids {
        [tid] => format!("thread {tid}"),
        _ => format!("{} threads, {}{more}", tids.len(), named.join(", ")),
    }
}

/// The stacks, equal ones once.
fn stacks(text: &mut String, diagnosis: &Diagnosis, verbose: bool) {
    for remark in &diagnosis.remarks {
        line(text, "note", remark);
    }
    let mut groups: Vec<(&ThreadReport, Vec<u32>)> = Vec::new();
    for thread in diagnosis.threads.iter().filter(|thread| !thread.frames.is_empty()) {
        match groups.iter_mut().find(|(known, _)| !verbose && alike(known, thread)) {
            Some((_, others)) => others.push(thread.tid),
            None => groups.push((thread, Vec::new())),
        }
    }
    for (thread, others) in groups {
        let _ = write!(text, "{thread}");
        if !others.is_empty() {
            let _ = writeln!(text, "    ... and the same stack in {}", several(&others));
        }
    }
}

/// Whether two threads are at the same places, and wait for the same kind of thing.
fn alike(one: &ThreadReport, other: &ThreadReport) -> bool {
    let place = |frame: &Frame| (frame.pc, frame.inlined, frame.signal_frame);
    let waits = |thread: &ThreadReport| thread.waits_for.as_ref().map(|resource| resource.kind);
    waits(one) == waits(other) && one.frames.iter().map(place).eq(other.frames.iter().map(place))
}
