//! Making descriptors.

use core::sync::atomic::Ordering;
use std::panic::Location;
use std::rc::Rc;
use std::vec::Vec;

use super::{CAPACITY, Fd, PipeEnds, enter_table};
use crate::native::os::OsError;
use crate::simulated::gate::Gate;
use crate::simulated::tables::{Channel, End, Open};
use crate::simulated::world::with;

fn channel(limit: u64, writers: u32) -> usize {
    let gate = Rc::new(Gate::ordering().of_kernel());
    with(|w| {
        let number = w.number();
        w.files.channels.push(Channel { gate, number, level: 0, limit, waiters: Vec::new(), writers });
        w.files.channels.len() - 1
    })
    .unwrap_or_default()
}

fn open(end: End, channel: usize, nonblocking: bool, cloexec: bool) -> Fd {
    Fd(with(|w| w.files.insert(Open { end, channel, nonblocking, cloexec })).unwrap_or(-1))
}

fn pipe_with(at: &'static Location<'static>, cloexec: bool) -> PipeEnds {
    enter_table(at, Ordering::Relaxed);
    let channel = channel(CAPACITY, 1);
    PipeEnds { read: open(End::Read, channel, false, cloexec), write: open(End::Write, channel, false, cloexec) }
}

/// A pipe, both ends blocking and inherited across exec.
///
/// # Errors
/// None.
#[track_caller]
pub fn pipe() -> Result<PipeEnds, OsError> {
    Ok(pipe_with(Location::caller(), false))
}

/// A pipe, both ends blocking and close-on-exec from the start.
///
/// # Errors
/// None.
#[track_caller]
pub fn pipe2_cloexec() -> Result<PipeEnds, OsError> {
    Ok(pipe_with(Location::caller(), true))
}

/// Whether this system has `pipe2`.
#[must_use]
pub const fn has_pipe2() -> bool {
    true
}

/// An event counter, non-blocking and close-on-exec.
///
/// # Errors
/// None.
#[track_caller]
pub fn eventfd() -> Result<Fd, OsError> {
    enter_table(Location::caller(), Ordering::Relaxed);
    Ok(open(End::Counter, channel(u64::MAX - 1, 0), true, true))
}
