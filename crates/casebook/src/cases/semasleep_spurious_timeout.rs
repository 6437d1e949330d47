//! **semasleep-spurious-timeout**: a timed wait on a primitive that wakes for nothing starts again, with its
//! whole time-out. Under a profiler, whose signals come faster than the time-out, it never ends.
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
//! The spurious wake-ups are real signals that interrupt `sem_timedwait` (EINTR). *Late* is told without a
//! stop-watch: a sleep has gone wrong once it begins a *second* wait after its deadline. A correct one begins
//! none that its own look at the clock did not allow, so at most one, however long the system keeps it off
//! the processor between the look and the wait.
//!
//! In the model a spurious wake-up takes its share of the time-out, a wake-up may come at any time, and one
//! that comes too late must be there for the next sleep.

use core::time::Duration;
use std::thread;

use sigproof_osnote::notes::sema::{SemaNote, Whole};
use sigproof_osnote::semaphore::{PosixSemaphore, Semaphore, Slept, WaitOnce};
use sigproof_osnote::testing::Disturb;
use sigproof_osnote::{Backends, Note, NoteError, Platform, Woken};
use sigproof_shim::model::ghost::AtomicBool as Unmodelled;
use sigproof_shim::native::atomic::{AtomicBool, AtomicU64, Ordering};
use sigproof_shim::os::clock;
use sigproof_shim::sync::Arc;

use sigproof_harness::attempt::Attempt;
use sigproof_harness::case::Case;
use sigproof_harness::failure::Failure;
use sigproof_harness::forked::{Stage, Window};
use sigproof_harness::inject;
use sigproof_harness::model::{self, Model, ensure, must};
use sigproof_harness::setup::Setup;
use sigproof_inspect::process::pause;
use sigproof_inspect::refusal::Refusal;
use sigproof_report::{Outcome, Variant};

/// How long a sleep is to last.
const TIMEOUT: Duration = Duration::from_millis(1);

/// How long the sender rests between two signals.
const REST: Duration = Duration::from_micros(50);

/// Sleeps last long; so many rounds make one.
const ROUNDS_A_SLEEP: u64 = 20;

pub(super) static CASE: SemasleepSpuriousTimeout = SemasleepSpuriousTimeout;

pub(super) struct SemasleepSpuriousTimeout;

/// When the sleep under way is to end, and how many of its waits began after that. Not modelled.
#[derive(Default)]
struct Watch {
    /// Nanoseconds of the monotonic clock.
    deadline: AtomicU64,
    behind: AtomicU64,
}

impl Watch {
    /// A sleep of [`TIMEOUT`] begins.
    fn begin(&self) {
        self.behind.store(0, Ordering::Relaxed);
        self.deadline.store(nanoseconds(clock::now() + TIMEOUT), Ordering::Relaxed);
    }

    /// A timed wait begins. Whether it is the second one after the deadline, or one after that.
    fn wait(&self) -> bool {
        nanoseconds(clock::now()) >= self.deadline.load(Ordering::Relaxed)
            && self.behind.fetch_add(1, Ordering::Relaxed) >= 1
    }

    /// The sleep is over: was it late?
    fn end(&self) -> Result<(), Failure> {
        self.deadline.store(u64::MAX, Ordering::Relaxed);
        if self.behind.load(Ordering::Relaxed) > 1 {
            let detail = format!("a sleep of {TIMEOUT:?} began another wait after its deadline, and another");
            return Err(Failure::new(Outcome::Late, detail));
        }
        Ok(())
    }
}

fn nanoseconds(time: Duration) -> u64 {
    time.as_nanos() as u64
}

/// A semaphore whose waits are watched.
trait Watched: Semaphore {
    fn watch(&self) -> &Watch;
}

/// A semaphore that notes when its waits begin, of the one thread that sleeps on it.
struct Observed(PosixSemaphore, Watch);

impl Watched for Observed {
    fn watch(&self) -> &Watch {
        &self.1
    }
}

impl Disturb for Observed {}

impl Semaphore for Observed {
    fn create() -> Result<Self, NoteError> {
        Ok(Self(PosixSemaphore::create()?, Watch::default()))
    }

