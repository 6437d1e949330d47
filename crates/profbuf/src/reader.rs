//! The reader: ordinary code, at leisure.
//!
//! # One look
//!
//! A look samples, in this order: closed, the pending overflow, `w`. The order is what makes the conclusions
//! sound:
//!
//! | seen | conclusion | because |
//! |---|---|---|
//! | `w` ahead | records | |
//! | `w` not ahead, overflow pending | the overflow, if it can still be taken | records committed before the first drop would show in `w`, sampled later; none is committed while the overflow seen is pending (invariant 4 of the crate) |
//! | neither, and closed | end of file | all that was written or dropped before the close would show in what was sampled later |
//! | none of these, WRITE_EXTRA | look again, the flag cleared | something may have been published after it was sampled |
//! | nothing at all | nothing, or sleep | a later publication makes the announcement fail |
//!
//! The loop goes round only if the writer has done something meanwhile. Where the reader polls there is no
//! flag: what is published after it was sampled is for the next look.
//!
//! # One walk
//!
//! A commit moves both counts of `w` at once, so what lies together up to `w` is as many records as there are
//! tags, and need not be walked through to be given: [`Records`] checks each length as it comes to it. Only
//! where a ring ends in between are the records counted first.

use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;

use sigproof_shim::native::atomic::{AtomicUsize, Ordering};
use sigproof_shim::sync::Arc;

use crate::error::{ConfigError, Malformed, ReadError};
use crate::mode::Mode;
use crate::record::Records;
use crate::ring::filled;
use crate::shared::Shared;
use crate::wake::{EveryRecord, Wake, WakePolicy};
use crate::word::{WRITE_EXTRA, Word};

/// What a read does when there is nothing, in a buffer whose reader may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadMode {
    /// Sleep on the note until there is something. Unusable where the writer is a signal handler and waking
    /// the note is not async-signal-safe.
    Blocking,
    /// Return [`Read::Empty`]. Never announces a sleep, so the writer never wakes anybody.
    NonBlocking,
}

/// What a read gives.
#[derive(Clone, Debug)]
pub enum Read<'a> {
    /// Records, at least one.
    Records(Records<'a>),
    /// Nothing yet; only of a non-blocking read.
    Empty,
    /// Closed, and all records and overflow have been read. Every further read says the same.
    EndOfFile,
}

/// The reading end of a buffer.
///
/// A [`Polled`](crate::Polled) one cannot sleep, and that is known when it is compiled:
///
/// ```compile_fail,E0599
/// # use sigproof_profbuf::{Config, ReadMode};
/// # let config = Config { header: 1, words: 64, tags: 8 };
/// let (writer, mut reader) = sigproof_profbuf::polled(config).unwrap();
/// let _ = reader.read(ReadMode::Blocking);
/// ```
pub struct Reader<W: Wake, M: Mode = EveryRecord> {
    shared: Arc<Shared<W>>,
    /// What `r` is.
    released: Word,
    /// What `r` will be at the next read: past what was returned.
    next: Word,
    /// Room for the overflow record that the reader makes itself.
    synthesised: Box<[u64]>,
    /// A sleep failed after the writer had seen the announcement: there is a wake-up to be collected before
    /// the next announcement.
    wake_owed: bool,
    /// The index of the first invalid record of the last read, as its iterator found it; else
    /// [`Records::SOUND`].
    fault: AtomicUsize,
    mode: PhantomData<fn() -> M>,
}

/// What a look found, free of borrows.
enum Found {
    Ring(Word),
    Overflow,
    /// Nothing, at this `w`.
    Empty(Word),
    EndOfFile,
}

