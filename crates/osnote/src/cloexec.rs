//! Pipes that no child inherits by accident, and the lock that this takes where the system does not help.
//!
//! Between `pipe` and the `fcntl` that sets close-on-exec, a fork in another thread copies both ends into a
//! child, which keeps them across exec: then the reader never sees end-of-file, and descriptors leak
//! (rust-lang/rust#95584).
//!
//! | recipe | how | where |
//! |---|---|---|
//! | [`Pipe2`] | the kernel makes them close-on-exec | Linux, BSDs, macOS from 27 on (looked up at run time) |
//! | [`ForkLock`] | `pipe` and `fcntl` inside a section that excludes forks | everywhere, if every fork of the process takes [`fork_guard`] |
//!
//! The lock is a read-write lock, used upside down: makers of descriptors are its *readers*, for any number
//! of them may be between their two calls at once; a fork is its *writer*, for it must find no thread there.
//! Two forks exclude each other as well, which the lock makes unavoidable and which costs little.
//!
//! Limits: the lock binds only those who take it: a fork by a foreign library slips through. Not
//! async-signal-safe. In the child of a fork the lock is held by a thread that does not exist there: the
//! child may only exec or exit, or drop the guard that it has inherited.

use core::fmt;
use std::sync::PoisonError;

use sigproof_shim::os::OsError;
use sigproof_shim::os::fd::{self, PipeEnds};

use crate::note::NoteError;

/// One way to make a pipe whose ends are close-on-exec. Cases bring their own, historical ones.
pub trait PipeRecipe: Send + Sync {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// Makes the pipe, both ends blocking.
    ///
    /// # Errors
    /// What the system reports.
    fn make(&self) -> Result<PipeEnds, OsError>;
}

impl fmt::Debug for dyn PipeRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `pipe2` with `O_CLOEXEC`.
#[derive(Clone, Copy, Debug)]
pub struct Pipe2;

impl PipeRecipe for Pipe2 {
    fn name(&self) -> &'static str {
        "pipe2"
    }

    fn make(&self) -> Result<PipeEnds, OsError> {
        fd::pipe2_cloexec()
    }
}

/// `pipe` and `fcntl` under the process's fork lock.
#[derive(Clone, Copy, Debug)]
pub struct ForkLock;

impl PipeRecipe for ForkLock {
    fn name(&self) -> &'static str {
        "fork lock"
    }

    fn make(&self) -> Result<PipeEnds, OsError> {
        let _no_fork = descriptor_guard();
        let ends = fd::pipe()?;
        ends.read.borrow().set_cloexec(true)?;
        ends.write.borrow().set_cloexec(true)?;
        Ok(ends)
    }
}

/// The better of the two that this system has.
#[must_use]
pub fn best() -> &'static dyn PipeRecipe {
    if fd::has_pipe2() { &Pipe2 } else { &ForkLock }
}

/// A pipe made by `recipe`, its write end non-blocking: a handler may write to it.
///
/// # Errors
/// [`NoteError::DescriptorsExhausted`]; [`NoteError::Unsupported`] where the system lacks what the recipe
/// needs.
pub fn pipe_with(recipe: &dyn PipeRecipe) -> Result<PipeEnds, NoteError> {
    let ends = recipe.make()?;
    ends.write.borrow().set_nonblocking(true)?;
    Ok(ends)
}

sigproof_shim::use_rw_lock!();

sigproof_shim::process_static! {
    /// The process's fork lock.
    pub(crate) fn forks() -> RwLock<()> = RwLock::new(());
}

/// While it lives, no thread is between making a descriptor and marking it.
#[derive(Debug)]
#[must_use = "forks are excluded when the guard is dropped"]
pub struct ForkGuard(#[expect(dead_code, reason = "held, not read")] RwLockWriteGuard<'static, ()>);

/// While it lives, no thread forks.
#[derive(Debug)]
#[must_use = "forks are allowed again when the guard is dropped"]
pub struct DescriptorGuard(#[expect(dead_code, reason = "held, not read")] RwLockReadGuard<'static, ()>);

/// Every fork of a process that uses [`ForkLock`] takes this before it forks, and drops it in the parent
/// after.
pub fn fork_guard() -> ForkGuard {
    // Poisoned means that a thread panicked with the lock held; there is no data that it could have left
    // broken.
    ForkGuard(forks().write().unwrap_or_else(PoisonError::into_inner))
}

/// Whoever makes a descriptor in two steps takes this around both.
pub fn descriptor_guard() -> DescriptorGuard {
    DescriptorGuard(forks().read().unwrap_or_else(PoisonError::into_inner))
}
