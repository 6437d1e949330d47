//! One file and one line in [`ALL`] for each case. A test compares the list with the files of the folder.

use sigproof_harness::Case;

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

/// All cases, in the order of the casebook. The hidden ones, which test the harness itself, come last.
pub(crate) static ALL: &[&dyn Case] = &[
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
    &selftest::windows::DRIFTS,
    &selftest::places::PLACES,
];
