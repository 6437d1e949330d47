//! Why a library cannot be tested. Each reason names the remedy.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::abi::{ABI, ALIGN, MOST_WINDOWS, NAME, NOTE, SIZE, WINDOWS};

/// See the module. It crosses from the child that loads the library to the process that asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum BadLibrary {
    /// The file cannot be read.
    #[error("{} cannot be read: {why}; name a shared library, such as ./libmine.so", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// The file is not a shared library.
    #[error("{} is {what}, not a shared library; build one with `cc -shared -fPIC -o libmine.so mine.c`", path.display())]
    NotShared {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// The library is for another machine.
    #[error(
        "{} is for another machine: its code is {its}, and this command runs {ours}; build the library for {ours}",
        path.display()
    )]
    Architecture {
        /// The file.
        path: PathBuf,
        /// The library's.
        its: String,
        /// This command's.
        ours: String,
    },
    /// The loader refuses it.
    #[error(
        "{} cannot be loaded: {why}; install what it needs, link it, or set LD_LIBRARY_PATH",
        path.display()
    )]
    Load {
        /// The file.
        path: PathBuf,
        /// What the loader says.
        why: String,
    },
    /// This program was linked statically, so it has no loader.
    #[error(
        "{} cannot be loaded: this command is a static program, which can load no library; take one that is linked \
         dynamically: `cargo install --path crates/cli` in a checkout",
        path.display()
    )]
    Static {
        /// The file.
        path: PathBuf,
    },
    /// It exports neither function.
    #[error(
        "{} exports neither {NOTE} nor {WINDOWS}; define one of them as sigproof.h declares it, `extern \"C\"` in \
         C++, and with default visibility",
        path.display()
    )]
    NoSymbol {
        /// The file.
        path: PathBuf,
    },
    /// A function returned null.
    #[error("{function} returned null; return the address of a static struct (sigproof.h)")]
    Null {
        /// The name of the exported function.
        function: String,
    },
    /// It exports an array without a window, and no note.
    #[error("{WINDOWS} returned an array without a window, and there is no {NOTE}; name a window before the null")]
    Empty,
    /// The array of windows has no end.
    #[error("the array of {WINDOWS} has more than {MOST_WINDOWS} windows; end it with a null pointer")]
    Endless,
    /// The struct is of an unknown version.
    #[error("{what} has ABI number {found}; this command knows {ABI}: set `abi` to SIGPROOF_ABI of sigproof.h")]
    Abi {
        /// "the note", "window 'x'".
        what: String,
        /// The version that the library states.
        found: u32,
    },
    /// A function is missing.
    #[error("{what} has no function `{function}`; set it (sigproof.h says which may be null)")]
    NullFunction {
        /// Whose.
        what: String,
        /// The name of the function.
        function: String,
    },
    /// A name is not as it must be.
    #[error("{what} has {found} for a name; a name is 1 to {NAME} letters, digits and '-'")]
    Name {
        /// Whose.
        what: String,
        /// The name, or what is there instead.
        found: String,
    },
    /// Two windows have one name.
    #[error("two windows are called '{name}'; give each another name")]
    Twice {
        /// The name that both have.
        name: String,
    },
    /// The size is out of range.
    #[error("the note has size {size}; an instance has 1 to {SIZE} bytes: set `size` to sizeof of its struct")]
    Size {
        /// The size that the library states, in bytes.
        size: usize,
    },
    /// The alignment is out of range.
    #[error(
        "the note has alignment {align}; an alignment is a power of two of at most {ALIGN}: set `align` to _Alignof \
         of its struct"
    )]
    Align {
        /// The alignment that the library states, in bytes.
        align: usize,
    },
    /// A flag is unknown.
    #[error("{what} has unknown flags {unknown:#x}; use those of sigproof.h for ABI {ABI}")]
    Flags {
        /// Whose.
        what: String,
        /// The unknown bits.
        unknown: u32,
    },
    /// A timed sleep is promised and missing.
    #[error("the note has the flag SIGPROOF_TIMED_SLEEP and no function `sleep_timeout`; set both or neither")]
    NoTimedSleep,
    /// The loaded library is not the one that was described.
    #[error("{} has changed since it was looked at: {what}; do not build it while it is tested", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// In what way.
        what: String,
    },
}

impl BadLibrary {
    /// Whether this machine lacks something, rather than the library.
    #[must_use]
    pub const fn is_of_machine(&self) -> bool {
        matches!(self, Self::Load { .. })
    }
}
