//! What is tested of any note, whoever wrote it: windows for sweeps, an attempt for stress, and models.
//!
//! | technique | test | what must hold |
//! |---|---|---|
//! | [windows] | `sleep`, `wakeup`, `clear`: a handler wakes the note at every instruction of it | each sleep ends, and not before its wake-up |
//! | [attempt](windows::attempt) | a handler wakes the note at random times of its sleep | the same |
//! | [models] | `cycles`, `clear`, `handler` | the same, and each sleep sees what was done before its wake-up |
//!
//! A note is made by a closure, so that each execution has its own.

use std::sync::Arc;

use sigproof_osnote::{Note, NoteError};

pub mod models;
pub mod windows;

/// Makes a cleared note.
pub type Make = Arc<dyn Fn() -> Result<Box<dyn Note>, NoteError> + Send + Sync>;
