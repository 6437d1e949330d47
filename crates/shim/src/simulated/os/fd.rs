//! Descriptors: pipe, event counter, read, write, poll and the descriptor flags.
//!
//! A write is ordered before the read that gets it: see the limits in [`crate::model`].
//!
//! A pipe holds four bytes, so that it is soon full.
//!
//! The table of descriptors has a gate of its own, of those who make, mark or close a descriptor, and of a
//! fork.

use core::marker::PhantomData;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::format;
use std::panic::Location;
use std::rc::Rc;
use std::string::String;
use std::vec::Vec;

use super::{OsError, failed};
use crate::model::Waiting;
use crate::simulated::gate::Gate;
use crate::simulated::point;
use crate::simulated::tables::{End, FIRST, Open};
use crate::simulated::wait::{self, Ended, Ends};
use crate::simulated::world::{World, with};

mod make;

pub use make::{eventfd, has_pipe2, pipe, pipe2_cloexec};

/// What a pipe holds.
const CAPACITY: u64 = 4;

/// Passes a signal point and the gate of the table.
pub(super) fn enter_table(at: &'static Location<'static>, ordering: Ordering) -> Option<usize> {
    with(|w| Rc::clone(&w.files.gate))?.enter(at, ordering)
}

/// What is open and not close-on-exec.
pub(super) fn inherited() -> Vec<i32> {
    let numbers = |w: &mut World| {
        let kept = |fd: &(i32, &Option<Open>)| fd.1.as_ref().is_some_and(|open| !open.cloexec);
        (FIRST as i32..).zip(&w.files.open).filter(kept).map(|(fd, _)| fd).collect()
    };
    with(numbers).unwrap_or_default()
}

/// A descriptor that is closed when dropped.
#[derive(Debug)]
pub struct Fd(i32);

/// The two ends of a pipe.
#[derive(Debug)]
pub struct PipeEnds {
    /// What is written to the other end is read here.
    pub read: Fd,
    /// The end to write to.
    pub write: Fd,
}

impl Fd {
    /// The number.
    #[must_use]
    pub const fn number(&self) -> i32 {
        self.0
    }

    /// The descriptor, borrowed.
    #[must_use]
    pub const fn borrow(&self) -> FdRef<'_> {
        FdRef { number: self.0, owner: PhantomData }
    }
}

impl Drop for Fd {
    #[track_caller]
    fn drop(&mut self) {
        let Some((gate, _)) = self.borrow().find() else { return };
        let at = Location::caller();
        let Some(me) = enter_table(at, Ordering::Relaxed) else { return };
        gate.again(me, Ordering::Relaxed);
        let woken = with(|w| {
            let place = usize::try_from(self.0).ok()?.checked_sub(FIRST)?;
            let open = w.files.open.get_mut(place)?.take()?;
            let channel = &mut w.files.channels[open.channel];
            if open.end == End::Write {
                channel.writers -= 1;
            }
            Some(if channel.writers == 0 { core::mem::take(&mut channel.waiters) } else { Vec::new() })
        });
        woken.flatten().unwrap_or_default().into_iter().for_each(wait::wake);
    }
}

/// A borrowed descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdRef<'a> {
    number: i32,
    owner: PhantomData<&'a Fd>,
}

/// How one look at a descriptor went.
enum Looked {
    Done(u64),
    Nothing,
}