    fn wait_once(&self, timeout: Option<Duration>) -> Result<WaitOnce, NoteError> {
        // A wait without a time-out is for a wake-up that is on its way.
        if timeout.is_some() && self.1.wait() {
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
struct Restarting<S>(S);

impl<S: Watched> Watched for Restarting<S> {
    fn watch(&self) -> &Watch {
        self.0.watch()
    }
}

impl<S: Semaphore> Disturb for Restarting<S> {}

impl<S: Semaphore> Semaphore for Restarting<S> {
    fn create() -> Result<Self, NoteError> {
        S::create().map(Self)
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

    fn setups(&self, _notes: Backends) -> Vec<Setup> {
        vec![Setup::broken(Outcome::Late), Setup::fixed()]
    }

    fn platforms(&self) -> &'static [Platform] {
        // Darwin has no unnamed POSIX semaphores.
        &[Platform::Linux, Platform::Bsd]
    }

    fn attempt(&self, setup: &Setup, attempt: &Attempt) -> Result<(), Failure> {
        match setup.variant {
            Variant::Broken => run::<Restarting<Observed>>(attempt),
            Variant::Fixed => run::<Observed>(attempt),
        }
    }

    fn windows(&self, setup: &Setup) -> Vec<Window> {
        let play = match setup.variant {
            Variant::Broken => stepped::<Restarting<Asked>>,
            Variant::Fixed => stepped::<Asked>,
        };
        vec![Window::new("sleep", play)]
    }

    fn model(&self, setup: &Setup) -> Option<Model> {
        Some(match setup.variant {
            Variant::Broken => modelled::<Restarting<Observed>>(),
            Variant::Fixed => modelled::<Observed>(),
        })
    }
}

/// A timed sleep and a wake-up that may come too late for it: then it is there for the next sleep.
fn modelled<S: Watched>() -> Model {
    Model::new(|| {
        let note = Arc::new(SemaNote::<S, Whole>::new());
        // Not modelled.
        let woken = Arc::new(Unmodelled::new(false));
        let waker = model::spawn("waker", {
            let (note, woken) = (Arc::clone(&note), Arc::clone(&woken));
            move || {
                woken.store(true, Ordering::Relaxed);
                must(note.wakeup());
            }
        });
        let own = must(S::current());
        own.watch().begin();
        let slept = model::interruptible(|| note.sleep_timeout(TIMEOUT));
        must(own.watch().end());
        let slept = must(slept);
        ensure(slept == Woken::ByTimeout || woken.load(Ordering::Relaxed), Outcome::SpuriousWakeup, || {
            "a sleep without a wake-up returned as woken".to_owned()
        });
        if slept == Woken::ByTimeout {
            must(note.sleep());
        }
        waker.join();
        let left = must(own.wait_once(Some(Duration::ZERO)));
        ensure(left != WaitOnce::Acquired, Outcome::SpuriousWakeup, || {
            "a wake-up was left behind in the semaphore".to_owned()
        });
    })
    .handlers(0)
    .timeouts()
    .spurious()
    .depth(4, None)
}

fn run<S: Watched>(attempt: &Attempt) -> Result<(), Failure> {
    let note = SemaNote::<S, Whole>::new();
    let page = attempt.page;
    attempt.handler(|| Ok(()))?;
    // SAFETY: no preconditions.
    let sleeper = unsafe { libc::pthread_self() } as usize;
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = thread::Builder::new().spawn_scoped(scope, || {
            while !enough.load(Ordering::Relaxed) {
                page.armed.fetch_add(1, Ordering::Release);
                // SAFETY: the sleeper outlives this thread: it is the one that runs the scope.
                unsafe { inject::send(page, sleeper as libc::pthread_t) };
                pause(REST);
            }
        });
        sender.map_err(|error| Refusal::thread(&error))?;
        let result = sleeps(&note, attempt);
        enough.store(true, Ordering::Relaxed);
        result
    })
}

fn sleeps<S: Watched>(note: &SemaNote<S, Whole>, attempt: &Attempt) -> Result<(), Failure> {
    let watch = S::current()?.watch();
    for _ in attempt.rounds().step_by(ROUNDS_A_SLEEP as usize) {
        note.clear();
        watch.begin();
        let slept = inject::window(|| note.sleep_timeout(TIMEOUT));
        watch.end()?;
        if slept? == Woken::ByWakeup {
            return Err(Failure::new(Outcome::SpuriousWakeup, "a sleep without a wake-up returned as woken"));
        }
        attempt.page.rounds.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// A time-out that does not come to its end while a window is swept.
const HOUR: Duration = Duration::from_secs(3600);

/// A semaphore that remembers what its waits were asked for: stepped, no time goes by, and *late* is a wait
/// that is asked for as much as the one before it.
struct Asked {
    semaphore: PosixSemaphore,
    /// The last time-out of the sleep under way, in nanoseconds; 0 before its first wait.
    last: AtomicU64,
    late: AtomicBool,
}

/// What is built on one.
trait Asking: Semaphore {
    fn asked(&self) -> &Asked;
}

impl Asking for Asked {
    fn asked(&self) -> &Asked {
        self
    }
}

impl<S: Asking> Asking for Restarting<S> {
    fn asked(&self) -> &Asked {
        self.0.asked()
    }
}

impl Disturb for Asked {}

impl Semaphore for Asked {
    fn create() -> Result<Self, NoteError> {
        Ok(Self { semaphore: PosixSemaphore::create()?, last: AtomicU64::new(0), late: AtomicBool::new(false) })
    }

    fn wait_once(&self, timeout: Option<Duration>) -> Result<WaitOnce, NoteError> {
        let asked = timeout.map_or(0, nanoseconds);
        let last = self.last.swap(asked, Ordering::Relaxed);
        if last != 0 && asked >= last {
            self.late.store(true, Ordering::Relaxed);
        }
        self.semaphore.wait_once(timeout)
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        self.semaphore.wakeup()
    }
}

/// The window is a timed sleep, which the helper ends once the target sleeps; a signal while it does ends the
/// wait below.
fn stepped<S: Asking>(stage: &mut Stage) -> Result<(), Failure> {
    let note = Arc::new(SemaNote::<S, Whole>::new());
    stage.handler(|_| Ok(()))?;
    stage.helper({
        let note = Arc::clone(&note);
        move || Ok(note.wakeup()?)
    })?;
    let asked = S::current()?.asked();
    while stage.another()? {
        note.clear();
        asked.last.store(0, Ordering::Relaxed);
        let woken = stage.window(|| note.sleep_timeout(HOUR))?;
        if asked.late.load(Ordering::Relaxed) {
            let detail = "a wait that a signal had ended began again, with no less than its whole time-out";
            return Err(Failure::new(Outcome::Late, detail));
        }
        if woken == Woken::ByTimeout {
            return Err(Failure::new(Outcome::SpuriousWakeup, "a sleep of an hour said that its time was over"));
        }
    }
    Ok(())
}
