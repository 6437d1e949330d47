//! Numbered, checksummed records, and their accounts.
//!
//! The writing side numbers each record and seals it; the reading side checks the seal and that numbers only
//! grow. At the end every number must be accounted for: `written == delivered + counted as lost`, or the
//! outcome is `corrupt record`.
//!
//! [`Ledger::next`] runs in signal handlers: an atomic add and some arithmetic.

use sigproof_osnote::cpuprof::{Entries, Entry};
use sigproof_profbuf::{Records, Tag};
use sigproof_shim::native::atomic::{AtomicU64, Ordering};

use sigproof_harness::failure::Failure;
use sigproof_report::Outcome;

/// How many stack words a sealed record has.
pub const WORDS: usize = 3;

/// The writing side: shared with handlers.
#[derive(Debug, Default)]
pub struct Ledger {
    written: AtomicU64,
}

impl Ledger {
    /// An empty ledger.
    pub const fn new() -> Self {
        Self { written: AtomicU64::new(0) }
    }

    /// The next record's words: its number, its complement's mix, and both mixed.
    pub fn next(&self) -> [u64; WORDS] {
        seal(self.written.fetch_add(1, Ordering::Relaxed))
    }

    /// How many numbers have been given out.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }
}

/// The reading side.
#[derive(Debug, Default)]
pub struct Account {
    next: u64,
    /// Records that came out whole.
    pub delivered: u64,
    /// Records that were counted as lost.
    pub lost: u64,
}

impl Account {
    /// Takes in one record.
    ///
    /// # Errors
    /// `corrupt record`: the seal is broken, or the number has been seen, or overtaken, before.
    pub fn deliver(&mut self, stack: &[u64]) -> Result<(), Failure> {
        let number = stack.first().copied().unwrap_or_default();
        if stack != seal(number) {
            return Err(Failure::new(Outcome::CorruptRecord, format!("a record came out as {stack:x?}")));
        }
        if number < self.next {
            let next = self.next;
            return Err(Failure::new(
                Outcome::CorruptRecord,
                format!("record {number} came out when {next} was the least due"),
            ));
        }
        self.next = number + 1;
        self.delivered += 1;
        Ok(())
    }

    /// Takes in what one read of a buffer returned: overflow records as losses, all others as deliveries.
    ///
    /// # Errors
    /// As [`Account::deliver`]; and `corrupt record` for a tag that is not its record's.
    pub fn take(&mut self, records: Records<'_>) -> Result<(), Failure> {
        for record in records {
            if let Some(count) = record.overflow() {
                self.lose(u64::from(count));
                continue;
            }
            self.deliver(record.stack())?;
            let tag = record.tag();
            if tag != tag_of(record.stack()) {
                return Err(Failure::new(
                    Outcome::CorruptRecord,
                    format!("{:x?} came out with {tag:?}", record.stack()),
                ));
            }
        }
        Ok(())
    }

    /// Takes in what one read of a profile returned. A foreign sample has no tag; every other has its own.
    ///
    /// # Errors
    /// As [`Account::take`].
    pub fn take_profile(&mut self, entries: Entries<'_>) -> Result<(), Failure> {
        for entry in entries {
            match entry {
                Entry::Rate { .. } => {}
                Entry::Lost { count, .. } => self.lose(count),
                Entry::Sample { tag, stack, .. } => {
                    self.deliver(stack)?;
                    if tag != Tag::NONE && tag != tag_of(stack) {
                        return Err(Failure::new(Outcome::CorruptRecord, format!("{stack:x?} came out with {tag:?}")));
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes in so many records of which there is no more than the number.
    pub fn deliver_unseen(&mut self, count: u64) {
        self.delivered = self.delivered.saturating_add(count);
    }

    /// Takes in a report of losses.
    pub fn lose(&mut self, count: u64) {
        self.lost = self.lost.saturating_add(count);
    }

    /// Closes the account against what was written.
    ///
    /// # Errors
    /// `corrupt record`: something is missing, or accounted for twice.
    pub fn close(&self, written: u64) -> Result<(), Failure> {
        if self.delivered.saturating_add(self.lost) == written {
            return Ok(());
        }
        let Self { delivered, lost, .. } = self;
        Err(Failure::new(
            Outcome::CorruptRecord,
            format!("{written} records were written, {delivered} delivered and {lost} reported as lost"),
        ))
    }
}

/// The tag that goes with a record: never none, so that an overflow record is unmistakable.
pub fn tag_of(stack: &[u64]) -> Tag {
    Tag(stack.first().copied().unwrap_or_default() as usize | 1)
}

fn seal(number: u64) -> [u64; WORDS] {
    let mixed = mix(!number);
    [number, mixed, mix(number ^ mixed)]
}

/// A bijective mix of 64 bits (the finaliser of SplitMix64, Steele et al. 2014).
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn words(numbers: &[u64]) -> Result<Account, Failure> {
        let mut account = Account::default();
        for n in numbers {
            account.deliver(&seal(*n))?;
        }
        Ok(account)
    }

    #[rstest]
    #[case::complete(&[0, 1, 2], 0, 3, true)]
    #[case::gap_counted(&[0, 3], 2, 4, true)]
    #[case::gap_uncounted(&[0, 3], 0, 4, false)]
    #[case::counted_twice(&[0, 1], 1, 2, false)]
    fn accounts(#[case] numbers: &[u64], #[case] lost: u64, #[case] written: u64, #[case] closes: bool) {
        let mut account = words(numbers).unwrap();
        account.lose(lost);
        assert_eq!(account.close(written).is_ok(), closes);
    }

    #[rstest]
    #[case::again(&[0, 0])]
    #[case::backwards(&[5, 4])]
    fn numbers_only_grow(#[case] numbers: &[u64]) {
        assert_eq!(words(numbers).unwrap_err().outcome, Outcome::CorruptRecord);
    }

    #[test]
    fn any_flipped_bit_breaks_the_seal() {
        let whole = Ledger::new().next();
        for bit in 0..64 * WORDS {
            let mut broken = whole;
            broken[bit / 64] ^= 1 << (bit % 64);
            assert!(Account::default().deliver(&broken).is_err(), "bit {bit}");
        }
        assert!(Account::default().deliver(&whole[..2]).is_err());
        assert!(Account::default().deliver(&[]).is_err());
    }
}
