//! A semaphore that refuses to be used in a signal handler, before it touches a lock.
//!
//! This is the mending "refuse loudly" of golang/go#61768. From Go 1.22 on, `semasleep` and `semawakeup` of
//! `src/runtime/os_darwin.go` compare the running goroutine with the one that the runtime keeps for signal
//! handlers, and throw: a deadlock that came once in a while became a message that comes each time. Read in
//! the sources of go1.24.4 and go1.27.3; go1.21.13 does not have it.
//!
//! The refusal is an error here, so that the caller decides what dies. The note above has stored its `WOKEN`
//! by then: a note that has refused is of no further use, as a runtime that has thrown.
//!
//! How a semaphore knows that a handler calls it is its second parameter. [`SignalStack`] asks the kernel for
//! the stack that it runs on, which is Go's question by other means. A test replaces it by an answer that is
//! always no, and must then see the deadlock.
//!
//! Limits: those of [`sigstack`](sigproof_shim::os::sigstack): a handler that runs on its thread's own stack
//! is not detected.

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use sigproof_shim::os::sigstack;

use super::{Semaphore, WaitOnce};
use crate::note::NoteError;
use crate::provoke::Disturb;

/// How a semaphore finds out whether a signal handler calls it.
pub trait Whereabouts: Send + Sync + 'static {
    /// Whether the caller is a signal handler. Async-signal-safe.
    ///
    /// # Errors
    /// What the system reports.
    fn in_handler() -> Result<bool, NoteError>;
}

/// By the stack that the caller runs on.
#[derive(Clone, Copy, Debug)]
pub enum SignalStack {}

impl Whereabouts for SignalStack {
    fn in_handler() -> Result<bool, NoteError> {
        Ok(sigstack::on_signal_stack()?)
    }
}

/// See the module.
pub struct Refusing<S, W = SignalStack> {
    inner: S,
    _whereabouts: PhantomData<fn() -> W>,
}

impl<S: fmt::Debug, W> fmt::Debug for Refusing<S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusing").field("inner", &self.inner).finish()
    }
}

impl<S, W: Whereabouts> Refusing<S, W> {
    /// The semaphore, unless a handler asks for it.
    fn outside_of_handlers(&self) -> Result<&S, NoteError> {
        if W::in_handler()? { Err(NoteError::InHandler) } else { Ok(&self.inner) }
    }
}

impl<S: Semaphore, W: Whereabouts> Semaphore for Refusing<S, W> {
    fn create() -> Result<Self, NoteError> {
        Ok(Self { inner: S::create()?, _whereabouts: PhantomData })
    }

    fn wait_once(&self, timeout: Option<Duration>) -> Result<WaitOnce, NoteError> {
        self.outside_of_handlers()?.wait_once(timeout)
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        self.outside_of_handlers()?.wakeup()
    }
}

impl<S: Semaphore, W: Whereabouts> Disturb for Refusing<S, W> {
    fn disturb(&self) -> Result<(), NoteError> {
        self.inner.disturb()
    }
}
