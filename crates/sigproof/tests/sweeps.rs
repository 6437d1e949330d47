//! Sweeps and stress as tests of this crate: right code passes, wrong code panics with the map and a token
//! that repeats it, and what cannot run says so.

use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{SigSet, SigmaskHow};
use sigproof::{Attempt, Failure, Note, NoteError, Outcome, Stage};
use sigproof_shim::native::atomic::{AtomicU64, Ordering};

/// Marks a run of this executable by one of its own tests.
const INNER: &str = "SIGPROOF_TEST_INNER";

fn counts(stage: &mut Stage) -> Result<(), Failure> {
    let counter = Arc::new(AtomicU64::new(0));
    let in_handler = Arc::clone(&counter);
    stage.handler(move |_| {
        in_handler.fetch_add(1, Ordering::Relaxed);
        Ok(())
    })?;
    while stage.another()? {
        counter.store(0, Ordering::Relaxed);
        stage.window(|| counter.fetch_add(1, Ordering::Relaxed));
        let (found, due) = (counter.load(Ordering::Relaxed), 1 + stage.acted() as u64);
        if found != due {
            return Err(Failure::new(Outcome::CorruptRecord, format!("{due} additions, and the sum is {found}")));
        }
    }
    Ok(())
}

fn locks(stage: &mut Stage) -> Result<(), Failure> {
    let sum = Arc::new(Mutex::new(0_u64));
    let in_handler = Arc::clone(&sum);
    let add = |sum: &Mutex<u64>| *sum.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    stage.handler(move |_| {
        add(&in_handler);
        Ok(())
    })?;
    while stage.another()? {
        stage.window(|| add(&sum));
    }
    Ok(())
}

#[test]
fn right_code_passes() {
    sigproof::sweep(counts);
}

#[test]
fn several_calls_in_one_test_are_told_apart() {
    sigproof::sweep(counts);
    sigproof::sweep_expecting(Outcome::SelfDeadlock, locks);
    sigproof::sweep(counts);
}

