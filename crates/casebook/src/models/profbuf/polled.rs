//! Models of a buffer whose reader polls: what the write word is without flags, and commits without
//! compare-and-swap.
//!
//! As the scripts of the buffer that may sleep, with what they check.

use sigproof_osnote::cpuprof::{SignalLock, TrySpin};
use sigproof_profbuf::{Config, Counts, NoNote, Polled, Read, Writer};
use sigproof_shim::sync::Arc;

use super::script::{Given, Sequence};
use crate::models::tally;
use sigproof_harness::model::{self, Model, must};
use sigproof_harness::setup::Setup;
use sigproof_report::Mode;

/// The name of the mode.
const POLLED: &str = "polled";

/// Unwraps an error that cannot occur here. A panic fails the model.
fn sure<T, E: core::fmt::Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}

/// Writes the next record, of so many words.
///
/// # Safety
/// That of [`Writer::write_shared`].
unsafe fn write(given: &Given, writer: &Writer<NoNote, Polled>, words: usize) {
    let number = given.next();
    let stack = vec![number; words - 2];
    // SAFETY: passed on to the caller.
    sure(unsafe { writer.write_shared(number as i64, tally::tag(number), &[], &stack) });
}

/// One thread writes and closes, another looks now and then. Written before the threads start: `before`, with
/// as many reads as told.
fn model(words: usize, tags: usize, before: &'static [usize], reads_before: usize, records: &'static [usize]) -> Model {
    Model::new(move || {
        let config = Config { header: 0, words, tags };
        let (writer, mut reader) = must(sigproof_profbuf::testing::polled_at(config, Counts::default()));
        let given = Given::default();
        let mut sequence = Sequence::new();
        for words in before {
            // SAFETY: no other code has the writer.
            unsafe { write(&given, &writer, *words) };
        }
        for _ in 0..reads_before {
            sequence.took(sure(reader.poll()));
        }
        let thread = model::spawn("writer", {
            let (given, mut writer) = (given.clone(), writer);
            move || {
                for words in records {
                    // SAFETY: this thread alone has the writer.
                    unsafe { write(&given, &writer, *words) };
                }
                sure(writer.close());
            }
        });
        let mut looks = 2;
        while looks > 0 && sequence.took(sure(reader.poll())) {
            looks -= 1;
        }
        thread.join();
        while sequence.took(sure(reader.poll())) {}
        sequence.complete(given.count());
        assert!(matches!(sure(reader.poll()), Read::EndOfFile), "a file after its end");
    })
    .handlers(0)
    .depth(0, Some(2))
}

fn one(model: Model) -> Vec<(Setup, Model)> {
    vec![(Setup::fixed().flavour(POLLED).mode(Mode::NonBlocking), model)]
}

/// Room for all.
pub(super) fn order() -> Vec<(Setup, Model)> {
    one(model(16, 4, &[], 0, &[3, 4]))
}

/// An overflow is pending; the reader takes it, or the writer.
pub(super) fn overflow_race() -> Vec<(Setup, Model)> {
    one(model(8, 2, &[3, 3, 3], 1, &[3]))
}

/// Slots and words used again; a drop; the end.
pub(super) fn close() -> Vec<(Setup, Model)> {
    one(model(8, 1, &[3], 1, &[3, 3]))
}

/// The reader is interrupted by a writer, wherever it is in its look; another thread writes, too. The room is
/// for one record, so each of them may be dropped.
pub(super) fn handler() -> Vec<(Setup, Model)> {
    let model = Model::new(|| {
        let (writer, mut reader) = must(sigproof_profbuf::polled(Config { header: 0, words: 4, tags: 2 }));
        let shared = Arc::new((must(TrySpin::new(model::SIGNAL)), writer, Given::default()));
        model::handle("writer", model::SIGNAL, &[], {
            let shared = Arc::clone(&shared);
            move || {
                let (lock, writer, given) = &*shared;
                // SAFETY: in the handler of the lock's signal; alone, behind the lock.
                unsafe { lock.enter(|| write(given, writer, 3)) };
            }
        });
        let thread = model::spawn("other writer", {
            let shared = Arc::clone(&shared);
            move || {
                let (lock, writer, given) = &*shared;
                for _ in 0..2 {
                    // SAFETY: alone, behind the lock.
                    lock.lock(|| unsafe { write(given, writer, 3) });
                }
            }
        });
        let mut sequence = Sequence::new();
        model::interruptible(|| {
            for _ in 0..2 {
                sequence.took(sure(reader.poll()));
            }
        });
        thread.join();
        let (lock, writer, given) = &*shared;
        // SAFETY: alone, behind the lock; who comes later finds it closed, and is not waited for.
        sure(lock.lock(|| unsafe { writer.close_shared() }));
        while sequence.took(sure(reader.poll())) {}
        sequence.complete(given.count());
    });
    one(model.depth(1, Some(1)))
}
