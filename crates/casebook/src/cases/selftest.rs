//! Tests of the harness by itself: children that crash, are killed, leave, write nonsense, hang in ways that
//! no other case shows, spoil `errno`, or leave a process behind. Hidden: run by exact name only.
//!
//! Each is run by the same code as any case, so that what they show holds for all: `cargo xtask stress
//! selftest-crash` is as expected because the crash *is* seen. The same for what is stepped: [`windows`]; and
//! for a mending that is switched off: [`refusal`].

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use sigproof_shim::native::atomic::{AtomicU64, Ordering};
use sigproof_shim::native::os::errno;
use sigproof_shim::native::os::pthread::Mutex;

use sigproof_harness::attempt::Attempt;
use sigproof_harness::case::Case;
use sigproof_harness::failure::Failure;
use sigproof_harness::inject::Place;
use sigproof_harness::setup::Setup;
use sigproof_inspect::process::pause;
use sigproof_inspect::refusal::Refusal;
use sigproof_osnote::Backends;
use sigproof_osnote::notes::pipe;
use sigproof_report::Outcome;

pub(super) mod attempts;
pub(super) mod phases;
pub(super) mod places;
pub(super) mod refusal;
pub(super) mod windows;

/// A child that misbehaves in one way.
pub(super) struct Selftest {
    name: &'static str,
    summary: &'static str,
    /// What is expected of it; that it ends well makes it a fixed variant.
    outcome: Outcome,
    misbehave: fn(&Attempt) -> Result<(), Failure>,
}

impl Case for Selftest {
    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn upstream(&self) -> &'static [&'static str] {
        &[]
    }

    fn setups(&self, _notes: Backends) -> Vec<Setup> {
        match self.outcome {
            Outcome::Delivered => vec![Setup::fixed()],
            outcome => vec![Setup::broken(outcome)],
        }
    }

    fn attempt(&self, _setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        (self.misbehave)(attempt)
    }

    fn aimed(&self) -> bool {
        false
    }

    fn hidden(&self) -> bool {
        true
    }
}

pub(super) static CRASH: Selftest = Selftest {
    name: "selftest-crash",
    summary: "the child panics",
    outcome: Outcome::Crash,
    misbehave: |_| panic!("as a test of the harness"),
};

pub(super) static UNEXPECTED_CRASH: Selftest = Selftest {
    name: "selftest-unexpected-crash",
    summary: "the child panics where all is to go well: the run must be unexpected",
    outcome: Outcome::Delivered,
    misbehave: |_| panic!("as a test of the harness"),
};

pub(super) static MENDED: Selftest = Selftest {
    name: "selftest-mended",
    summary: "a broken variant that shows no bug: the run must be unexpected",
    outcome: Outcome::SelfDeadlock,
    misbehave: |_| Ok(()),
};

pub(super) static KILL: Selftest = Selftest {
    name: "selftest-kill",
    summary: "the child is killed",
    outcome: Outcome::Crash,
    misbehave: |_| {
        // SAFETY: a signal to this very process, of which nothing is expected any more.
        unsafe { libc::raise(libc::SIGILL) };
        Ok(())
    },
};

pub(super) static KILLED_FROM_OUTSIDE: Selftest = Selftest {
    name: "selftest-killed-from-outside",
    summary: "the child gets SIGKILL, as from an administrator or because memory ran out: no verdict on the case",
    outcome: Outcome::Delivered,
    misbehave: |_| {
        // SAFETY: a signal to this very process, of which nothing is expected any more.
        unsafe { libc::raise(libc::SIGKILL) };
        Ok(())
    },
};

pub(super) static OUT_OF_MEMORY: Selftest = Selftest {
    name: "selftest-out-of-memory",
    summary: "the child asks for more memory than there is, and is aborted: no verdict on the case",
    outcome: Outcome::Delivered,
    misbehave: |_| {
        let layout = std::alloc::Layout::new::<u64>();
        std::alloc::handle_alloc_error(layout)
    },
};

pub(super) static EXIT: Selftest = Selftest {
    name: "selftest-exit",
    summary: "the child exits in the midst of its attempt, as if all were well",
    outcome: Outcome::Crash,
    misbehave: |_| std::process::exit(0),
};

pub(super) static GARBAGE: Selftest = Selftest {
    name: "selftest-garbage",
    summary: "the child writes nonsense to the shared page",
    outcome: Outcome::Crash,
    misbehave: |attempt| {
        attempt.page.scribble(0xdead_beef);
        std::process::exit(0)
    },
};

pub(super) static CROSS_DEADLOCK: Selftest = Selftest {
    name: "selftest-cross-deadlock",
    summary: "two threads each hold the mutex that the other waits for",
    outcome: Outcome::CrossDeadlock,
    misbehave: |_| cross_deadlock(),
};

