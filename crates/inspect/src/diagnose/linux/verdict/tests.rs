//! The verdict over hand-made threads.

use super::*;
use crate::diagnose::{Resource, ResourceKind};

fn frame(symbol: &str, line: Option<u32>) -> Frame {
    let file = line.map(|_| "crates/a/src/b.rs".to_owned());
    Frame {
        symbol: Some(symbol.to_owned()),
        offset: 0x32,
        pc: u64::from(line.unwrap_or(7)),
        file,
        line,
        ..Frame::default()
    }
}

fn mark() -> Frame {
    Frame { signal_frame: true, ..Frame::default() }
}

fn thread(tid: u32, frames: Vec<Frame>) -> ThreadReport {
    ThreadReport { tid, name: "t".to_owned(), state: "asleep".to_owned(), waits_for: None, frames, cut_short: None }
}

fn waiting(mut thread: ThreadReport, kind: ResourceKind, owner: Option<(u32, Known)>) -> ThreadReport {
    let owner = owner.map(|(tid, known)| Owner { tid, known });
    thread.waits_for =
        Some(Resource { kind, address: Some(0x7f00), descriptor: None, name: Some("S.m".to_owned()), owner });
    thread
}

#[test]
fn a_handler_that_waits_for_what_it_interrupted() {
    let frames = vec![
        frame("lll_lock_wait", None),
        frame("handler", Some(3)),
        mark(),
        frame("pthread_cond_wait", None),
        frame("f", Some(9)),
    ];
    let threads = [
        waiting(thread(1, vec![frame("join", None)]), ResourceKind::ThreadExit, Some((2, Known::Stored))),
        waiting(thread(2, frames), ResourceKind::Mutex, Some((2, Known::Stored))),
    ];
    let verdict = reach(&threads, Stuck::AllAsleep);
    assert_eq!(verdict.kind, HangKind::SelfDeadlock);
    assert_eq!(
        verdict.sentence,
        "thread 2 waits in a signal handler for mutex S.m, owned by thread 2, itself, interrupted at pthread_cond_wait+0x32, \
         in f (crates/a/src/b.rs:9)"
    );
    assert_eq!(verdict.about, [2]);
}

#[test]
fn an_inferred_owner_is_called_so() {
    let threads = [waiting(thread(2, vec![]), ResourceKind::StdLock, Some((2, Known::InterruptedRegister)))];
    let verdict = reach(&threads, Stuck::AllAsleep);
    assert_eq!(verdict.sentence, "thread 2 waits for std lock S.m, owned (inferred) by thread 2, itself");
}

#[test]
fn two_that_wait_for_each_other() {
    let threads = [
        waiting(thread(1, vec![]), ResourceKind::ThreadExit, Some((3, Known::Stored))),
        waiting(thread(2, vec![]), ResourceKind::Mutex, Some((3, Known::Stored))),
        waiting(thread(3, vec![]), ResourceKind::Mutex, Some((2, Known::Stored))),
    ];
    let verdict = reach(&threads, Stuck::AllAsleep);
    assert_eq!(verdict.kind, HangKind::CrossDeadlock);
    assert_eq!(verdict.about, [2, 3], "the one who joins is no part of the cycle");
    assert_eq!(
        verdict.sentence,
        "thread 2 waits for mutex S.m, owned by thread 3; thread 3 waits for mutex S.m, owned by thread 2"
    );
}

#[test]
fn a_handler_that_waits_for_a_sleeper() {
    let handler = vec![frame("lock", None), mark(), frame("g", Some(4))];
    let threads = [
        waiting(thread(2, handler), ResourceKind::Mutex, Some((3, Known::Stored))),
        waiting(thread(3, vec![]), ResourceKind::Condvar, None),
    ];
    let verdict = reach(&threads, Stuck::AllAsleep);
    assert_eq!((verdict.kind, verdict.about), (HangKind::CrossDeadlock, vec![2, 3]));
}

#[test]
fn a_handler_in_the_only_thread() {
    let handler = vec![frame("write", None), mark(), frame("g", Some(4))];
    let threads = [waiting(thread(2, handler), ResourceKind::Descriptor, None)];
    let verdict = reach(&threads, Stuck::AllAsleep);
    assert_eq!(verdict.kind, HangKind::SelfDeadlock);
    assert!(verdict.sentence.ends_with("interrupted at g+0x32 (crates/a/src/b.rs:4)"), "{}", verdict.sentence);
}

#[test]
fn a_sleeper_that_no_thread_wakes() {
    let threads = [
        waiting(thread(1, vec![]), ResourceKind::ThreadExit, Some((2, Known::Stored))),
        waiting(thread(2, vec![frame("syscall", None), frame("sleep", Some(8))]), ResourceKind::Futex, None),
    ];
    let verdict = reach(&threads, Stuck::AllAsleep);
    assert_eq!(verdict.kind, HangKind::LostWakeup);
    assert_eq!(
        verdict.sentence,
        "thread 2 sleeps for ever on futex S.m, at syscall+0x32, in sleep (crates/a/src/b.rs:8); no thread is left that can end the wait"
    );
}

#[test]
fn a_spin_names_the_loop_and_what_it_interrupted() {
    let frames = vec![frame("acquire", Some(5)), frame("handler", Some(6)), mark(), frame("set_rate", Some(7))];
    let verdict = reach(&[thread(4, frames)], Stuck::Spinning { tid: 4 });
    assert_eq!(verdict.kind, HangKind::Livelock);
    assert_eq!(
        verdict.sentence,
        "thread 4 spins in a signal handler in acquire (crates/a/src/b.rs:5), interrupted set_rate (crates/a/src/b.rs:7), which \
         holds what it spins for; no other thread can set it free"
    );
}
