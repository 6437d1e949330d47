//! The pthread mutex and condition variable.
//!
//! **Nothing here is async-signal-safe**: none of these functions is on POSIX's list (POSIX.1-2017, section
//! 2.4.3), and a handler that locks what the interrupted code holds waits for ever. That is the subject of
//! this project, so nothing here guards against it: the mutex is of type `PTHREAD_MUTEX_NORMAL`, for which
//! POSIX specifies that a second lock by the owner deadlocks.
//!
//! Invariants:
//! 1. The C object stays at one address from its initialisation to its destruction: it is boxed, and the box
//!    is never replaced.
//! 2. A guard lives in the thread that locked: it is not `Send`. So an unlock is by the owner.

use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::time::Duration;

use super::error::{OsError, check_number};
use super::target;

/// A mutex that does not protect a value: only exclusion.
#[derive(Debug)]
pub struct Mutex(Box<UnsafeCell<libc::pthread_mutex_t>>);

// SAFETY: the C object is made to be shared by threads; access is through the pthread functions only.
unsafe impl Send for Mutex {}
// SAFETY: as above.
unsafe impl Sync for Mutex {}

/// A locked mutex.
#[derive(Debug)]
#[must_use = "the mutex is unlocked when the guard is dropped"]
pub struct MutexGuard<'a> {
    mutex: &'a Mutex,
    /// Invariant 2.
    _not_send: PhantomData<*const ()>,
}

impl Mutex {
    /// A fresh mutex of type `PTHREAD_MUTEX_NORMAL`, private to the process.
    ///
    /// # Errors
    /// [`OsError::Failed`] with `ENOMEM` or `EAGAIN` where the system lacks resources.
    pub fn new() -> Result<Self, OsError> {
        let mutex = Box::new(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER));
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the attributes are initialised before use and destroyed after; the mutex is at its final
        // address (invariant 1).
        unsafe {
            check_number("pthread_mutexattr_init", libc::pthread_mutexattr_init(attributes.as_mut_ptr()))?;
            let made = check_number(
                "pthread_mutexattr_settype",
                libc::pthread_mutexattr_settype(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_NORMAL),
            )
            .and_then(|()| {
                check_number("pthread_mutex_init", libc::pthread_mutex_init(mutex.get(), attributes.as_ptr()))
            });
            libc::pthread_mutexattr_destroy(attributes.as_mut_ptr());
            made?;
        }
        Ok(Self(mutex))
    }

    /// Waits for the mutex and takes it. Deadlocks if this thread holds it.
    ///
    /// # Errors
    /// [`OsError::Failed`]; not expected of a mutex of this type.
    pub fn lock(&self) -> Result<MutexGuard<'_>, OsError> {
        // SAFETY: initialised, and at its address (invariant 1).
        check_number("pthread_mutex_lock", unsafe { libc::pthread_mutex_lock(self.0.get()) })?;
        Ok(MutexGuard { mutex: self, _not_send: PhantomData })
    }

    /// The address of the C object: what a diagnosis finds as the futex that a waiter sleeps on.
    #[must_use]
    pub fn address(&self) -> usize {
        self.0.get() as usize
    }
}

impl Drop for Mutex {
    fn drop(&mut self) {
        // SAFETY: initialised; `&mut self` says that no guard is left. A leaked guard makes this EBUSY, which
        // is no harm.
        unsafe { libc::pthread_mutex_destroy(self.0.get()) };
    }
}

impl Drop for MutexGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: locked by this thread (invariant 2). Cannot fail for a mutex of this type that is locked.
        unsafe { libc::pthread_mutex_unlock(self.mutex.0.get()) };
    }
}

/// How a timed wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CondWait {
    /// Signalled, or spuriously: the caller looks at its condition again.
    Woken,
    /// The time is over.
    TimedOut,
}

/// A condition variable whose timed wait runs on the monotonic clock.
#[derive(Debug)]
pub struct Condvar(Box<UnsafeCell<libc::pthread_cond_t>>);

// SAFETY: as for `Mutex`.
unsafe impl Send for Condvar {}
// SAFETY: as for `Mutex`.
unsafe impl Sync for Condvar {}

impl Condvar {
    /// A fresh condition variable, private to the process.
    ///
    /// # Errors
    /// [`OsError::Failed`] with `ENOMEM` or `EAGAIN` where the system lacks resources.
    pub fn new() -> Result<Self, OsError> {
        let condvar = Box::new(UnsafeCell::new(libc::PTHREAD_COND_INITIALIZER));
        // SAFETY: at its final address (invariant 1), not yet in use.
        unsafe { target::cond_init(condvar.get())? };
        Ok(Self(condvar))
    }

    /// Unlocks, waits, locks again. May wake spuriously.
    ///
    /// # Errors
    /// [`OsError::Failed`]; not expected.
    pub fn wait(&self, guard: &mut MutexGuard<'_>) -> Result<(), OsError> {
        // SAFETY: both initialised (invariant 1); the mutex is locked by this thread (invariant 2).
        check_number("pthread_cond_wait", unsafe { libc::pthread_cond_wait(self.0.get(), guard.mutex.0.get()) })
    }

    /// As [`Condvar::wait`], for at most `timeout` of monotonic time.
    ///
    /// # Errors
    /// As [`Condvar::wait`].
    pub fn wait_for(&self, guard: &mut MutexGuard<'_>, timeout: Duration) -> Result<CondWait, OsError> {
        // SAFETY: as in `wait`.
        match unsafe { target::cond_wait_for(self.0.get(), guard.mutex.0.get(), timeout) } {
            Ok(()) => Ok(CondWait::Woken),
            Err(OsError::Failed { errno: libc::ETIMEDOUT, .. }) => Ok(CondWait::TimedOut),
            Err(error) => Err(error),
        }
    }

    /// Wakes one waiter, if there is one.
    ///
    /// # Errors
    /// [`OsError::Failed`]; not expected.
    pub fn signal(&self) -> Result<(), OsError> {
        // SAFETY: initialised, and at its address (invariant 1).
        check_number("pthread_cond_signal", unsafe { libc::pthread_cond_signal(self.0.get()) })
    }

    /// The address of the C object.
    #[must_use]
    pub fn address(&self) -> usize {
        self.0.get() as usize
    }
}

impl Drop for Condvar {
    fn drop(&mut self) {
        // SAFETY: initialised; `&mut self` says that no thread waits.
        unsafe { libc::pthread_cond_destroy(self.0.get()) };
    }
}
