//! The calls of a window of a library. Each is the library's function with what `make` returned.

use core::ffi::{c_int, c_void};

use super::abi::WindowV1;
use super::library::{self, Library};

/// The room for a sentence or a digest, in bytes.
const WHY: usize = 512;

/// What `check` returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// 0 or an errno value.
    pub errno: c_int,
    /// The sentence, or the digest.
    pub why: String,
}

/// A window, made.
#[derive(Clone, Copy, Debug)]
pub struct ForeignWindow {
    table: WindowV1,
    it: *mut c_void,
}

// SAFETY: the pointer is the library's own, and the header says which thread calls what.
unsafe impl Send for ForeignWindow {}
// SAFETY: as above.
unsafe impl Sync for ForeignWindow {}

impl ForeignWindow {
    /// The `at`-th window of this library; `make` is called. Once in a process.
    #[must_use]
    pub fn make(library: &Library, at: usize) -> Option<Self> {
        let table = *library.windows.get(at)?;
        // SAFETY: the header's type, without a precondition.
        let it = unsafe { table.make?() };
        Some(Self { table, it })
    }

    /// What `prepare` returns.
    #[must_use]
    pub fn prepare(&self) -> c_int {
        // SAFETY: called with what `make` returned, in the order of the header.
        self.table.prepare.map_or(0, |prepare| unsafe { prepare(self.it) })
    }

    /// What `window` returns.
    #[inline]
    #[must_use]
    pub fn window(&self) -> c_int {
        // SAFETY: as `prepare`.
        self.table.window.map_or(0, |window| unsafe { window(self.it) })
    }

    /// What `handler` returns. As async-signal-safe as the library's function is.
    #[must_use]
    pub fn handler(&self) -> c_int {
        // SAFETY: as `prepare`.
        self.table.handler.map_or(0, |handler| unsafe { handler(self.it) })
    }

    /// Whether there is a `helper`.
    #[must_use]
    pub const fn helps(&self) -> bool {
        self.table.helper.is_some()
    }

    /// What `helper` returns.
    #[must_use]
    pub fn helper(&self) -> c_int {
        // SAFETY: as `prepare`.
        self.table.helper.map_or(0, |helper| unsafe { helper(self.it) })
    }

    /// What `check` returns.
    #[must_use]
    pub fn check(&self) -> Checked {
        let mut why = [0_u8; WHY];
        // SAFETY: as `prepare`; the text is a live local of this length.
        let errno = self.table.check.map_or(0, |check| unsafe { check(self.it, why.as_mut_ptr().cast(), WHY) });
        // A library that forgets the null, or writes none, is cut.
        why[WHY - 1] = 0;
        Checked { errno, why: library::text_of(&why) }
    }
}
