//! Models that test the tool by itself. Hidden: only an exact name chooses them.
//!
//! | model | what it is made for |
//! |---|---|
//! | `selftest-plans` | a known number of plans; a bug in the last plan of the last level, which needs exactly two preemptions |
//! | `selftest-two-threads` | two threads with one store each: a known number of executions |
//! | `selftest-forbidden` | a fixed variant that fails in its second plan, of many: the search ends there |
//! | `selftest-endless` | an execution that never ends: no verdict can come of it |
//! | `selftest-killed` | the process that explores it is killed |
//! | `selftest-segv` | the process that explores it crashes |
//!
//! `selftest-plans`, with P = 4 signal points: the three operations of `main`, and the end of its target. The
//! handler has no operations of its own, so every plan has the same interleavings.
//!
//! ```text
//!  main    first = 1            second == 1 ? first = 2 : 3           join
//!  other              first == 1 ? second = 1                            first == 2
//!                   ^ preemption 1          ^ preemption 2            ^ main waits: no preemption
//! ```

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use sigproof_shim::atomic::{AtomicU32, Ordering};

use super::{Core, Ways};
use sigproof_harness::model::{self, Model, SIGNAL, ensure};
use sigproof_harness::setup::Setup;
use sigproof_report::Outcome;

pub(super) const ALL: &[Core] = &[
    Core { name: "selftest-plans", setups: Ways::Alone(plans) },
    Core { name: "selftest-two-threads", setups: Ways::Alone(two_threads) },
    Core { name: "selftest-forbidden", setups: Ways::Alone(forbidden) },
    Core { name: "selftest-endless", setups: Ways::Alone(endless) },
    Core { name: "selftest-killed", setups: Ways::Alone(|| death(libc::SIGKILL)) },
    Core { name: "selftest-segv", setups: Ways::Alone(|| death(libc::SIGSEGV)) },
];

/// The bug is in the broken variant only; the fixed one has the same plans and interleavings.
fn plans() -> Vec<(Setup, Model)> {
    let bug = Outcome::CorruptRecord;
    let model = |has_bug| {
        let model = Model::new(move || {
            let alternated_and_late = alternate();
            ensure(!(has_bug && alternated_and_late), bug, || {
                "two signals at the end, two preemptions before".to_owned()
            });
        });
        model.depth(2, Some(2))
    };
    vec![(Setup::broken(bug), model(true)), (Setup::fixed(), model(false))]
}

/// Whether the threads alternated as in the diagram and both signals came at the last point.
fn alternate() -> bool {
    let words = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
    let (at_end, late) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
    model::handle("sample", SIGNAL, &[], {
        let (at_end, late) = (Rc::clone(&at_end), Rc::clone(&late));
        move || late.set(late.get() + u32::from(at_end.get()))
    });
    let other = model::spawn("other", {
        let words = Arc::clone(&words);
        move || {
            let began = words[0].load(Ordering::Relaxed) == 1;
            if began {
                words[1].store(1, Ordering::Relaxed);
            }
            began && words[0].load(Ordering::Relaxed) == 2
        }
    });
    model::interruptible(|| {
        words[0].store(1, Ordering::Relaxed);
        let answered = words[1].load(Ordering::Relaxed) == 1;
        words[0].store(if answered { 2 } else { 3 }, Ordering::Relaxed);
        at_end.set(true);
    });
    other.join() && late.get() == 2
}

fn two_threads() -> Vec<(Setup, Model)> {
    let model = Model::new(|| {
        let word = Arc::new(AtomicU32::new(0));
        let other = model::spawn("other", {
            let word = Arc::clone(&word);
            move || word.store(1, Ordering::Relaxed)
        });
        word.store(2, Ordering::Relaxed);
        other.join();
    });
    vec![(Setup::fixed(), model.handlers(0).depth(0, None))]
}

fn forbidden() -> Vec<(Setup, Model)> {
    let model = Model::new(|| {
        let (stored, early) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
        model::handle("sample", SIGNAL, &[], {
            let (stored, early) = (Rc::clone(&stored), Rc::clone(&early));
            move || early.set(early.get() || !stored.get())
        });
        let word = AtomicU32::new(0);
        model::interruptible(|| {
            word.store(1, Ordering::Relaxed);
            stored.set(true);
            word.store(2, Ordering::Relaxed);
        });
        ensure(!early.get(), Outcome::CorruptRecord, || "a signal came before the first store".to_owned());
    });
    vec![(Setup::fixed(), model.depth(2, Some(2)))]
}

fn endless() -> Vec<(Setup, Model)> {
    let model = Model::new(|| {
        let word = AtomicU32::new(0);
        loop {
            word.fetch_add(1, Ordering::Relaxed);
        }
    });
    vec![(Setup::fixed(), model.handlers(0).depth(0, None))]
}

fn death(signal: i32) -> Vec<(Setup, Model)> {
    let model = Model::new(move || {
        // SAFETY: the default action for a signal that this process sends to itself; nothing runs behind it.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    });
    vec![(Setup::fixed(), model.handlers(0).depth(0, None))]
}
