//! The answer for a core file: why the process died, or what its threads wait for.
//!
//! Who outside could have ended a wait is not in a core file. So only what the locks themselves say is called
//! stuck.

use super::core_file::{CoreFile, CoreThread};
use super::partial::is_sure;
use super::{empty, stuck, told};
use crate::diagnose::linux::images::Images;
use crate::diagnose::linux::memory::Memory;
use crate::diagnose::linux::{Seen, Subject, verdict};
use crate::diagnose::{Diagnosis, HangKind, Method, ThreadReport};
use crate::explain::{Answer, Process, Refused, Verdict};
use crate::hang::Stuck;
use std::path::Path;
use std::time::{Duration, Instant};

/// Explains the core file at `path`.
///
/// # Errors
/// [`Refused::Core`]: it is none, or not a whole one.
pub fn explain_core(path: &Path) -> Result<Answer, Refused> {
    let begun = Instant::now();
    let file = CoreFile::read(path).map_err(Refused::Core)?;
    let mut memory = Memory::of_core(file.memory);
    let images = Images::of_core(&file.maps, &mut memory);
    let subjects = file.threads.into_iter().map(|CoreThread { tid, registers, syscall, blocked }| Subject {
        report: ThreadReport {
            tid,
            name: file.name.clone(),
            state: if syscall.is_some() { "in a system call".to_owned() } else { "running".to_owned() },
            waits_for: None,
            frames: Vec::new(),
            cut_short: None,
        },
        inner: tid,
        syscall,
        registers: Some(registers),
        interrupted: None,
        blocked,
        signals: Vec::new(),
    });
    let mut seen = Seen {
        subjects: subjects.collect(),
        memory,
        images,
        method: Method::Core,
        remarks: Vec::new(),
        stopped: Duration::ZERO,
    };
    seen.walk(&file.maps);
    let threads: Vec<ThreadReport> = seen.subjects.iter().map(|subject| subject.report.clone()).collect();
    let process =
        Process { pid: file.pid, name: file.name, command: Vec::new(), threads: threads.len(), ids: Vec::new() };
    // A signal that somebody has sent to a process that hangs, for a core file of it, is not why it hangs.
    let fault = file.info.is_some_and(|(code, _)| code > 0);
    let all_wait = threads.iter().all(|thread| thread.waits_for.is_some());
    let reached = verdict::reach(&threads, Stuck::AllAsleep);
    let proven = verdict::shortest_cycle(&threads).is_some_and(|cycle| cycle.iter().all(|thread| is_sure(thread)));
    let crashed = file.signal != 0 && (fault || threads.first().is_some_and(|thread| thread.waits_for.is_none()));
    let (verdict, sentence, kind) = match (crashed, proven) {
        (true, _) => (Verdict::NotStuck, death(file.signal, file.info, &threads[0]), HangKind::Livelock),
        (false, true) => (Verdict::Stuck, reached.sentence, reached.kind),
        (false, false) if all_wait => (Verdict::NotEnough, reached.sentence, reached.kind),
        (false, false) => {
            let running = threads.iter().find(|thread| thread.waits_for.is_none()).map_or(0, |thread| thread.tid);
            let sentence = format!("thread {running} ran, or waited with a time limit, or for something outside");
            (Verdict::NotEnough, sentence, reached.kind)
        }
    };
    let about = if crashed { vec![threads[0].tid] } else { reached.about };
    let mut answer = empty(process, verdict);
    answer.sentence.clone_from(&sentence);
    if verdict == Verdict::NotEnough {
        answer.limits.push("a core file does not show who outside could have ended the waits".to_owned());
    }
    if file.missing > 0 {
        answer.limits.push(format!("the file is cut off: {} bytes are missing at its end", file.missing));
    }
    let diagnosis = Diagnosis {
        kind,
        sentence,
        threads: stuck::sorted(threads, &about),
        method: Method::Core,
        remarks: seen.remarks.clone(),
        micros: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
    };
    stuck::fill(&mut answer, diagnosis, &seen, &about);
    answer.stopped_micros = None;
    Ok(answer)
}

/// `it died of SIGSEGV, at address 0x0, in thread 12, at f+0x3 (a.c:4)`.
fn death(signal: i32, info: Option<(i32, u64)>, thread: &ThreadReport) -> String {
    let address = match info {
        Some((code, address)) if code > 0 && matches!(signal, libc::SIGSEGV | libc::SIGBUS) => {
            format!(", at address {address:#x}")
        }
        _ => String::new(),
    };
    let frame = thread.frames.iter().find(|frame| frame.is_ours()).or(thread.frames.first());
    let place = frame.map_or_else(String::new, |frame| format!(", at {frame}"));
    let inside = if thread.handler_depth() > 0 { ", in a signal handler" } else { "" };
    format!("it died of {}{address}, in thread {}{inside}{place}", told::name(signal), thread.tid)
}
