//! Windows of the core: notes and semaphores by themselves, without a case around them.

use super::Entry;

mod notes;
mod semaphores;

/// All of them.
pub fn entries() -> Vec<Entry> {
    notes::entries().into_iter().chain(semaphores::entries()).collect()
}
