//! The backends, one a file. Each file states what it can do in its constant `BACKEND`; [`backends`] lists them.

pub mod eventfd;
pub mod futex;
pub mod pipe;
pub mod posix_sem;
pub mod sema;
pub mod signote;

use crate::backend::Backend;

/// All backends, in the order in which tables show them. A new one is one file and one line here.
#[must_use]
pub fn backends() -> &'static [Backend] {
    static ALL: &[Backend] =
        &[futex::BACKEND, sema::BACKEND, signote::BACKEND, pipe::BACKEND, eventfd::BACKEND, posix_sem::BACKEND];
    ALL
}

/// The backend of that name.
#[must_use]
pub fn backend(name: &str) -> Option<&'static Backend> {
    backends().iter().find(|b| b.name == name)
}
