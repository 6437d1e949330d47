//! Wake-ups, sleeps and clears in every order, in one thread and across threads.

use std::thread;

use sigproof_inspect::refusal::Refusal;
use sigproof_report::Outcome;
use sigproof_shim::native::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Given;
use super::tested::Tested;
use crate::validate::guard;

/// How often each order is tried.
const ROUNDS: u64 = 20;

/// How often two threads wake each other.
const TURNS: u64 = 300;

/// How many wake-ups come without a clear: a pipe holds 65,536 bytes.
const MANY: u32 = 70_000;

/// A time that a sleep gives up after, in nanoseconds.
const SHORT: u64 = 2_000_000;

pub(super) fn before(given: &Given<'_>) {
    let note = Tested::new(given);
    for _ in 0..ROUNDS {
        note.wakeup();
        note.sleep();
        note.clear();
    }
}

pub(super) fn after(given: &Given<'_>) {
    let note = Tested::new(given);
    for _ in 0..ROUNDS {
        note.works();
    }
}

pub(super) fn clear(given: &Given<'_>) {
    let note = Tested::new(given);
    for _ in 0..3 {
        note.wakeup();
        note.sleep();
        note.clear();
        unwoken(given, &note, "after a wake-up, a sleep and a clear");
        note.wakeup();
        note.clear();
        unwoken(given, &note, "after a wake-up and a clear, without a sleep between them");
    }
}

pub(super) fn second(given: &Given<'_>) {
    let note = Tested::new(given);
    for _ in 0..3 {
        note.wakeup();
        note.wakeup_again();
        note.sleep();
        note.wakeup_again();
        note.clear();
        unwoken(given, &note, "after two wake-ups and a clear");
        note.across(Tested::sleep, |_| ());
        note.wakeup_again();
        note.clear();
        note.works();
    }
}

/// More than a pipe holds bytes.
pub(super) fn many(given: &Given<'_>) {
    let note = Tested::new(given);
    note.wakeup();
    note.wakeup_often(MANY);
    note.sleep();
    note.clear();
    unwoken(given, &note, "after many wake-ups and a clear");
    note.works();
}

/// The note must not be woken.
fn unwoken(given: &Given<'_>, note: &Tested, when: &str) {
    if given.said.is_timed() {
        if note.sleep_timeout(SHORT) {
            guard::fail(Outcome::SpuriousWakeup, format!("{when} the note is still woken"));
        }
        return;
    }
    // A sleep that returns before the wake-up ends the check.
    note.works();
}

/// Turns of two threads. The way back is a channel of the standard library where a process can have one
/// instance only.
pub(super) fn threads(given: &Given<'_>) {
    let there = Tested::new(given);
    let back = (!given.said.is_single()).then(|| Tested::new(given));
    let (tell, told) = std::sync::mpsc::channel();
    let written = AtomicU64::new(0);
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let (there, back, written, ended) = (&there, back.as_ref(), &written, &ended);
        let other = move || {
            for turn in 1..=TURNS {
                there.sleep();
                // Relaxed: the note alone orders it.
                let seen = written.load(Ordering::Relaxed);
                if seen != 2 * turn - 1 {
                    let detail = format!("a sleep returned before its wake-up: turn {turn} found {seen}");
                    guard::fail(Outcome::SpuriousWakeup, detail);
                }
                there.clear();
                written.store(2 * turn, Ordering::Relaxed);
                match back {
                    Some(back) => back.wakeup(),
                    // The receiver waits for it.
                    None => drop(tell.send(())),
                }
            }
            ended.store(true, Ordering::Relaxed);
        };
        let started = thread::Builder::new().name("other".to_owned()).spawn_scoped(scope, other);
        let started = started.unwrap_or_else(|error| guard::end(Refusal::thread(&error).into()));
        for turn in 1..=TURNS {
            written.store(2 * turn - 1, Ordering::Relaxed);
            there.wakeup();
            match back {
                Some(back) => {
                    back.sleep();
                    back.clear();
                }
                None => drop(told.recv()),
            }
            let seen = written.load(Ordering::Relaxed);
            if seen != 2 * turn {
                let detail = format!("a sleep returned before its wake-up: turn {turn} back found {seen}");
                guard::fail(Outcome::SpuriousWakeup, detail);
            }
        }
        if started.join().is_err() {
            guard::fail(Outcome::Crash, "the other thread panicked");
        }
    });
    if !ended.load(Ordering::Relaxed) {
        guard::fail(Outcome::Crash, "the other thread has not taken all of its turns");
    }
}
