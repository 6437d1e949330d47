//! Those who write records and drain them.
//!
//! A visit asks for so many *batches*. In a batch one thread writes [`batch`](bench::batch) records, which fill half of the ring, and then
//! reads until there are none left. A record has one header word, a stack of the given depth, a time that counts up and, where there are
//! tags, a tag. Of each record that is read its length, its time, its last word and its tag are summed up, so that none is left out and
//! each is touched. The slices that are written go through `black_box`, so that no length is known when this is compiled.
//!
//! | contender | writes | reads |
//! |---|---|---|
//! | ours | `write` | `read`, and the records' iterator |
//! | Go | `profBuf.write`, in a loop of its own process | `profBuf.read`, and a walk over the words |
//! | rtrb | a chunk a record | one chunk for all there is, and a walk over the words |
//! | copy | one `memcpy` a record | a walk over the words |

use std::hint::black_box;
use std::time::{Duration, Instant};

use sigproof_oracle::bench::{self, Contender, HEADER, Kind, RING, TAGS};
use sigproof_profbuf::{Config, EveryRecord, Read, ReadMode, Reader, Tag, Wake, Writer};

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
        Box::new(|depth| Ok(Box::new(Ours::sleeping(depth)?))),
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

/// A note for a reader that never sleeps.
#[derive(Debug)]
pub struct Nobody;

impl Wake for Nobody {
    type Error = core::convert::Infallible;

    fn clear(&self) {}

    fn sleep(&self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn wakeup(&self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Our buffer.
struct Ours {
    writer: Writer<Nobody, EveryRecord>,
    reader: Reader<Nobody, EveryRecord>,
    depth: usize,
    time: i64,
}

impl Ours {
    /// The one whose reader may sleep.
    fn sleeping(depth: usize) -> Result<Self, String> {
        let (writer, reader) = sigproof_profbuf::new(CONFIG, Nobody).map_err(|error| error.to_string())?;
        Ok(Self { writer, reader, depth, time: 0 })
    }
}

impl Rival for Ours {
    fn contender(&self) -> Contender {
        Contender { kind: Kind::Ours, name: "sleeping".to_owned() }
    }

    fn batches(&mut self, batches: u64) -> Result<Duration, String> {
        let (stack, batch) = (stack(self.depth), bench::batch(self.depth));
        let mut drained = Drained::default();
        let started = Instant::now();
        for _ in 0..batches {
            for _ in 0..batch {
                let _ = black_box(self.writer.write(
                    self.time,
                    Tag(TAG),
                    black_box(&HEADER_WORDS),
                    black_box(&stack),
                ));
                self.time += 1;
            }
            while let Ok(Read::Records(records)) = self.reader.read(ReadMode::NonBlocking) {
                for record in records {
                    drained.touch(record.words(), record.tag().0);
                }
            }
        }
        drained.check(started.elapsed(), batches * batch as u64)
    }
}

/// The crate rtrb.
struct Rtrb {
    producer: rtrb::Producer<u64>,
    consumer: rtrb::Consumer<u64>,
    depth: usize,
    time: u64,
}

impl Rtrb {
    fn new(depth: usize) -> Self {
        let (producer, consumer) = rtrb::RingBuffer::new(RING);
        Self { producer, consumer, depth, time: 0 }
    }

    #[inline(always)]
    fn write(&mut self, header: &[u64], stack: &[u64]) -> Result<(), String> {
        let words = 2 + header.len() + stack.len();
        let mut chunk = self.producer.write_chunk_uninit(words).map_err(|error| error.to_string())?;
        let (first, second) = chunk.as_mut_slices();
        if second.is_empty() {
            first[0].write(words as u64);
            first[1].write(self.time);
            first[2..2 + header.len()].write_copy_of_slice(header);
            first[2 + header.len()..].write_copy_of_slice(stack);
        } else {
            let all = [words as u64, self.time].into_iter().chain(header.iter().copied()).chain(stack.iter().copied());
            for (slot, word) in first.iter_mut().chain(second).zip(all) {
                slot.write(word);
            }
        }
        // SAFETY: every slot has been written: `words` is the sum of what went into them.
        unsafe { chunk.commit_all() };
        Ok(())
    }

    #[inline(always)]
    fn drain(&mut self, drained: &mut Drained) -> Result<(), String> {
        let there = self.consumer.slots();
        let chunk = self.consumer.read_chunk(there).map_err(|error| error.to_string())?;
        let (first, second) = chunk.as_slices();
        let word = |at: usize| if at < first.len() { first[at] } else { second[at - first.len()] };
        let mut at = 0;
        while at < there {
            let length = word(at) as usize;
            match first.get(at..at + length) {
                Some(record) => drained.touch(record, 0),
                None => drained.touch(&[length as u64, word(at + 1), word(at + length - 1)], 0),
            }
            at += length;
        }
        chunk.commit_all();
        Ok(())
    }
}

impl Rival for Rtrb {
    fn contender(&self) -> Contender {
        Contender { kind: Kind::Rtrb, name: "rtrb".to_owned() }
    }

    fn batches(&mut self, batches: u64) -> Result<Duration, String> {
        let (stack, batch) = (stack(self.depth), bench::batch(self.depth));
        let mut drained = Drained::default();
        let started = Instant::now();
        for _ in 0..batches {
            for _ in 0..batch {
                black_box(self.write(black_box(&HEADER_WORDS), black_box(&stack)))?;
                self.time += 1;
            }
            self.drain(&mut drained)?;
        }
        drained.check(started.elapsed(), batches * batch as u64)
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
            for place in ring.chunks_exact_mut(words) {
                place.copy_from_slice(black_box(&self.record));
            }
            let ring = black_box(&*ring);
            let mut at = 0;
            while let Some(&length) = ring.get(at) {
                let end = at + length as usize;
                drained.touch(&ring[at..end], 0);
                at = end;
            }
        }
        drained.check(started.elapsed(), batches * batch as u64)
    }
}
