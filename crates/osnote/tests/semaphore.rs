//! Semaphores and the key-word note over them: one addition, one taking; the provided sleep; the loops that
//! cases replace; the storage.

mod support;

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sigproof_osnote::notes::sema::{Intervals, Key, SemaNote, SleepLoop};
use sigproof_osnote::semaphore::{PosixSemaphore, PthreadSemaphore, Semaphore, Slept, WaitOnce};
use sigproof_osnote::testing::Disturb;
use sigproof_osnote::{Note, NoteError, Woken};
use sigproof_shim::atomic::{AtomicI64, AtomicU64, Ordering};

use support::{Gate, Jitter, Watched, exclusive, sleeper, spin};

/// What was added and not taken, over all semaphores of [`Counting`].
static BALANCE: AtomicI64 = AtomicI64::new(0);

/// A semaphore whose additions and takings are counted, and which wakes spuriously every other time.
struct Counting(PthreadSemaphore, AtomicU64);

impl Disturb for Counting {}

impl Semaphore for Counting {
    fn create() -> Result<Self, NoteError> {
        Ok(Self(PthreadSemaphore::create()?, AtomicU64::new(0)))
    }

    fn wait_once(&self, timeout: Option<Duration>) -> Result<WaitOnce, NoteError> {
        if self.1.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
            return Ok(WaitOnce::Spurious);
        }
        let waited = self.0.wait_once(timeout)?;
        if waited == WaitOnce::Acquired {
            BALANCE.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(waited)
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        BALANCE.fetch_add(1, Ordering::SeqCst);
        self.0.wakeup()
    }
}

fn race<L: SleepLoop>() {
    let note = &SemaNote::<Counting, L>::new();
    let (start, done) = (&Gate::new(), &Gate::new());
    let mut outcomes = [0; 2];
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut jitter = Jitter(6);
            for round in 1..=2000 {
                start.wait(round);
                spin(Duration::from_nanos(jitter.below(60_000)));
                note.wakeup().unwrap();
                done.open(round);
            }
        });
        for round in 1..=2000 {
            let timeout = Duration::from_micros(u64::try_from(round % 4).unwrap() * 20);
            start.open(round);
            let woken = note.sleep_timeout(timeout).unwrap();
            outcomes[usize::from(woken == Woken::ByWakeup)] += 1;
            done.wait(round);
            assert_eq!(note.key(), Key::Woken);
            assert_eq!(BALANCE.load(Ordering::SeqCst), 0, "left in the semaphore, or taken unasked");
            note.clear();
        }
    });
    assert!(outcomes.iter().all(|&count| count > 0), "{outcomes:?} is no race");
}

#[test]
fn a_race_between_giving_up_and_waking_leaves_no_count() {
    let _exclusive = exclusive("counting semaphore");
    race::<sigproof_osnote::notes::sema::Whole>();
    race::<Intervals<7>>();
}

#[test]
fn sleeping_in_intervals_lasts_until_woken() {
    static INTERVALS: AtomicU64 = AtomicU64::new(0);
    enum Counted {}
    impl SleepLoop for Counted {
        const INTERVAL: Option<Duration> = Some(Duration::from_micros(200));
        fn between_intervals() {
            INTERVALS.fetch_add(1, Ordering::SeqCst);
        }
    }
    let _exclusive = exclusive("intervals");
    let note = SemaNote::<PthreadSemaphore, Counted>::new();
    let watched = Watched::new();
    thread::scope(|scope| {
        let sleeper = sleeper(scope, &note, &watched);
        while INTERVALS.load(Ordering::SeqCst) < 20 {
            assert!(!watched.returned(), "returned unwoken");
            thread::yield_now();
        }
        assert_eq!(note.key(), Key::Waiter);
        note.wakeup().unwrap();
        sleeper.join().unwrap().unwrap();
    });
    note.clear();
    let timeout = Duration::from_millis(2);
    let start = Instant::now();
    assert_eq!(note.sleep_timeout(timeout), Ok(Woken::ByTimeout));
    assert!(start.elapsed() >= timeout);
}

/// The wake-up comes exactly between two intervals: the loop ends by its test, and must still take what was
/// added.
#[test]
fn a_wake_up_between_two_intervals_leaves_no_count() {
    static NOTE: LazyLock<SemaNote<Counting, WakesItself>> = LazyLock::new(SemaNote::new);
    enum WakesItself {}
    impl SleepLoop for WakesItself {
        const INTERVAL: Option<Duration> = Some(Duration::from_micros(10));
        fn between_intervals() {
            NOTE.wakeup().unwrap();
        }
    }
    let _exclusive = exclusive("between intervals");
    for timeout in [None, Some(Duration::from_secs(100_000))] {
        match timeout {
            None => NOTE.sleep().unwrap(),
            Some(timeout) => assert_eq!(NOTE.sleep_timeout(timeout), Ok(Woken::ByWakeup)),
        }
        assert_eq!(BALANCE.load(Ordering::SeqCst), 0, "left in the semaphore");
        NOTE.clear();
    }
}

