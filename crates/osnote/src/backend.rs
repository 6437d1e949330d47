//! What a note is as a backend: what it can do, and on which platform.
//!
//! A backend of this crate is one file in `notes/`, which states its capabilities in a constant `BACKEND`,
//! and one line in [`Backends::BUILT_IN`](crate::Backends::BUILT_IN). A test compares the two. A backend that
//! this platform lacks stays in the list: its `make` returns [`NoteError::Unsupported`].

use core::fmt;

use crate::note::{Note, NoteError};
pub use crate::platform::Platform;

/// Whether `wakeup` may be called in a signal handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalSafety {
    /// It may.
    Safe,
    /// It may not.
    Unsafe,
}

impl SignalSafety {
    /// In words, for tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "async-signal-safe",
            Self::Unsafe => "unsafe",
        }
    }
}

impl fmt::Display for SignalSafety {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How many notes of a kind one process can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// One; a second set-up is refused.
    One,
    /// As many as memory and descriptors allow.
    Many,
}

impl Instances {
    /// In a word, for tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Many => "many",
        }
    }
}

impl fmt::Display for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One way to build a note.
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    /// The name by which `--note` selects it.
    pub name: &'static str,
    /// How it works, in one line.
    pub summary: &'static str,
    /// Whether `wakeup` is async-signal-safe.
    pub wakeup: SignalSafety,
    /// Why, with the source of the claim.
    pub why: &'static str,
    /// Whether `sleep_timeout` is supported.
    pub timed_sleep: bool,
    /// How many a process may have.
    pub instances: Instances,
    /// How many descriptors one note holds.
    pub descriptors: u32,
    /// Where it exists.
    pub platforms: &'static [Platform],
    /// Makes a fresh, cleared note.
    ///
    /// # Errors
    /// [`NoteError::Unsupported`] where the platform lacks it, [`NoteError::DuplicateSetup`] for a second
    /// instance of a kind that exists once, [`NoteError::DescriptorsExhausted`], or what else the system
    /// reports.
    pub make: fn() -> Result<Box<dyn Note>, NoteError>,
}

impl Backend {
    /// Whether it exists on this platform.
    #[must_use]
    pub fn available(&self) -> bool {
        self.platforms.contains(&Platform::current())
    }

    /// Whether a signal handler may wake a note of this kind.
    #[must_use]
    pub fn wakes_from_handler(&self) -> bool {
        self.wakeup == SignalSafety::Safe
    }
}
