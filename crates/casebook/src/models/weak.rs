//! Models that test what a counterexample says of memory orderings. Hidden: only an exact name chooses them.
//!
//! | model | broken | what forbids the failure |
//! |---|---|---|
//! | `selftest-message` | a message is stored, then a flag; both relaxed | a release and an acquire together |
//! | `selftest-half-message` | as before, and the store of the flag releases | the acquire of its load |
//! | `selftest-plain-message` | as `selftest-message`; the message is plain memory | a release and an acquire together |
//! | `selftest-store-buffer` | each thread stores, then loads what the other stores; one has a fence | another fence |
//! | `selftest-lost-update` | two threads add one by a load and a store | nothing: it happens under sequential consistency |

use std::sync::Arc;

use sigproof_shim::atomic::{AtomicU32, Ordering, fence};
use sigproof_shim::cell::UnsafeCell;

use super::{Core, Ways};
use sigproof_harness::model::{self, Model, ensure};
use sigproof_harness::setup::Setup;
use sigproof_report::Outcome;

pub(super) const ALL: &[Core] = &[
    Core { name: "selftest-message", setups: Ways::Alone(|| message(Ordering::Relaxed)) },
    Core { name: "selftest-half-message", setups: Ways::Alone(|| message(Ordering::Release)) },
    Core { name: "selftest-plain-message", setups: Ways::Alone(plain_message) },
    Core { name: "selftest-store-buffer", setups: Ways::Alone(store_buffer) },
    Core { name: "selftest-lost-update", setups: Ways::Alone(lost_update) },
];

/// What such a model does: whether its fix is in, then whether the execution is good.
fn ways(bad: Outcome, body: impl Fn(bool) -> bool + Clone + Send + Sync + 'static) -> Vec<(Setup, Model)> {
    let model = |is_fixed| {
        let body = body.clone();
        let model =
            Model::new(move || ensure(body(is_fixed), Outcome::CorruptRecord, || "the values do not fit".to_owned()));
        model.handlers(0).depth(0, None)
    };
    vec![(Setup::broken(bad), model(false)), (Setup::fixed(), model(true))]
}

fn message(release: Ordering) -> Vec<(Setup, Model)> {
    ways(Outcome::CorruptRecord, move |is_fixed| {
        let words = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
        let other = model::spawn("writer", {
            let words = Arc::clone(&words);
            move || {
                let [message, flag] = &*words;
                message.store(7, Ordering::Relaxed);
                flag.store(1, if is_fixed { Ordering::Release } else { release });
            }
        });
        let [message, flag] = &*words;
        let is_there = flag.load(if is_fixed { Ordering::Acquire } else { Ordering::Relaxed }) == 1;
        let is_good = !is_there || message.load(Ordering::Relaxed) == 7;
        other.join();
        is_good
    })
}

/// A message in plain memory, and a flag beside it.
#[derive(Default)]
struct Message {
    text: UnsafeCell<u32>,
    flag: AtomicU32,
}

// SAFETY: the model checker runs all threads of a model in turn, and ends an execution before an access to
// the message that is not ordered.
unsafe impl Sync for Message {}
// SAFETY: as above.
unsafe impl Send for Message {}

fn plain_message() -> Vec<(Setup, Model)> {
    ways(Outcome::DataRace, |is_fixed| {
        let shared = Arc::new(Message::default());
        let other = model::spawn("writer", {
            let shared = Arc::clone(&shared);
            move || {
                // SAFETY: the reader reads after it has seen the flag, which is stored after this.
                shared.text.with_mut(|message| unsafe { *message = 7 });
                shared.flag.store(1, if is_fixed { Ordering::Release } else { Ordering::Relaxed });
            }
        });
        let is_there = shared.flag.load(if is_fixed { Ordering::Acquire } else { Ordering::Relaxed }) == 1;
        // SAFETY: the writer has stored the flag after its last access.
        let is_good = !is_there || shared.text.with(|message| unsafe { *message }) == 7;
        other.join();
        is_good
    })
}

fn store_buffer() -> Vec<(Setup, Model)> {
    ways(Outcome::CorruptRecord, |is_fixed| {
        let words = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
        let other = model::spawn("other", {
            let words = Arc::clone(&words);
            move || {
                words[1].store(1, Ordering::Relaxed);
                fence(Ordering::SeqCst);
                words[0].load(Ordering::Relaxed)
            }
        });
        words[0].store(1, Ordering::Relaxed);
        if is_fixed {
            fence(Ordering::SeqCst);
        }
        let own = words[1].load(Ordering::Relaxed);
        own + other.join() > 0
    })
}

fn lost_update() -> Vec<(Setup, Model)> {
    ways(Outcome::CorruptRecord, |is_fixed| {
        let count = Arc::new(AtomicU32::new(0));
        let add = move |count: &AtomicU32| {
            if is_fixed {
                count.fetch_add(1, Ordering::Relaxed);
            } else {
                count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            }
        };
        let other = model::spawn("other", {
            let count = Arc::clone(&count);
            move || add(&count)
        });
        add(&count);
        other.join();
        count.load(Ordering::Relaxed) == 2
    })
}
