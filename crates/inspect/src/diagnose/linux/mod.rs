//! The diagnosis on Linux.
//!
//! | file | holds |
//! |---|---|
//! | `stop` | holding the threads still |
//! | `counters` | where running threads are |
//! | `memory` | the child's memory |
//! | `arch` | registers and signal frames |
//! | `c_library` | locks of glibc and of musl |
//! | `elf`, `lines` | object files and what they say of an address |
//! | `images` | which object file is where in the child |
//! | `cfi` | which unwinding table covers an address |
//! | `symbols` | which code is where in this process |
//! | `unwind` | stacks |
//! | `guess` | the next frame of code without an unwinding table |
//! | `waits` | what a thread waits for, and whose it is |
//! | `verdict` | the kind of hang and the sentence |

mod arch;
mod c_library;
mod cfi;
mod counters;
mod elf;
mod guess;
mod images;
mod lines;
mod memory;
mod stop;
mod symbols;
mod unwind;
mod verdict;
mod waits;

use super::{DiagnoseError, Diagnosis, Method, ThreadReport};
use crate::hang::Stuck;
use crate::hang::procfs::{self, Syscall, parse_syscall, thread_ids, thread_stat};
use arch::Registers;
pub use counters::counters;
use images::Images;
use memory::Memory;
use std::fs;
use std::thread;
use std::time::Instant;
use stop::Stopped;
pub use symbols::Symbols;

/// One thread while it is being looked at.
struct Subject {
    report: ThreadReport,
    /// The system call it was blocked in before it was stopped, or else is stopped in.
    syscall: Option<Syscall>,
    /// Stack pointer and general registers, where known.
    registers: Option<Registers>,
    /// The registers that the innermost active signal handler interrupted.
    interrupted: Option<Registers>,
}

/// Says why process `pid`, which [`Watch`](crate::hang::Watch) found to be `stuck`, is.
///
/// `pid` must be the caller's own unreaped child, or its id may name another process by now. The child is left as it was: stuck, not stopped. Takes
/// 10 ms or so, several times that for the first child of an executable; never hangs, whatever the child does. The tracer is a thread of its
/// own: a caller that meanwhile collects the state changes of *any* child on another thread may take a stop away from it.
///
/// # Errors
/// [`DiagnoseError::Gone`] if the child has ended, [`DiagnoseError::Refused`] if the kernel shows nothing of it.
pub fn diagnose(pid: u32, stuck: Stuck) -> Result<Diagnosis, DiagnoseError> {
    let refused = |reason: String| DiagnoseError::Refused { pid, reason };
    // The tracer has to end with the diagnosis: see `stop`.
    thread::scope(|scope| {
        let tracer = thread::Builder::new().name("diagnose".to_owned());
        let tracer = tracer.spawn_scoped(scope, || examine(pid, stuck));
        let tracer = tracer.map_err(|error| refused(format!("no thread to trace it from: {error}")))?;
        tracer.join().unwrap_or_else(|_| Err(refused("the diagnosis panicked".to_owned())))
    })
}

fn examine(pid: u32, stuck: Stuck) -> Result<Diagnosis, DiagnoseError> {
    let begun = Instant::now();
    let mut remarks = Vec::new();
    let mut subjects = introduce(pid)?;
    // Memory is reached through a thread that lives: the leader may have ended.
    let living = subjects.first().map_or(pid, |subject| subject.report.tid);
    let maps = procfs::maps(living);
    let mut memory = Memory::new(living);
    let method = {
        let stopped = Stopped::all(pid);
        let method = fill_registers(pid, &mut subjects, &stopped, &mut remarks);
        // Everything that is read from the child is read while it is held still.
        let images = Images::new(living, &maps, &mut memory);
        let mut caches = unwind::Caches::default();
        for subject in &mut subjects {
            if let Some(registers) = &subject.registers {
                let stack = unwind::unwind(registers, &images, &mut caches, &mut memory);
                subject.report.frames = stack.frames;
                subject.report.cut_short = stack.cut_short;
                subject.interrupted = stack.interrupted;
            }
        }
        waits::find(&mut subjects, &mut memory, &images, &maps);
        remarks.extend(nameless(&subjects, &images));
        method
    };
    if subjects.iter().all(|subject| subject.registers.is_none()) {
        if thread_stat(pid, pid).is_none_or(|stat| stat.state == 'Z') {
            return Err(DiagnoseError::Gone(pid));
        }
        return Err(DiagnoseError::Refused { pid, reason: remarks.join("; ") });
    }
    let mut threads: Vec<ThreadReport> = subjects.into_iter().map(|subject| subject.report).collect();
    let verdict = verdict::reach(&threads, stuck);
    let rank = |tid: u32| verdict.about.iter().position(|other| *other == tid).unwrap_or(usize::MAX);
    threads.sort_by_key(|thread| rank(thread.tid));
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    Ok(Diagnosis { kind: verdict.kind, sentence: verdict.sentence, threads, method, remarks, micros })
}