/// What the case note-interval-sleep rebuilds: asked the wrong way, the loop ends at once, unwoken, and the
/// next wake-up is left behind.
#[test]
fn a_loop_that_tests_for_clear_returns_unwoken_and_the_leftover_is_reported() {
    enum TestsForClear {}
    impl SleepLoop for TestsForClear {
        const INTERVAL: Option<Duration> = Some(Duration::from_secs(100_000));
        fn keep_sleeping(key: Key) -> bool {
            key == Key::Clear
        }
    }
    let _exclusive = exclusive("tests for clear");
    let note = SemaNote::<PthreadSemaphore, TestsForClear>::new();
    note.sleep().unwrap();
    assert_eq!(note.key(), Key::Waiter, "returned, but still in the key");
    note.wakeup().unwrap();
    let innocent = SemaNote::<PthreadSemaphore>::new();
    assert_eq!(innocent.sleep(), Err(NoteError::OutOfSync));
    assert_eq!(innocent.key(), Key::Clear);
    assert_eq!(innocent.sleep_timeout(Duration::from_micros(10)), Ok(Woken::ByTimeout), "reported once");
}

fn provided_sleep<S: Semaphore>() {
    let semaphore = match S::create() {
        Ok(semaphore) => semaphore,
        Err(error) => return assert!(matches!(error, NoteError::Unsupported { .. }), "{error}"),
    };
    let timeout = Duration::from_millis(2);
    let start = Instant::now();
    assert_eq!(semaphore.sleep(Some(timeout)), Ok(Slept::TimedOut));
    assert!(start.elapsed() >= timeout);
    semaphore.wakeup().unwrap();
    semaphore.wakeup().unwrap();
    assert_eq!(semaphore.sleep(None), Ok(Slept::Acquired));
    assert_eq!(
        semaphore.sleep(Some(Duration::ZERO)),
        Ok(Slept::Acquired),
        "a count is taken even when the time is over"
    );
    assert_eq!(semaphore.sleep(Some(Duration::ZERO)), Ok(Slept::TimedOut));
}

#[test]
fn the_provided_sleep_takes_one_or_waits_its_time() {
    let _exclusive = exclusive("provided sleep");
    provided_sleep::<PthreadSemaphore>();
    provided_sleep::<PosixSemaphore>();
}

/// A primitive that never does anything but wake spuriously: the deadline ends the sleep. With a wait that
/// starts anew each time (golang/go#27250) this would never end.
#[test]
fn spurious_wake_ups_without_end_do_not_prolong_a_timed_sleep() {
    struct Restless;
    impl Disturb for Restless {}

    impl Semaphore for Restless {
        fn create() -> Result<Self, NoteError> {
            Ok(Self)
        }
        fn wait_once(&self, timeout: Option<Duration>) -> Result<WaitOnce, NoteError> {
            assert!(timeout.unwrap() <= Duration::from_millis(2), "more than what is left");
            Ok(WaitOnce::Spurious)
        }
        fn wakeup(&self) -> Result<(), NoteError> {
            Ok(())
        }
    }
    let _exclusive = exclusive("restless");
    assert_eq!(Restless.sleep(Some(Duration::from_millis(2))), Ok(Slept::TimedOut));
}

#[test]
fn a_thread_keeps_its_semaphore_and_threads_do_not_share_one() {
    let _exclusive = exclusive("storage");
    let seen = Mutex::new(Vec::new());
    let all_hold = std::sync::Barrier::new(8);
    let address = || std::ptr::from_ref(PthreadSemaphore::current().unwrap()).addr();
    for _ in 0..20 {
        thread::scope(|scope| {
            let begin = |_| {
                scope.spawn(|| {
                    let mine = address();
                    assert_eq!(address(), mine, "made once");
                    seen.lock().unwrap().push(mine);
                    all_hold.wait();
                })
            };
            // The scope waits for the closures only; a join waits for what the thread gives back at its end,
            // too.
            let threads: Vec<_> = (0..8).map(begin).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        let round: HashSet<_> = seen.lock().unwrap().iter().rev().take(8).copied().collect();
        assert_eq!(round.len(), 8, "two threads at once with one semaphore");
    }
    let all: HashSet<_> = seen.lock().unwrap().iter().copied().collect();
    // No more than were ever asleep at once: the eight of a round. Those of the next find them all given
    // back.
    assert_eq!(all.len(), 8, "ended threads' semaphores are used again");
}
