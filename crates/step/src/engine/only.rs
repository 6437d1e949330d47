//! Evidence that the calling process has one thread.
//!
//! A child that `fork` makes of a process with several threads may only call async-signal-safe functions
//! (fork(2), POSIX.1-2017): another thread may have held the allocator's lock, say. The engines' children do
//! whatever a window asks for, so everything that forks asks for this evidence.

use std::io;
use std::marker::PhantomData;

/// The calling process has one thread: this one. It cannot be sent to another.
#[derive(Clone, Copy, Debug)]
pub struct OnlyThread(PhantomData<*const ()>);

impl OnlyThread {
    /// Looks whether it is so. Whoever keeps the evidence makes no further thread as long as it is used.
    ///
    /// # Errors
    /// There are others, or neither `/proc/self/task` nor `unshare` tells how many there are.
    pub fn check() -> io::Result<Self> {
        match super::target::threads_besides()? {
            0 => Ok(Self(PhantomData)),
            others => Err(io::Error::other(format!(
                "it has {others} more threads, which a fork would leave behind: step runs in a process of one thread"
            ))),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// A test has a thread besides: the main one.
    #[test]
    fn a_process_with_another_thread_has_no_evidence() {
        let error = OnlyThread::check().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("more thread"), "{error}");
        assert!(super::super::target::unshared().is_err(), "the kernel says the same without /proc");
    }
}
