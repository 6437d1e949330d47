//! A note each of whose calls is compared with the contract: what it returns, and what it leaves behind.

use std::sync::mpsc;
use std::thread;

use sigproof_inspect::refusal::Refusal;
use sigproof_osnote::NoteError;
use sigproof_osnote::foreign::instance::Side;
use sigproof_osnote::foreign::note::ForeignNote;
use sigproof_report::Outcome;
use sigproof_shim::native::atomic::{AtomicBool, Ordering};
use sigproof_step::thread_id;

use super::Given;
use crate::failure::Failure;
use crate::validate::{asleep, guard};

/// See the module.
pub(super) struct Tested {
    note: ForeignNote,
    safe: bool,
}

/// A thread, for those that signal it.
#[derive(Clone, Copy)]
pub(super) struct Who {
    pub(super) id: u32,
    /// Its `pthread_t`, which is a pointer on some systems.
    pub(super) thread: usize,
}

impl Tested {
    /// A cleared one.
    pub(super) fn new(given: &Given<'_>) -> Self {
        let around = guard::Around::now();
        let note = match ForeignNote::new(given.library) {
            Ok(note) => note,
            Err(error) => guard::end(of_init(error)),
        };
        let tested = Self { note, safe: given.said.claims_safety() };
        tested.kept(&around, "init");
        tested
    }

    /// One that is made in the place of this one.
    pub(super) fn renew(&self) {
        let around = guard::Around::now();
        match self.note.renew() {
            0 => {}
            errno => guard::end(of_init(NoteError::Os { call: "init", errno })),
        }
        self.kept(&around, "destroy, init");
    }

    pub(super) fn clear(&self) {
        self.must("clear", ForeignNote::call_clear);
    }

    pub(super) fn sleep(&self) {
        self.must("sleep", ForeignNote::call_sleep);
    }

    /// A wake-up that is the first one since the last clear.
    pub(super) fn wakeup(&self) {
        self.must("wakeup", ForeignNote::call_wakeup);
    }

    /// One that is not.
    pub(super) fn wakeup_again(&self) {
        match self.call("wakeup", ForeignNote::call_wakeup) {
            0 | libc::EALREADY => {}
            code => guard::fail(
                Outcome::Crash,
                format!("a second wakeup returned {}, neither 0 nor EALREADY", guard::returned(code)),
            ),
        }
    }

    /// So many of them, without a look at each.
    pub(super) fn wakeup_often(&self, times: u32) {
        let around = guard::Around::now();
        let forks = guard::forks();
        let calls = (0..times).take_while(|_| guard::forks() == forks).map(|_| self.note.call_wakeup());
        let other = { calls }.find(|code| !matches!(*code, 0 | libc::EALREADY));
        if let Some(code) = other {
            let detail = format!("one of many wakeups returned {}, neither 0 nor EALREADY", guard::returned(code));
            guard::fail(Outcome::Crash, detail);
        }
        self.kept(&around, "wakeup");
    }

    /// Whether a timed sleep was woken.
    pub(super) fn sleep_timeout(&self, nanoseconds: u64) -> bool {
        match self.call("sleep_timeout", |note| note.call_sleep_timeout(nanoseconds).unwrap_or_default()) {
            0 => true,
            libc::ETIMEDOUT => false,
            code => guard::fail(
                Outcome::Crash,
                format!("sleep_timeout returned {}, neither 0 nor ETIMEDOUT", guard::returned(code)),
            ),
        }
    }

    fn must(&self, function: &str, call: impl Fn(&ForeignNote) -> libc::c_int) {
        match self.call(function, call) {
            0 => {}
            libc::EALREADY if function == "wakeup" => guard::fail(
                Outcome::DoubleWakeup,
                "wakeup returned EALREADY, though it was the first one since the last clear",
            ),
            code => guard::fail(Outcome::Crash, format!("{function} returned {}", guard::returned(code))),
        }
    }

    fn call(&self, function: &str, call: impl Fn(&ForeignNote) -> libc::c_int) -> libc::c_int {
        let around = guard::Around::now();
        let code = call(&self.note);
        self.kept(&around, function);
        code
    }

    fn kept(&self, around: &guard::Around, function: &str) {
        if let Some(failure) = around.changed_by(function) {
            guard::end(failure);
        }
        if let Some(side) = self.note.instance().strayed() {
            let side = match side {
                Side::Before => "before the first byte",
                Side::Behind => "behind the last byte",
            };
            guard::fail(Outcome::Crash, format!("{}: {side}, in `{function}`", guard::OUT_OF_BOUNDS));
        }
    }

    /// Whether a signal handler may wake it.
    pub(super) const fn is_safe(&self) -> bool {
        self.safe
    }

    /// Sleeps in another thread. Once that thread sleeps, `between` runs, and then the note is woken.
    pub(super) fn across(&self, sleep: impl Fn(&Self) + Sync, between: impl FnOnce(Who)) {
        let woken = AtomicBool::new(false);
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let (sleep, woken) = (&sleep, &woken);
            let sleeper = move || {
                // SAFETY: no preconditions.
                let thread = unsafe { libc::pthread_self() } as usize;
                // The receiver waits for it.
                let _ = tell.send(Who { id: thread_id(), thread });
                sleep(self);
                if !woken.load(Ordering::Acquire) {
                    guard::fail(Outcome::SpuriousWakeup, "a sleep returned before anybody had called wakeup");
                }
            };
            let started = thread::Builder::new().name("sleeper".to_owned()).spawn_scoped(scope, sleeper);
            let started = started.unwrap_or_else(|error| guard::end(Refusal::thread(&error).into()));
            if let Ok(who) = told.recv() {
                asleep::wait(who.id);
                between(who);
            }
            woken.store(true, Ordering::Release);
            self.wakeup();
            if started.join().is_err() {
                guard::fail(Outcome::Crash, "the sleeper panicked");
            }
        });
    }

    /// A whole round across threads, to show that the note works.
    pub(super) fn works(&self) {
        self.across(Self::sleep, |_| ());
        self.clear();
    }
}

fn of_init(error: NoteError) -> Failure {
    match error {
        NoteError::Os { call: "init", errno } if Refusal::is_one(errno) => {
            Refusal::of("`init` of the library's note", errno).into()
        }
        NoteError::Os { call: "init", errno } => {
            Failure::new(Outcome::Crash, format!("init returned {}", guard::returned(errno)))
        }
        other => other.into(),
    }
}