impl FdRef<'_> {
    /// The descriptor of this number.
    ///
    /// # Safety
    /// As long as the result is used, either the descriptor is open and its owner lends it to the caller, or
    /// no open descriptor has this number; every call then fails with `EBADF`.
    #[must_use]
    pub const unsafe fn from_number(number: i32) -> Self {
        Self { number, owner: PhantomData }
    }

    fn find(self) -> Option<(Rc<Gate>, Open)> {
        with(|w| {
            let open = w.files.get(self.number)?.clone();
            Some((Rc::clone(&w.files.channels[open.channel].gate), open))
        })
        .flatten()
    }

    /// Passes the point and the gate.
    fn enter(self, call: &'static str, at: &'static Location<'static>) -> Result<(usize, Open), OsError> {
        let Some((gate, open)) = self.find() else {
            point::pass(at);
            return Err(failed(call, libc::EBADF));
        };
        let ordering = if call == "write" { Ordering::Release } else { Ordering::Acquire };
        let me = gate.enter(at, ordering).ok_or(OsError::Failed { call, errno: libc::EBADF })?;
        Ok((me, open))
    }

    /// Reads what is there, blocking if the descriptor does. Zero is end-of-file.
    ///
    /// # Errors
    /// [`OsError::Failed`]; `EINTR` and `EAGAIN` are not hidden.
    #[track_caller]
    pub fn read(self, buffer: &mut [u8]) -> Result<usize, OsError> {
        let at = Location::caller();
        let (me, open) = self.enter("read", at)?;
        match open.end {
            End::Write => return Err(failed("read", libc::EBADF)),
            End::Counter if buffer.len() < 8 => return Err(failed("read", libc::EINVAL)),
            _ => {}
        }
        loop {
            let looked = with(|w| {
                let channel = &mut w.files.channels[open.channel];
                let looked = match open.end {
                    End::Counter if channel.level > 0 => {
                        channel.level = 0;
                        Looked::Done(8)
                    }
                    End::Read if channel.level > 0 => {
                        let count = channel.level.min(buffer.len() as u64);
                        channel.level -= count;
                        Looked::Done(count)
                    }
                    End::Read if channel.writers == 0 => Looked::Done(0),
                    _ => Looked::Nothing,
                };
                let number = channel.number;
                if let Looked::Done(count) = looked {
                    w.record(at, || format!("reads {count} bytes from channel {number}"));
                }
                looked
            });
            match looked {
                None => return Err(OsError::Failed { call: "read", errno: libc::EBADF }),
                Some(Looked::Done(count)) => return Ok(usize::try_from(count).unwrap_or(usize::MAX)),
                Some(Looked::Nothing) if open.nonblocking => {
                    with(|w| w.record(at, || String::from("reads nothing: EAGAIN")));
                    return Err(failed("read", libc::EAGAIN));
                }
                Some(Looked::Nothing) => match Self::sleep(me, at, open.channel, "a read of", None) {
                    Ended::Woken | Ended::TimedOut => {}
                    Ended::Interrupted | Ended::Spurious => return Err(failed("read", libc::EINTR)),
                },
            }
        }
    }

    /// Sleeps until the channel has something, then passes its gate.
    fn sleep(
        me: usize,
        at: &'static Location<'static>,
        channel: usize,
        what: &str,
        timeout: Option<Duration>,
    ) -> Ended {
        let Some((gate, number)) = with(|w| {
            let channel = &mut w.files.channels[channel];
            channel.waiters.push(me);
            (Rc::clone(&channel.gate), channel.number)
        }) else {
            return Ended::Interrupted;
        };
        let call = if what == "a poll of" { "poll" } else { "read" };
        let waiting = Waiting { what: format!("{what} channel {number}"), owner: None, lock: false, call };
        let ends = Ends { by_handler: true, spuriously: true, after: timeout };
        let leave = || with(|w| wait::leave(&mut w.files.channels[channel].waiters, me)).unwrap_or(false);
        let ended = wait::sleep(me, at, waiting, ends, &gate, leave);
        gate.again(me, Ordering::Acquire);
        ended
    }

    /// Writes what fits.
    ///
    /// # Errors
    /// [`OsError::Failed`] with `EAGAIN` for a full one.
    ///
    /// # Panics
    /// If it would block: no source here writes to a descriptor that does.
    #[track_caller]
    pub fn write(self, bytes: &[u8]) -> Result<usize, OsError> {
        let at = Location::caller();
        let (_, open) = self.enter("write", at)?;
        let amount = match (open.end, <[u8; 8]>::try_from(bytes).map(u64::from_ne_bytes)) {
            (End::Read, _) => return Err(failed("write", libc::EBADF)),
            (End::Counter, Err(_) | Ok(u64::MAX)) => return Err(failed("write", libc::EINVAL)),
            (End::Counter, Ok(number)) => number,
            (End::Write, _) => bytes.len() as u64,
        };
        if amount == 0 {
            return Ok(bytes.len());
        }
        let woken = with(|w| {
            let channel = &mut w.files.channels[open.channel];
            let fits = channel.limit - channel.level;
            let fits = if open.end == End::Counter && fits < amount { 0 } else { fits.min(amount) };
            let number = channel.number;
            let woken = (fits > 0).then(|| {
                channel.level += fits;
                core::mem::take(&mut channel.waiters)
            });
            w.record(at, || match fits {
                0 => format!("writes nothing to channel {number}, which is full: EAGAIN"),
                _ => format!("writes to channel {number}"),
            });
            woken.map(|woken| (woken, fits))
        });
        match woken {
            None => Ok(bytes.len()),
            Some(None) => {
                assert!(open.nonblocking, "a write that blocks");
                Err(failed("write", libc::EAGAIN))
            }
            Some(Some((woken, fits))) => {
                assert!(open.nonblocking || fits == amount, "a write that blocks");
                woken.into_iter().for_each(wait::wake);
                Ok(if open.end == End::Counter { 8 } else { usize::try_from(fits).unwrap_or(usize::MAX) })
            }
        }
    }

    /// Waits until the descriptor is readable: `true`; or for `timeout`: `false`. No time-out waits for ever.
    ///
    /// # Errors
    /// [`OsError::Failed`]; `EINTR` is not hidden.
    #[track_caller]
    pub fn poll_readable(self, timeout: Option<Duration>) -> Result<bool, OsError> {
        let at = Location::caller();
        let (me, open) = self.enter("poll", at)?;
        loop {
            let ready = with(|w| {
                let channel = &w.files.channels[open.channel];
                let ready = channel.level > 0 || (open.end == End::Read && channel.writers == 0);
                w.record(at, || format!("polls: {}", if ready { "readable" } else { "nothing" }));
                ready
            });
            if ready != Some(false) {
                return Ok(true);
            }
            if timeout == Some(Duration::ZERO) {
                return Ok(false);
            }
            match Self::sleep(me, at, open.channel, "a poll of", timeout) {
                Ended::Woken => {}
                Ended::TimedOut => return Ok(false),
                Ended::Interrupted | Ended::Spurious => return Err(failed("poll", libc::EINTR)),
            }
        }
    }

    /// Sets or clears `FD_CLOEXEC`.
    ///
    /// # Errors
    /// [`OsError::Failed`] with `EBADF`.
    #[track_caller]
    pub fn set_cloexec(self, on: bool) -> Result<(), OsError> {
        enter_table(Location::caller(), Ordering::Relaxed);
        self.set(|open| open.cloexec = on)
    }

    /// Whether `FD_CLOEXEC` is set.
    ///
    /// # Errors
    /// [`OsError::Failed`] with `EBADF`.
    #[track_caller]
    pub fn is_cloexec(self) -> Result<bool, OsError> {
        enter_table(Location::caller(), Ordering::Relaxed);
        self.find().map(|(_, open)| open.cloexec).ok_or_else(|| failed("fcntl", libc::EBADF))
    }

    /// Sets or clears `O_NONBLOCK`.
    ///
    /// # Errors
    /// [`OsError::Failed`] with `EBADF`.
    #[track_caller]
    pub fn set_nonblocking(self, on: bool) -> Result<(), OsError> {
        self.enter("fcntl", Location::caller())?;
        self.set(|open| open.nonblocking = on)
    }

    fn set(self, change: impl FnOnce(&mut Open)) -> Result<(), OsError> {
        let changed = with(|w| w.files.get(self.number).map(change));
        changed.flatten().ok_or_else(|| failed("fcntl", libc::EBADF))
    }
}
