//! **semasleep-spurious-timeout**: a timed wait on a primitive that wakes for nothing starts again, with its whole time-out. Under a profiler,
//! whose signals come faster than the time-out, it never ends.
//!
//! Upstream: golang/go#27250; the wait now goes on for what is left.
//!
//! ```text
//! cargo xtask stress semasleep-spurious-timeout
//! ```
//!
//! | variant | after a spurious wake-up waits | must be seen |
//! |---|---|---|
//! | broken | the whole time-out again | late |
//! | fixed | for what is left of it | every sleep gives up in time |
//!
//! The spurious wake-ups are real signals that interrupt `sem_timedwait` (EINTR). *Late* is told without a stop-watch: a sleep has gone wrong
//! once it begins a *second* wait after its deadline. A correct one begins none that its own look at the clock did not allow, so at most
//! one, however long the system keeps it off the processor between the look and the wait.

use core::time::Duration;
use std::thread;
use std::time::Instant;

use sigproof_osnote::notes::sema::{SemaNote, Whole};
use sigproof_osnote::semaphore::{PosixSemaphore, Semaphore, Slept, WaitOnce};
use sigproof_osnote::{Note, NoteError, Platform, Woken};
use sigproof_shim::native::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::case::{Case, Failure, Outcome, Setup, Variant};
use crate::inject;
use crate::worker::Attempt;

/// How long a sleep is to last.
const TIMEOUT: Duration = Duration::from_millis(1);

/// How long the sender rests between two signals.
const REST: Duration = Duration::from_micros(50);

/// Sleeps last long; so many rounds make one.
const ROUNDS_A_SLEEP: u64 = 20;

/// The case.
pub(super) static CASE: SemasleepSpuriousTimeout = SemasleepSpuriousTimeout;

pub(super) struct SemasleepSpuriousTimeout;

/// A semaphore that notes when its waits begin, for the one sleeper of the process.
struct Observed(PosixSemaphore);

/// The deadline of the sleep under way, in nanoseconds since [`epoch`].
static DEADLINE: AtomicU64 = AtomicU64::new(u64::MAX);
/// How many waits of the sleep under way began after it.
static BEHIND: AtomicU64 = AtomicU64::new(0);

fn epoch() -> Instant {
    static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

fn nanoseconds(time: Instant) -> u64 {
    time.saturating_duration_since(epoch()).as_nanos() as u64
}

impl Semaphore for Observed {
    fn create() -> Result<Self, NoteError> {
        PosixSemaphore::create().map(Self)
    }

    fn wait_once(&self, timeout: Option<Duration>) -> Result<WaitOnce, NoteError> {
        if nanoseconds(Instant::now()) >= DEADLINE.load(Ordering::Relaxed)
            && BEHIND.fetch_add(1, Ordering::Relaxed) >= 1
        {
            // The way out of a sleep that would never end.
            return Err(NoteError::Unsupported { what: "a second wait after the deadline" });
        }
        self.0.wait_once(timeout)
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        self.0.wakeup()
    }
}

/// The same, with the loop as it was.
struct Restarting(Observed);

impl Semaphore for Restarting {
    fn create() -> Result<Self, NoteError> {
        Observed::create().map(Self)
    }

    fn wait_once(&self, timeout: Option<Duration>) -> Result<WaitOnce, NoteError> {
        self.0.wait_once(timeout)
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        self.0.wakeup()
    }

    fn sleep(&self, timeout: Option<Duration>) -> Result<Slept, NoteError> {
        loop {
            match self.wait_once(timeout)? {
                WaitOnce::Acquired => return Ok(Slept::Acquired),
                WaitOnce::TimedOut => return Ok(Slept::TimedOut),
                WaitOnce::Spurious => {}
            }
        }
    }
}

impl Case for SemasleepSpuriousTimeout {
    fn name(&self) -> &'static str {
        "semasleep-spurious-timeout"
    }

    fn summary(&self) -> &'static str {
        "a timed wait starts again with its whole time-out at each spurious wake-up, and never ends under a profiler"
    }

    fn upstream(&self) -> &'static [&'static str] {
        &["https://github.com/golang/go/issues/27250"]
    }

    fn setups(&self) -> Vec<Setup> {
        vec![Setup::broken(Outcome::Late), Setup::fixed()]
    }

    fn platforms(&self) -> &'static [Platform] {
        // Darwin has no unnamed POSIX semaphores.
        &[Platform::Linux, Platform::Bsd]
    }

    fn attempt(&self, setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        match setup.variant {
            Variant::Broken => run::<Restarting>(attempt),
            Variant::Fixed => run::<Observed>(attempt),
        }
    }
}

fn run<S: Semaphore>(attempt: &Attempt) -> Result<(), Failure> {
    epoch();
    let note = SemaNote::<S, Whole>::new();
    let page = attempt.page;
    attempt.handler(|| Ok(()))?;
    // SAFETY: no preconditions.
    let sleeper = unsafe { libc::pthread_self() } as usize;
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                page.armed.fetch_add(1, Ordering::Release);
                // SAFETY: the sleeper outlives this thread: it is the one that runs the scope.
                unsafe { libc::pthread_kill(sleeper as libc::pthread_t, inject::SIGNAL) };
                thread::sleep(REST);
            }
        });
        let result = sleeps(&note, attempt);
        enough.store(true, Ordering::Relaxed);
        result
    })
}

fn sleeps<S: Semaphore>(note: &SemaNote<S, Whole>, attempt: &Attempt) -> Result<(), Failure> {
    for _ in attempt.rounds().step_by(ROUNDS_A_SLEEP as usize) {
        note.clear();
        BEHIND.store(0, Ordering::Relaxed);
        DEADLINE.store(nanoseconds(Instant::now() + TIMEOUT), Ordering::Relaxed);
        let slept = inject::window(|| note.sleep_timeout(TIMEOUT));
        if BEHIND.load(Ordering::Relaxed) > 1 {
            return Err(Failure::new(
                Outcome::Late,
                format!("a sleep of {TIMEOUT:?} began another wait after its deadline, and another"),
            ));
        }
        if slept? == Woken::ByWakeup {
            return Err(Failure::new(Outcome::SpuriousWakeup, "a sleep that nobody wakes said that it was woken"));
        }
        attempt.page.rounds.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
