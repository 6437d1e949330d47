//! Timed sleeps.
//!
//! A sleep that goes on far beyond its time cannot be told from one that is slow by looking at it: a thread
//! that waits longer than any machine is slow decides.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sigproof_report::Outcome;

use super::Given;
use super::tested::Tested;
use crate::validate::guard;

/// The times that are slept out, in nanoseconds.
const TIMES: [u64; 5] = [0, 1, 1_000, 2_000_000, 20_000_000];

/// Longer than any check takes, in nanoseconds.
pub(super) const HOUR: u64 = 3_600_000_000_000;

/// How long a check may take, which sleeps for less than a second in all.
const LIMIT: Duration = Duration::from_secs(5);

pub(super) fn out(given: &Given<'_>) {
    in_time("a timed sleep went on for 5 s after its time was over", || {
        let note = Tested::new(given);
        for time in TIMES {
            let started = Instant::now();
            if note.sleep_timeout(time) {
                guard::fail(Outcome::SpuriousWakeup, "sleep_timeout returned 0 before anybody had called wakeup");
            }
            let passed = started.elapsed();
            if passed < Duration::from_nanos(time) {
                let detail = format!("sleep_timeout({time}) returned ETIMEDOUT too early, after {passed:?}");
                guard::fail(Outcome::SpuriousWakeup, detail);
            }
        }
        // The sleeper that gave up has left nothing behind.
        note.works();
    });
}

pub(super) fn woken(given: &Given<'_>) {
    in_time("a wake-up did not end a timed sleep", || {
        let note = Tested::new(given);
        for time in [HOUR, 0] {
            note.wakeup();
            if !note.sleep_timeout(time) {
                let detail = format!("sleep_timeout({time}) returned ETIMEDOUT, though the note was woken before");
                guard::fail(Outcome::LostWakeup, detail);
            }
            note.clear();
        }
        let sleep = |note: &Tested| {
            if !note.sleep_timeout(HOUR) {
                guard::fail(Outcome::SpuriousWakeup, "sleep_timeout of an hour returned ETIMEDOUT at once");
            }
        };
        for _ in 0..3 {
            note.across(sleep, |_| ());
            note.clear();
        }
        note.works();
    });
}

/// Runs a check that ends with this sentence if it takes too long.
fn in_time(sentence: &str, check: impl FnOnce()) {
    thread::scope(|scope| {
        let (done, is_done) = mpsc::channel::<()>();
        let watch = move || {
            if is_done.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                guard::fail(Outcome::Late, sentence);
            }
        };
        // Without it, the parent's own patience decides, which takes longer.
        let _ = thread::Builder::new().name("watch".to_owned()).spawn_scoped(scope, watch);
        check();
        drop(done);
    });
}
