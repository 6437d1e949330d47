//! From a failed execution to an outcome and a sentence.
//!
//! | found | outcome |
//! |---|---|
//! | a thread waits for a lock that it holds | self-deadlock |
//! | threads wait for each other in a cycle | cross deadlock |
//! | a thread in a handler waits for a lock of another that waits for something else | cross deadlock |
//! | a thread in a handler waits for anything else | self-deadlock: only the code that it interrupted is left |
//! | no cycle | lost wake-up |
//! | a thread spins, and holds a lock that another waits for | cross deadlock |
//! | a thread spins | livelock |
//! | two accesses are not ordered | data race |
//!
//! The first six are told as the diagnosis of a real hang tells them, and have its fingerprint.

use sigproof_inspect::diagnose::HangKind;
use sigproof_inspect::stacks::{SIGNAL, Told};
use sigproof_shim::model::{Failure, FailureKind, ThreadEnd};

use sigproof_report::Outcome;

/// The fingerprint of a failure that is a hang: that of a real process which hangs so, by the rules of its
/// diagnosis. Of each thread it takes the function that waits, the handlers, and the thread's own name.
pub fn fingerprint(failure: &Failure) -> Option<String> {
    let threads = &failure.threads;
    let (kind, about) = match failure.kind {
        FailureKind::Deadlock => {
            let (outcome, about) = deadlock(threads);
            let kind = match outcome {
                Outcome::SelfDeadlock => HangKind::SelfDeadlock,
                Outcome::CrossDeadlock => HangKind::CrossDeadlock,
                _ => HangKind::LostWakeup,
            };
            (kind, about)
        }
        FailureKind::Livelock => (HangKind::Livelock, vec![spinner(threads)?]),
        _ => return None,
    };
    let stacks: Vec<Vec<&str>> = about.iter().map(|number| stack(&threads[*number])).collect();
    Told::of_functions(&stacks, kind).fingerprint.map(|print| print.to_string())
}

fn stack(thread: &ThreadEnd) -> Vec<&str> {
    let waits = thread.waits_for.iter().map(|waiting| waiting.call);
    let handlers = thread.handlers.iter().rev().flat_map(|handler| [*handler, SIGNAL]);
    waits.chain(handlers).chain([thread.name]).collect()
}

/// The outcome, and what happened in one sentence.
pub fn judge(failure: &Failure) -> (Outcome, String) {
    let threads = &failure.threads;
    match failure.kind {
        FailureKind::Deadlock => {
            let (outcome, about) = deadlock(threads);
            (outcome, all(threads, about))
        }
        FailureKind::Livelock => livelock(threads, &failure.message),
        FailureKind::Race => (Outcome::DataRace, flat(&failure.message)),
        FailureKind::ErrnoSpoiled => (Outcome::ErrnoSpoiled, failure.message.clone()),
        FailureKind::Reported(word) => (word.parse().unwrap_or(Outcome::Crash), failure.message.clone()),
        FailureKind::Panicked => (Outcome::Crash, flat(&failure.message)),
    }
}

