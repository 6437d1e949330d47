//! Numbered records, small ones, and whether each came out once: the accounts of a model.
//!
//! The harness's own records are three words long, which is more than a model can afford. These have one
//! word, their number, and a tag that goes with it.

use std::sync::Arc;

use sigproof_osnote::cpuprof::{Entries, Entry};
use sigproof_profbuf::{Records, Tag};
use sigproof_shim::atomic::Ordering;
use sigproof_shim::model::ghost::AtomicU64;

use sigproof_harness::model::ensure;
use sigproof_report::Outcome;

/// The writing side. Not modelled: its counter orders nothing.
#[derive(Clone, Debug, Default)]
pub struct Numbers(Arc<[AtomicU64; 2]>);

impl Numbers {
    /// The next number, from 1 on.
    pub fn next(&self) -> u64 {
        self.0[0].fetch_add(1, Ordering::Relaxed) + 1
    }

    /// One that was given out was not written: the log is off, say.
    pub fn refused(&self) {
        self.0[1].fetch_add(1, Ordering::Relaxed);
    }

    /// How many were given out and not refused.
    pub fn given(&self) -> u64 {
        self.0[0].load(Ordering::Relaxed) - self.0[1].load(Ordering::Relaxed)
    }
}

/// The tag that goes with a number.
pub const fn tag(number: u64) -> Tag {
    Tag(number as usize + 100)
}

/// The reading side.
#[derive(Debug, Default)]
pub struct Tally {
    seen: Vec<u64>,
    lost: u64,
}

impl Tally {
    /// Takes in what a read of a buffer gave.
    pub fn take(&mut self, records: Records<'_>) {
        for record in records {
            match (record.overflow(), record.stack()) {
                (Some(count), _) => self.lost += u64::from(count),
                (None, &[number]) => self.one(number, record.tag(), true),
                (None, stack) => bad(format!("a record came out as {stack:x?}")),
            }
        }
    }

    /// Takes in what a read of a profile gave. Samples of foreign threads have no tags, and come in any
    /// order.
    pub fn take_profile(&mut self, entries: Entries<'_>) {
        for entry in entries {
            match entry {
                Entry::Rate { .. } => {}
                Entry::Lost { count, .. } => self.lost += count,
                Entry::Sample { tag, stack: &[number], .. } => self.one(number, tag, tag != Tag::NONE),
                Entry::Sample { stack, .. } => bad(format!("a sample came out as {stack:x?}")),
            }
        }
    }

    fn one(&mut self, number: u64, found: Tag, tagged: bool) {
        ensure(!self.seen.contains(&number), Outcome::CorruptRecord, || format!("record {number} came out twice"));
        ensure(!tagged || found == tag(number), Outcome::CorruptRecord, || {
            format!("record {number} came out with {found:?}")
        });
        self.seen.push(number);
    }

    /// Everything came out or was counted as lost, once.
    pub fn close(&self, given: u64) {
        let (seen, lost) = (self.seen.len() as u64, self.lost);
        ensure(seen + lost == given, Outcome::CorruptRecord, || {
            format!("{given} records were written, {seen} came out and {lost} were counted as lost")
        });
    }

    /// And they came out in the order in which they were written.
    pub fn close_in_order(&self, given: u64) {
        ensure(self.seen.is_sorted(), Outcome::CorruptRecord, || format!("records came out as {:?}", self.seen));
        self.close(given);
    }
}

fn bad(what: String) {
    ensure(false, Outcome::CorruptRecord, || what);
}
