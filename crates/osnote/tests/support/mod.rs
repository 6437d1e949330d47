//! What the test files of this crate share: a watchdog against hangs, handshakes with sleeping threads, real
//! signals.

#![allow(dead_code, unused_imports, reason = "each test binary uses its part")]

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod target;
#[cfg(target_vendor = "apple")]
#[path = "apple.rs"]
mod target;

use sigproof_shim::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::io::{self, Write};
use std::panic;
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread::{self, JoinHandle, ScopedJoinHandle};
use std::time::Duration;

use sigproof_osnote::{Backend, Backends, Note, NoteError};

pub use target::{Storm, ThreadId, pin};

/// One test at a time: the single-instance note and the signal handlers belong to the process. Aborts the
/// process if a test hangs: a lost wake-up must fail a test, not stop the run.
pub fn exclusive(test: &'static str) -> Exclusive {
    static LOCK: Mutex<()> = Mutex::new(());
    let lock = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    HOOK.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let _ = writeln!(io::stderr(), "{info}");
            PANICKED.store(true, Ordering::SeqCst);
            default(info);
        }));
    });
    PANICKED.store(false, Ordering::SeqCst);
    let (done, alarm) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        let (mut left, mut failed) = (HANGS, false);
        while alarm.recv_timeout(left.min(LOOK)) == Err(mpsc::RecvTimeoutError::Timeout) {
            left = left.saturating_sub(LOOK);
            if !failed && PANICKED.load(Ordering::SeqCst) {
                (left, failed) = (left.min(WINDS_UP), true);
            }
            if left.is_zero() {
                let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
                let how = if failed { "failed, and a thread of it never ends" } else { "hangs" };
                // Not eprintln: what is captured is lost in an abort.
                let _ = writeln!(io::stderr(), "{test}: {how}, on backend {current}");
                std::process::abort();
            }
        }
    });
    Exclusive { done: Some(done), watchdog: Some(watchdog), _lock: lock }
}

/// So long a test may take.
const HANGS: Duration = Duration::from_secs(120);
/// So long its other threads may take once one has failed: a sleeper whose waker has failed sleeps for ever.
const WINDS_UP: Duration = Duration::from_secs(3);
/// How often the watchdog looks whether one has.
const LOOK: Duration = Duration::from_millis(100);

/// A thread of the running test has failed: the others give up at their next gate, instead of waiting for it
/// until the watchdog barks.
static PANICKED: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();
static CURRENT: Mutex<&str> = Mutex::new("none");

pub struct Exclusive {
    done: Option<Sender<()>>,
    watchdog: Option<JoinHandle<()>>,
    _lock: MutexGuard<'static, ()>,
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        drop(self.done.take());
        let _ = self.watchdog.take().map(JoinHandle::join);
    }
}

/// Runs `test` with every backend that this platform has, and checks that the others say so.
pub fn each_backend(name: &'static str, test: impl Fn(&Backend, &dyn Note)) {
    let _exclusive = exclusive(name);
    let mut tested = 0;
    for backend in Backends::BUILT_IN.iter() {
        println!("{name}: backend {}", backend.name);
        *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = backend.name;
        if backend.available() {
            let note = (backend.make)().unwrap();
            test(backend, &*note);
            tested += 1;
        } else {
            assert!(matches!((backend.make)().err(), Some(NoteError::Unsupported { .. })));
        }
    }
    assert!(tested >= 3, "every platform has at least sema, signote and pipe");
}

/// What a sleeping thread tells of itself.
pub struct Watched {
    id: Mutex<Option<ThreadId>>,
    entered: AtomicBool,
    returned: AtomicBool,
}

impl Watched {
    pub const fn new() -> Self {
        Self { id: Mutex::new(None), entered: AtomicBool::new(false), returned: AtomicBool::new(false) }
    }

    /// Runs `sleep` in this thread, telling when it begins and when it is over.
    pub fn run<T>(&self, sleep: impl FnOnce() -> T) -> T {
        *self.id.lock().unwrap() = Some(ThreadId::current());
        self.entered.store(true, Ordering::SeqCst);
        let result = sleep();
        self.returned.store(true, Ordering::SeqCst);
        result
    }

    pub fn id(&self) -> ThreadId {
        loop {
            if self.entered.load(Ordering::SeqCst) {
                return self.id.lock().unwrap().expect("stored before entering");
            }
            thread::yield_now();
        }
    }

    pub fn returned(&self) -> bool {
        self.returned.load(Ordering::SeqCst)
    }

    /// Returns once the thread, inside its `sleep`, is blocked in the kernel: `true`; or has returned from
    /// it: `false`.
    pub fn asleep(&self) -> bool {
        let id = self.id();
        loop {
            if self.returned() {
                return false;
            }
            if id.is_blocked() {
                return true;
            }
            thread::yield_now();
        }
    }
}

/// A thread that sleeps on `note` without a time-out.
pub fn sleeper<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    note: &'scope dyn Note,
    watched: &'scope Watched,
) -> ScopedJoinHandle<'scope, Result<(), NoteError>> {
    scope.spawn(move || watched.run(|| note.sleep()))
}

/// How many signals [`count`] has counted.
pub static COUNTED: AtomicUsize = AtomicUsize::new(0);

/// A handler that only counts.
pub extern "C" fn count(_signo: libc::c_int) {
    COUNTED.fetch_add(1, Ordering::SeqCst);
}

/// Installs `handler`, without `SA_RESTART`: system calls are interrupted.
pub fn on_signal(signo: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    // SAFETY: zero is a value of every field; the handlers of these tests are async-signal-safe, which each
    // states.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        libc::sigemptyset(&raw mut action.sa_mask);
        assert_eq!(libc::sigaction(signo, &raw const action, std::ptr::null_mut()), 0);
    }
}

/// Spins for about `time`; for jitter, nothing is measured by it.
pub fn spin(time: Duration) {
    let end = std::time::Instant::now() + time;
    while std::time::Instant::now() < end {
        std::hint::spin_loop();
    }
}

/// A small generator, so that jitter differs from round to round and is the same in every run.
pub struct Jitter(pub u64);

impl Jitter {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Counts what other threads have reached, with a spinning wait.
#[derive(Default)]
pub struct Gate(AtomicI32);

impl Gate {
    pub const fn new() -> Self {
        Self(AtomicI32::new(0))
    }

    pub fn open(&self, round: i32) {
        self.0.store(round, Ordering::SeqCst);
    }

    pub fn wait(&self, round: i32) {
        let mut turns = 0_u32;
        while self.0.load(Ordering::SeqCst) < round {
            turns = turns.wrapping_add(1);
            if turns.is_multiple_of(1000) {
                assert!(!PANICKED.load(Ordering::SeqCst), "another thread of this test has failed");
                thread::yield_now();
            }
            std::hint::spin_loop();
        }
    }
}
