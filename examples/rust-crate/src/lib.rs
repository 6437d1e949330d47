//! Two wake-up primitives of a project: one that a signal handler may wake, and one that it may not.
//!
//! They are written over `sigproof_shim`. Its names are those of the platform; in a build for models they are
//! simulated, and the same tests explore every interleaving:
//!
//! ```text
//! cargo test
//! RUSTFLAGS="--cfg sigproof_graph" cargo test --target-dir target/models
//! ```

use sigproof_shim::atomic::{AtomicU32, Ordering};
use sigproof_shim::os::OsError;
use sigproof_shim::os::errno::ErrnoGuard;
use sigproof_shim::os::futex;
use sigproof_shim::os::pthread::{Condvar, Mutex};

/// One word, on which the kernel waits and wakes (futex(2)).
#[derive(Debug)]
pub struct Flag(AtomicU32);

impl Flag {
    /// Not set.
    ///
    /// # Errors
    /// This platform has no futex.
    pub fn new() -> Result<Self, OsError> {
        if !futex::available() {
            return Err(OsError::Unsupported { what: "futex on this platform" });
        }
        Ok(Self(AtomicU32::new(0)))
    }

    /// Sets it, and wakes who waits. Whether it was set before. Async-signal-safe.
    ///
    /// # Errors
    /// Those of futex(2).
    pub fn set(&self) -> Result<bool, OsError> {
        // The code that the handler interrupts may be about to read it.
        let _errno = ErrnoGuard::new();
        if self.0.swap(1, Ordering::AcqRel) == 1 {
            return Ok(true);
        }
        futex::wake(&self.0, 1)?;
        Ok(false)
    }

    /// Waits until it is set.
    ///
    /// # Errors
    /// Those of futex(2).
    pub fn wait(&self) -> Result<(), OsError> {
        while self.0.load(Ordering::Acquire) == 0 {
            futex::wait(&self.0, 0, None)?;
        }
        Ok(())
    }

    /// Takes it back.
    pub fn clear(&self) {
        self.0.store(0, Ordering::Release);
    }
}

/// A mutex and a condition variable: no signal handler may set it (POSIX.1-2017, 2.4.3).
#[derive(Debug)]
pub struct Locked {
    is_set: AtomicU32,
    mutex: Mutex,
    changed: Condvar,
}

impl Locked {
    /// Not set.
    ///
    /// # Errors
    /// Those of pthread_mutex_init and pthread_cond_init.
    pub fn new() -> Result<Self, OsError> {
        Ok(Self { is_set: AtomicU32::new(0), mutex: Mutex::new()?, changed: Condvar::new()? })
    }

    /// Sets it, and wakes who waits. Whether it was set before.
    ///
    /// # Errors
    /// Those of pthread_mutex_lock and pthread_cond_signal.
    pub fn set(&self) -> Result<bool, OsError> {
        let _held = self.mutex.lock()?;
        let before = self.is_set.swap(1, Ordering::Relaxed);
        self.changed.signal()?;
        Ok(before == 1)
    }

    /// Waits until it is set.
    ///
    /// # Errors
    /// Those of pthread_cond_wait.
    pub fn wait(&self) -> Result<(), OsError> {
        let mut held = self.mutex.lock()?;
        while self.is_set.load(Ordering::Relaxed) == 0 {
            self.changed.wait(&mut held)?;
        }
        Ok(())
    }

    /// Takes it back.
    pub fn clear(&self) {
        // A mutex that cannot be locked has been used wrongly: the next call says so.
        let _held = self.mutex.lock();
        self.is_set.store(0, Ordering::Relaxed);
    }
}
