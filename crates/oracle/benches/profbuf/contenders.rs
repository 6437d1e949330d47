//! Those who write records and drain them.
//!
//! A visit asks for so many *batches*. In a batch one thread writes [`batch`](bench::batch) records, which
//! fill half of the ring, and then reads until there are none left. A record has one header word, a stack of
//! the given depth, a time that counts up and, where there are tags, a tag. Of each record that is read its
//! length, its time, its last word and its tag are summed up, so that none is left out and each is touched.
//! The slices that are written go through `black_box`, so that no length is known when this is compiled. What
//! a write returns is looked at, as a caller would. To fill and to drain are functions of their own, for all,
//! so that neither is compiled as a part of the other.
//!
//! | contender | writes | reads |
//! |---|---|---|
//! | ours | `write` | `poll`, and the records' iterator |
//! | Go | `profBuf.write`, in a loop of its own process | `profBuf.read`, and a walk over the words |
//! | rtrb | a chunk a record | one chunk for all there is, and a walk over the words |
//! | copy | one `memcpy` a record | a walk over the words |

use std::hint::black_box;
use std::ops::Range;
use std::time::{Duration, Instant};

use rtrb::chunks::ChunkError;
use sigproof_oracle::bench::{self, Contender, HEADER, Kind, RING, TAGS};
use sigproof_profbuf::{Config, EveryRecord, Mode, NoNote, Polled, Read, Reader, Tag, Wake, Writer, Written};

/// The rings' sizes and the header's.
pub const CONFIG: Config = Config { header: HEADER, words: RING, tags: TAGS };

/// What every header holds.
pub const HEADER_WORDS: [u64; HEADER] = [7];

/// The tag of every record.
pub const TAG: usize = 1;

/// One of those who are compared.
pub trait Rival {
    /// Who it is.
    fn contender(&self) -> Contender;

    /// Writes and drains so many batches.
    ///
    /// # Errors
    /// It did not, in words.
    fn batches(&mut self, batches: u64) -> Result<Duration, String>;
}

/// Makes a rival for records of that depth.
pub type Make<'a> = Box<dyn Fn(usize) -> Result<Box<dyn Rival + 'a>, String> + 'a>;

/// Those that are part of this program.
pub fn native<'a>() -> Vec<Make<'a>> {
    vec![
        Box::new(|depth| Ok(Box::new(sleeping(depth)?))),
        Box::new(|depth| Ok(Box::new(polled(depth)?))),
        Box::new(|depth| Ok(Box::new(Rtrb::new(depth)))),
        Box::new(|depth| Ok(Box::new(Copied::new(depth)))),
    ]
}

/// The stack that is written.
pub fn stack(depth: usize) -> Vec<u64> {
    (1..=depth as u64).collect()
}

/// What came of draining.
#[derive(Clone, Copy, Debug, Default)]
struct Drained {
    records: u64,
    sum: u64,
}

impl Drained {
    /// Takes in a record.
    #[inline(always)]
    fn touch(&mut self, words: &[u64], tag: usize) {
        let (time, last) = (words.get(1).copied().unwrap_or(0), words.last().copied().unwrap_or(0));
        self.sum = self.sum.wrapping_add(time).wrapping_add(last).wrapping_add(tag as u64);
        self.records += 1;
    }

    /// The time, if all records have been there.
    fn check(self, elapsed: Duration, records: u64) -> Result<Duration, String> {
        black_box(self.sum);
        if self.records == records {
            return Ok(elapsed);
        }
        Err(format!("{} of {records} records were read", self.records))
    }
}

/// Takes in the records that lie one behind another; what is left is a part of one.
#[inline(always)]
fn walk<'a>(mut words: &'a [u64], drained: &mut Drained) -> &'a [u64] {
    while let Some((record, rest)) = words.first().and_then(|length| words.split_at_checked(*length as usize)) {
        drained.touch(record, 0);
        words = rest;
    }
    words
}

/// A note for a reader that never sleeps.
#[derive(Debug)]
pub struct NoReader;

impl Wake for NoReader {
    type Error = core::convert::Infallible;

    fn clear(&self) {}

