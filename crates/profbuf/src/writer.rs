//! The writer: what a signal handler calls.
//!
//! Nothing here blocks, allocates, locks, panics, calls the system or touches a thread-local; the one thing
//! that may is the [`Wake::wakeup`] that the writer calls. No index is trusted (see `ring`), and all
//! arithmetic on counts wraps by design.

use core::fmt;
use core::marker::PhantomData;

use sigproof_shim::sync::Arc;

use crate::config::Layout;
use crate::error::{CloseError, WriteError};
use crate::mode::Mode;
use crate::record::Tag;
use crate::room::{Place, Room};
use crate::shared::Shared;
use crate::wake::{EveryRecord, Wake};
use crate::word::Word;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Written {
    /// It is in the buffer.
    Stored,
    /// There was no room for it; it is counted in the pending overflow, which the reader will report.
    Dropped,
}

/// What a record is made of.
#[derive(Clone, Copy)]
struct Fields<'a> {
    time: i64,
    tag: Tag,
    header: &'a [u64],
    stack: &'a [u64],
}

/// The writing end of a buffer. Dropping it closes the buffer, if it is still open.
pub struct Writer<W: Wake, M: Mode = EveryRecord> {
    pub(crate) shared: Arc<Shared<W>>,
    mode: PhantomData<fn() -> M>,
}

impl<W: Wake, M: Mode> Writer<W, M> {
    pub(crate) fn new(shared: Arc<Shared<W>>) -> Self {
        Self { shared, mode: PhantomData }
    }

    /// Appends a record: a time (nanoseconds, by convention), a tag, up to `H` header words (the rest is
    /// zero) and any number of stack words. Wakes a sleeping reader as the policy says, if there is one.
    ///
    /// The record is dropped and counted if it does not fit, or if an overflow is pending and the two do not
    /// both fit.
    ///
    /// Async-signal-safe if [`Wake::wakeup`] is; wait-free but for that.
    ///
    /// # Errors
    /// [`WriteError::HeaderTooLong`] and [`WriteError::Closed`] for misuse; [`WriteError::Wake`] if the
    /// wake-up failed, the record having been dealt with.
    #[inline]
    pub fn write(
        &mut self,
        time: i64,
        tag: Tag,
        header: &[u64],
        stack: &[u64],
    ) -> Result<Written, WriteError<W::Error>> {
        // SAFETY: `&mut self` is the exclusion that is asked for.
        unsafe { self.write_shared(time, tag, header, stack) }
    }

    /// [`write`](Self::write) through a shared reference, for a handler that can only get at a static.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    ///
    /// # Safety
    /// Of all calls of `write`, `write_shared`, `close` and `close_shared` on this buffer, each must end
    /// before the next begins, and happen before it (as a lock's release and acquire give it). In particular
    /// a handler that calls this must not interrupt another such call on its own thread: block its signal
    /// around those, or let it try a lock and go away.
    #[inline(always)]
    pub unsafe fn write_shared(
        &self,
        time: i64,
        tag: Tag,
        header: &[u64],
        stack: &[u64],
    ) -> Result<Written, WriteError<W::Error>> {
        // One header word is what most profiles have: then none is to be padded, and what is compiled into
        // the caller is short.
        if header.len() != 1 || self.shared.layout.header != 1 {
            // SAFETY: passed on.
            return unsafe { self.write_any(time, tag, header, stack) };
        }
        // SAFETY: passed on.
        unsafe {
            self.try_write(time, tag, header, stack).unwrap_or_else(|| self.write_uncommon(time, tag, header, stack))
        }
    }

    /// Stores a record, if nothing is in the way: else nothing has happened.
    ///
    /// # Safety
    /// As [`write_shared`](Self::write_shared).
    #[inline(always)]
    unsafe fn try_write(
        &self,
        time: i64,
        tag: Tag,
        header: &[u64],
        stack: &[u64],
    ) -> Option<Result<Written, WriteError<W::Error>>> {
        let shared = &*self.shared;
        let layout = shared.layout;
        if header.len() > layout.header || shared.is_closed() || shared.overflow().look().pending() {
            return None;
        }
        let w = shared.position();
        let place = Room::between(layout, w, shared.released()).ahead(layout.record(stack.len()))?;
        // SAFETY: the place is free, and the caller the only writer.
        let woken =
            unsafe { self.append(layout, w, w.stepped(place.words), place, Fields { time, tag, header, stack }) };
        Some(woken.map(|()| Written::Stored).map_err(WriteError::Wake))
    }

    /// A write with any header, out of line.
    ///
    /// # Safety
    /// As [`write_shared`](Self::write_shared).
    #[inline(never)]
    unsafe fn write_any(
        &self,
        time: i64,
        tag: Tag,
        header: &[u64],
        stack: &[u64],
    ) -> Result<Written, WriteError<W::Error>> {
        // SAFETY: passed on.
        unsafe {
            self.try_write(time, tag, header, stack).unwrap_or_else(|| self.write_uncommon(time, tag, header, stack))
        }
    }