impl<W: Wake, P: WakePolicy> Reader<W, P> {
    /// [`poll`](Reader::poll) in mode non-blocking; in mode blocking the same, but that it sleeps on the note
    /// until there is something.
    ///
    /// # Errors
    /// [`ReadError::Wake`] if the sleep failed; [`ReadError::Malformed`] if the rings make no sense.
    pub fn read(&mut self, mode: ReadMode) -> Result<Read<'_>, ReadError<W::Error>> {
        self.release()?;
        let found = loop {
            match (self.look(), mode) {
                (Found::Empty(w), ReadMode::Blocking) => self.wait(w).map_err(ReadError::Wake)?,
                (found, _) => break found,
            }
        };
        self.give(found)
    }

    /// Sleeps, unless something has happened since `seen`.
    pub(crate) fn wait(&mut self, seen: Word) -> Result<(), W::Error> {
        let note = &self.shared.wake;
        if !self.wake_owed {
            if !self.shared.announce(seen) {
                return Ok(());
            }
            if let Err(error) = note.sleep() {
                self.wake_owed = !self.shared.withdraw();
                return Err(error);
            }
        } else {
            note.sleep()?;
            self.wake_owed = false;
        }
        note.clear();
        Ok(())
    }
}

impl<W: Wake, M: Mode> Reader<W, M> {
    pub(crate) fn new(shared: Arc<Shared<W>>) -> Result<Self, ConfigError> {
        let start = shared.reader_view();
        let synthesised = filled(shared.layout.record(1), 0)?;
        Ok(Self {
            shared,
            released: start,
            next: start,
            synthesised,
            wake_owed: false,
            fault: AtomicUsize::new(Records::SOUND),
            mode: PhantomData,
        })
    }

