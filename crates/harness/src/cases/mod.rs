//! The casebook: one file and one line below for each case.
//!
//! Everything that iterates over cases (stress, tables, docs, tests) iterates over this registry; a test compares it with the files of
//! the folder.

use sigproof_osnote::Platform;

use crate::case::{Case, Setup};

mod atomic64_spinlock;
mod cpuprof_signal_lock;
mod darwin_profbuf_blocking_read;
mod darwin_sigqueue_note;
mod lost_count_not_reset;
mod note_interval_sleep;
mod profbuf_double_wakeup;
mod selftest;
mod semasleep_spurious_timeout;
mod signote_duplicate_setup;
mod signote_fork_cloexec;

pub use profbuf_double_wakeup::KeepsFlag;
pub(crate) use signote_fork_cloexec::{inherited as inherited_descriptors, told as descriptors_asked};

/// All cases, in the order of the casebook; the hidden ones, which test the harness itself, come last.
pub fn cases() -> &'static [&'static dyn Case] {
    static CASES: &[&dyn Case] = &[
        &darwin_profbuf_blocking_read::CASE,
        &darwin_sigqueue_note::CASE,
        &signote_duplicate_setup::CASE,
        &signote_fork_cloexec::CASE,
        &profbuf_double_wakeup::CASE,
        &cpuprof_signal_lock::CASE,
        &atomic64_spinlock::CASE,
        &semasleep_spurious_timeout::CASE,
        &note_interval_sleep::CASE,
        &lost_count_not_reset::CASE,
        &selftest::CRASH,
        &selftest::UNEXPECTED_CRASH,
        &selftest::MENDED,
        &selftest::KILL,
        &selftest::KILLED_FROM_OUTSIDE,
        &selftest::OUT_OF_MEMORY,
        &selftest::COUNTS,
        &selftest::STOPPED,
        &selftest::UNKNOWN_SLEEP,
        &selftest::EXIT,
        &selftest::GARBAGE,
        &selftest::CROSS_DEADLOCK,
        &selftest::LOST_WAKEUP,
        &selftest::ERRNO,
        &selftest::GRANDCHILD,
        &selftest::SLOW,
        &selftest::attempts::SLOW_START,
        &selftest::attempts::LONG_WORK,
        &selftest::phases::PHASED_WORK,
        &selftest::attempts::KILLED_ONCE,
        &selftest::attempts::SEED,
        &selftest::attempts::WINDOW_COUNTS,
        &selftest::attempts::ENDLESS,
        &selftest::refusal::BLIND,
        &selftest::windows::CRASH,
        &selftest::windows::EXIT,
        &selftest::windows::ERRNO,
        &selftest::windows::TWICE,
        &selftest::windows::LOST_WAKEUP,
        &selftest::windows::CROSS_DEADLOCK,
        &selftest::windows::LIVELOCK,
        &selftest::windows::DESCRIPTOR_LEAK,
        &selftest::windows::NESTING,
        &selftest::windows::ANOTHER_PATH,
    ];
    CASES
}

/// The case of that name.
pub fn find(name: &str) -> Option<&'static dyn Case> {
    cases().iter().copied().find(|c| c.name() == name)
}

/// What this machine lacks for a setup of a case, and what to do about that.
pub fn lacking(case: &dyn Case, setup: &Setup) -> Option<String> {
    if !case.platforms().contains(&Platform::current()) {
        return Some(format!("the case needs {}", names(case.platforms())));
    }
    case.lacks(setup).or_else(|| note_lacking(setup))
}

/// What this machine lacks for the note of a setup.
pub fn note_lacking(setup: &Setup) -> Option<String> {
    let note = setup.note.filter(|note| !note.platforms.contains(&Platform::current()))?;
    Some(format!("note '{}' needs {}", note.name, names(note.platforms)))
}

fn names(platforms: &[Platform]) -> String {
    let names: Vec<String> = platforms.iter().map(ToString::to_string).collect();
    format!("{}; run it there", names.join(" or "))
}
