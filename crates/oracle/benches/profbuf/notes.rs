//! The notes that readers sleep on, with their wake-ups counted.

use sigproof_osnote::{Backend, Backends, Note, NoteError};
use sigproof_profbuf::Wake;
use sigproof_shim::native::atomic::{AtomicU64, Ordering};
use sigproof_shim::sync::Arc;

/// A note that counts.
pub struct Counting {
    note: Box<dyn Note>,
    wakeups: Arc<AtomicU64>,
}

impl Counting {
    /// A note of this kind, and its counter.
    ///
    /// # Errors
    /// The platform refuses, in words.
    pub fn new(backend: &Backend) -> Result<(Self, Arc<AtomicU64>), String> {
        let wakeups = Arc::new(AtomicU64::new(0));
        let note = (backend.make)().map_err(|error| error.to_string())?;
        Ok((Self { note, wakeups: Arc::clone(&wakeups) }, wakeups))
    }
}

impl Wake for Counting {
    type Error = NoteError;

    fn clear(&self) {
        self.note.clear();
    }

    fn sleep(&self) -> Result<(), NoteError> {
        self.note.sleep()
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        // Relaxed: the note orders what is woken after what is counted.
        self.wakeups.fetch_add(1, Ordering::Relaxed);
        self.note.wakeup()
    }
}

/// The notes of this platform that a signal handler may wake, in the order of the registry: the first one is
/// the one to use.
pub fn usable() -> impl Iterator<Item = &'static Backend> {
    Backends::BUILT_IN.wakes_from_handler().filter(|backend| backend.available())
}
