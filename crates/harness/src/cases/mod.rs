//! The casebook: one file and one line below for each case.
//!
//! Everything that iterates over cases (stress, tables, docs, tests) iterates over this registry; a test compares it with the files of
//! the folder.

use crate::case::Case;

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
        &selftest::EXIT,
        &selftest::GARBAGE,
        &selftest::CROSS_DEADLOCK,
        &selftest::LOST_WAKEUP,
        &selftest::ERRNO,
        &selftest::GRANDCHILD,
        &selftest::SLOW,
    ];
    CASES
}

/// The case of that name.
pub fn find(name: &str) -> Option<&'static dyn Case> {
    cases().iter().copied().find(|c| c.name() == name)
}
