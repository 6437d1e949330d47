//! The answer for a process that is stuck, or part of it: the stacks, the proof, and what may still be
//! doubted.

use super::ender::Ender;
use super::partial::{self, Partial};
use super::target::named;
use super::view::View;
use super::wait::Wait;
use super::{bare, inject, timers, told};
use crate::diagnose::linux::{Seen, seen, verdict};
use crate::diagnose::{Diagnosis, HangKind, Known, Resource, ResourceKind, ThreadReport};
use crate::explain::{Answer, Refused, Verdict};
use crate::hang::Stuck;
use std::time::{Duration, Instant};

/// Signals of the processor, and the C library's own: no handler of them wakes anybody.
const NOT_A_MESSAGE: &[i32] =
    &[libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS, 32, 33, 34];

/// A group of processes that no process outside can move; the first was asked for.
///
/// # Errors
/// It has ended meanwhile.
pub(super) fn group(group: &[View]) -> Result<Answer, Refused> {
    let view = &group[0];
    // Before the stop, which gives every thread the processor.
    let tids: Vec<u32> = view.living().map(|thread| thread.looked.tid).collect();
    let since = view.since(&tids);
    let (mut diagnosis, seen) = diagnose(view)?;
    let mut sentence = diagnosis.sentence.clone();
    let mut limits = Vec::new();
    let mut verdict = Verdict::Stuck;
    if group.len() > 1 {
        // The others in their own words: one of them hangs in itself, or all wait for each other in a circle.
        let own: Vec<String> =
            view.living().filter(|thread| !thread.is_inside()).map(|thread| thread.sentence()).collect();
        sentence = own.join("; ");
        for other in &group[1..] {
            let Ok((diagnosis, _)) = diagnose(other) else { continue };
            let inside = other.living().all(|thread| thread.is_inside());
            let said: Vec<String> = other.living().filter(|thread| !thread.is_inside()).map(|t| t.sentence()).collect();
            let said = if inside { diagnosis.sentence } else { said.join("; ") };
            sentence += &format!("; {}: {said}", named(other.pid()));
            if inside && let Some(doubt) = doubt(other, diagnosis.kind) {
                limits.push(doubt);
                verdict = Verdict::NotEnough;
            }
        }
        diagnosis.kind = HangKind::CrossDeadlock;
        diagnosis.sentence.clone_from(&sentence);
    } else if let Some(left) = timer_left(view, &seen) {
        let sentence = format!("its timer will send a signal that it handles, {left}; until then {sentence}");
        return Ok(Answer { sentence, ..bare(view, Verdict::NotStuck) });
    } else if let Some(doubt) = doubt(view, diagnosis.kind) {
        limits.push(doubt);
        if !is_python_deadlock(view, &diagnosis) {
            verdict = Verdict::NotEnough;
        }
    }
    let view = &group[0];
    let about: Vec<u32> = diagnosis.about().iter().map(|thread| thread.tid).collect();
    let mut answer = bare(view, verdict);
    answer.since = since;
    answer.proof = proof(group);
    answer.limits.extend(limits);
    answer.sentence = sentence;
    answer.next = group.get(1).map(View::pid);
    fill(&mut answer, diagnosis, &seen, &about);
    Ok(answer)
}

/// Some threads hang, while the process goes on: by its thread number `moves`, for one.
pub(super) fn part(view: View, partial: Partial, moves: usize) -> Answer {
    let Partial { seen, about, proven, since: partial_since } = partial;
    let reports: Vec<ThreadReport> = seen.subjects.iter().map(|subject| subject.report.clone()).collect();
    let hung: Vec<ThreadReport> = reports.iter().filter(|report| about.contains(&report.tid)).cloned().collect();
    let reached = verdict::reach(&hung, Stuck::AllAsleep);
    let others = view.living().count() - about.len();
    let goes_on = view.threads[moves].sentence();
    let sentence = match (proven, others) {
        (true, 0) => reached.sentence,
        (true, 1) => format!("{}; one other thread may go on: {goes_on}", reached.sentence),
        (true, _) => format!("{}; {others} other threads may go on: {goes_on}", reached.sentence),
        (false, _) => format!("{}; but other threads may give it: {goes_on}", reached.sentence),
    };
    let mut answer = bare(&view, if proven { Verdict::Stuck } else { Verdict::NotEnough });
    answer.since = partial_since;
    let (count, living) = (about.len(), view.living().count());
    let apart = answer.since.map_or(0, |since| (since.watched_seconds * 1e3) as u64);
    answer.proof = match hung.iter().find(|report| partial::waits_for_interpreter(report)) {
        Some(report) => vec![
            format!("{count} of {living} threads wait for each other alone"),
            format!(
                "thread {} wakes up every few milliseconds only to ask for the interpreter's lock again; the others did not \
                 run between looks that are {apart} ms apart",
                report.tid
            ),
        ],
        None => vec![format!(
            "{count} of {living} threads wait for each other alone, and did not run between looks that are {apart} ms apart"
        )],
    };
    if proven {
        answer.proof.push("what the other threads do cannot end that: only an owner gives a lock back".to_owned());
    }
    answer.sentence.clone_from(&sentence);
    let diagnosis = Diagnosis {
        kind: reached.kind,
        sentence,
        threads: sorted(reports, &about),
        method: seen.method,
        remarks: seen.remarks.clone(),
        micros: u64::try_from(seen.stopped.as_micros()).unwrap_or(u64::MAX),
    };
    fill(&mut answer, diagnosis, &seen, &about);
    answer
}

