//! Edges of a cycle, and signals, in words.

use super::target::named;
use crate::diagnose::linux::seen::Seen;
use crate::diagnose::linux::signal::Signal;
use crate::diagnose::{HangKind, Known, ThreadReport};
use crate::explain::{Answer, Edge, Evidence, SignalNote, Verdict};
use crate::stacks::Told;

/// What each of the threads waits for, and whose that is.
pub(super) fn edges(threads: &[ThreadReport], about: &[u32]) -> Vec<Edge> {
    let mut edges = Vec::new();
    for thread in threads.iter().filter(|thread| about.contains(&thread.tid)) {
        let Some(resource) = &thread.waits_for else { continue };
        let inside = if thread.handler_depth() > 0 { ", in a signal handler" } else { "" };
        let at = resource.address.map(|address| format!(" at {address:#x}")).unwrap_or_default();
        let at = if resource.label().contains("0x") { String::new() } else { at };
        let says = format!("thread {} waits for {}{at}{inside}", thread.tid, resource.label());
        edges.push(Edge { says, evidence: Evidence::Kernel });
        let Some(owner) = &resource.owner else {
            let says = format!("who holds {} is not known", resource.label());
            if resource.kind.is_held() {
                edges.push(Edge { says, evidence: Evidence::Inferred });
            }
            continue;
        };
        let who = match threads.iter().find(|other| other.tid == owner.tid) {
            Some(_) if owner.tid == thread.tid => format!("thread {}, itself,", owner.tid),
            Some(_) => format!("thread {}", owner.tid),
            None => format!("thread {}, which has ended,", owner.tid),
        };
        let evidence = match owner.known {
            Known::Stored => Evidence::StoredInTheLock,
            Known::InterruptedRegister => Evidence::InARegister,
            Known::InterruptedStack => Evidence::OnTheStack,
            _ => Evidence::Inferred,
        };
        edges.push(Edge { says: format!("{who} has it"), evidence });
    }
    edges
}

/// The signals whose handlers are active in these threads.
pub(super) fn signals(seen: &Seen, about: &[u32]) -> Vec<SignalNote> {
    let mut notes = Vec::new();
    for subject in seen.subjects.iter().filter(|subject| about.contains(&subject.report.tid)) {
        // What each handler has blocked is what was blocked before the handler that interrupted it.
        let mut blocked = subject.blocked;
        // The handler that waits is the innermost one, and interrupted the code above the next signal frame.
        let mut done = done(&subject.report);
        for signal in &subject.signals {
            let (number, is_told) = signal.number(blocked);
            blocked = signal.blocked_before;
            let place = seen.images.place(signal.interrupted);
            let source = place.source().map(|source| format!(" ({source})")).unwrap_or_default();
            let unknown = "sender not known: its handler was installed without SA_SIGINFO";
            notes.push(SignalNote {
                tid: subject.report.tid,
                number,
                name: number.map_or_else(|| "a signal that the frame does not name".to_owned(), name),
                sender: if is_told { sender(*signal, subject.inner) } else { unknown.to_owned() },
                interrupted: format!("{}{source}", place.name()),
                done: done.take(),
            });
        }
    }
    notes
}

/// What the code that the innermost signal interrupted had done to the lock that the handler waits for, if
/// that code is its owner: how far it was in taking the lock or in giving it back.
fn done(thread: &ThreadReport) -> Option<String> {
    let resource = thread.waits_for.as_ref()?;
    let owner = resource.owner.as_ref().filter(|owner| owner.tid == thread.tid)?;
    let stored = owner.known == Known::Stored;
    let interrupted = thread.interrupted();
    let library = interrupted.iter().take_while(|frame| !frame.signal_frame && !frame.is_ours());
    let names = || library.clone().filter_map(|frame| frame.symbol.as_deref());
    let gives_back = names().any(|name| name.contains("unlock"));
    let takes = !gives_back && names().any(|name| name.contains("mutex_lock") || name.contains("lll_lock"));
    let says = match (takes, gives_back, stored) {
        (true, _, true) => "it had taken the lock, and stored its owner",
        (true, _, false) => "it had taken the lock, and not yet stored an owner",
        (_, true, true) => "it had not yet given the lock back",
        (_, true, false) => "it had cleared the owner, and not yet given the lock back",
        (false, false, true) => "it had taken the lock before, and not given it back",
        (false, false, false) => return None,
    };
    Some(says.to_owned())
}

/// The rule that a handler breaks, the casebook's entry and the fingerprint: by the rules that explain a
/// stack that somebody has pasted, applied to these stacks.
pub(super) fn rules(answer: &mut Answer, threads: &[ThreadReport], about: &[u32], kind: HangKind) {
    let threads: Vec<_> = threads.iter().filter(|thread| about.contains(&thread.tid)).collect();
    let told = Told::of_threads(&threads, kind);
    answer.rules.extend(told.rule);
    answer.entry = told.casebook.map(|bug| bug.name.to_owned());
    answer.upstream = told.casebook.map_or_else(Vec::new, |bug| bug.upstream.iter().map(ToString::to_string).collect());
    // Without a handler it names the hang, so it needs one.
    let named = answer.verdict == Verdict::Stuck || threads.iter().any(|thread| thread.handler_depth() > 0);
    answer.fingerprint = told.fingerprint.filter(|_| named).map(|fingerprint| fingerprint.to_string());
}

/// The name of a signal: `SIGUSR1`, or `signal 40`.
pub(super) fn name(number: i32) -> String {
    let known = nix::sys::signal::Signal::try_from(number);
    known.map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_owned())
}

/// Where a signal came from, by `si_code`.
fn sender(signal: Signal, tid: u32) -> String {
    let [number, code, one, _] = signal.info;
    let (number, code) = (number as i32, code as i32);
    let process = || match one {
        // A sender in another PID namespace has no number here.
        0 => "a process of another PID namespace".to_owned(),
        pid if pid == tid => format!("process {pid}, itself"),
        pid => named(pid),
    };
    match code {
        libc::SI_USER => format!("sent by {}, by kill", process()),
        libc::SI_TKILL => format!("sent by {}, by tgkill (raise, pthread_kill)", process()),
        libc::SI_QUEUE => format!("sent by {}, by sigqueue", process()),
        libc::SI_TIMER => format!("sent by timer {} of timer_create", one),
        libc::SI_KERNEL if number == libc::SIGALRM => "sent by the kernel, for alarm or setitimer".to_owned(),
        libc::SI_KERNEL => "sent by the kernel".to_owned(),
        code if code > 0 && number == libc::SIGCHLD => format!("sent for the child {}", one),
        code if code > 0 => format!("raised by the instruction itself (si_code {code})"),
        code => format!("si_code {code}"),
    }
}

/// The signals of a set, by name.
pub(super) fn names(set: u64) -> String {
    let names: Vec<_> = (1..=64).filter(|number| set >> (number - 1) & 1 == 1).map(name).collect();
    match names.len() {
        0..=4 => names.join(", "),
        n => format!("{} and {} more", names[..3].join(", "), n - 3),
    }
}
