//! The threads of a process, their stacks and what they wait for.
//!
//! Object files are read before the threads are stopped. While they are stopped, only registers are read, and
//! the memory that the stacks and the locks are in is copied; the stacks are walked afterwards.

use super::arch::{self, Registers};
use super::images::Images;
use super::memory::Memory;
use super::signal::Signal;
use super::stop::Stopped;
use super::{unwind, waits};
use crate::diagnose::{DiagnoseError, Method, ThreadReport};
use crate::hang::procfs::{self, Mapping, Syscall, parse_syscall, thread_ids, thread_stat};
use crate::hang::sleep::{self, Sleep};
use std::fs;
use std::time::{Duration, Instant};

/// How much of each stack is copied while the thread is stopped. What lies above is read as it is later.
const STACK_BYTES: u64 = 64 << 10;
/// What a function may use below its stack pointer.
const RED_ZONE: u64 = 128;
/// How much is copied around a lock.
const LOCK_BYTES: u64 = 64;

/// One thread while it is being looked at.
#[derive(Debug)]
pub(crate) struct Subject {
    pub report: ThreadReport,
    /// Its id as its own process knows it: another one in another PID namespace.
    pub inner: u32,
    /// The system call it was blocked in before it was stopped, or else is stopped in.
    pub syscall: Option<Syscall>,
    /// Stack pointer and general registers, where known.
    pub registers: Option<Registers>,
    /// The registers that the innermost active signal handler interrupted.
    pub interrupted: Option<Registers>,
    /// The signals that it blocks.
    pub blocked: u64,
    /// The signals of its active handlers, the innermost first.
    pub signals: Vec<Signal>,
}

/// A process as it was at one instant.
pub(crate) struct Seen {
    pub subjects: Vec<Subject>,
    pub memory: Memory,
    pub images: Images,
    pub method: Method,
    /// What could not be found out.
    pub remarks: Vec<String>,
    /// From before the first thread was stopped until after the last was let go.
    pub stopped: Duration,
}

/// Looks at process `pid`. Threads in `spared` are not stopped: their stacks are walked from what `/proc`
/// says.
///
/// # Errors
/// The process is gone.
pub(crate) fn see(pid: u32, spared: &[u32]) -> Result<Seen, DiagnoseError> {
    let mut remarks = Vec::new();
    let mut subjects = introduce(pid)?;
    // Memory is reached through a thread that lives: the leader may have ended.
    let living = subjects.first().map_or(pid, |subject| subject.report.tid);
    let maps = procfs::maps(living);
    let images = Images::new(living, &maps, &mut Memory::new(living));
    let mut memory = Memory::new(living);
    let begun = Instant::now();
    let method = {
        let stopped = Stopped::all_but(pid, spared);
        let method = fill_registers(pid, &mut subjects, &stopped, spared, &mut remarks);
        for subject in &subjects {
            keep(subject, &maps, &mut memory);
        }
        method
    };
    let stopped = begun.elapsed();
    let mut seen = Seen { subjects, memory, images, method, remarks, stopped };
    seen.walk(&maps);
    Ok(seen)
}

/// Copies the stack of a thread, and the lock that it waits for.
fn keep(subject: &Subject, maps: &[Mapping], memory: &mut Memory) {
    let Some(registers) = &subject.registers else { return };
    let start = registers.sp.saturating_sub(RED_ZONE);
    let stack = maps.iter().find(|map| (map.start..map.end).contains(&registers.sp));
    let end = stack.map_or(start, |map| map.end).min(start.saturating_add(STACK_BYTES));
    if start < end {
        memory.keep(start..end);
    }
    if let Some(Sleep::Futex { address } | Sleep::SharedFutex { address }) = subject.syscall.and_then(sleep::untimed) {
        memory.keep(address.saturating_sub(LOCK_BYTES)..address.saturating_add(LOCK_BYTES));
    }
}

impl Seen {
    /// Walks the stacks, and finds out what each thread waits for.
    pub(crate) fn walk(&mut self, maps: &[Mapping]) {
        let Self { subjects, memory, images, remarks, .. } = self;
        let mut caches = unwind::Caches::default();
        for subject in &mut *subjects {
            if let Some(registers) = &subject.registers {
                let stack = unwind::unwind(registers, images, &mut caches, memory);
                subject.report.frames = stack.frames;
                subject.report.cut_short = stack.cut_short;
                subject.interrupted = stack.interrupted;
                subject.signals = stack.signals;
            }
        }
        waits::find(subjects, memory, images, maps);
        remarks.extend(nameless(subjects, images));
    }
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
        let inner = inner(pid, tid).unwrap_or(tid);
        let syscall = syscall(pid, tid);
        let blocked = procfs::thread_status(pid, tid).map_or(0, |status| status.blocked);
        let signals = Vec::new();
        subjects.push(Subject { report, inner, syscall, registers: None, interrupted: None, blocked, signals });
    }
    if subjects.is_empty() { Err(DiagnoseError::Gone(pid)) } else { Ok(subjects) }
}

/// The thread's id in its own PID namespace, the innermost one.
fn inner(pid: u32, tid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/task/{tid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("NSpid:"))?.split_whitespace().last()?.parse().ok()
}

fn syscall(pid: u32, tid: u32) -> Option<Syscall> {
    parse_syscall(&fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?)
}

/// Registers by ptrace, else stack pointer and program counter from `/proc`.
fn fill_registers(
    pid: u32,
    subjects: &mut [Subject],
    stopped: &Stopped,
    spared: &[u32],
    remarks: &mut Vec<String>,
) -> Method {
    let mut method = Method::Ptrace;
    for subject in subjects {
        let tid = subject.report.tid;
        if stopped.stopped.contains(&tid) {
            // A thread that was on its way back into its wait when it was first looked at shows that wait
            // now.
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
        if !spared.contains(&tid) {
            method = Method::Procfs;
        }
        if let Some(Syscall::In { sp, pc, .. } | Syscall::Outside { sp, pc }) = subject.syscall {
            subject.registers = Some(Registers { pc, sp, ..Registers::default() });
        }
    }
    method
}
