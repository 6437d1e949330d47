//! What a test may ask of the primitive below a note: to behave badly now, as it may at any time.
//!
//! The traits are apart from their users in [`testing`](crate::testing), so that notes can implement them.

use crate::note::NoteError;

/// A disturbance from below that a note must bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provocation {
    /// The primitive wakes its sleeper although no thread has woken the note, as every primitive is allowed
    /// to.
    SpuriousWake,
    /// What a wake-up is written into is filled, so that the next write finds no room.
    FullDoorbell,
}

impl Provocation {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SpuriousWake => "provoking a spurious wake-up",
            Self::FullDoorbell => "filling the doorbell",
        }
    }

    pub(crate) const fn unsupported(self) -> NoteError {
        NoteError::Unsupported { what: self.as_str() }
    }
}

/// A note whose primitive can be disturbed.
pub trait Provoke {
    /// Disturbs the primitive. Not async-signal-safe.
    ///
    /// # Errors
    /// [`NoteError::Unsupported`] where the primitive cannot be disturbed so; else what the primitive
    /// reports.
    fn provoke(&self, provocation: Provocation) -> Result<(), NoteError>;
}

/// A doorbell that can be filled.
pub trait Fill {
    /// Fills the bell, so that a ring finds no room.
    ///
    /// # Errors
    /// What the system reports.
    fn fill(&self) -> Result<(), NoteError>;
}

/// A semaphore that can be disturbed.
pub trait Disturb {
    /// Wakes the owner without adding to the count.
    ///
    /// # Errors
    /// [`NoteError::Unsupported`] where the primitive offers no way.
    fn disturb(&self) -> Result<(), NoteError> {
        Err(Provocation::SpuriousWake.unsupported())
    }
}
