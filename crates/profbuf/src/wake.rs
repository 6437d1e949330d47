//! What the buffer asks of the thing that its reader sleeps on, and when it rings it.
//!
//! Two extension points: [`Wake`] is the note (osnote implements it for its notes), [`WakePolicy`] decides at
//! which writes a sleeping reader is woken. The wake policies seen in the field are here, the broken one
//! included: real runtimes have it.

/// A one-shot event that the reader sleeps on.
///
/// The buffer keeps this contract towards it: at most one [`wakeup`](Wake::wakeup) between two
/// [`clear`](Wake::clear)s, at most one sleeper, and `clear` only by the reader after its sleep has returned.
pub trait Wake: Send + Sync {
    /// What can go wrong in a sleep or a wake-up. `Copy`, since it is made inside a signal handler.
    type Error: Copy + core::fmt::Debug + core::fmt::Display + Send + Sync + 'static;

    /// Re-arms the note.
    fn clear(&self);

    /// Sleeps until woken; returns at once if that has happened since the last `clear`.
    ///
    /// # Errors
    /// What the primitive reports.
    fn sleep(&self) -> Result<(), Self::Error>;

    /// Wakes the sleeper, or the next one to sleep. Called by the writer, so possibly from a signal handler:
    /// whether that is permissible is a property of the implementation, and the reason why this project
    /// exists.
    ///
    /// # Errors
    /// What the primitive reports; a second wake-up since the last `clear` above all.
    fn wakeup(&self) -> Result<(), Self::Error>;
}

/// What the writer does about a reader that has announced its sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Clear the reader's announcement in the same compare-and-swap.
    pub clear: bool,
    /// Call [`Wake::wakeup`] after that compare-and-swap.
    pub wake: bool,
}

impl Decision {
    /// Leave the reader asleep, and announced.
    pub const KEEP: Self = Self { clear: false, wake: false };
    /// Clear the announcement and wake the reader.
    pub const WAKE: Self = Self { clear: true, wake: true };
}

/// When a sleeping reader is woken. Asked only while the reader's announcement stands. Runs in the writer: a
/// signal handler; and maybe more than once for one write, if the reader interferes: so it must do nothing
/// but decide.
///
/// A sound policy clears the announcement whenever it wakes, and wakes whenever it clears it; else the next
/// write wakes a second time, or the reader sleeps with no thread knowing.
pub trait WakePolicy: Send + Sync + 'static {
    /// A record has been committed: `unread` of `capacity` data words are now unread.
    fn on_commit(unread: usize, capacity: usize) -> Decision;

    /// An overflow or the end of the file has been published outside the data ring.
    fn on_publish() -> Decision {
        Decision::WAKE
    }
}

/// As [`EveryRecord`], but the write that announces a pending overflow keeps the reader's announcement that
/// it sleeps: the next write wakes a second time. Go has this bug, in the sources that were read up to 1.25.5
/// (<https://github.com/golang/go/blob/go1.24.4/src/runtime/profbuf.go>).
pub enum KeepsFlag {}

impl WakePolicy for KeepsFlag {
    #[inline]
    fn on_commit(unread: usize, capacity: usize) -> Decision {
        EveryRecord::on_commit(unread, capacity)
    }

    #[inline]
    fn on_publish() -> Decision {
        Decision { clear: false, wake: true }
    }
}

/// Wakes at every record: Go up to 1.24, without the double wake-up of its publishing path.
#[derive(Clone, Copy, Debug)]
pub enum EveryRecord {}

impl WakePolicy for EveryRecord {
    #[inline]
    fn on_commit(_unread: usize, _capacity: usize) -> Decision {
        Decision::WAKE
    }
}

/// Wakes once at least half of the data ring is unread: Go 1.26.10 and 1.27.3.
#[derive(Clone, Copy, Debug)]
pub enum HalfFull {}

impl WakePolicy for HalfFull {
    #[inline]
    fn on_commit(unread: usize, capacity: usize) -> Decision {
        if unread >= capacity / 2 { Decision::WAKE } else { Decision::KEEP }
    }
}
