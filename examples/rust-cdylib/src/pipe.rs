//! A flag, and a byte in a pipe that ends the system call of a sleeper.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// A note.
pub struct Note {
    woken: AtomicBool,
    reader: PipeReader,
    writer: PipeWriter,
}

impl Note {
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { woken: AtomicBool::new(false), reader, writer })
    }

    /// A wake-up that no sleep has returned for has left its byte.
    pub fn clear(&self) {
        if self.woken.swap(false, Ordering::AcqRel) {
            self.take();
        }
    }

    /// Sleeps until the byte is there, and puts it back: the note stays woken.
    pub fn sleep(&self) {
        if !self.woken.load(Ordering::Acquire) {
            self.take();
            self.put();
        }
    }

    /// Whether it is the first one since the last clear. One byte at most is in the pipe, so the write never
    /// waits; and it sets no `errno`, since it does not fail.
    pub fn wakeup(&self) -> bool {
        let first = !self.woken.swap(true, Ordering::AcqRel);
        if first {
            self.put();
        }
        first
    }

    fn take(&self) {
        // An interrupted call is made again by `read_exact`.
        let _ = (&self.reader).read_exact(&mut [0]);
    }

    fn put(&self) {
        let _ = (&self.writer).write_all(&[0]);
    }
}
