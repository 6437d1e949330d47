//! What the benchmarks are told and tell ([`sigproof_inspect::process::lines`]): an [`Order`] goes in,
//! [`Event`]s come out; and the few statistics that both sides need.
//!
//! The measuring itself is in `benches/profbuf` of this crate, a program with a profile of its own; `cargo
//! xtask bench` builds it, runs it, and makes tables of what it tells.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sigproof_inspect::process::lines::Dialect;

use crate::driver::Driver;

/// Words of the data ring, for every contender.
pub const RING: usize = 1 << 14;

/// Slots of the tag ring, for every contender that has one: more than the records of the smallest depth that
/// fit.
pub const TAGS: usize = 1 << 12;

/// Header words of each record.
pub const HEADER: usize = 1;

/// The depths of stacks that records are measured at.
pub const DEPTHS: [usize; 3] = [2, 16, 64];

/// The depth at which threads and latencies are measured.
pub const DEPTH: usize = 16;

/// Words of a record with a stack of that depth: length, time, header, stack.
pub const fn words(depth: usize) -> usize {
    2 + HEADER + depth
}

/// Records of a batch: what fills half of the ring.
pub const fn batch(depth: usize) -> usize {
    RING / 2 / words(depth)
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// One thread writes a batch and drains it: the cost of a record.
    Record,
    /// One thread writes, another one reads.
    Threads,
    /// From the write in a signal handler to the return of the sleeping reader.
    Latency,
}

impl Group {
    /// All, in the order in which they run.
    pub const ALL: &'static [Self] = &[Self::Record, Self::Threads, Self::Latency];

    /// Its name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Threads => "threads",
            Self::Latency => "latency",
        }
    }
}

/// How long everything takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// So that the numbers mean something.
    Full,
    /// For a look.
    Quick,
    /// So that all the code has run; the numbers mean nothing.
    Tiny,
}

impl Pace {
    const fn choose<T: Copy>(self, all: [T; 3]) -> T {
        match self {
            Self::Full => all[0],
            Self::Quick => all[1],
            Self::Tiny => all[2],
        }
    }

    /// Passes, unless something else is asked for.
    #[must_use]
    pub const fn passes(self) -> u32 {
        self.choose([9, 3, 1])
    }

    /// One contender at one depth in one pass: to warm up, and to measure.
    #[must_use]
    pub const fn record(self) -> (Duration, Duration) {
        let [warm, measured] = self.choose([[40, 100], [15, 40], [1, 1]]);
        (Duration::from_millis(warm), Duration::from_millis(measured))
    }

    /// One contender with two threads at one rate in one pass.
    #[must_use]
    pub const fn threads(self) -> Duration {
        Duration::from_millis(self.choose([100, 50, 5]))
    }

    /// Signals to one note in one pass.
    #[must_use]
    pub const fn signals(self) -> u32 {
        self.choose([400, 150, 5])
    }
}

/// What is to be measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub groups: Vec<Group>,
    /// How often all contenders are visited in turn.
    pub passes: u32,
    /// How long each visit is.
    pub pace: Pace,
    /// The runtimes to measure against.
    pub go: Vec<Driver>,
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// This project's buffer.
    Ours,
    /// Go's.
    Go,
    /// The crate rtrb: a ring of words.
    Rtrb,
    /// A bare copy of the words: the limit.
    Copy,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Contender {
    /// What it is.
    pub kind: Kind,
    /// Its name, one of a kind.
    pub name: String,
}

/// One visit of a contender in group [`Group::Record`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    pub contender: Contender,
    /// Stack words of each record.
    pub depth: usize,
    /// In which pass.
    pub pass: u32,
    /// To write a record and to drain it: the median of the samples of this visit.
    pub nanoseconds: f64,
}

/// The cost of a record for one contender, over the depth of its stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub contender: Contender,
    /// Depths, and nanoseconds there.
    pub points: Vec<(usize, f64)>,
}

/// One visit of a contender in group [`Group::Threads`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    pub contender: Contender,
    /// How its reader waits.
    pub reader: Reader,
    /// How fast its writer writes.
    pub rate: Rate,
    /// In which pass.
    pub pass: u32,
    /// What was seen.
    pub seen: Seen,
}

/// How a reader waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reader {
    /// It sleeps on its note.
    Blocking,
    /// It looks, and sleeps for [`POLL`] if there is nothing.
    Polling,
}

/// How long a polling reader pauses.
pub const POLL: Duration = Duration::from_millis(1);

/// How fast a writer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rate {
    /// [`BURST`] records every [`PERIOD`], which never fills the ring of a reader that keeps up.
    Paced,
    /// As fast as it can.
    FlatOut,
}

/// Records of a burst of a paced writer.
pub const BURST: u64 = 64;

/// The time from one burst to the next.
pub const PERIOD: Duration = Duration::from_millis(1);

