//! The backends, one a file. Each file states what it can do in its constant `BACKEND`; `backend.rs` lists them.

pub mod eventfd;
pub mod futex;
pub mod pipe;
pub mod posix_sem;
pub mod sema;
pub mod signote;
