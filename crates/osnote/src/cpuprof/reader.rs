//! Reading a profile: which mode, and what the records mean.

use core::fmt;
use core::time::Duration;

use sigproof_profbuf::{Read, ReadError, ReadMode, Reader, Record, Records, Tag};
use sigproof_shim::atomic::Ordering;

use super::practice::{Practice, Sound};
use super::{CpuProf, LOST_BUSY, LOST_FOREIGN};
use crate::{Note, NoteError};

/// The reading end of one profile, from switch-on to its end.
///
/// Reading it to the end, or dropping it, makes way for the next profile. Drop it before that if its note
/// exists once in a process.
pub struct ProfileReader<'a, P: Practice = Sound> {
    prof: &'a CpuProf<P>,
    reader: Reader<Box<dyn Note>, P::Policy>,
    /// The record of the rate is still to come.
    first: bool,
    /// The end was seen, and said to `prof`, which may be at its next profile by now.
    ended: bool,
}

/// What a read of a profile gives.
#[derive(Clone, Debug)]
pub enum ProfileRead<'a> {
    /// Entries, at least one.
    Entries(Entries<'a>),
    /// Nothing yet; only of a non-blocking read.
    Empty,
    /// Switched off, and all was read. Every further read says the same.
    EndOfProfile,
}

/// The entries of one read, valid until the next.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    records: Records<'a>,
    first: bool,
}

/// One entry of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// The first: the rate that was asked for, in samples per second of processor time.
    Rate {
        /// Hertz.
        hz: u64,
        /// When, in nanoseconds of the monotonic clock.
        time: i64,
    },
    /// A sample of [`CpuProf::add`] or [`CpuProf::add_foreign`].
    Sample {
        /// As given.
        time: i64,
        /// As given.
        tag: Tag,
        /// As given.
        stack: &'a [u64],
    },
    /// Samples that were lost.
    Lost {
        /// The stage at which the samples were lost.
        at: Lost,
        /// How many.
        count: u64,
    },
}

/// Where samples are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lost {
    /// The buffer was full.
    Buffer,
    /// The array of foreign stacks was full.
    Foreign,
    /// The signal lock was taken.
    Busy,
}

impl<'a, P: Practice> ProfileReader<'a, P> {
    pub(super) fn new(prof: &'a CpuProf<P>, reader: Reader<Box<dyn Note>, P::Policy>) -> Self {
        Self { prof, reader, first: true, ended: false }
    }

    /// The mode that fits the log's note: [`Practice::read_mode`].
    pub fn mode(&self) -> ReadMode {
        P::read_mode(self.prof.wakeup_safety())
    }

    /// Reads in the mode that fits the log's note.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn read(&mut self) -> Result<ProfileRead<'_>, ReadError<NoteError>> {
        self.read_with(self.mode())
    }

    /// Reads in this mode, fitting or not.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn read_with(&mut self, mode: ReadMode) -> Result<ProfileRead<'_>, ReadError<NoteError>> {
        let read = self.reader.read(mode)?;
        Ok(understand(self.prof, &mut self.first, &mut self.ended, read))
    }

    /// Waits until there is something: asleep on the note where that fits, else by a look every poll
    /// interval. Never gives [`ProfileRead::Empty`].
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn wait(&mut self) -> Result<ProfileRead<'_>, ReadError<NoteError>> {
        self.wait_with(std::thread::sleep)
    }

    /// [`wait`](Self::wait), which lets the poll interval pass by calling `pause`.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn wait_with(&mut self, mut pause: impl FnMut(Duration)) -> Result<ProfileRead<'_>, ReadError<NoteError>> {
        let poll = self.prof.settings.poll;
        let read = match self.mode() {
            ReadMode::Blocking => self.reader.read(ReadMode::Blocking)?,
            ReadMode::NonBlocking => self.reader.read_polling(|| pause(poll))?,
        };
        Ok(understand(self.prof, &mut self.first, &mut self.ended, read))
    }
}

/// What the buffer gave, as a part of a profile; notes that its beginning or end was seen.
fn understand<'r, P: Practice>(
    prof: &CpuProf<P>,
    first: &mut bool,
    ended: &mut bool,
    read: Read<'r>,
) -> ProfileRead<'r> {
    match read {
        Read::Records(records) => ProfileRead::Entries(Entries { records, first: core::mem::take(first) }),
        Read::Empty => ProfileRead::Empty,
        Read::EndOfFile => {
            end(prof, ended);
            ProfileRead::EndOfProfile
        }
    }
}

/// Makes way for the next profile, once.
fn end<P: Practice>(prof: &CpuProf<P>, ended: &mut bool) {
    if !core::mem::replace(ended, true) {
        // Release: pairs with the Acquire in `CpuProf::refusal`: the next profile comes after the end of this
        // one.
        prof.unread.store(false, Ordering::Release);
    }
}

impl<P: Practice> Drop for ProfileReader<'_, P> {
    fn drop(&mut self) {
        end(self.prof, &mut self.ended);
    }
}

impl<P: Practice> fmt::Debug for ProfileReader<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileReader").field("mode", &self.mode()).finish_non_exhaustive()
    }
}

impl<'a> Entries<'a> {
    /// The records not yet iterated over, as the buffer gives them: one header word, the rate or the number
    /// of samples.
    pub fn records(&self) -> Records<'a> {
        self.records.clone()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let record = self.records.next()?;
        Some(if core::mem::take(&mut self.first) { Entry::rate(record) } else { Entry::later(record) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}

impl<'a> Entry<'a> {
    fn rate(record: Record<'a>) -> Self {
        Self::Rate { hz: record.header().first().copied().unwrap_or_default(), time: record.time() }
    }

    fn later(record: Record<'a>) -> Self {
        let count = record.header().first().copied().unwrap_or_default();
        if let Some(count) = record.overflow() {
            return Self::Lost { at: Lost::Buffer, count: u64::from(count) };
        }
        match record.stack() {
            [LOST_FOREIGN] => Self::Lost { at: Lost::Foreign, count },
            [LOST_BUSY] => Self::Lost { at: Lost::Busy, count },
            stack => Self::Sample { time: record.time(), tag: record.tag(), stack },
        }
    }
}
