//! The contract of a note, checked against every backend by the compiler and by one conformance suite.

use core::fmt;
use core::time::Duration;

use sigproof_shim::os::OsError;

use crate::provoke::Provoke;

/// How a timed sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// By a wake-up.
    ByWakeup,
    /// By the time-out; the sleeper has unregistered, and no wake-up has been consumed.
    ByTimeout,
}

/// What a note can report. `Copy` and without allocation: it is made inside signal handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteError {
    /// A second wake-up between two clears: misuse by the waker.
    DoubleWakeup,
    /// A second sleeper: misuse by the sleeper.
    TwoSleepers,
    /// A single-instance note was set up a second time.
    DuplicateSetup,
    /// The primitive let the sleeper go as woken, but no thread has woken this note: an earlier wake-up was
    /// left behind in the primitive.
    OutOfSync,
    /// End-of-file: the other end of the descriptor that the note sleeps on is closed.
    Closed,
    /// A signal handler called a note that may not be woken in one, and the note touched no lock.
    InHandler,
    /// This backend, or this platform, cannot do it.
    Unsupported {
        /// What was asked for, in the words of the caller: "timed sleep", "eventfd on this platform".
        what: &'static str,
    },
    /// The process or the system is out of descriptors (`EMFILE`, `ENFILE`).
    DescriptorsExhausted {
        /// The call that said so.
        call: &'static str,
    },
    /// Any other error of the operating system.
    Os {
        /// The call that failed.
        call: &'static str,
        /// Its `errno`.
        errno: i32,
    },
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DoubleWakeup => f.write_str("the note was woken twice since it was last cleared"),
            Self::TwoSleepers => f.write_str("a second thread went to sleep on a note that has a sleeper"),
            Self::DuplicateSetup => f.write_str("this note exists once in a process"),
            Self::OutOfSync => f.write_str(
                "out of sync: the primitive let the sleeper go, but no thread has woken the note (a wake-up left behind?)",
            ),
            Self::Closed => f.write_str("end of file: the other end of the note's descriptor is closed"),
            Self::InHandler => f.write_str(
                "refused: a signal handler called the note, whose lock it may not touch; let the handler only store, and wake from a thread",
            ),
            Self::Unsupported { what } => write!(f, "unsupported: {what}"),
            Self::DescriptorsExhausted { call } => write!(f, "{call}: no file descriptors left"),
            Self::Os { call, errno } => write!(f, "{call} failed with errno {errno}"),
        }
    }
}

impl core::error::Error for NoteError {}

impl From<OsError> for NoteError {
    fn from(error: OsError) -> Self {
        match error {
            OsError::Unsupported { what } => Self::Unsupported { what },
            OsError::Failed { call, .. } if error.out_of_descriptors() => Self::DescriptorsExhausted { call },
            OsError::Failed { call, errno } => Self::Os { call, errno },
        }
    }
}

/// A one-shot event.
///
/// Between two [`clear`](Note::clear)s there is at most one wake-up and at most one sleeper. A wake-up before
/// the sleep makes the sleep return at once. Spurious wake-ups of the primitive below never surface.
///
/// Whether `wakeup` may be called in a signal handler is said by the backend's [`crate::Backend::wakeup`];
/// where it may, it keeps `errno`.
pub trait Note: Send + Sync {
    /// Re-arms the note. Only while no thread sleeps on it and no wake-up is under way; one whose sleeper has
    /// returned does not count, though its last instructions may still be to come.
    fn clear(&self);

    /// Sleeps until woken.
    ///
    /// # Errors
    /// [`NoteError::TwoSleepers`], or what the primitive reports.
    fn sleep(&self) -> Result<(), NoteError>;

    /// Sleeps until woken or until `timeout` is over, whatever spurious wake-ups come between.
    ///
    /// A sleeper that gives up has unregistered: a wake-up that races with it either makes this return
    /// [`Woken::ByWakeup`] or stays for the next sleep, and leaves nothing behind in the primitive.
    ///
    /// # Errors
    /// [`NoteError::Unsupported`] where the backend has no timed sleep; else as [`Note::sleep`].
    fn sleep_timeout(&self, timeout: Duration) -> Result<Woken, NoteError> {
        let _ = timeout;
        Err(NoteError::Unsupported { what: "timed sleep" })
    }

    /// Wakes the sleeper, or the next to sleep.
    ///
    /// # Errors
    /// [`NoteError::DoubleWakeup`] for a second one since the last clear, or what the primitive reports.
    fn wakeup(&self) -> Result<(), NoteError>;

    /// Hooks for tests, of a note that has them.
    #[doc(hidden)]
    fn testing(&self) -> Option<&dyn Provoke> {
        None
    }
}

impl sigproof_profbuf::Wake for Box<dyn Note> {
    type Error = NoteError;

    fn clear(&self) {
        (**self).clear();
    }

    fn sleep(&self) -> Result<(), NoteError> {
        (**self).sleep()
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        (**self).wakeup()
    }
}
