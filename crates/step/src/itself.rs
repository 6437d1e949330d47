//! Stepping oneself: the processor traps after every instruction while its trap flag is set, and the handler
//! of that trap counts.
//!
//! | trap | the handler |
//! |---|---|
//! | the first mark | sets the flag |
//! | after an instruction | writes the boundary down, or sends the signal if it is the one, and clears the flag |
//! | the second mark | clears the flag |
//!
//! The signal is blocked while the trap's handler runs, and so delivered as that returns: at the boundary, as
//! if the handler had not been there.
//!
//! The handler may interrupt anything: it calls nothing but `gettid` and `tgkill`, and writes to atomics.
//!
//! Limits: a return from a system call traps one instruction late, so the boundary right after each call is
//! not reached; a window that blocks SIGTRAP kills its process.

use core::ops::Range;
use std::io;

use sigproof_shim::native::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering};

use crate::slate::{PATH, Slate, task};
use crate::{Boundary, follow};

mod context;

use context::Interrupted;

static SLATE: AtomicPtr<Slate> = AtomicPtr::new(core::ptr::null_mut());
/// Counts the signals that are sent ([`Notes::armed`](crate::Notes::armed)).
static ARMED: AtomicPtr<AtomicU64> = AtomicPtr::new(core::ptr::null_mut());
/// The signal.
static SIGNAL: AtomicI32 = AtomicI32::new(0);
/// Where on the path the target is.
static AT: AtomicU64 = AtomicU64::new(0);

/// Lets this process step itself: its target then sends itself `signal` where the slate says, and counts it
/// in `armed` before.
///
/// # Errors
/// Those of `sigaction`.
pub fn install(armed: &'static AtomicU64, signal: libc::c_int, slate: &'static Slate) -> io::Result<()> {
    ARMED.store(core::ptr::from_ref(armed).cast_mut(), Ordering::Release);
    SIGNAL.store(signal, Ordering::Release);
    SLATE.store(core::ptr::from_ref(slate).cast_mut(), Ordering::Release);
    // SAFETY: a zeroed sigaction is valid; `on_trap` has the signature that SA_SIGINFO asks for; the mask is
    // initialised.
    let result = unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = on_trap as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigfillset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGTRAP, &raw const action, core::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

extern "C" fn on_trap(_signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: set before the handler was installed, to what lives as long as the process.
    let (armed, slate) = unsafe { (&*ARMED.load(Ordering::Acquire), &*SLATE.load(Ordering::Acquire)) };
    // SAFETY: what the kernel has given to this very handler.
    let mut interrupted = unsafe { Interrupted::new(context) };
    // SAFETY: as above.
    let mark = context::is_mark(unsafe { (*info).si_code });
    let task = slate.task.load(Ordering::Relaxed);
    match (mark, slate.inside.load(Ordering::Relaxed) != 0) {
        (true, false) => {
            slate.inside.store(1, Ordering::Relaxed);
            slate.base.store(interrupted.sp(), Ordering::Relaxed);
            AT.store(0, Ordering::Relaxed);
            interrupted.set_flag(task != task::RUN);
        }
        (true, true) => {
            slate.inside.store(0, Ordering::Relaxed);
            interrupted.set_flag(false);
            return;
        }
        (false, _) => {}
    }
    let depth = slate.base.load(Ordering::Relaxed).wrapping_sub(interrupted.sp());
    let here = Boundary { pc: interrupted.pc(), depth, asleep: false };
    match task {
        task::RECORD => record(slate, here, mark),
        task::INJECT => inject(armed, slate, &mut interrupted, here, mark),
        _ => {}
    }
}

fn record(slate: &Slate, here: Boundary, first: bool) {
    let len = if first { 0 } else { slate.len.load(Ordering::Relaxed) as usize };
    // A turn that is made again.
    let at = follow::again(slate, len, &here, &vdso(slate)).unwrap_or(len);
    slate.write(at, here);
    slate.len.store((at + 1).min(PATH) as u64, Ordering::Release);
}

fn inject(armed: &AtomicU64, slate: &Slate, interrupted: &mut Interrupted, here: Boundary, first: bool) {
    let at = AT.load(Ordering::Relaxed) as usize;
    let at = if first { Some(0) } else { follow::next(slate, at, &here, &vdso(slate)) };
    let Some(at) = at else {
        interrupted.set_flag(false);
        slate.astray.store(1, Ordering::Relaxed);
        return;
    };
    AT.store(at as u64, Ordering::Relaxed);
    if at as u64 == slate.boundary.load(Ordering::Relaxed) {
        interrupted.set_flag(false);
        // Counted before it is sent, so that the sweeping process never takes a signal on its way for none.
        armed.fetch_add(1, Ordering::Release);
        context::signal_self(SIGNAL.load(Ordering::Relaxed));
    }
}

fn vdso(slate: &Slate) -> Range<u64> {
    let [start, end] = &slate.vdso;
    start.load(Ordering::Relaxed)..end.load(Ordering::Relaxed)
}