/// The stacks, and what they come down to.
fn diagnose(view: &View) -> Result<(Diagnosis, Seen), Refused> {
    let begun = Instant::now();
    let pid = view.pid();
    let mut seen = seen::see(pid, &view.fragile()).map_err(|_| Refused::Gone(pid))?;
    for subject in &mut seen.subjects {
        if let Some(resource) = waits_for(view, subject.report.tid) {
            subject.report.waits_for = Some(resource);
        }
    }
    let reports: Vec<ThreadReport> = seen.subjects.iter().map(|subject| subject.report.clone()).collect();
    let reached = verdict::reach(&reports, Stuck::AllAsleep);
    let diagnosis = Diagnosis {
        kind: reached.kind,
        sentence: reached.sentence,
        threads: sorted(reports, &reached.about),
        method: seen.method,
        remarks: seen.remarks.clone(),
        micros: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
    };
    Ok((diagnosis, seen))
}

/// What a thread waits for that is no futex and no descriptor.
fn waits_for(view: &View, tid: u32) -> Option<Resource> {
    let thread = view.threads.iter().find(|thread| thread.looked.tid == tid)?;
    let kind = match thread.wait {
        Wait::Child(_) | Wait::Vfork => ResourceKind::Child,
        Wait::FileLock(_) => ResourceKind::FileLock,
        Wait::Descriptor { .. } | Wait::Descriptors { .. } | Wait::Epoll(_) => ResourceKind::Descriptor,
        _ => return None,
    };
    let name = thread.does.split_once(" on ").map(|(_, what)| what.to_owned());
    let name = name.or_else(|| match (&thread.ender, kind) {
        (Ender::Processes(_, who), ResourceKind::Child) => Some(who.trim_start_matches("its child, ").to_owned()),
        (Ender::Inside, ResourceKind::FileLock) => {
            let file = thread.does.rsplit(" of file ").next()?;
            Some(format!("{file}, which the process itself holds by another descriptor"))
        }
        (_, ResourceKind::FileLock) => thread.does.rsplit(" of file ").next().map(str::to_owned),
        _ => None,
    });
    Some(Resource { kind, address: None, descriptor: None, name, owner: None })
}

pub(super) fn sorted(mut threads: Vec<ThreadReport>, about: &[u32]) -> Vec<ThreadReport> {
    threads.sort_by_key(|thread| about.iter().position(|tid| *tid == thread.tid).unwrap_or(usize::MAX));
    threads
}

pub(super) fn fill(answer: &mut Answer, diagnosis: Diagnosis, seen: &Seen, about: &[u32]) {
    answer.cycle = told::edges(&diagnosis.threads, about);
    answer.signals = told::signals(seen, about);
    told::rules(answer, &diagnosis.threads, about, diagnosis.kind);
    let inferred = diagnosis.threads.iter().filter(|thread| about.contains(&thread.tid)).any(|thread| {
        let owner = thread.waits_for.as_ref().and_then(|resource| resource.owner.as_ref());
        owner.is_some_and(|owner| owner.known != Known::Stored)
    });
    if inferred {
        answer
            .limits
            .push("an owner is inferred from the code that a signal interrupted: the lock stores none".to_owned());
    }
    answer.stopped_micros = u64::try_from(seen.stopped.as_micros()).ok();
    answer.diagnosis = Some(diagnosis);
}

