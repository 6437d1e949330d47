//! Tests of the step technique by itself: windows and handlers that misbehave in one way each. Hidden, as the
//! others.
//!
//! | case | what misbehaves | comes to |
//! |---|---|---|
//! | `selftest-step-crash` | the handler aborts, or writes to memory that it may not write to | crash |
//! | `selftest-step-exit` | the window leaves the process | crash, without a signal too |
//! | `selftest-step-errno` | the handler leaves `errno` changed | errno spoiled |
//! | `selftest-step-twice` | the handler raises its own signal once more, or the window blocks the signal and never takes it | corrupt record |
//! | `selftest-step-lost-wakeup` | the window looks at a flag, then sleeps; the handler sets it in between | lost wake-up |
//! | `selftest-step-cross-deadlock` | the handler waits for a thread that waits for the window | cross deadlock |
//! | `selftest-step-livelock` | the handler spins until the window has set a flag | livelock |
//! | `selftest-step-descriptor-leak` | the handler opens a descriptor | descriptor leak |
//! | `selftest-step-nesting` | a handler that lets signals in and bears none | corrupt record, of two signals only |
//! | `selftest-step-another-path` | the window takes another path each time, in every process | inconclusive |
//! | `selftest-step-drifts` | the window takes another branch later on, in every process | delivered |

use core::hint::black_box;
use std::sync::{OnceLock, mpsc};

use sigproof_shim::native::atomic::{AtomicBool, AtomicU32, Ordering};
use sigproof_shim::native::hint;
use sigproof_shim::native::os::errno;
use sigproof_shim::native::os::pthread::Mutex;
use sigproof_shim::sync::Arc;

use sigproof_harness::attempt::Attempt;
use sigproof_harness::case::Case;
use sigproof_harness::failure::Failure;
use sigproof_harness::forked::{Stage, Window};
use sigproof_harness::inject::{self, Fault};
use sigproof_harness::setup::Setup;
use sigproof_osnote::Backends;
use sigproof_report::Outcome;

/// Windows that misbehave in one way.
pub(in crate::cases) struct Stepped {
    name: &'static str,
    summary: &'static str,
    /// What is expected of them; that they end well makes it a fixed variant.
    outcome: Outcome,
    windows: fn() -> Vec<Window>,
}

impl Case for Stepped {
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

    fn attempt(&self, _setup: &Setup, _attempt: &Attempt) -> Result<(), Failure> {
        Err(Failure::new(Outcome::Crash, format!("there is nothing but a window: cargo xtask step {}", self.name)))
    }

    fn windows(&self, _setup: &Setup) -> Vec<Window> {
        (self.windows)()
    }

    fn aimed(&self) -> bool {
        false
    }

    fn hidden(&self) -> bool {
        true
    }
}

pub(in crate::cases) static CRASH: Stepped = Stepped {
    name: "selftest-step-crash",
    summary: "the handler ends its process: by itself, and by a bad address",
    outcome: Outcome::Crash,
    windows: || vec![Window::new("abort", abort), Window::new("fault", fault)],
};

pub(in crate::cases) static EXIT: Stepped = Stepped {
    name: "selftest-step-exit",
    summary: "the window leaves the process as if all were well",
    outcome: Outcome::Crash,
    windows: || vec![Window::new("exit", exit)],
};

pub(in crate::cases) static ERRNO: Stepped = Stepped {
    name: "selftest-step-errno",
    summary: "the handler leaves errno changed",
    outcome: Outcome::ErrnoSpoiled,
    windows: || vec![Window::new("errno", spoil)],
};

pub(in crate::cases) static TWICE: Stepped = Stepped {
    name: "selftest-step-twice",
    summary: "the handler runs once more than signals were sent, or once less",
    outcome: Outcome::CorruptRecord,
    windows: || vec![Window::new("twice", twice), Window::new("late", twice_late), Window::new("never", never)],
};

pub(in crate::cases) static LOST_WAKEUP: Stepped = Stepped {
    name: "selftest-step-lost-wakeup",
    summary: "a signal between the look at its flag and the sleep is slept through",
    outcome: Outcome::LostWakeup,
    windows: || vec![Window::new("pause", pause)],
};

pub(in crate::cases) static CROSS_DEADLOCK: Stepped = Stepped {
    name: "selftest-step-cross-deadlock",
    summary: "the handler waits for a thread that waits for the code that the handler has interrupted",
    outcome: Outcome::CrossDeadlock,
    windows: || vec![Window::new("unlock", unlock)],
};

pub(in crate::cases) static LIVELOCK: Stepped = Stepped {
    name: "selftest-step-livelock",
    summary: "the handler spins until the code that it has interrupted goes on",
    outcome: Outcome::Livelock,
    windows: || vec![Window::new("set", spin)],
};

