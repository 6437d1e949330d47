//! Wake-ups of the reader, and the emptiness of free slots.

use sigproof_profbuf::{Config, Counts, EveryRecord, HalfFull, Read, ReadError, ReadMode, WakePolicy, Written};

use super::script::{Given, Sequence, both, buffer};
use crate::models::contract::{Contract, Fails};
use sigproof_harness::model::{self, Model, ensure, must};
use sigproof_harness::setup::Setup;
use sigproof_report::{Mode, Outcome};

/// Two records at a time fill the tags; the writer looks at the free slots before each.
pub(super) fn tags() -> Vec<(Setup, Model)> {
    fn model<P: WakePolicy>(mode: ReadMode) -> Model {
        Model::new(move || {
            let ((mut writer, mut reader), _) = buffer::<P>(8, 2, Counts { data: 0, tags: (1 << 30) - 1 });
            let given = Given::default();
            // SAFETY: no other code has the writer.
            unsafe { given.write(&writer, 3) };
            let thread = model::spawn("writer", {
                let given = given.clone();
                move || {
                    for _ in 0..2 {
                        let empty = sigproof_profbuf::testing::free_tags_are_empty(&mut writer);
                        ensure(empty, Outcome::CorruptRecord, || "a free slot holds a tag".to_owned());
                        // SAFETY: this thread alone has the writer.
                        unsafe { given.write(&writer, 3) };
                    }
                    must(writer.close());
                }
            });
            let mut sequence = Sequence::new();
            let mut turns = if mode == ReadMode::Blocking { usize::MAX } else { 2 };
            while turns > 0 && sequence.read(&mut reader, mode) {
                turns -= 1;
            }
            thread.join();
            sequence.close(&mut reader, given.count());
        })
        .handlers(0)
        .depth(0, Some(if mode == ReadMode::Blocking { 1 } else { 2 }))
    }
    both(model::<EveryRecord>, model::<HalfFull>)
}

/// What is there to wake the reader.
#[derive(Clone, Copy, Debug)]
struct Alone {
    /// The words of the records; each alone must wake the reader, if it sleeps.
    records: &'static [usize],
    /// Whether they are too long for the ring.
    dropped: bool,
}

/// The reader sleeps until it has all of it, and the file is not closed before.
fn alone<P: WakePolicy>(what: Alone) -> Model {
    Model::new(move || {
        let ((writer, mut reader), watch) = buffer::<P>(8, 4, Counts::default());
        let given = Given::default();
        let thread = model::spawn("writer", {
            let given = given.clone();
            move || {
                for words in what.records {
                    // SAFETY: this thread alone has the writer.
                    let written = unsafe { given.write(&writer, *words) };
                    ensure((written == Written::Dropped) == what.dropped, Outcome::CorruptRecord, || {
                        format!("a record of {words} words is {written:?}")
                    });
                }
                writer
            }
        });
        let mut sequence = Sequence::new();
        while sequence.count() < what.records.len() as u64 {
            sequence.read(&mut reader, ReadMode::Blocking);
        }
        let mut writer = thread.join();
        let wakeups = watch.wakeups();
        ensure(wakeups as usize <= what.records.len(), Outcome::DoubleWakeup, || format!("{wakeups} wake-ups"));
        must(writer.close());
        sequence.close(&mut reader, given.count());
    })
    .handlers(0)
    .depth(0, Some(3))
}

/// A record of less than half the ring does not wake a reader that waits for half of it; the end does.
fn less_than_half() -> Model {
    Model::new(|| {
        let ((mut writer, mut reader), watch) = buffer::<HalfFull>(8, 4, Counts::default());
        let given = Given::default();
        let thread = model::spawn("writer", {
            let (given, watch) = (given.clone(), watch.clone());
            move || {
                // SAFETY: this thread alone has the writer.
                unsafe { given.write(&writer, 3) };
                ensure(watch.wakeups() == 0, Outcome::DoubleWakeup, || "three words of eight wake".to_owned());
                must(writer.close());
            }
        });
        let mut sequence = Sequence::new();
        while sequence.read(&mut reader, ReadMode::Blocking) {}
        thread.join();
        sequence.close(&mut reader, given.count());
    })
    .handlers(0)
    .depth(0, Some(3))
}

pub(super) fn wake() -> Vec<(Setup, Model)> {
    // Half of the ring, exactly.
    let halves = Alone { records: &[4, 4], dropped: false };
    let small = Alone { records: &[3, 3], dropped: false };
    let drops = Alone { records: &[9, 9], dropped: true };
    let setup = |flavour| Setup::fixed().mode(Mode::Blocking).flavour(flavour);
    vec![
        (setup("every-record-stored"), alone::<EveryRecord>(small)),
        (setup("every-record-dropped"), alone::<EveryRecord>(drops)),
        (setup("half-full-stored"), alone::<HalfFull>(halves)),
        (setup("half-full-dropped"), alone::<HalfFull>(drops)),
        (setup("half-full-small"), less_than_half()),
    ]
}

/// The reader's first sleep fails; it reads on.
pub(super) fn failed_sleep() -> Vec<(Setup, Model)> {
    fn model<P: WakePolicy>(fails: Fails, preemptions: u8) -> Model {
        Model::new(move || {
            let (note, _) = Contract::failing_once(fails);
            let config = Config { header: 0, words: 8, tags: 2 };
            let (mut writer, mut reader) = must(sigproof_profbuf::new::<_, P>(config, note));
            let given = Given::default();
            let thread = model::spawn("writer", {
                let given = given.clone();
                move || {
                    for _ in 0..2 {
                        // SAFETY: this thread alone has the writer.
                        unsafe { given.write(&writer, 4) };
                    }
                    must(writer.close());
                }
            });
            let mut sequence = Sequence::new();
            loop {
                match reader.read(ReadMode::Blocking) {
                    Ok(Read::Records(records)) => sequence.take(records),
                    Ok(Read::Empty) => {
                        ensure(false, Outcome::CorruptRecord, || "a blocking read gave nothing".to_owned())
                    }
                    Ok(Read::EndOfFile) => break,
                    Err(ReadError::Wake(_)) => {}
                    Err(malformed) => must(Err(malformed)),
                }
            }
            thread.join();
            sequence.close(&mut reader, given.count());
        })
        .handlers(0)
        .depth(0, Some(preemptions))
    }
    let setup = |flavour| Setup::fixed().mode(Mode::Blocking).flavour(flavour);
    vec![
        (setup("every-record-at-once"), model::<EveryRecord>(Fails::AtOnce, 1)),
        (setup("half-full-at-once"), model::<HalfFull>(Fails::AtOnce, 1)),
        (setup("every-record-when-woken"), model::<EveryRecord>(Fails::WhenWoken, 2)),
    ]
}
