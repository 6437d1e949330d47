//! Windows of the core: notes and semaphores by themselves, without a case around them.

use sigproof_harness::Setup;
use sigproof_harness::forked::{Entry, Window};
use sigproof_harness::registry::note_lacking;
use sigproof_osnote::Backends;

mod notes;
mod semaphores;

/// All of them.
pub(crate) fn entries(list: Backends) -> Vec<Entry> {
    notes::entries(list).into_iter().chain(semaphores::entries()).collect()
}

/// A window of this name.
fn entry(name: &'static str, setup: &Setup, window: Window) -> Entry {
    Entry { name, hidden: false, lacks: note_lacking(setup), setup: setup.clone(), window }
}
