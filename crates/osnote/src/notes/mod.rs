//! The backends that this crate builds, one a file, and the list type that commands and cases receive.
//!
//! Each file states what its backend can do in its constant `BACKEND`.

pub mod eventfd;
pub mod futex;
pub mod pipe;
pub mod posix_sem;
pub mod sema;
pub mod signote;

use crate::backend::Backend;

/// The notes of a registry, in the order in which tables show them. A value: whoever needs notes receives it
/// as an argument, so a registry can hold a note that is not built here.
#[derive(Clone, Copy, Debug)]
pub struct Backends {
    all: &'static [&'static Backend],
}

impl Backends {
    /// The notes of this crate. A new one is one file and one line here.
    pub const BUILT_IN: Self = Self::new(&[
        &futex::BACKEND,
        &sema::BACKEND,
        &signote::BACKEND,
        &pipe::BACKEND,
        &eventfd::BACKEND,
        &posix_sem::BACKEND,
    ]);

    /// These notes. Their names must differ: `--note` selects by name.
    #[must_use]
    pub const fn new(all: &'static [&'static Backend]) -> Self {
        Self { all }
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = &'static Backend> + Clone {
        self.all.iter().copied()
    }

    /// Those that exist on this platform.
    pub fn available(self) -> impl Iterator<Item = &'static Backend> + Clone {
        self.iter().filter(|backend| backend.available())
    }

    /// Those that a signal handler may wake.
    pub fn wakes_from_handler(self) -> impl Iterator<Item = &'static Backend> + Clone {
        self.iter().filter(|backend| backend.wakes_from_handler())
    }

    /// The note of that name.
    #[must_use]
    pub fn find(self, name: &str) -> Option<&'static Backend> {
        self.iter().find(|backend| backend.name == name)
    }
}