pub(in crate::cases) static DESCRIPTOR_LEAK: Stepped = Stepped {
    name: "selftest-step-descriptor-leak",
    summary: "the handler leaves a descriptor open",
    outcome: Outcome::DescriptorLeak,
    windows: || vec![Window::new("leak", leak), Window::new("late", leak_late)],
};

pub(in crate::cases) static NESTING: Stepped = Stepped {
    name: "selftest-step-nesting",
    summary: "a handler that lets signals in and bears none: one signal does no harm, two do",
    outcome: Outcome::CorruptRecord,
    windows: || vec![Window::new("nested", nested).nests()],
};

pub(in crate::cases) static ANOTHER_PATH: Stepped = Stepped {
    name: "selftest-step-another-path",
    summary: "the window takes another path each time: the run must be inconclusive",
    outcome: Outcome::Delivered,
    windows: || {
        let runs = all_runs();
        vec![Window::new("longer", move |stage| longer(stage, runs))]
    },
};

pub(in crate::cases) static DRIFTS: Stepped = Stepped {
    name: "selftest-step-drifts",
    summary: "the window takes another branch from its third time on, as an allocator may: a fresh process is as at first",
    outcome: Outcome::Delivered,
    windows: || vec![Window::new("branch", drift)],
};

/// How often all processes together have run a window: memory that the children share which are forked later.
fn all_runs() -> &'static AtomicU32 {
    static RUNS: OnceLock<&AtomicU32> = OnceLock::new();
    RUNS.get_or_init(|| {
        let flags = libc::MAP_SHARED | libc::MAP_ANON;
        // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
        let page = unsafe {
            libc::mmap(core::ptr::null_mut(), size_of::<AtomicU32>(), libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
        };
        if page == libc::MAP_FAILED {
            return Box::leak(Box::default());
        }
        // SAFETY: page-aligned, zeroed, large enough, never unmapped; zero is a value of an atomic.
        unsafe { &*page.cast::<AtomicU32>() }
    })
}

/// A window of a few instructions, around which there is nothing to be told.
fn idle(stage: &mut Stage) -> Result<(), Failure> {
    while stage.another()? {
        stage.window(|| {
            black_box(0);
        });
    }
    Ok(())
}

fn abort(stage: &mut Stage) -> Result<(), Failure> {
    stage.handler(|_| std::process::abort())?;
    idle(stage)
}

fn fault(stage: &mut Stage) -> Result<(), Failure> {
    // SAFETY: a mapping at an address of the kernel's choice disturbs nothing.
    let page = unsafe {
        libc::mmap(core::ptr::null_mut(), 1, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANON, -1, 0).addr()
    };
    stage.handler(move |_| {
        // SAFETY: no other code has this memory. The write must not be allowed: it ends the process.
        unsafe { core::ptr::with_exposed_provenance_mut::<u8>(page).write_volatile(0) };
        Ok(())
    })?;
    idle(stage)
}

fn exit(stage: &mut Stage) -> Result<(), Failure> {
    stage.handler(|_| Ok(()))?;
    if stage.another()? {
        // SAFETY: does not return; nothing of this process is needed any more.
        stage.window(|| unsafe { libc::_exit(0) });
    }
    Ok(())
}

fn spoil(stage: &mut Stage) -> Result<(), Failure> {
    stage.handler(|_| {
        errno::set(errno::get() ^ 1);
        Ok(())
    })?;
    idle(stage)
}

fn twice(stage: &mut Stage) -> Result<(), Failure> {
    stage.handler(|before| {
        if before == 0 {
            // SAFETY: no preconditions, and async-signal-safe; the signal is blocked until this handler has
            // returned.
            unsafe { libc::raise(inject::SIGNAL) };
        }
        Ok(())
    })?;
    idle(stage)
}

/// What handler and window have in common.
fn flag() -> (Arc<AtomicBool>, Arc<AtomicBool>) {
    let flag = Arc::new(AtomicBool::new(false));
    (Arc::clone(&flag), flag)
}

fn pause(stage: &mut Stage) -> Result<(), Failure> {
    let (set, flag) = flag();
    stage.handler(move |_| {
        set.store(true, Ordering::Relaxed);
        Ok(())
    })?;
    while stage.another()? {
        flag.store(false, Ordering::Relaxed);
        stage.window(|| {
            while !flag.load(Ordering::Relaxed) {
                // SAFETY: no preconditions; it returns when a handler has.
                unsafe { libc::pause() };
            }
        });
    }
    Ok(())
}

fn spin(stage: &mut Stage) -> Result<(), Failure> {
    let (seen, flag) = flag();
    stage.handler(move |_| {
        while !seen.load(Ordering::Relaxed) {
            hint::spin_loop();
        }
        Ok(())
    })?;
    while stage.another()? {
        flag.store(false, Ordering::Relaxed);
        stage.window(|| flag.store(true, Ordering::Relaxed));
    }
    Ok(())
}