/// Reads what a diagnosis of a child of this same executable will need: its object files, their symbols and line tables. It takes some
/// tens of milliseconds, once in a process, which the first diagnosis is then spared.
pub fn warm_up() {
    let pid = std::process::id();
    let mut memory = Memory::new(pid);
    let images = Images::new(pid, &procfs::maps(pid), &mut memory);
    images.frames(warm_up as *const () as u64, false);
}

/// What the stacks cannot say because an object file on them has exported names only, and the remedy.
fn nameless(subjects: &[Subject], images: &Images) -> Option<String> {
    let frames = subjects.iter().flat_map(|subject| &subject.report.frames);
    let mut objects: Vec<&str> = frames
        .filter(|frame| frame.symbol.is_none() && !images.has_full_names(frame.pc))
        .filter_map(|frame| frame.object.as_deref())
        .collect();
    objects.sort_unstable();
    objects.dedup();
    if objects.is_empty() {
        return None;
    }
    Some(format!(
        "{}: only exported functions have names, and waits inside are told apart by their system calls; remedy: install libc6-dbg (Debian, \
         Ubuntu) or the distribution's debug package",
        objects.join(", ")
    ))
}

/// The threads and what `/proc` says of them, before anything is stopped.
fn introduce(pid: u32) -> Result<Vec<Subject>, DiagnoseError> {
    let mut ids = Vec::new();
    thread_ids(pid, &mut ids).map_err(|_| DiagnoseError::Gone(pid))?;
    let mut subjects = Vec::new();
    for tid in ids {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/task/{tid}/{name}")).ok();
        let Some(stat) = thread_stat(pid, tid) else { continue };
        // A thread that has ended keeps its entry for a while, and has no stack.
        if matches!(stat.state, 'Z' | 'X') {
            continue;
        }
        let state = match stat.state {
            'S' => "asleep".to_owned(),
            'R' => "running".to_owned(),
            letter => format!("state {letter}"),
        };
        let report = ThreadReport {
            tid,
            name: read("comm").unwrap_or_default().trim_end().to_owned(),
            state,
            waits_for: None,
            frames: Vec::new(),
            cut_short: None,
        };
        subjects.push(Subject { report, syscall: syscall(pid, tid), registers: None, interrupted: None });
    }
    if subjects.is_empty() { Err(DiagnoseError::Gone(pid)) } else { Ok(subjects) }
}

fn syscall(pid: u32, tid: u32) -> Option<Syscall> {
    parse_syscall(&fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?)
}

/// Registers by ptrace, else stack pointer and program counter from `/proc`.
fn fill_registers(pid: u32, subjects: &mut [Subject], stopped: &Stopped, remarks: &mut Vec<String>) -> Method {
    let mut method = Method::Ptrace;
    for subject in subjects {
        let tid = subject.report.tid;
        if stopped.stopped.contains(&tid) {
            // A thread that was on its way back into its wait when it was first looked at shows that wait now.
            if !matches!(subject.syscall, Some(Syscall::In { .. })) {
                subject.syscall = syscall(pid, tid);
            }
            match arch::registers(tid) {
                Ok(registers) => {
                    subject.registers = Some(registers);
                    continue;
                }
                Err(error) => remarks.push(format!("thread {tid}: no registers: {}", error.desc())),
            }
        } else if let Some((_, reason)) = stopped.refused.iter().find(|(other, _)| *other == tid) {
            remarks.push(format!("thread {tid}: not stopped: {reason}"));
        }
        method = Method::Procfs;
        if let Some(Syscall::In { sp, pc, .. } | Syscall::Outside { sp, pc }) = subject.syscall {
            subject.registers = Some(Registers { pc, sp, ..Registers::default() });
        }
    }
    method
}
