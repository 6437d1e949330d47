//! Real signals, aimed at a window of the target thread's code.
//!
//! A *round* arms one signal, runs the window, and waits until the signal has reached its handler: one
//! signal, one handler, one look at what it interrupted. The handler tells where it hit, and a *servo* moves
//! the next delay towards the window:
//!
//! | the handler finds | counted as | the next delay |
//! |---|---|---|
//! | the window not yet entered | `early` | longer |
//! | inside, the target awake | `inside`: the coverage | kept |
//! | inside, the target in a system call | `asleep` | shorter |
//! | the window left | `late` | shorter |
//!
//! | module | holds |
//! |---|---|
//! | `handler` | the signal handler and its statics: one target thread in a process |
//! | `servo` | the controller of the delay |
//! | `delivery` | the ways to send: per-thread timer, `pthread_kill`, `ITIMER_PROF` |
//! | `rescue` | a thread that wakes a sleeper who blocks the signal |
//! | `pc` | the interrupted program counter, by platform |

mod delivery;
mod handler;
mod pc;
mod rescue;
mod servo;

use std::time::{Duration, Instant};

use sigproof_shim::native::atomic::Ordering;
use sigproof_shim::native::hint;
use sigproof_shim::native::os::errno;

pub use delivery::Delivery;
use handler::Nesting;
pub use handler::interrupted_at;
pub use handler::{Fault, Window as Place};
pub(crate) use rescue::Rescue;

use crate::page::Page;
use sigproof_inspect::refusal::Refusal;

/// The signal: the profiler's.
pub const SIGNAL: libc::c_int = libc::SIGPROF;

/// What runs in the handler. It must be async-signal-safe, or be the very thing whose safety is in question.
pub type Body = dyn Fn() -> Result<(), Fault> + Sync;

/// Aims signals at the thread that made it.
#[derive(Debug)]
pub struct Injector {
    page: &'static Page,
    source: Box<dyn delivery::Source>,
    jitter: fastrand::Rng,
}

impl Injector {
    /// Installs `body` as the handler and makes the calling thread the target. Once in a process.
    ///
    /// # Errors
    /// The platform has no such delivery, or the machine refuses the timer, the thread or the handler.
    pub fn new(page: &'static Page, delivery: Delivery, seed: u64, body: &'static Body) -> Result<Self, Refusal> {
        handler::install(page, body, true, Nesting::Masked)?;
        let source = delivery.open(page)?;
        mask(libc::SIG_UNBLOCK)?;
        Ok(Self { page, source, jitter: fastrand::Rng::with_seed(seed) })
    }

    /// One round: a signal is armed, and `window` runs. With [`settle`](Self::settle) after it, the signal
    /// has been handled.
    ///
    /// # Errors
    /// The signal could not be armed.
    pub fn round<R>(&mut self, window: impl FnOnce() -> R) -> Result<R, Refusal> {
        handler::enter(handler::Window::Before);
        let delay = handler::delay_ns() + self.jitter.i64(0..=servo::JITTER_NS);
        // Counted before it is armed, so that the parent never takes a signal on its way for none.
        self.page.armed.fetch_add(1, Ordering::Release);
        self.source.arm(u64::try_from(delay).unwrap_or(0))?;
        if delay < 0 {
            spin_for(Duration::from_nanos(delay.unsigned_abs()));
        }
        handler::enter(handler::Window::Inside);
        let result = window();
        handler::enter(handler::Window::After);
        Ok(result)
    }

    /// One signal, while the target stays where `place` says, awake. For the harness's test of its own
    /// counts.
    ///
    /// # Errors
    /// The signal could not be armed.
    pub fn hold(&mut self, place: Place) -> Result<(), Refusal> {
        /// Long enough for the call that arms the signal to return before it comes, on an idle machine;
        /// nothing depends on it.
        const DELAY_NS: u64 = 20_000;
        handler::enter(place);
        self.page.armed.fetch_add(1, Ordering::Release);
        self.source.arm(DELAY_NS)?;
        self.settle();
        Ok(())
    }

    /// Waits until the handler of this round's signal has run, and counts the round.
    pub fn settle(&self) {
        while !self.page.signals_idle() {
            hint::spin_loop();
        }
        self.page.rounds.fetch_add(1, Ordering::Relaxed);
    }
}

/// Lets time pass, awake.
fn spin_for(time: Duration) {
    let started = Instant::now();
    while started.elapsed() < time {
        hint::spin_loop();
    }
}

/// Keeps the signal from the calling thread, and from the threads that it will start.
///
/// # Errors
/// As `pthread_sigmask`.
pub fn shield() -> Result<(), Refusal> {
    mask(libc::SIG_BLOCK)
}

/// Installs `body` as the handler, and aims nothing: for cases that raise the signal themselves. The calling
/// thread, and those that it starts, take it from then on.
///
/// # Errors
/// As `sigaction`.
pub fn install(page: &'static Page, body: &'static Body) -> Result<(), Refusal> {
    handler::install(page, body, false, Nesting::Masked)?;
    mask(libc::SIG_UNBLOCK)
}

/// The same, but the handler lets every signal in, its own included.
///
/// # Errors
/// As `sigaction`.
pub fn install_nesting(page: &'static Page, body: &'static Body) -> Result<(), Refusal> {
    handler::install(page, body, false, Nesting::Open)?;
    mask(libc::SIG_UNBLOCK)
}

/// Marks `window` as the window, for signals that a case raises itself, on this thread or another.
pub fn window<R>(window: impl FnOnce() -> R) -> R {
    handler::enter(handler::Window::Inside);
    let result = window();
    handler::enter(handler::Window::After);
    result
}

/// Sends the signal to the calling thread; its handler has run when this returns.
pub fn raise(page: &Page) {
    page.armed.fetch_add(1, Ordering::Release);
    // SAFETY: `raise` has no preconditions; the handler was installed before (`install`).
    if unsafe { libc::raise(SIGNAL) } != 0 {
        give_up(page, "raise (tgkill)", errno::get());
    }
}

/// Sends the signal to a thread of this process; a machine that refuses it ends the attempt.
///
/// # Safety
/// `target` is a thread that has not ended.
pub unsafe fn send(page: &Page, target: libc::pthread_t) {
    // SAFETY: by contract.
    match unsafe { libc::pthread_kill(target, SIGNAL) } {
        0 => {}
        errno => give_up(page, "pthread_kill (tgkill)", errno),
    }
}

/// Ends the attempt, from whatever thread: a signal that was asked for cannot be sent. Async-signal-safe.
fn give_up(page: &Page, call: &str, errno: i32) {
    if page.set_refused(call, errno) {
        // SAFETY: _exit does not return; the parent reads the result on the page.
        unsafe { libc::_exit(0) };
    }
}

fn mask(how: libc::c_int) -> Result<(), Refusal> {
    // SAFETY: a zeroed sigset_t is a valid object for sigemptyset to initialise; all pointers are to live
    // locals or null.
    let result = unsafe {
        let mut set: libc::sigset_t = core::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, SIGNAL);
        libc::pthread_sigmask(how, &raw const set, core::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(Refusal::of("pthread_sigmask", result)) }
}
