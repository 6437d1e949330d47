//! The same names where the platform has no per-thread timers: unsupported.

use std::io;

use super::Source;

/// This platform does not have it.
pub(super) const AVAILABLE: bool = false;

/// Cannot be made.
#[derive(Debug)]
pub(super) enum ThreadTimer {}

impl ThreadTimer {
    pub(super) fn new() -> io::Result<Self> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this platform has no timers that signal one thread (SIGEV_THREAD_ID)",
        ))
    }
}

impl Source for ThreadTimer {
    fn arm(&self, _delay_ns: u64) -> io::Result<()> {
        match *self {}
    }
}
