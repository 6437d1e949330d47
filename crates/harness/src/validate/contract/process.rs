//! Signals that wake nobody, several instances, and what a note leaves behind.

use sigproof_osnote::foreign::note::ForeignNote;
use sigproof_report::Outcome;
use sigproof_shim::native::os::errno;

use super::Given;
use super::tested::Tested;
use super::times::HOUR;
use crate::validate::{asleep, guard};

/// How many signals hit a sleeper.
const SIGNALS: u32 = 50;

/// How many instances there are at a time.
const INSTANCES: usize = 8;

/// How often a note is made anew.
const TIMES: usize = 100;

/// What `errno` is before a wake-up: no error has this number.
const UNTOUCHED: i32 = 4242;

/// A handler without `SA_RESTART`, so that system calls return `EINTR`.
pub(super) fn signals(given: &Given<'_>) {
    let note = Tested::new(given);
    interrupting();
    let hit = |who: super::tested::Who| {
        for _ in 0..SIGNALS {
            // SAFETY: the thread is joined after this.
            unsafe { libc::pthread_kill(who.thread as libc::pthread_t, libc::SIGUSR1) };
            asleep::wait(who.id);
        }
    };
    for _ in 0..3 {
        note.across(Tested::sleep, hit);
        note.clear();
    }
    if given.said.is_timed() {
        let sleep = |note: &Tested| {
            if !note.sleep_timeout(HOUR) {
                guard::fail(Outcome::SpuriousWakeup, "a signal ended a timed sleep, which returned ETIMEDOUT");
            }
        };
        note.across(sleep, hit);
        note.clear();
    }
}

/// Installs a handler that does nothing.
fn interrupting() {
    extern "C" fn nothing(_signal: libc::c_int) {}
    // SAFETY: a zeroed sigaction is valid, the mask is initialised, and the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGUSR1, &raw const action, core::ptr::null_mut());
    }
}

pub(super) fn instances(given: &Given<'_>) {
    let notes: Vec<Tested> = (0..INSTANCES).map(|_| Tested::new(given)).collect();
    for woken in 0..INSTANCES {
        // The others still sleep: each of their sleeps ends by its own wake-up.
        let other = &notes[(woken + 1) % INSTANCES];
        other.across(Tested::sleep, |_| {
            notes[woken].wakeup();
            notes[woken].sleep();
        });
        other.clear();
        notes[woken].clear();
        other.works();
    }
}

pub(super) fn errno(given: &Given<'_>) {
    let note = Tested::new(given);
    let keeps = |wakeup: &dyn Fn()| {
        errno::set(UNTOUCHED);
        wakeup();
        let now = errno::get();
        if now != UNTOUCHED {
            let detail = format!(
                "wakeup, which claims that a signal handler may call it, leaves errno {}",
                guard::returned(now)
            );
            guard::fail(Outcome::ErrnoSpoiled, detail);
        }
    };
    if !note.is_safe() {
        return;
    }
    keeps(&|| note.wakeup());
    keeps(&|| note.wakeup_again());
    note.clear();
    note.works();
}

pub(super) fn destroy(given: &Given<'_>) {
    let note = Tested::new(given);
    let before = guard::descriptors();
    for _ in 0..TIMES {
        note.renew();
        given.attempt.tick();
    }
    let left = guard::descriptors() & !before;
    if left != 0 {
        let detail = format!("destroy leaves descriptors open: {:?}", guard::numbers(left));
        guard::fail(Outcome::DescriptorLeak, detail);
    }
    note.works();
    drop(note);
    match ForeignNote::new(given.library) {
        Ok(note) => drop(note),
        Err(error) => guard::fail(Outcome::Crash, format!("after destroy, no other note can be made: {error}")),
    }
}