/// Loom's messages have several lines, and colours.
fn flat(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The cycle of waits from this thread back to it, if there is one.
fn cycle(threads: &[ThreadEnd], start: usize) -> Option<Vec<usize>> {
    let mut path = vec![start];
    let mut at = start;
    while let Some(next) = threads.get(at)?.waits_for.as_ref()?.owner {
        if next == start {
            return Some(path);
        }
        if path.contains(&next) {
            return None;
        }
        path.push(next);
        at = next;
    }
    None
}

/// The outcome, and the threads that it is about.
fn deadlock(threads: &[ThreadEnd]) -> (Outcome, Vec<usize>) {
    let cycles = (0..threads.len()).filter_map(|start| cycle(threads, start));
    if let Some(shortest) = cycles.min_by_key(Vec::len) {
        let outcome = if shortest.len() == 1 { Outcome::SelfDeadlock } else { Outcome::CrossDeadlock };
        return (outcome, shortest);
    }
    let waits = |t: &usize| threads[*t].waits_for.is_some();
    let sleeping: Vec<usize> = (0..threads.len()).filter(waits).collect();
    match sleeping.iter().find(|t| !threads[**t].handlers.is_empty()) {
        Some(&waiter) => {
            let owner = threads[waiter].waits_for.as_ref().filter(|w| w.lock).and_then(|w| w.owner);
            match owner {
                Some(owner) => (Outcome::CrossDeadlock, vec![waiter, owner]),
                None => (Outcome::SelfDeadlock, vec![waiter]),
            }
        }
        None => (Outcome::LostWakeup, sleeping),
    }
}

fn livelock(threads: &[ThreadEnd], message: &str) -> (Outcome, String) {
    let Some(spinner) = spinner(threads) else {
        return (Outcome::Livelock, message.to_owned());
    };
    let spinning = format!("{} spins", who(&threads[spinner]));
    let held = |t: &usize| threads[*t].waits_for.as_ref().is_some_and(|w| w.lock && w.owner == Some(spinner));
    match (0..threads.len()).find(held) {
        Some(waiter) => (Outcome::CrossDeadlock, format!("{spinning}; {}", waits(threads, waiter))),
        None => (Outcome::Livelock, format!("{spinning}, and no thread is left that can end that")),
    }
}

fn spinner(threads: &[ThreadEnd]) -> Option<usize> {
    threads.iter().position(|thread| thread.waits_for.is_none() && !thread.ended)
}

fn who(thread: &ThreadEnd) -> String {
    match thread.handlers.last() {
        Some(handler) => format!("thread {}, in its signal handler {handler},", thread.name),
        None => format!("thread {}", thread.name),
    }
}

fn waits(threads: &[ThreadEnd], number: usize) -> String {
    let thread = &threads[number];
    let Some(waiting) = &thread.waits_for else { return format!("{} goes on", who(thread)) };
    let owner = match waiting.owner {
        Some(owner) if waiting.lock && owner == number => ", which it holds itself".to_owned(),
        Some(owner) if waiting.lock => format!(", held by thread {}", threads.get(owner).map_or("?", |t| t.name)),
        _ => String::new(),
    };
    format!("{} waits for {}{owner}", who(thread), waiting.what)
}

fn all(threads: &[ThreadEnd], numbers: Vec<usize>) -> String {
    numbers.into_iter().map(|n| waits(threads, n)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use sigproof_shim::model::Waiting;

    fn thread(name: &'static str, in_handler: bool, waits_for: Option<(&str, Option<usize>, bool)>) -> ThreadEnd {
        ThreadEnd {
            name,
            handlers: if in_handler { vec!["sample"] } else { Vec::new() },
            ended: false,
            waits_for: waits_for.map(|(what, owner, lock)| Waiting {
                what: what.to_owned(),
                owner,
                lock,
                call: "pthread_mutex_lock",
            }),
        }
    }

    fn failure(kind: FailureKind, threads: Vec<ThreadEnd>) -> Failure {
        Failure { kind, message: "it failed".to_owned(), threads, steps: Vec::new(), graph: None }
    }

    #[rstest]
    #[case::own_lock(vec![thread("a", true, Some(("mutex 1", Some(0), true)))], Outcome::SelfDeadlock)]
    #[case::two_locks(
        vec![thread("a", true, Some(("mutex 1", Some(1), true))), thread("b", false, Some(("mutex 2", Some(0), true)))],
        Outcome::CrossDeadlock
    )]
    #[case::join_closes_the_cycle(
        vec![thread("a", false, Some(("the end of b", Some(1), false))), thread("b", false, Some(("mutex 1", Some(0), true)))],
        Outcome::CrossDeadlock
    )]
    #[case::lock_of_a_sleeper(
        vec![thread("a", true, Some(("mutex 1", Some(1), true))), thread("b", false, Some(("futex", None, false)))],
        Outcome::CrossDeadlock
    )]
    #[case::handler_waits_for_its_own_code(vec![thread("a", true, Some(("semaphore 1", None, false)))], Outcome::SelfDeadlock)]
    #[case::sleeper(vec![thread("a", false, Some(("futex", None, false)))], Outcome::LostWakeup)]
    fn deadlocks(#[case] threads: Vec<ThreadEnd>, #[case] outcome: Outcome) {
        let (found, sentence) = judge(&failure(FailureKind::Deadlock, threads));
        assert_eq!(found, outcome, "{sentence}");
        assert!(sentence.contains("thread a"), "{sentence}");
    }

    #[test]
    fn a_spinner_that_holds_a_lock_is_a_cycle() {
        let spinner = || thread("a", true, None);
        let alone = failure(FailureKind::Livelock, vec![spinner()]);
        assert_eq!(judge(&alone).0, Outcome::Livelock);
        let waiter = thread("b", false, Some(("mutex 1", Some(0), true)));
        let cycle = failure(FailureKind::Livelock, vec![spinner(), waiter]);
        assert_eq!(judge(&cycle).0, Outcome::CrossDeadlock);
    }

    #[test]
    fn a_hang_has_the_fingerprint_of_a_real_one() {
        let print = |kind, threads| fingerprint(&failure(kind, threads));
        let own_lock = vec![thread("reader", true, Some(("mutex 1", Some(0), true)))];
        let of_own_lock = print(FailureKind::Deadlock, own_lock).unwrap();
        assert_eq!(of_own_lock, "self-deadlock/mutex/in:pthread_mutex_lock/mutex");
        let mut sleeper = thread("reader", false, Some(("condition variable 1", None, false)));
        sleeper.waits_for.as_mut().unwrap().call = "pthread_cond_wait";
        let of_sleeper = print(FailureKind::Deadlock, vec![sleeper]).unwrap();
        assert_eq!(of_sleeper, "lost-wakeup/condition/in:pthread_cond_wait/-");
        let of_spinner = print(FailureKind::Livelock, vec![thread("a", true, None)]).unwrap();
        assert_eq!(of_spinner, "livelock/-/in:-/-");
        assert_eq!(print(FailureKind::Race, Vec::new()), None, "no hang");
    }

    #[test]
    fn what_the_body_says_is_taken_at_its_word() {
        for outcome in Outcome::ALL {
            assert_eq!(judge(&failure(FailureKind::Reported(outcome.as_str()), Vec::new())).0, *outcome);
        }
    }
}