pub(super) static LOST_WAKEUP: Selftest = Selftest {
    name: "selftest-lost-wakeup",
    summary: "a thread sleeps on a note that is never woken",
    outcome: Outcome::LostWakeup,
    misbehave: |_| {
        (pipe::BACKEND.make)()?.sleep()?;
        Ok(())
    },
};

pub(super) static ERRNO: Selftest = Selftest {
    name: "selftest-errno",
    summary: "the handler leaves errno changed",
    outcome: Outcome::ErrnoSpoiled,
    misbehave: |attempt| {
        attempt.handler(|| {
            errno::set(errno::get() ^ 1);
            Ok(())
        })?;
        sigproof_harness::inject::raise(attempt.page);
        Ok(())
    },
};

pub(super) static GRANDCHILD: Selftest = Selftest {
    name: "selftest-grandchild",
    summary: "the child leaves a process behind that would live for an hour",
    outcome: Outcome::Delivered,
    misbehave: |_| {
        let sleeper = std::process::Command::new("sleep").arg("3600").spawn();
        sleeper.map_err(|error| Refusal::new("a child (sleep)", &error))?;
        Ok(())
    },
};

pub(super) static SLOW: Selftest = Selftest {
    name: "selftest-slow",
    summary: "the child takes its time, sleeping and working by turns: it must not be called stuck",
    outcome: Outcome::Delivered,
    misbehave: |attempt| {
        for round in attempt.rounds() {
            if round % 2 == 0 {
                pause(Duration::from_millis(30));
            } else {
                let started = std::time::Instant::now();
                while started.elapsed() < Duration::from_millis(30) {
                    attempt.tick();
                }
            }
        }
        Ok(())
    },
};

pub(super) static STOPPED: Selftest = Selftest {
    name: "selftest-stopped",
    summary: "the child is stopped, as by a debugger, and goes on never: it must be told, and waited for no longer than needed",
    outcome: Outcome::Delivered,
    misbehave: |_| {
        // SAFETY: a signal to this very process; whoever continues it finds it well.
        unsafe { libc::raise(libc::SIGSTOP) };
        Ok(())
    },
};

pub(super) static UNKNOWN_SLEEP: Selftest = Selftest {
    name: "selftest-unknown-sleep",
    summary: "the child sleeps for ever in a call that the watch does not know: a long patience ends that too",
    outcome: Outcome::LostWakeup,
    misbehave: |_| {
        let (own, _other) = UnixStream::pair()?;
        let mut byte = 0_u8;
        // SAFETY: an open socket, and room for the one byte that never comes.
        unsafe { libc::recv(own.as_raw_fd(), (&raw mut byte).cast(), 1, 0) };
        Ok(())
    },
};

pub(super) static COUNTS: Selftest = Selftest {
    name: "selftest-counts",
    summary: "three signals a round, held before, inside and behind the window: the counts of the harness must be those of the body",
    outcome: Outcome::Delivered,
    misbehave: counts,
};

/// The coverage that a fixed variant has to reach rests on these counts, so they are compared with others
/// that are made without them.
fn counts(attempt: &Attempt) -> Result<(), Failure> {
    static HANDLED: AtomicU64 = AtomicU64::new(0);
    let mut injector = attempt.injector(|| {
        HANDLED.fetch_add(1, Ordering::Relaxed);
        Ok(())
    })?;
    let page = attempt.page;
    let told = || {
        let inside = page.inside.load(Ordering::Acquire) + page.asleep.load(Ordering::Acquire);
        [page.early.load(Ordering::Acquire), inside, page.late.load(Ordering::Acquire)]
    };
    let mut held = [0; 3];
    for _ in attempt.rounds() {
        for (n, place) in Place::ALL.into_iter().enumerate() {
            injector.hold(place)?;
            held[n] += 1;
            let (told, handled) = (told(), HANDLED.load(Ordering::Relaxed));
            if told != held || handled != held.iter().sum::<u64>() {
                let detail = format!(
                    "{handled} signals were handled, {held:?} of them before, inside and behind the window; the page says {told:?}"
                );
                return Err(Failure::new(Outcome::CorruptRecord, detail));
            }
        }
    }
    Ok(())
}

/// Two mutexes of the C library, which is what a diagnosis looks into: std's are futexes of its own on Linux.
fn cross_deadlock() -> Result<(), Failure> {
    let mutex = || Mutex::new().map_err(|e| Failure::new(Outcome::Crash, e.to_string()));
    let locks = [mutex()?, mutex()?];
    let both = Barrier::new(2);
    thread::scope(|scope| {
        for first in 0..2 {
            let (locks, both) = (&locks, &both);
            let started = thread::Builder::new().spawn_scoped(scope, move || {
                let _one = locks[first].lock();
                both.wait();
                let _other = locks[1 - first].lock();
            });
            if let Err(error) = started {
                // The first one, if there is one, waits for the second.
                (0..first).for_each(|_| {
                    both.wait();
                });
                return Err(Refusal::thread(&error).into());
            }
        }
        Ok(())
    })
}