    /// A write that may be misuse, or find an overflow pending, or no room.
    ///
    /// # Safety
    /// As [`write_shared`](Self::write_shared).
    #[cold]
    #[inline(never)]
    unsafe fn write_uncommon(
        &self,
        time: i64,
        tag: Tag,
        header: &[u64],
        stack: &[u64],
    ) -> Result<Written, WriteError<W::Error>> {
        let shared = &*self.shared;
        let limit = shared.layout.header;
        let fields = Fields { time, tag, header, stack };
        if header.len() > limit {
            return Err(WriteError::HeaderTooLong { given: header.len(), limit });
        }
        if shared.is_closed() {
            return Err(WriteError::Closed);
        }

        let mut w = shared.position();
        let mut room = Room::between(shared.layout, w, shared.released());
        let mut woken = Ok(());

        let pending = shared.overflow().look();
        if pending.pending() {
            if !room.fits_both(shared.layout.record(1), shared.layout.record(stack.len())) {
                return self.drop_one(time);
            }
            // The reader may be faster: then it reports the overflow, and the record still fits in its stead.
            if let Some(lost) = shared.overflow().take(pending)
                && let Some(place) = room.place(shared.layout.record(1))
            {
                let lost_fields =
                    Fields { time: lost.time, tag: Tag::NONE, header: &[], stack: &[u64::from(lost.count)] };
                let next = w.advanced(place.skip.wrapping_add(place.words), 1);
                // SAFETY: the place is free, and the caller the only writer.
                woken = unsafe { self.append(shared.layout, w, next, place, lost_fields) };
                w = next;
            }
        }
        let Some(place) = room.place(shared.layout.record(stack.len())) else {
            return self.drop_one(time);
        };
        // SAFETY: as above; the record before it, if any, has moved `w` and `room` alike.
        let last = unsafe {
            self.append(shared.layout, w, w.advanced(place.skip.wrapping_add(place.words), 1), place, fields)
        };
        woken.and(last).map(|()| Written::Stored).map_err(WriteError::Wake)
    }

    /// Counts a record that does not fit.
    #[inline]
    fn drop_one(&self, time: i64) -> Result<Written, WriteError<W::Error>> {
        self.shared.overflow().add(time);
        self.shared.publish::<M>().map(|()| Written::Dropped).map_err(WriteError::Wake)
    }

    /// Writes and commits a record at its place. Returns how the wake-up went.
    ///
    /// # Safety
    /// `place` is free and what `Room` gives for position `w`, which is the current one, and for a record of
    /// these fields, the header of which is not too long; `next` is the position after it; the caller is the
    /// only writer (the contract of `write_shared`).
    #[inline(always)]
    unsafe fn append(
        &self,
        layout: Layout,
        w: Word,
        next: Word,
        place: Place,
        fields: Fields<'_>,
    ) -> Result<(), W::Error> {
        let shared = &*self.shared;
        // SAFETY: all of it lies in the free place, so it belongs to the writer (invariant 2 of the crate).
        // The place is for that many words by this function's contract.
        unsafe {
            if place.skip > 0 {
                shared.data.put(w.data(), 0);
            }
            shared.data.record(place, fields.time, layout.header, fields.header, fields.stack);
            shared.tags.put(w.tags(), fields.tag);
        }
        shared.commit::<M>(next)
    }

    /// Ends the file: the reader gets what is in the buffer, then end-of-file. Wakes it if it sleeps.
    ///
    /// Async-signal-safe if [`Wake::wakeup`] is.
    ///
    /// # Errors
    /// [`CloseError::AlreadyClosed`] for the second call; [`CloseError::Wake`] if the wake-up failed, the
    /// buffer being closed.
    pub fn close(&mut self) -> Result<(), CloseError<W::Error>> {
        // SAFETY: `&mut self` is the exclusion that is asked for.
        unsafe { self.close_shared() }
    }

    /// [`close`](Self::close) through a shared reference.
    ///
    /// # Errors
    /// As [`close`](Self::close).
    ///
    /// # Safety
    /// As [`write_shared`](Self::write_shared).
    pub unsafe fn close_shared(&self) -> Result<(), CloseError<W::Error>> {
        if !self.shared.end() {
            return Err(CloseError::AlreadyClosed);
        }
        self.shared.publish::<M>().map_err(CloseError::Wake)
    }
}

impl<W: Wake, M: Mode> Drop for Writer<W, M> {
    /// Closes, so that no reader waits for a writer that is gone. An error of that wake-up is lost; `close`
    /// reports it.
    fn drop(&mut self) {
        let _ = self.close();
    }
}

impl<W: Wake, M: Mode> fmt::Debug for Writer<W, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("closed", &self.shared.is_closed()).finish_non_exhaustive()
    }
}
