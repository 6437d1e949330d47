//! What the models of the buffer share: a writer that numbers its records, and a reader that knows what must
//! come next.
//!
//! The n-th record that is given to the buffer has time n, tag n + 100 and a stack of words n. An overflow
//! record has the time of the first record that it stands for. So the whole order is checked record by
//! record: the time of what comes out is always one more than the last number that came out or was counted.

use sigproof_osnote::Note;
use sigproof_profbuf::{Config, Counts, Ends, Read, ReadMode, Reader, Records, WakePolicy, Writer, Written};
use sigproof_shim::native::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use super::super::contract::{Contract, Watch};
use crate::models::tally;
use sigproof_harness::model::{self, Model, ensure, must};
use sigproof_harness::setup::Setup;
use sigproof_report::{Mode, Outcome};

pub(super) type WritingEnd<P> = Writer<Box<dyn Note>, P>;
pub(super) type ReadingEnd<P> = Reader<Box<dyn Note>, P>;

/// A buffer without header words, so that a record of one stack word takes three words, over a note that
/// checks its use.
pub(super) fn buffer<P: WakePolicy>(words: usize, tags: usize, counts: Counts) -> (Ends<Box<dyn Note>, P>, Watch) {
    let (note, watch) = Contract::over_any();
    (must(sigproof_profbuf::testing::new_at(Config { header: 0, words, tags }, counts, note)), watch)
}

/// How many records were given to the buffer. Not modelled.
#[derive(Clone, Debug, Default)]
pub(super) struct Given(Arc<AtomicU64>);

impl Given {
    /// The number of the next record. Only while no other writer runs.
    pub(super) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Writes the next record, of so many words.
    ///
    /// # Safety
    /// That of [`Writer::write_shared`].
    pub(super) unsafe fn write<P: WakePolicy>(&self, writer: &WritingEnd<P>, words: usize) -> Written {
        let number = self.next();
        let stack = vec![number; words - 2];
        // SAFETY: passed on to the caller.
        must(unsafe { writer.write_shared(number as i64, tally::tag(number), &[], &stack) })
    }
}

/// What must come out next.
#[derive(Debug)]
pub(super) struct Sequence {
    next: u64,
    ended: bool,
}

impl Sequence {
    /// The first record.
    pub(super) fn new() -> Self {
        Self { next: 1, ended: false }
    }

    /// How many have come out or were counted.
    pub(super) fn count(&self) -> u64 {
        self.next - 1
    }

    /// Checks what a read gave.
    pub(super) fn take(&mut self, records: Records<'_>) {
        for record in records {
            let (next, found) = (self.next, record.time());
            ensure(!self.ended, Outcome::CorruptRecord, || {
                format!("number {found} came out after the end of the file")
            });
            ensure(found == next as i64, Outcome::CorruptRecord, || format!("number {found} came out, next is {next}"));
            if let Some(count) = record.overflow() {
                self.next += u64::from(count);
            } else {
                let whole = record.tag() == tally::tag(next) && record.stack().iter().all(|word| *word == next);
                ensure(whole, Outcome::CorruptRecord, || format!("number {next} came out as {record:?}"));
                self.next += 1;
            }
        }
    }

    /// Checks a read; whether there may be more.
    pub(super) fn read<P: WakePolicy>(&mut self, reader: &mut ReadingEnd<P>, mode: ReadMode) -> bool {
        match must(reader.read(mode)) {
            Read::Records(records) => self.take(records),
            Read::Empty => ensure(mode == ReadMode::NonBlocking, Outcome::CorruptRecord, || {
                "a blocking read gave nothing".to_owned()
            }),
            Read::EndOfFile => self.ended = true,
        }
        !self.ended
    }

    /// Checks what a poll gave; whether there may be more.
    pub(super) fn took(&mut self, read: Read<'_>) -> bool {
        match read {
            Read::Records(records) => self.take(records),
            Read::Empty => {}
            Read::EndOfFile => self.ended = true,
        }
        !self.ended
    }

    /// Checks that all has come out or was counted.
    pub(super) fn complete(&self, given: u64) {
        let count = self.count();
        ensure(count == given, Outcome::CorruptRecord, || {
            format!("{given} were given, {count} came out or were counted")
        });
    }

