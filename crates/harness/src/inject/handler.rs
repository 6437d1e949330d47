//! The signal handler.
//!
//! It may run between any two instructions of the target thread. It allocates nothing, takes no lock, touches
//! no thread-local but `errno` (which is part of the thread control block) and does not unwind; what its
//! *body* does is what the case puts to the test.
//!
//! Invariants:
//! 1. `BODY` and `PAGE` are set, once and for good, before the handler is installed.
//! 2. One thread at a time is the target, so the servo's words have one writer: the handler.
//!
//! Orderings: handler and window run on one thread, so relaxed accesses are ordered by the program; the
//! compiler is kept from moving the window's code across the marks by a compiler fence.

use sigproof_osnote::NoteError;
use sigproof_profbuf::WriteError;
use sigproof_shim::native::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicUsize, Ordering, compiler_fence,
};
use sigproof_shim::native::os::errno;

use super::servo::{Hit, Servo};
use super::{Body, SIGNAL, pc};
use crate::failure::Failure;
use crate::page::Page;
use sigproof_inspect::refusal::Refusal;
use sigproof_report::Outcome;

/// A bad outcome seen inside the handler: made without allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub outcome: Outcome,
    /// What was seen.
    pub detail: &'static str,
}

impl From<NoteError> for Fault {
    fn from(error: NoteError) -> Self {
        match error {
            NoteError::DoubleWakeup => {
                Self { outcome: Outcome::DoubleWakeup, detail: "the note was woken twice since it was last cleared" }
            }
            NoteError::InHandler => Self {
                outcome: Outcome::Refused,
                detail: "the note refused to wake from the signal handler, before it touched a lock",
            },
            NoteError::TwoSleepers => Self { outcome: Outcome::Crash, detail: "a second sleeper on the note" },
            _ => Self { outcome: Outcome::Crash, detail: "waking the note failed in the handler" },
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::new(fault.outcome, fault.detail)
    }
}

impl From<WriteError<NoteError>> for Fault {
    fn from(error: WriteError<NoteError>) -> Self {
        match error {
            WriteError::Wake(error) => error.into(),
            _ => Self { outcome: Outcome::Crash, detail: "the buffer refused a record: misuse" },
        }
    }
}

/// What a handler does with signals that come while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nesting {
    /// It keeps all of them out.
    Masked,
    /// It lets them in, its own included.
    Open,
}

/// Where the target is, seen from the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Window {
    /// The window has not been entered.
    Before = 0,
    /// It has been entered and not been left.
    Inside = 1,
    /// It has been left.
    After = 2,
}

impl Window {
    /// All places, in the order in which a round passes them.
    pub const ALL: [Self; 3] = [Self::Before, Self::Inside, Self::After];
}

static PAGE: AtomicPtr<Page> = AtomicPtr::new(core::ptr::null_mut());
static BODY: AtomicPtr<&'static Body> = AtomicPtr::new(core::ptr::null_mut());
static AIMED: AtomicBool = AtomicBool::new(false);
static INTERRUPTED: AtomicUsize = AtomicUsize::new(0);
static WINDOW: AtomicU32 = AtomicU32::new(Window::Before as u32);
static DELAY_NS: AtomicI64 = AtomicI64::new(Servo::START.delay);
static STEP_NS: AtomicI64 = AtomicI64::new(Servo::START.step);

/// Marks where the target is.
#[inline]
pub(super) fn enter(window: Window) {
    compiler_fence(Ordering::SeqCst);
    WINDOW.store(window as u32, Ordering::Relaxed);
    compiler_fence(Ordering::SeqCst);
}

/// The program counter that the last handler has interrupted. Async-signal-safe; for a body, its own.
pub fn interrupted_at() -> usize {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// The servo's delay, in nanoseconds.
pub(super) fn delay_ns() -> i64 {
    DELAY_NS.load(Ordering::Relaxed)
}

/// Sets the statics and installs the handler. `aimed`: the thread that the signals hit is the one whose
/// window it is.
pub(super) fn install(page: &'static Page, body: &'static Body, aimed: bool, nesting: Nesting) -> Result<(), Refusal> {
    // Invariant 1: before sigaction. Release pairs with the acquire in `on_signal`, should it run on another
    // thread.
    BODY.store(Box::into_raw(Box::new(body)), Ordering::Release);
    AIMED.store(aimed, Ordering::Relaxed);
    PAGE.store(core::ptr::from_ref(page).cast_mut(), Ordering::Release);
    // SAFETY: a zeroed sigaction is valid; `on_signal` has the signature that SA_SIGINFO asks for; the mask
    // is initialised.
    let result = unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        match nesting {
            Nesting::Masked => libc::sigfillset(&raw mut action.sa_mask),
            Nesting::Open => {
                action.sa_flags |= libc::SA_NODEFER;
                libc::sigemptyset(&raw mut action.sa_mask)
            }
        };
        libc::sigaction(SIGNAL, &raw const action, core::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(Refusal::last("sigaction")) }
}

/// The handler. See the module's head for what it may not do.
extern "C" fn on_signal(_signal: libc::c_int, _info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let before = errno::get();
    // SAFETY: invariant 1: both point to leaked, immutable, never freed objects.
    let (page, body) = unsafe { (&*PAGE.load(Ordering::Acquire), *BODY.load(Ordering::Acquire)) };
    page.handler_depth.fetch_add(1, Ordering::Relaxed);
    if AIMED.load(Ordering::Relaxed) {
        aim(page, context);
    } else {
        watch(page);
    }
    // SAFETY: `context` is the ucontext that the kernel gave to this very handler.
    INTERRUPTED.store(unsafe { pc::interrupted(context) }, Ordering::Relaxed);
    // Release: what was armed before is armed to whoever sees this (`Page::signals_idle`).
    page.begun.fetch_add(1, Ordering::Release);
    if let Err(fault) = body() {
        // Else the interrupted thread, or another, is about to end the process with its own verdict.
        if page.set_failed(fault.outcome, fault.detail) {
            // SAFETY: _exit is async-signal-safe and does not return; nothing of this process is needed any
            // more.
            unsafe { libc::_exit(0) };
        }
    }
    page.handler_depth.fetch_sub(1, Ordering::Relaxed);
    page.ended.fetch_add(1, Ordering::Release);
    let after = errno::get();
    if after != before {
        page.errno_spoiled.fetch_add(1, Ordering::Relaxed);
        errno::set(before);
    }
}

/// Counts a hit on one thread by the window of another.
fn watch(page: &Page) {
    let counter = match WINDOW.load(Ordering::Relaxed) {
        w if w == Window::Before as u32 => &page.early,
        w if w == Window::Inside as u32 => &page.inside,
        _ => &page.late,
    };
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Counts the hit and moves the servo.
fn aim(page: &Page, context: *mut libc::c_void) {
    let (counter, hit) = match WINDOW.load(Ordering::Relaxed) {
        w if w == Window::Before as u32 => (&page.early, Hit::Early),
        w if w == Window::After as u32 => (&page.late, Hit::Late),
        // SAFETY: `context` is the ucontext that the kernel gave to this very handler.
        _ if unsafe { pc::in_system_call(context) } => (&page.asleep, Hit::Late),
        _ => (&page.inside, Hit::Inside),
    };
    counter.fetch_add(1, Ordering::Relaxed);
    let servo = Servo { delay: DELAY_NS.load(Ordering::Relaxed), step: STEP_NS.load(Ordering::Relaxed) }.after(hit);
    DELAY_NS.store(servo.delay, Ordering::Relaxed);
    STEP_NS.store(servo.step, Ordering::Relaxed);
}