    fn sleep(&self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn wakeup(&self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Our buffer, in either mode.
struct Ours<W: Wake, M: Mode> {
    name: &'static str,
    writer: Writer<W, M>,
    reader: Reader<W, M>,
    depth: usize,
}

/// The one whose reader may sleep.
fn sleeping(depth: usize) -> Result<Ours<NoReader, EveryRecord>, String> {
    let (writer, reader) = sigproof_profbuf::new(CONFIG, NoReader).map_err(|error| error.to_string())?;
    Ok(Ours { name: "sleeping", writer, reader, depth })
}

/// The one whose reader polls.
fn polled(depth: usize) -> Result<Ours<NoNote, Polled>, String> {
    let (writer, reader) = sigproof_profbuf::polled(CONFIG).map_err(|error| error.to_string())?;
    Ok(Ours { name: "polled", writer, reader, depth })
}

impl<W: Wake, M: Mode> Ours<W, M> {
    /// Writes records with these times; whether all were stored.
    #[inline(never)]
    fn fill(&mut self, times: Range<u64>, stack: &[u64]) -> bool {
        times.into_iter().all(|time| {
            let written = self.writer.write(time as i64, Tag(TAG), black_box(&HEADER_WORDS), black_box(stack));
            matches!(written, Ok(Written::Stored))
        })
    }

    #[inline(never)]
    fn drain(&mut self, drained: &mut Drained) {
        let mut all = *drained;
        while let Ok(Read::Records(records)) = self.reader.poll() {
            for record in records {
                all.touch(record.words(), record.tag().0);
            }
        }
        *drained = all;
    }
}

impl<W: Wake, M: Mode> Rival for Ours<W, M> {
    fn contender(&self) -> Contender {
        Contender { kind: Kind::Ours, name: self.name.to_owned() }
    }

    fn batches(&mut self, batches: u64) -> Result<Duration, String> {
        let (stack, batch) = (stack(self.depth), bench::batch(self.depth) as u64);
        let mut drained = Drained::default();
        let started = Instant::now();
        for n in 0..batches {
            if !self.fill(n * batch..(n + 1) * batch, &stack) {
                return Err("a record was not stored".to_owned());
            }
            self.drain(&mut drained);
        }
        drained.check(started.elapsed(), batches * batch)
    }
}

/// The crate rtrb.
struct Rtrb {
    producer: rtrb::Producer<u64>,
    consumer: rtrb::Consumer<u64>,
    depth: usize,
}

impl Rtrb {
    fn new(depth: usize) -> Self {
        let (producer, consumer) = rtrb::RingBuffer::new(RING);
        Self { producer, consumer, depth }
    }

    #[inline(always)]
    fn write(&mut self, time: u64, header: &[u64; HEADER], stack: &[u64]) -> Result<(), ChunkError> {
        const BEFORE: usize = 2 + HEADER;
        let words = BEFORE + stack.len();
        let mut chunk = self.producer.write_chunk_uninit(words)?;
        let (first, second) = chunk.as_mut_slices();
        let fixed = [words as u64, time, header[0]];
        match first.split_first_chunk_mut::<BEFORE>() {
            Some((before, rest)) if second.is_empty() => {
                // One by one: an array that was just put together on the stack is slow to copy, as its stores
                // cannot be forwarded to a wider load.
                for (slot, word) in before.iter_mut().zip(fixed) {
                    slot.write(word);
                }
                rest.write_copy_of_slice(stack);
            }
            _ => {
                for (slot, word) in first.iter_mut().chain(second).zip(fixed.iter().chain(stack)) {
                    slot.write(*word);
                }
            }
        }
        // SAFETY: every slot has been written: `words` is the sum of what went into them.
        unsafe { chunk.commit_all() };
        Ok(())
    }

    /// Writes records with these times; whether all were stored.
    #[inline(never)]
    fn fill(&mut self, times: Range<u64>, stack: &[u64]) -> bool {
        times.into_iter().all(|time| self.write(time, black_box(&HEADER_WORDS), black_box(stack)).is_ok())
    }

    #[inline(never)]
    fn drain(&mut self, all: &mut Drained) -> Result<(), ChunkError> {
        let mut drained = *all;
        let there = self.consumer.slots();
        let chunk = self.consumer.read_chunk(there)?;
        let (first, second) = chunk.as_slices();
        let left = walk(first, &mut drained);
        if !left.is_empty() {
            // One that goes over the end.
            let word = |at: usize| left.get(at).or_else(|| second.get(at - left.len())).copied().unwrap_or(0);
            let length = word(0) as usize;
            drained.touch(&[length as u64, word(1), word(length - 1)], 0);
            walk(&second[length - left.len()..], &mut drained);
        } else {
            walk(second, &mut drained);
        }
        chunk.commit_all();
        *all = drained;
        Ok(())
    }
}

impl Rival for Rtrb {
    fn contender(&self) -> Contender {
        Contender { kind: Kind::Rtrb, name: "rtrb".to_owned() }
    }

    fn batches(&mut self, batches: u64) -> Result<Duration, String> {
        let (stack, batch) = (stack(self.depth), bench::batch(self.depth) as u64);
        let mut drained = Drained::default();
        let started = Instant::now();
        for n in 0..batches {
            if !self.fill(n * batch..(n + 1) * batch, &stack) {
                return Err("a record was not stored".to_owned());
            }
            self.drain(&mut drained).map_err(|error| error.to_string())?;
        }
        drained.check(started.elapsed(), batches * batch)
    }
}

/// Nothing but copies.
struct Copied {
    ring: Vec<u64>,
    record: Vec<u64>,
}

impl Copied {
    fn new(depth: usize) -> Self {
        let mut record = vec![bench::words(depth) as u64, 0];
        record.extend(HEADER_WORDS);
        record.extend(stack(depth));
        Self { ring: vec![0; RING], record }
    }
}

impl Rival for Copied {
    fn contender(&self) -> Contender {
        Contender { kind: Kind::Copy, name: "memcpy".to_owned() }
    }

    fn batches(&mut self, batches: u64) -> Result<Duration, String> {
        let words = self.record.len();
        let batch = RING / 2 / words;
        let mut drained = Drained::default();
        let started = Instant::now();
        let mut half = 0;
        for _ in 0..batches {
            // The two halves in turn, so that as much memory is gone through as in a ring.
            let ring = &mut self.ring[half..half + batch * words];
            half = RING / 2 - half;
            fill(ring, &self.record);
            drain(ring, &mut drained);
        }
        drained.check(started.elapsed(), batches * batch as u64)
    }
}

/// Copies the record into place, one behind another.
#[inline(never)]
fn fill(ring: &mut [u64], record: &[u64]) {
    for place in ring.chunks_exact_mut(record.len()) {
        place.copy_from_slice(black_box(record));
    }
}

#[inline(never)]
fn drain(ring: &[u64], drained: &mut Drained) {
    let mut all = *drained;
    walk(ring, &mut all);
    *drained = all;
}