fn proof(group: &[View]) -> Vec<String> {
    let threads: usize = group.iter().map(|view| view.living().count()).sum();
    let mut proof = vec![format!(
        "{}, in waits without a time limit: none got a processor between looks that are {:.0} ms apart",
        match threads {
            1 => "the only thread sleeps".to_owned(),
            2 => "both threads sleep at one instant".to_owned(),
            _ => format!("all {threads} threads sleep at one instant"),
        },
        group[0].watched.as_secs_f64() * 1e3
    )];
    proof.push("no signal is on its way to one of them".to_owned());
    proof.push(match group.len() {
        1 => "no other process can end one of these waits".to_owned(),
        n => format!("no process but these {n} can end one of these waits"),
    });
    proof
}

/// Why a process whose threads all sleep may still be meant to be woken: by a handler of a signal from
/// outside.
fn doubt(view: &View, kind: HangKind) -> Option<String> {
    if kind != HangKind::LostWakeup {
        return None;
    }
    // A handler is no means to give a lock back, to end a thread or to collect a child.
    let diagnosed = view.living().filter(|thread| match thread.wait {
        Wait::Futex { lock, .. } => !lock,
        _ => thread.is_inside(),
    });
    if diagnosed.count() == 0 {
        return None;
    }
    let handled = handled(view);
    (handled != 0).then(|| waits_for_handler(handled))
}

/// What is to be said of a process that may be meant to wait for one of these signals.
pub(super) fn waits_for_handler(handled: u64) -> String {
    format!(
        "it handles {}: if a handler is meant to end the wait, it waits for that signal; if none is, it is stuck",
        told::names(handled)
    )
}

/// CPython handles SIGINT, which its main thread alone takes note of: several of its threads that all wait
/// for locks of Python go on by none of the program's own doing.
fn is_python_deadlock(view: &View, diagnosis: &Diagnosis) -> bool {
    let locks = |thread: &ThreadReport| {
        thread.waits_for.as_ref().is_some_and(|resource| resource.kind == ResourceKind::PythonLock)
    };
    let waits_for_us = |thread: &ThreadReport| {
        let seen = view.threads.iter().find(|seen| seen.looked.tid == thread.tid);
        seen.is_some_and(|seen| seen.does.contains("this explanation"))
    };
    let others: Vec<_> = diagnosis.threads.iter().filter(|thread| !waits_for_us(thread)).collect();
    handled(view) == 1 << (libc::SIGINT - 1) && others.len() > 1 && others.into_iter().all(locks)
}

/// The signals that a handler would be called for, in a thread that does not block them.
pub(super) fn handled(view: &View) -> u64 {
    let messages = NOT_A_MESSAGE.iter().fold(view.target.caught, |set, number| set & !(1 << (number - 1)));
    let blocked = view.living().filter_map(|thread| thread.status).fold(u64::MAX, |all, status| all & status.blocked);
    messages & !blocked
}

/// A timer that will call a handler: what it is and how much time is left.
fn timer_left(view: &View, seen: &Seen) -> Option<String> {
    let handled = handled(view);
    let is_handled = |signal: i32| (1..=64).contains(&signal) && handled >> (signal - 1) & 1 == 1;
    let trapped = view.target.ignored >> (libc::SIGTRAP - 1) & 1 == 1;
    let calm = |thread: &&super::view::Seen| matches!(thread.wait, Wait::Futex { .. } | Wait::Signal("pause"));
    // A filter of system calls might kill the process for a call that it does not expect.
    if view.target.seccomp || trapped || seen.method != crate::diagnose::Method::Ptrace {
        return None;
    }
    let tid = view.living().find(calm)?.looked.tid;
    if is_handled(libc::SIGALRM)
        && let Some(left) = inject::real_time_left(view.pid(), tid).filter(|left| *left > Duration::ZERO)
    {
        return Some(format!("SIGALRM of setitimer or alarm in {:.1} s", left.as_secs_f64()));
    }
    timers::listed(view.pid()).into_iter().filter(|timer| !timer.of_cpu && is_handled(timer.signal)).find_map(|timer| {
        let left = inject::timer_left(view.pid(), tid, timer.id).filter(|left| *left > Duration::ZERO)?;
        Some(format!("{} of timer {} in {:.1} s", told::name(timer.signal), timer.id, left.as_secs_f64()))
    })
}