impl Reader {
    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocking => "blocking",
            Self::Polling => "polling",
        }
    }
}

impl Rate {
    /// In a word or two.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paced => "paced",
            Self::FlatOut => "flat out",
        }
    }
}

/// What a Go program answers where it cannot tell a number.
pub const UNKNOWN: u64 = u64::MAX;

/// What was seen of a writer and a reader.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Records written, those that were dropped included.
    pub records: u64,
    /// Records that the reader was told were dropped.
    pub lost: u64,
    /// The time that the writer spent writing.
    pub writing_ns: u64,
    /// The time from the first write to the last.
    pub wall_ns: u64,
    /// Times that the reader was woken, where it can be told.
    pub wakeups: Option<u64>,
    /// Processor time of the reader's thread, where it can be told.
    pub reader_cpu_ns: Option<u64>,
}

/// One visit of a contender in group [`Group::Latency`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    pub contender: Contender,
    /// Over which note.
    pub note: String,
    /// Whether the record was written in a signal handler, or by ordinary code.
    pub in_handler: bool,
    /// In which pass.
    pub pass: u32,
    /// How many of the records found the reader asleep; only those are counted below.
    pub asleep: u64,
    /// How many records were written.
    pub records: u64,
    /// From the write to the return of the reader, each.
    pub nanoseconds: Vec<u64>,
}

/// What the program of the benchmarks is told and tells.
#[derive(Debug)]
pub struct Benching;

impl Dialect for Benching {
    const NAME: &'static str = "bench";
    const VERSION: u32 = 1;
    type Order = Order;
    type Event = Event;
}

/// What the program says that draws charts: it gets lines, and tells their picture as SVG, or why there is
/// none.
#[derive(Debug)]
pub enum Drawing {}

impl Dialect for Drawing {
    const NAME: &'static str = "chart";
    const VERSION: u32 = 1;
    type Order = Vec<Line>;
    type Event = Result<String, String>;
}

/// The argument with which the program reads an order. Without it, the program is one of cargo's usual
/// benches.
pub const ORDERED: &str = "--ordered";

/// What a run tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "of", rename_all = "kebab-case")]
pub enum Event {
    /// So many visits each pass of a group has.
    Planned(BTreeMap<Group, usize>),
    /// A visit begins.
    Begun {
        /// Of which group.
        group: Group,
        /// In which pass.
        pass: u32,
        /// To whom.
        what: String,
    },
    /// The last one has ended.
    Done,
    /// What came of one.
    Cost(Cost),
    /// What came of one.
    Traffic(Traffic),
    /// What came of one.
    Latencies(Latencies),
    /// Something cannot be measured.
    Skipped(Skipped),
}

/// Something that cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Skipped {
    pub group: Group,
    /// Who, or what of whom.
    pub what: String,
    /// Why not, in a sentence.
    pub why: String,
}

/// The quantile of these numbers, 0.5 being the median; `None` of none. Between two numbers it is the nearer
/// one, but for the median, which is their mean.
#[must_use]
pub fn quantile(numbers: &[f64], part: f64) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let at = part.clamp(0.0, 1.0) * last as f64;
    if part == 0.5 {
        return Some((sorted[at.floor() as usize] + sorted[at.ceil() as usize]) / 2.0);
    }
    Some(sorted[at.round() as usize])
}

/// The median; `None` of none.
#[must_use]
pub fn median(numbers: &[f64]) -> Option<f64> {
    quantile(numbers, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[], 0.5, None)]
    #[case(&[7.0], 0.5, Some(7.0))]
    #[case(&[7.0], 0.99, Some(7.0))]
    #[case(&[3.0, 1.0], 0.5, Some(2.0))]
    #[case(&[3.0, 1.0, 2.0], 0.5, Some(2.0))]
    #[case(&[5.0, 1.0, 2.0, 3.0, 4.0], 0.0, Some(1.0))]
    #[case(&[5.0, 1.0, 2.0, 3.0, 4.0], 0.99, Some(5.0))]
    #[case(&[5.0, 1.0, 2.0, 3.0, 4.0], 0.75, Some(4.0))]
    fn quantiles(#[case] numbers: &[f64], #[case] part: f64, #[case] expected: Option<f64>) {
        assert_eq!(quantile(numbers, part), expected);
    }

    #[test]
    fn a_batch_fits_half_the_ring_and_the_tags() {
        for depth in DEPTHS {
            assert!(batch(depth) * words(depth) <= RING / 2 && batch(depth) <= TAGS, "{depth}");
        }
    }

    #[test]
    fn an_event_is_a_line_and_comes_back() {
        let contender = Contender { kind: Kind::Go, name: "go1.27.3".to_owned() };
        let event = Event::Cost(Cost { contender, depth: 16, pass: 2, nanoseconds: 31.5 });
        let line = serde_json::to_string(&event).unwrap();
        assert!(line.starts_with("{\"event\":") && !line.contains('\n'), "{line}");
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}
