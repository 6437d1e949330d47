//! Tests that need a real Go toolchain. `cargo test` runs them where it finds one; elsewhere it reports each
//! as ignored, and says once why and what to do about it. That is known only when the tests run, so this
//! binary has a `main` of its own.
//!
//! A test is a function in one of the modules and a line in [`TESTS`]. One without its line is dead code,
//! which is a warning.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use sigproof_oracle::toolchain::{self, Toolchain};

mod bench;
mod conform;
mod upstream;

/// Tests that run at a time, unless `--test-threads` says otherwise: most of the time they wait for children
/// that hang on purpose.
const THREADS: usize = 4;

const TESTS: &[(&str, fn())] = &[
    ("upstream::a_child_that_misbehaves::threads_that_wait", || {
        upstream::a_child_that_misbehaves_is_an_outcome_with_the_runtimes_own_traceback(
            "selftest-deadlock",
            "lost wake-up",
            "it sleeps, and no thread wakes it",
            "main.passOn",
        );
    }),
    ("upstream::a_child_that_misbehaves::a_thread_that_spins", || {
        upstream::a_child_that_misbehaves_is_an_outcome_with_the_runtimes_own_traceback(
            "selftest-spin",
            "livelock",
            "it spins",
            "main.selftestSpin",
        );
    }),
    ("upstream::a_child_that_misbehaves::one_deaf_to_signals", || {
        upstream::a_child_that_misbehaves_is_an_outcome_with_the_runtimes_own_traceback(
            "selftest-deaf",
            "livelock",
            "brought no traceback",
            "",
        );
    }),
    ("upstream::a_child_that_misbehaves::one_that_stays_in_the_handler", || {
        upstream::a_child_that_misbehaves_is_an_outcome_with_the_runtimes_own_traceback(
            "selftest-handler",
            "self-deadlock",
            "did not leave it",
            "main.selftestHandler",
        );
    }),
    ("upstream::a_child_that_misbehaves::one_that_is_slow", || {
        upstream::a_child_that_misbehaves_is_an_outcome_with_the_runtimes_own_traceback(
            "selftest-slow",
            "delivered",
            "",
            "",
        );
    }),
    ("upstream::a_child_that_misbehaves::one_that_panics", || {
        upstream::a_child_that_misbehaves_is_an_outcome_with_the_runtimes_own_traceback(
            "selftest-panic",
            "crash",
            "panic: as it was told",
            "goroutine 1",
        );
    }),
    ("upstream::a_child_that_misbehaves::one_that_refuses_its_handler", || {
        upstream::a_child_that_misbehaves_is_an_outcome_with_the_runtimes_own_traceback(
            "selftest-refused",
            "refused",
            "semawakeup on Darwin signal stack",
            "goroutine 1",
        );
    }),
    ("upstream::a_child_that_misbehaves::one_that_fails", || {
        upstream::a_child_that_misbehaves_is_an_outcome_with_the_runtimes_own_traceback(
            "selftest-error",
            "crash",
            "driver: as it was told",
            "",
        );
    }),
    ("upstream::a_child_that_misbehaves::accounts_that_do_not_add_up", || {
        upstream::a_child_that_misbehaves_is_an_outcome_with_the_runtimes_own_traceback(
            "selftest-failed",
            "corrupt record",
            "as it was told",
            "",
        );
    }),
    ("bench::ratios_to_a_runtime_are_numbers", bench::ratios_to_a_runtime_are_numbers),
    (
        "conform::a_runtime_agrees_with_its_own_policy_and_with_no_other",
        conform::a_runtime_agrees_with_its_own_policy_and_with_no_other,
    ),
    ("conform::one_sequence_is_told_in_full", conform::one_sequence_is_told_in_full),
    ("conform::a_runtime_that_does_not_build_is_told", conform::a_runtime_that_does_not_build_is_told),
    (
        "upstream::the_double_wakeup_kills_the_runtimes_that_have_it_and_no_other",
        upstream::the_double_wakeup_kills_the_runtimes_that_have_it_and_no_other,
    ),
    ("upstream::an_interruption_leaves_no_child", upstream::an_interruption_leaves_no_child),
    ("upstream::the_reproducers_are_compiled_for_macos", upstream::the_reproducers_are_compiled_for_macos),
];

/// The toolchains, to try things with.
fn toolchains() -> Vec<Toolchain> {
    toolchain::find(&[]).unwrap_or_else(|error| panic!("{error}"))
}

fn newest() -> Toolchain {
    toolchains().pop().expect("there is one, or an error")
}

/// The argument of `--go` for one.
fn path(toolchain: &Toolchain) -> String {
    toolchain.goroot.to_string_lossy().into_owned()
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let lacks = toolchain::find(&[]).err();
    if let (Some(why), false) = (&lacks, arguments.list) {
        println!("skipped: {} tests that need a Go toolchain: {why}", TESTS.len());
    }
    let trial = |&(name, test): &(&str, fn())| {
        let trial = Trial::test(name, move || {
            test();
            Ok(())
        });
        trial.with_ignored_flag(lacks.is_some())
    };
    libtest_mimic::run(&arguments, TESTS.iter().map(trial).collect()).exit_code()
}