#[test]
fn stress_is_a_test_as_well() {
    sigproof::stress(|attempt| {
        let counter = Arc::new(AtomicU64::new(0));
        let in_handler = Arc::clone(&counter);
        let mut injector = attempt.injector(move || {
            in_handler.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })?;
        for _ in attempt.rounds() {
            injector.round(|| {
                for _ in 0..100 {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            })?;
            injector.settle();
        }
        Ok(())
    });
}

fn locks_under_stress(attempt: &Attempt) -> Result<(), Failure> {
    let sum = Arc::new(Mutex::new(0_u64));
    let in_handler = Arc::clone(&sum);
    let add = |sum: &Mutex<u64>| *sum.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    let mut injector = attempt.injector(move || {
        add(&in_handler);
        Ok(())
    })?;
    for _ in attempt.rounds() {
        injector.round(|| (0..50).for_each(|_| add(&sum)))?;
        injector.settle();
    }
    Ok(())
}

#[test]
fn wrong_code_under_stress() {
    match std::env::var_os(INNER) {
        Some(_) => sigproof::stress(locks_under_stress),
        None => sigproof::stress_expecting(Outcome::SelfDeadlock, locks_under_stress),
    }
}

#[test]
fn a_failed_stress_has_a_seed_that_runs_one_attempt_again() {
    let (passed, text) = run("wrong_code_under_stress", &[(INNER, "1")]);
    assert!(!passed && text.contains("self-deadlock"), "{text}");
    let seed = text.lines().find_map(|line| line.split_once("repeat with: SIGPROOF_SEED=")).expect("a seed").1;
    let (number, rest) = seed.split_once(' ').expect("a command");
    assert_eq!(rest, "cargo test wrong_code_under_stress");
    let (passed, text) = run("wrong_code_under_stress", &[(INNER, "1"), ("SIGPROOF_SEED", number)]);
    assert!(passed || text.contains("self-deadlock occurred once"), "{text}");
    let (passed, text) = run("wrong_code_under_stress", &[(INNER, "1"), ("SIGPROOF_SEED", "x")]);
    assert!(!passed && text.contains("SIGPROOF_SEED is 'x'"), "{text}");
}

/// The tests below run it in a process of their own, in which it must fail.
#[test]
fn wrong_code() {
    match std::env::var_os(INNER) {
        Some(_) => sigproof::sweep(locks),
        None => sigproof::sweep_expecting(Outcome::SelfDeadlock, locks),
    }
}

/// A run of one test of this executable: whether it passed, and what it said on both streams.
fn run(test: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let own = std::env::current_exe().expect("this test");
    let mut command = Command::new(own);
    command.args([test, "--exact"]).envs(variables.iter().copied());
    let output = command.output().expect("it starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn a_failure_has_a_map_stacks_and_a_token_that_repeats_it() {
    let (passed, text) = run("wrong_code", &[(INNER, "1")]);
    if text.contains("skipped: ") {
        println!("{text}");
        return;
    }
    assert!(!passed, "{text}");
    for words in ["vulnerable", "D self-deadlock", "waits in a signal handler", "cargo test wrong_code"] {
        assert!(text.contains(words), "'{words}': {text}");
    }
    let token = text.lines().find_map(|line| line.split_once("SIGPROOF_REPLAY=")).expect("a token").1;
    let token = token.split(' ').next().expect("a word");
    let (passed, text) = run("wrong_code", &[(INNER, "1"), ("SIGPROOF_REPLAY", token)]);
    assert!(!passed && text.contains("self-deadlock"), "{text}");
    assert!(!text.contains("vulnerable"), "one boundary alone: {text}");
}

#[test]
fn what_cannot_run_says_so_and_the_policy_decides() {
    // A token of another test: this test has nothing to do.
    let other = ("SIGPROOF_REPLAY", "another/fixed@window@k1@libc.so.6+0x9@lock+0x4#1");
    let (passed, text) = run("right_code_passes", &[other]);
    assert!(passed && text.contains("skipped: right_code_passes: SIGPROOF_REPLAY names another test"), "{text}");
    let (passed, text) = run("right_code_passes", &[other, ("SIGPROOF_WHEN_IMPOSSIBLE", "fail")]);
    assert!(!passed && text.contains("cannot run here"), "{text}");
    let (passed, text) = run("right_code_passes", &[other, ("SIGPROOF_WHEN_IMPOSSIBLE", "perhaps")]);
    assert!(!passed && text.contains("it is 'skip' or 'fail'"), "{text}");
}

#[test]
fn a_model_is_skipped_in_this_build() {
    let (passed, text) = run("a_model", &[]);
    assert!(
        passed && (sigproof_harness::model::available() || text.contains("skipped: a_model: models need")),
        "{text}"
    );
}

#[test]
fn a_model() {
    sigproof::model(sigproof::Model::new(|| ()).handlers(0));
}

/// A mutex and a condition variable that are used with all signals blocked: the right form of a wrong note.
#[derive(Default)]
struct Masked {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Masked {
    fn with<R>(&self, what: impl FnOnce(MutexGuard<'_, bool>) -> R) -> R {
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK).expect("it is a mask");
        let result = what(self.woken.lock().unwrap_or_else(PoisonError::into_inner));
        before.thread_set_mask().expect("it is a mask");
        result
    }
}

impl Note for Masked {
    fn clear(&self) {
        self.with(|mut woken| *woken = false);
    }

    fn sleep(&self) -> Result<(), NoteError> {
        self.with(|woken| drop(self.changed.wait_while(woken, |woken| !*woken)));
        Ok(())
    }

    fn wakeup(&self) -> Result<(), NoteError> {
        let before = self.with(|mut woken| {
            self.changed.notify_one();
            std::mem::replace(&mut *woken, true)
        });
        if before { Err(NoteError::DoubleWakeup) } else { Ok(()) }
    }
}

#[test]
fn a_note_whose_sleep_blocks_the_signal_is_woken_by_another_thread() {
    sigproof::note(|| Ok(Masked::default()));
}