/// The other thread holds `outer`, and waits for `inner`, which the target holds until it gives it back in
/// the window.
fn unlock(stage: &mut Stage) -> Result<(), Failure> {
    let mutexes = Arc::new([Mutex::new()?, Mutex::new()?]);
    let (go, went) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel::<()>();
    stage.other("other", {
        let mutexes = Arc::clone(&mutexes);
        move || {
            let [outer, inner] = &*mutexes;
            // The other end is closed only while the process exits.
            while went.recv().is_ok() {
                let _outer = outer.lock()?;
                let _ = tell.send(());
                let _inner = inner.lock()?;
            }
            Ok(())
        }
    })?;
    stage.handler({
        let mutexes = Arc::clone(&mutexes);
        move |_| {
            let locked = mutexes[0].lock();
            locked.map(drop).map_err(|_| Fault { outcome: Outcome::Crash, detail: "the mutex could not be taken" })
        }
    })?;
    let gone = || Failure::new(Outcome::Crash, "the other thread is gone");
    while stage.another()? {
        let inner = mutexes[1].lock()?;
        go.send(()).map_err(|_| gone())?;
        told.recv().map_err(|_| gone())?;
        stage.window(|| drop(inner));
        // Not before the other one has let go.
        drop(mutexes[0].lock()?);
    }
    Ok(())
}

fn leak(stage: &mut Stage) -> Result<(), Failure> {
    stage.handler(|_| {
        // SAFETY: the path ends with a zero byte, and the call is async-signal-safe.
        unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
        Ok(())
    })?;
    idle(stage)
}

/// What misbehaves does so in the second half of the window only.
fn late(stage: &mut Stage, misbehave: impl Fn() + Sync + 'static) -> Result<(), Failure> {
    let (half, flag) = flag();
    stage.handler(move |before| {
        if before == 0 && half.load(Ordering::Relaxed) {
            misbehave();
        }
        Ok(())
    })?;
    while stage.another()? {
        flag.store(false, Ordering::Relaxed);
        stage.window(|| {
            black_box(0);
            flag.store(true, Ordering::Relaxed);
            black_box(0);
        });
    }
    Ok(())
}

fn leak_late(stage: &mut Stage) -> Result<(), Failure> {
    late(stage, || {
        // SAFETY: the path ends with a zero byte, and the call is async-signal-safe.
        unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    })
}

fn twice_late(stage: &mut Stage) -> Result<(), Failure> {
    late(stage, || {
        // SAFETY: as in `twice`.
        unsafe { libc::raise(inject::SIGNAL) };
    })
}

/// The window blocks the signal, and nothing takes it before the end of an execution.
fn never(stage: &mut Stage) -> Result<(), Failure> {
    stage.handler(|_| Ok(()))?;
    let mask = |how| {
        // SAFETY: the set is initialised before it is used; the old mask is not asked for.
        unsafe {
            let mut set = core::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, inject::SIGNAL);
            libc::pthread_sigmask(how, &raw const set, core::ptr::null_mut());
        }
    };
    while stage.another()? {
        mask(libc::SIG_UNBLOCK);
        stage.window(|| mask(libc::SIG_BLOCK));
    }
    Ok(())
}

fn nested(stage: &mut Stage) -> Result<(), Failure> {
    let busy = AtomicBool::new(false);
    stage.handler(move |_| {
        if busy.swap(true, Ordering::Relaxed) {
            return Err(Fault { outcome: Outcome::CorruptRecord, detail: "the handler has interrupted itself" });
        }
        busy.store(false, Ordering::Relaxed);
        Ok(())
    })?;
    idle(stage)
}

/// A loop with a turn more than the last time, in whatever process that was.
fn longer(stage: &mut Stage, runs: &AtomicU32) -> Result<(), Failure> {
    stage.handler(|_| Ok(()))?;
    while stage.another()? {
        let turns = 1 + runs.fetch_add(1, Ordering::Relaxed);
        stage.window(|| {
            for turn in 0..turns {
                black_box(turn);
            }
        });
    }
    Ok(())
}

/// The first execution of a process warms it up, and the second one is recorded.
fn drift(stage: &mut Stage) -> Result<(), Failure> {
    stage.handler(|_| Ok(()))?;
    let mut runs = 0_u32;
    while stage.another()? {
        runs += 1;
        stage.window(|| if runs <= 2 { at_first(runs) } else { later(runs) });
    }
    Ok(())
}

#[inline(never)]
fn at_first(runs: u32) {
    black_box(runs + 1);
}

#[inline(never)]
fn later(runs: u32) {
    black_box(runs * 3);
    black_box(runs / 3);
}
