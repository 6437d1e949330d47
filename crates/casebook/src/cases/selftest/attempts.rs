//! Tests of the supervision of attempts by itself: when a hang is looked for and for how long, what is made
//! again, what ends in time, and whether seeds and windows are what is told.

use std::fs::File;
use std::io::ErrorKind;
use std::time::Duration;

use super::Selftest;
use sigproof_harness::attempt::Attempt;
use sigproof_harness::case::Case;
use sigproof_harness::failure::Failure;
use sigproof_harness::inject;
use sigproof_harness::setup::Setup;
use sigproof_harness::supervise::spin;
use sigproof_harness::worker::VERB;
use sigproof_inspect::process::pause;
use sigproof_inspect::refusal::{Refusal, no_temporary_file};
use sigproof_osnote::Backends;
use sigproof_report::{Grade, Outcome};
use sigproof_shim::native::atomic::Ordering;

/// A worker that works long before it begins its attempt, without a sign of progress.
pub(in crate::cases) struct SlowStart;

impl Case for SlowStart {
    fn name(&self) -> &'static str {
        "selftest-slow-start"
    }

    fn summary(&self) -> &'static str {
        "the child works for long before it begins its attempt: it must not be called stuck"
    }

    fn upstream(&self) -> &'static [&'static str] {
        &[]
    }

    /// The worker asks for the setups before it begins; the parent does, too, and is not delayed.
    fn setups(&self, _notes: Backends) -> Vec<Setup> {
        if std::env::args_os().nth(1).is_some_and(|verb| verb == VERB) {
            spin::work_for(20 * spin::limit(true));
        }
        // A hang is allowed, so that it is looked for with the short limit.
        vec![Setup::fixed().expect(Outcome::Livelock, Grade::MayOccur)]
    }

    fn attempt(&self, _setup: &Setup, _attempt: &Attempt) -> Result<(), Failure> {
        Ok(())
    }

    fn aimed(&self) -> bool {
        false
    }

    fn hidden(&self) -> bool {
        true
    }
}

pub(in crate::cases) static SLOW_START: SlowStart = SlowStart;

pub(in crate::cases) static LONG_WORK: Selftest = Selftest {
    name: "selftest-long-work",
    summary: "the child works without a sign of progress for longer than a spin that is expected is looked at: no livelock",
    outcome: Outcome::Delivered,
    misbehave: |_| {
        spin::work_for(spin::limit(false) / 3);
        Ok(())
    },
};

pub(in crate::cases) static KILLED_ONCE: Selftest = Selftest {
    name: "selftest-killed-once",
    summary: "the first child of an attempt gets SIGKILL, the second one does not: the attempt is made again",
    outcome: Outcome::Delivered,
    misbehave: |attempt| {
        let parent = std::os::unix::process::parent_id();
        let mark = std::env::temp_dir().join(format!("sigproof-selftest-{parent}-{}", attempt.seed));
        match File::create_new(&mark) {
            Ok(_) => {
                // SAFETY: a signal to this very process, of which nothing is expected any more.
                unsafe { libc::raise(libc::SIGKILL) };
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                std::fs::remove_file(&mark).map_err(|error| no_temporary_file(&error))?;
                Ok(())
            }
            Err(error) => Err(Failure::from(Refusal::new("a mark", &error))),
        }
    },
};

pub(in crate::cases) static SEED: Selftest = Selftest {
    name: "selftest-seed",
    summary: "the child tells the seed that it was given: late if that is even, corrupt if it is odd",
    outcome: Outcome::Late,
    misbehave: |attempt| {
        let outcome = if attempt.seed % 2 == 0 { Outcome::Late } else { Outcome::CorruptRecord };
        Err(Failure::new(outcome, format!("the seed is {}", attempt.seed)))
    },
};

pub(in crate::cases) static WINDOW_COUNTS: Selftest = Selftest {
    name: "selftest-window-counts",
    summary: "signals that the case raises itself, before, in and behind its window: each must be counted where it was",
    outcome: Outcome::Delivered,
    misbehave: |attempt| {
        attempt.handler(|| Ok(()))?;
        let page = attempt.page;
        inject::raise(page);
        for n in 1.. {
            if n > attempt.rounds || page.stopping() {
                break;
            }
            inject::window(|| inject::raise(page));
            inject::raise(page);
            let told = [&page.early, &page.inside, &page.late].map(|counter| counter.load(Ordering::Relaxed));
            if told != [1, n, n] {
                let detail =
                    format!("1 signal was raised before, {n} in and {n} behind the window; the page says {told:?}");
                return Err(Failure::new(Outcome::CorruptRecord, detail));
            }
        }
        Ok(())
    },
};

pub(in crate::cases) static ENDLESS: Selftest = Selftest {
    name: "selftest-deaf",
    summary: "the child makes progress for ever and does not hear that it is to finish: it must be ended",
    outcome: Outcome::Delivered,
    misbehave: |attempt| loop {
        attempt.tick();
        pause(Duration::from_millis(1));
    },
};
