//! The unnamed POSIX semaphore, private to the process.
//!
//! `sem_post` is on POSIX's list of async-signal-safe functions (POSIX.1-2017, section 2.4.3); the waits are
//! not.
//!
//! Invariant 1: the C object stays at one address from initialisation to destruction: it is boxed, and the
//! box is never replaced.
//!
//! glibc before 2.21 touched the object after it had released the waiter (glibc bug 12674), so an owner that
//! is to outlive such a poster keeps the storage for ever; that is the business of the layer above.

use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::time::Duration;

use crate::native::atomic::{AtomicPtr, Ordering};
use crate::native::os::clock;
use crate::native::os::error::{OsError, check};

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SemWait {
    /// The count was above zero, and is now one less.
    Acquired,
    /// The time is over.
    TimedOut,
    /// A signal handler ran (`EINTR`): nothing was acquired.
    Interrupted,
}

/// A counting semaphore.
pub struct Semaphore(Box<UnsafeCell<libc::sem_t>>);

// SAFETY: the C object is made to be shared by threads; access is through the sem functions only.
unsafe impl Send for Semaphore {}
// SAFETY: as above.
unsafe impl Sync for Semaphore {}

impl core::fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Semaphore").field(&self.address()).finish()
    }
}

impl Semaphore {
    /// A fresh semaphore with a count of zero.
    ///
    /// # Errors
    /// [`OsError::Unsupported`] where the platform has no unnamed semaphores; [`OsError::Failed`] otherwise.
    pub fn new() -> Result<Self, OsError> {
        // SAFETY: zero is a value of every field of sem_t; sem_init then makes it a semaphore.
        let semaphore = Box::new(UnsafeCell::new(unsafe { core::mem::zeroed() }));
        // SAFETY: at its final address (invariant 1), not in use; not shared with other processes.
        check("sem_init", unsafe { libc::sem_init(semaphore.get(), 0, 0) })?;
        Ok(Self(semaphore))
    }

    /// Adds one, and wakes a waiter if there is one. Async-signal-safe; sets `errno` if it fails.
    ///
    /// # Errors
    /// [`OsError::Failed`] with `EOVERFLOW` at `SEM_VALUE_MAX`.
    #[inline]
    pub fn post(&self) -> Result<(), OsError> {
        // SAFETY: initialised, and at its address (invariant 1).
        check("sem_post", unsafe { libc::sem_post(self.0.get()) }).map(drop)
    }

    /// Waits for a count above zero and takes one off it.
    ///
    /// # Errors
    /// [`OsError::Failed`]; not expected.
    pub fn wait(&self) -> Result<SemWait, OsError> {
        // SAFETY: as in `post`.
        outcome(check("sem_wait", unsafe { libc::sem_wait(self.0.get()) }))
    }

    /// As [`Semaphore::wait`], for at most `timeout`: of monotonic time where the C library has
    /// `sem_clockwait` (glibc from 2.30 on), else of real time, which somebody may set; a caller that must be
    /// exact looks at the monotonic clock itself.
    ///
    /// # Errors
    /// [`OsError::Failed`]; not expected.
    pub fn wait_for(&self, timeout: Duration) -> Result<SemWait, OsError> {
        let Some(clockwait) = clockwait() else {
            let until = clock::timespec(clock::read(libc::CLOCK_REALTIME).saturating_add(timeout));
            // SAFETY: as in `post`; the time is valid.
            return outcome(check("sem_timedwait", unsafe { libc::sem_timedwait(self.0.get(), &raw const until) }));
        };
        let until = clock::timespec(clock::now().saturating_add(timeout));
        // SAFETY: as above; the function is the one of that name and type.
        outcome(check("sem_clockwait", unsafe { clockwait(self.0.get(), libc::CLOCK_MONOTONIC, &raw const until) }))
    }

    /// The address of the C object: what a diagnosis finds as the futex that a waiter sleeps on.
    #[must_use]
    pub fn address(&self) -> usize {
        self.0.get() as usize
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        // SAFETY: initialised; `&mut self` says that no thread waits.
        unsafe { libc::sem_destroy(self.0.get()) };
    }
}

fn outcome(result: Result<libc::c_int, OsError>) -> Result<SemWait, OsError> {
    match result {
        Ok(_) => Ok(SemWait::Acquired),
        Err(OsError::Failed { errno: libc::EINTR, .. }) => Ok(SemWait::Interrupted),
        Err(OsError::Failed { errno: libc::ETIMEDOUT, .. }) => Ok(SemWait::TimedOut),
        Err(error) => Err(error),
    }
}

type ClockWait = unsafe extern "C" fn(*mut libc::sem_t, libc::clockid_t, *const libc::timespec) -> libc::c_int;

/// `sem_clockwait`, which not every C library has. Only the sleeper asks, so that `dlsym` is not reached from
/// a handler.
fn clockwait() -> Option<ClockWait> {
    /// Null: not looked up yet; itself: looked up, absent; else the function.
    static FOUND: AtomicPtr<libc::c_void> = AtomicPtr::new(core::ptr::null_mut());
    let absent = (&raw const FOUND).cast_mut().cast::<libc::c_void>();
    // Relaxed: every thread that looks it up finds the same, and nothing hangs on the order.
    let mut found = FOUND.load(Ordering::Relaxed);
    if found.is_null() {
        // SAFETY: the name ends in a zero byte.
        found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"sem_clockwait".as_ptr()) };
        if found.is_null() {
            found = absent;
        }
        FOUND.store(found, Ordering::Relaxed);
    }
    // SAFETY: a non-null answer of dlsym for this name is the C library's function of this type.
    (found != absent).then(|| unsafe { core::mem::transmute::<*mut libc::c_void, ClockWait>(found) })
}