    /// Releases what the last read returned, then returns what comes next: the records that lie together in
    /// the ring, with as many tags; or, once the ring is empty, the pending overflow as a record of its own;
    /// or the end of the file.
    ///
    /// Gives [`Read::Empty`] if there is nothing. Never announces a sleep, so the writer never wakes anybody.
    ///
    /// The room of what is returned is free for the writer at the next read only. One at a time, and not in a
    /// signal handler.
    ///
    /// # Errors
    /// [`ReadError::Malformed`] if the rings make no sense, or if the last read's iterator has come to
    /// something that is no record.
    pub fn poll(&mut self) -> Result<Read<'_>, ReadError<W::Error>> {
        self.release()?;
        let found = self.look();
        self.give(found)
    }

    /// A blocking read that polls: [`poll`](Self::poll), with `pause` between one look and the next. Never
    /// gives [`Read::Empty`]. For notes that a signal handler must not wake.
    ///
    /// # Errors
    /// [`ReadError::Malformed`] if the rings make no sense.
    pub fn read_polling(&mut self, mut pause: impl FnMut()) -> Result<Read<'_>, ReadError<W::Error>> {
        self.release()?;
        loop {
            match self.look() {
                Found::Empty(_) => pause(),
                found => return self.give(found),
            }
        }
    }

    /// What was found, as a borrow.
    fn give(&mut self, found: Found) -> Result<Read<'_>, ReadError<W::Error>> {
        match found {
            Found::Ring(w) => self.take(w).map(Read::Records),
            Found::Overflow => {
                let header = self.shared.layout.header;
                // SAFETY: no tag ring is given.
                Ok(Read::Records(unsafe { Records::new(&self.synthesised, 0, header, None, 0, 1, &self.fault) }))
            }
            Found::Empty(_) => Ok(Read::Empty),
            Found::EndOfFile => Ok(Read::EndOfFile),
        }
    }

    /// Gives back what the last read returned, its tag slots cleared; unless a record of it was found to be
    /// none.
    fn release(&mut self) -> Result<(), ReadError<W::Error>> {
        // Relaxed: whoever iterated had borrowed this reader.
        let index = self.fault.load(Ordering::Relaxed);
        if index != Records::SOUND {
            return Err(self.faulty(index));
        }
        let (data, tags) = self.next.ahead_of(self.released);
        if (data, tags) == (0, 0) {
            return Ok(());
        }
        self.shared.data.touch(self.released.data() as usize, data.unsigned_abs());
        // SAFETY: the slots are in `[r, w)`, so they are the reader's (invariant 2 of the crate); what was
        // returned is no longer borrowed.
        unsafe { self.shared.tags.clear(self.released.tags(), tags.unsigned_abs()) };
        self.shared.release(self.next);
        self.released = self.next;
        Ok(())
    }

    /// What is wrong at that index, in what was returned and not released.
    #[cold]
    fn faulty(&self, index: usize) -> ReadError<W::Error> {
        // SAFETY: it is in `[r, next)`, so it is the reader's (invariant 2 of the crate).
        let length = unsafe { self.shared.data.slice(index, 1) }.first().copied().unwrap_or_default();
        ReadError::Malformed { fault: Malformed::Length { length }, index }
    }

    /// Looks whether there is something.
    fn look(&mut self) -> Found {
        loop {
            // In this order: see the head of this file.
            let closed = self.shared.ended();
            let pending = self.shared.overflow().look();
            let w = self.shared.reader_view();

            if w.ahead_of(self.next) != (0, 0) {
                return Found::Ring(w);
            }
            if pending.pending() {
                let Some(lost) = self.shared.overflow().take(pending) else { continue };
                let fields = [self.synthesised.len() as u64, lost.time as u64];
                self.synthesised.iter_mut().zip(fields).for_each(|(word, value)| *word = value);
                if let Some(count) = self.synthesised.last_mut() {
                    *count = u64::from(lost.count);
                }
                return Found::Overflow;
            }
            if closed {
                return Found::EndOfFile;
            }
            if M::SLEEPS && w.has(WRITE_EXTRA) {
                self.shared.settle(w);
                continue;
            }
            return Found::Empty(w);
        }
    }

    /// The records that lie together from `next` on, up to `w`.
    fn take(&mut self, w: Word) -> Result<Records<'_>, ReadError<W::Error>> {
        let layout = self.shared.layout;
        let start = self.next;
        let index = start.data() as usize & (layout.words - 1);
        let malformed = |fault, index| ReadError::Malformed { fault, index };

        let (unread, unread_tags) = w.ahead_of(start);
        let (Ok(unread), Ok(unread_tags)) = (usize::try_from(unread), usize::try_from(unread_tags)) else {
            return Err(malformed(Malformed::CountsOutOfRange, index));
        };
        if unread > layout.words || unread_tags > layout.tags {
            return Err(malformed(Malformed::CountsOutOfRange, index));
        }
        if unread == 0 || unread_tags == 0 {
            return Err(malformed(Malformed::TagsOutOfStep, index));
        }

        // SAFETY: `[next, w)` is the reader's (invariant 2 of the crate), acquired with `w`, and stays so
        // until the next read, when the result's borrow of `self` has ended.
        let mut words = unsafe { self.shared.data.slice(index, unread) };
        let mut first = index;
        let mut skip = 0;
        if words.first() == Some(&0) {
            skip = words.len();
            first = 0;
            // SAFETY: as above; what is left of `[next, w)` after the skipped words begins at index 0.
            words = unsafe { self.shared.data.slice(0, unread - skip) };
            if words.is_empty() {
                return Err(malformed(Malformed::RewindToNothing, index));
            }
        }

        // As in the runtimes, a read also stops where the tag ring ends.
        let limit = unread_tags.min(layout.tags - (start.tags() as usize & (layout.tags - 1)));
        let (mut end, mut count) = (0, 0);
        if limit == unread_tags && skip + words.len() == unread {
            // Neither ring ends in between: it is all that there is.
            (end, count) = (words.len(), limit);
        }
        while count < limit
            && let Some(&length) = words.get(end)
            && length != 0
        {
            let fits = usize::try_from(length).ok().filter(|&n| n >= layout.record(0) && n <= words.len() - end);
            let Some(length) = fits else {
                return Err(malformed(Malformed::Length { length }, first + end));
            };
            end += length;
            count += 1;
        }
        if count == 0 {
            return Err(malformed(Malformed::Length { length: 0 }, first));
        }
        self.next = start.advanced(skip + end, count);
        // SAFETY: the slots lie in `[next, w)`, and are the reader's as the words are.
        Ok(unsafe {
            Records::new(&words[..end], first, layout.header, Some(&self.shared.tags), start.tags(), count, &self.fault)
        })
    }
}

impl<W: Wake, M: Mode> fmt::Debug for Reader<W, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("words", &self.next.data())
            .field("tags", &self.next.tags())
            .finish_non_exhaustive()
    }
}
