//! Whether a thread that runs goes round in a circle, so that it will never do anything else.
//!
//! If all other threads sleep for good, what a thread does next depends on its registers and on the memory of
//! the process alone. If both are what they were some instructions ago, it repeats these instructions for
//! ever. What other processes may write (shared memory), and clocks that a program reads without a system
//! call, end up in the registers or in that memory as well.

use super::ender::Ender;
use super::view::{Seen, View};
use super::wait::Wait;
use super::{bare, stuck};
use crate::diagnose::linux::memory::PAGE;
use crate::diagnose::linux::step::Stepped;
use crate::diagnose::linux::stop::Stopped;
use crate::diagnose::linux::{seen, verdict};
use crate::diagnose::{Diagnosis, Frame, ThreadReport};
use crate::explain::{Answer, Verdict};
use crate::hang::{Stuck, procfs};
use nix::sys::ptrace;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use std::hash::{DefaultHasher, Hasher};
use std::io::IoSliceMut;
use std::time::Instant;

/// A circle of more instructions is not looked for.
const CIRCLE: usize = 256;
/// More memory is not compared.
const MEMORY: u64 = 64 << 20;

/// The answer for a process one thread of which runs while all others sleep for good, if it goes round in a
/// circle or runs in a signal handler; `None` for a thread that just runs.
pub(super) fn look(view: &View) -> Option<Answer> {
    let runs = |thread: &&Seen| thread.wait == Wait::Runs;
    let mut runners = view.living().filter(runs);
    let runner = runners.next()?.looked.tid;
    let others_sleep = view.living().all(|thread| thread.looked.tid == runner || thread.ender == Ender::Inside);
    if runners.next().is_some() || !others_sleep {
        return None;
    }
    let begun = Instant::now();
    let trapped = view.target.ignored >> (libc::SIGTRAP - 1) & 1 == 1;
    let circle = if trapped { None } else { circle(view.pid(), runner) };
    let spared: Vec<u32> = view.threads.iter().map(|thread| thread.looked.tid).filter(|tid| *tid != runner).collect();
    let seen = seen::see(view.pid(), &spared).ok()?;
    let reports: Vec<ThreadReport> = seen.subjects.iter().map(|subject| subject.report.clone()).collect();
    let report = reports.iter().find(|report| report.tid == runner)?;
    let in_handler = report.handler_depth() > 0;
    if circle.is_none() && !in_handler {
        return None;
    }
    let reached = verdict::reach(&reports, Stuck::Spinning { tid: runner });
    let handled = stuck::handled(view);
    let (verdict, proof, doubt) = match circle {
        Some(steps) if handled == 0 || in_handler => {
            let proof = format!(
                "after {steps} instructions its registers, and the memory of the process, are what they were: it repeats them for ever"
            );
            (Verdict::Stuck, Some(proof), None)
        }
        Some(_) => (Verdict::NotEnough, None, Some(stuck::waits_for_handler(handled))),
        None => {
            let doubt = format!("it is not proven that thread {runner} goes round in a circle: it may just be busy");
            (Verdict::NotEnough, None, Some(doubt))
        }
    };
    let mut answer = bare(view, verdict);
    answer.proof.extend(proof);
    answer.limits.extend(doubt);
    // Only a circle is a spin.
    let sentence = match circle {
        Some(_) => reached.sentence,
        None => {
            let place = |frames: &[Frame]| {
                let ours = frames.iter().find(|frame| frame.is_ours()).or(frames.first());
                ours.map_or_else(|| "an unknown place".to_owned(), |frame| frame.place())
            };
            let (inside, below) = (place(report.handler()), place(report.interrupted()));
            format!(
                "thread {runner} runs in a signal handler, in {inside}, which interrupted {below}; all others sleep"
            )
        }
    };
    answer.sentence.clone_from(&sentence);
    let diagnosis = Diagnosis {
        kind: reached.kind,
        sentence,
        threads: stuck::sorted(reports.clone(), &[runner]),
        method: seen.method,
        remarks: seen.remarks.clone(),
        micros: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
    };
    stuck::fill(&mut answer, diagnosis, &seen, &[runner]);
    Some(answer)
}

/// After how many instructions a thread is in the state that it was in.
fn circle(pid: u32, tid: u32) -> Option<usize> {
    let stopped = Stopped::only(pid, &[tid]);
    if !stopped.stopped.contains(&tid) {
        return None;
    }
    let stepped = Stepped::of(tid)?;
    // The first step leaves behind what the stop itself has put into the registers.
    if !stepped.step() {
        return None;
    }
    let before = registers(tid)?;
    let memory = memory(pid)?;
    let steps = (1..=CIRCLE).find(|_| !stepped.step() || registers(tid).as_ref() == Some(&before))?;
    (registers(tid)? == before && self::memory(pid)? == memory).then_some(steps)
}

/// The general registers, as bytes.
fn registers(tid: u32) -> Option<Vec<u8>> {
    let regs = ptrace::getregs(Pid::from_raw(tid as i32)).ok()?;
    // SAFETY: a structure of integers without padding, and a live local.
    let bytes = unsafe { std::slice::from_raw_parts((&raw const regs).cast::<u8>(), size_of_val(&regs)) };
    Some(bytes.to_vec())
}

/// A fingerprint of everything that the process can write to; `None` if that is too much to look at.
fn memory(pid: u32) -> Option<u64> {
    let maps: Vec<_> = procfs::maps(pid).into_iter().filter(|map| map.writable).collect();
    // Memory that was never touched is not read: what counts is what is there.
    let resident = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let resident: u64 = resident.split_whitespace().nth(1)?.parse().ok()?;
    if resident * PAGE > MEMORY {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    let mut budget = 4 * MEMORY;
    let mut bytes = vec![0; 1 << 20];
    for map in maps {
        let mut at = map.start;
        while at < map.end {
            let length = (map.end - at).min(bytes.len() as u64);
            budget = budget.checked_sub(length)?;
            let remote = RemoteIoVec { base: usize::try_from(at).ok()?, len: length as usize };
            let into = &mut bytes[..length as usize];
            let read = process_vm_readv(Pid::from_raw(pid as i32), &mut [IoSliceMut::new(into)], &[remote]);
            hasher.write(&bytes[..read.unwrap_or_default()]);
            at += length;
        }
    }
    Some(hasher.finish())
}
