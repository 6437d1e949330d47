//! Libraries that break the contract, or more: each is an outcome or an error with a sentence, and the
//! command survives all of them.

use sigproof_tests::{Ran, run};

use std::path::Path;

use crate::{Check, bad_library, library};

pub const TESTS: &[(&str, Check)] = &[
    ("what_a_library_describes_is_checked", described),
    ("a_library_that_cannot_be_loaded_is_told", loaded),
    ("an_init_that_fails_is_the_machine_s_or_the_note_s", init),
    ("a_note_that_ends_its_process_is_told", ends),
    ("a_note_that_never_returns_is_told", never_returns),
    ("a_note_that_changes_the_process_is_told", changes),
    ("a_write_over_the_bounds_is_told", bounds),
    ("a_return_value_out_of_the_contract_is_told", returns),
    ("a_note_that_wakes_wrongly_is_told", wakes),
    ("a_timed_sleep_that_is_not_is_told", timed),
    ("a_modest_note_is_told_so", modest),
    ("the_right_note_is_right", right),
    ("what_handlers_of_windows_may_not_do_is_told", windows),
    ("a_stress_of_a_window_is_repeated_by_the_command_that_is_printed", repeated),
];

/// What `validate` says of this library.
fn validate(name: &str) -> Ran {
    run(&["validate", &bad_library(name)])
}

/// It ends with this code, and says this; it has not been killed, and nothing panicked.
fn says(name: &str, code: i32, words: &str) {
    let ran = validate(name);
    let all = format!("{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.code, Some(code), "{name}: {ran:#?}");
    assert!(all.contains(words), "{name} does not say '{words}': {ran:#?}");
    assert!(!all.contains("panicked at"), "{name}: {ran:#?}");
}

/// It does what its contract forbids.
fn forbidden(name: &str, words: &str) {
    says(name, 1, &format!("does what its contract forbids: {words}"));
}

fn described() {
    says("ABI_2", 2, "the note has ABI number 2; this command knows 1");
    says("NEITHER", 2, "exports neither sigproof_note nor sigproof_windows");
    says("NULL_TABLE", 2, "sigproof_note returned null");
    says("NO_SLEEP", 2, "note 'bad' has no function `sleep`");
    says("NO_NAME", 2, "the note has null for a name");
    says("BAD_NAME", 2, "the note has '../bad' for a name");
    says("SIZE_0", 2, "the note has size 0");
    says("SIZE_HUGE", 2, "the note has size 4294967296");
    says("ALIGN_3", 2, "the note has alignment 3");
    says("FLAG_64", 2, "the note has unknown flags 0x40");
    says("NO_TIMEOUT", 2, "SIGPROOF_TIMED_SLEEP and no function `sleep_timeout`");
}

fn loaded() {
    says("LOAD_CRASHES", 1, "was killed by signal 11 (SIGSEGV) while it is loaded");
    says("LOAD_EXITS", 1, "exited with code 0 while it is loaded");
    says("LOAD_HANGS", 1, "it hangs while it is loaded");
    // The copy ends with the child; the library is as good as any other.
    says("LOAD_FORKS", 0, "safe as claimed");
    says("LOAD_BLOCKS", 0, "safe as claimed");
}

fn init() {
    says("INIT_ENOMEM", 4, "`init` of the library's note");
    forbidden("INIT_EINVAL", "init returned 22 (Invalid argument)");
}

fn ends() {
    forbidden("CRASHES", "the process was killed by signal 11 (SIGSEGV)");
    forbidden("ABORTS", "the process was killed by signal 6 (SIGABRT)");
    forbidden("EXITS", "the process exited in the midst of its attempt");
    // It jumps into a frame that has returned, or into another thread's: whatever that does, it is no good.
    let ran = validate("JUMPS");
    assert_eq!(ran.code, Some(1), "{ran:#?}");
}

fn never_returns() {
    forbidden("HANGS", "it loses the wake-up and sleeps for ever");
    forbidden("SPINS", "it spins for ever");
    forbidden("NEVER", "it loses the wake-up and sleeps for ever");
}

fn changes() {
    forbidden("FORKS", "`wakeup` forked the process");
    forbidden("CLOSES", "it has closed descriptors that are not its own: [0, 1, 2]");
    forbidden("LOAD_CLOSES", "it has closed descriptors that are not its own");
    forbidden("BLOCKS", "`wakeup` returned with SIGTERM blocked");
    forbidden("HANDLES", "`wakeup` changed the handler of SIGPROF");
    forbidden("SPOILS_ERRNO", "wakeup, which claims that a signal handler may call it, leaves errno 9");
}

fn bounds() {
    for name in ["BEHIND", "FAR_BEHIND", "BEFORE"] {
        forbidden(name, "writes out of its instance's bounds");
    }
}

fn returns() {
    forbidden("GARBAGE", "wakeup returned -1, which is no errno value");
    forbidden("ALREADY", "wakeup returned EALREADY, though it was the first one since the last clear");
}

fn wakes() {
    forbidden("SPURIOUS", "a sleep returned before anybody had called wakeup");
    forbidden("CLEARS_NOT", "wakeup returned EALREADY, though it was the first one since the last clear");
}

fn timed() {
    forbidden("EARLY", "sleep_timeout(2000000) returned ETIMEDOUT too early");
    forbidden("LATE", "a timed sleep went on for 5 s after its time was over");
    forbidden("TIMES_OUT_AS_0", "after a wake-up, a sleep and a clear the note is still woken");
}

fn modest() {
    says("MODEST", 3, "claims to be unsafe; was not seen to fail (");
}

fn right() {
    says("NOTHING", 0, "safe as claimed (");
}

/// The windows of `handlers.c`.
fn windows_library(macros: &[&str]) -> String {
    library(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validate/handlers.c"), macros)
}

fn windows() {
    let ran = run(&["validate", &windows_library(&[])]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    for (name, words) in [
        ("counts", "not atomic: the result is '1'; a signal before the whole window gives '11'"),
        ("locks", "the handler calls pthread_mutex_lock, though it says that it takes no lock"),
        ("jumps", "the handler did not return: it left by a jump (longjmp, an exception)"),
    ] {
        let start = format!("window '{name}' of ");
        let verdict = ran.stdout.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("{ran:#?}"));
        assert!(verdict.contains("claims to be safe; ") && verdict.contains(words), "{verdict}");
    }
    let ran = run(&["validate", &windows_library(&["FIXED"])]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(ran.stdout.matches(": safe as claimed (").count(), 3, "{ran:#?}");
}

fn repeated() {
    let ran = run(&["validate", &windows_library(&[]), "--only", "window", "jumps", "--stress"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let command =
        ran.stdout.lines().find_map(|line| line.split_once("repeat with: cargo xtask ")).expect("a command").1;
    let again = run(&command.split(' ').collect::<Vec<_>>());
    assert_eq!(again.code, Some(1), "{again:#?}");
    assert!(again.stdout.contains("it left by a jump"), "{again:#?}");
}
