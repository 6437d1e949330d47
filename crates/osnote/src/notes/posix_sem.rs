//! The key-word note of [`sema`](super::sema), over an unnamed POSIX semaphore for each thread: the same
//! algorithm, with the one semaphore call that a signal handler may make.

use crate::backend::{Backend, Instances, Platform, SignalSafety};
use crate::notes::sema::SemaNote;
use crate::semaphore::{PosixSemaphore, Semaphore};

/// What it can do.
pub const BACKEND: Backend = Backend {
    name: "posix-sem",
    summary: "key word over a per-thread unnamed POSIX semaphore",
    wakeup: SignalSafety::Safe,
    why: "an atomic swap and sem_post, which is on POSIX's list (POSIX.1-2017, 2.4.3; signal-safety(7))",
    timed_sleep: true,
    instances: Instances::Many,
    descriptors: 0,
    platforms: &[Platform::Linux, Platform::Bsd],
    make: || {
        // Where there are none, say so now and not at the first sleep.
        PosixSemaphore::current()?;
        Ok(Box::new(PosixSemNote::new()))
    },
};

/// See the module.
pub type PosixSemNote = SemaNote<PosixSemaphore>;
