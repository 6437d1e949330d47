//! Windows of the core: notes and semaphores by themselves, without a case around them.

use super::Entry;

mod notes;

/// All of them.
pub fn entries() -> Vec<Entry> {
    notes::entries()
}