    /// Reads the rest, after the close: it must all be there, and the end must stay.
    pub(super) fn close<P: WakePolicy>(mut self, reader: &mut ReadingEnd<P>, given: u64) {
        while self.read(reader, ReadMode::Blocking) {}
        self.complete(given);
        ensure(!self.read(reader, ReadMode::NonBlocking), Outcome::CorruptRecord, || "a file after its end".to_owned());
    }
}

/// A model in which one thread writes and closes, and another reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script {
    pub words: usize,
    pub tags: usize,
    /// Where they start.
    pub counts: Counts,
    /// Written before the threads start: the words of each record.
    pub before: &'static [usize],
    /// Reads before the threads start.
    pub reads_before: usize,
    /// Written by the thread, which then closes.
    pub records: &'static [usize],
    /// How often a reader that does not block looks while the writer is at work.
    pub looks: usize,
    /// Preemptions; one more where the reader does not block, which costs less.
    pub preemptions: u8,
}

impl Script {
    /// An empty buffer.
    pub(super) const fn new(words: usize, tags: usize, records: &'static [usize]) -> Self {
        Self {
            words,
            tags,
            counts: Counts { data: 0, tags: 0 },
            before: &[],
            reads_before: 0,
            records,
            looks: 2,
            preemptions: 1,
        }
    }

    pub(super) fn model<P: WakePolicy>(self, mode: ReadMode) -> Model {
        Model::new(move || {
            let ((writer, mut reader), _) = buffer::<P>(self.words, self.tags, self.counts);
            let given = Given::default();
            let mut sequence = Sequence::new();
            for words in self.before {
                // SAFETY: no other code has the writer.
                unsafe { given.write(&writer, *words) };
            }
            for _ in 0..self.reads_before {
                sequence.read(&mut reader, ReadMode::NonBlocking);
            }
            let thread = model::spawn("writer", {
                let (given, mut writer) = (given.clone(), writer);
                move || {
                    for words in self.records {
                        // SAFETY: this thread alone has the writer.
                        unsafe { given.write(&writer, *words) };
                    }
                    must(writer.close());
                }
            });
            let mut turns = if mode == ReadMode::Blocking { usize::MAX } else { self.looks };
            while turns > 0 && sequence.read(&mut reader, mode) {
                turns -= 1;
            }
            thread.join();
            sequence.close(&mut reader, given.count());
        })
        .handlers(0)
        .depth(0, Some(self.preemptions + u8::from(mode == ReadMode::NonBlocking)))
    }

    /// In both modes, under both policies.
    pub(super) fn setups(self) -> Vec<(Setup, Model)> {
        both(self.model_of(), self.model_half())
    }

    /// In both modes, under one policy: for what no policy decides.
    pub(super) fn setups_of_one_policy(self) -> Vec<(Setup, Model)> {
        let mut setups = self.setups();
        setups.retain(|(setup, _)| setup.flavour == Some(EVERY));
        setups
    }

    fn model_of(self) -> impl Fn(ReadMode) -> Model {
        move |mode| self.model::<sigproof_profbuf::EveryRecord>(mode)
    }

    fn model_half(self) -> impl Fn(ReadMode) -> Model {
        move |mode| self.model::<sigproof_profbuf::HalfFull>(mode)
    }
}

/// The names of the wake policies.
pub(super) const EVERY: &str = "every-record";
pub(super) const HALF: &str = "half-full";

/// The setups of both policies and both modes.
pub(super) fn both(every: impl Fn(ReadMode) -> Model, half: impl Fn(ReadMode) -> Model) -> Vec<(Setup, Model)> {
    let modes = [(Mode::Blocking, ReadMode::Blocking), (Mode::NonBlocking, ReadMode::NonBlocking)];
    let of = |flavour, model: &dyn Fn(ReadMode) -> Model| {
        modes.map(|(name, mode)| (Setup::fixed().flavour(flavour).mode(name), model(mode)))
    };
    [of(EVERY, &every), of(HALF, &half)].concat()
}
